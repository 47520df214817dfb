"""The cameras of some lines, which see the same frames of one camera.

Lines that are in the same state, and whose settings differ in no more than their threshold, are judged as
one group: they part where a score lies between their thresholds, and meet again when they have kept the same
frame. Of 41 lines some four groups are left, and a frame takes a tenth of the time.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from framegate.cameras.camera import Camera, mask_of
from framegate.cameras.camera_state import schedule_of
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.detect.deciding import Measured, decisive_score
from framegate.detect.small_picture import SmallPicture
from framegate.model import ChangeScore, Decision, GrayImage, Moment
from framegate.tune.replay.facts import Reading, Seen
from framegate.tune.replay.group import MOST_KEPT, CarriedGroup, Group, kin_of, limit, reading_of
from framegate.tune.replay.outcomes import Start, key_of
from framegate.tune.replay.sharing import SharedWork, SharingDetector, line_key, work_key
from framegate.tune.replay.shown import digest_of


@dataclass(frozen=True, slots=True)
class Decided:
    """What some lines have decided about a frame."""

    lines: Sequence[int]
    decision: Decision
    """Of the first of them; the others' differ in the score alone."""

    scores: Mapping[int, ChangeScore]
    """What each line has compared with its threshold; empty where nothing was compared, or by one line."""


class Lines:
    """Judges one camera's frames by several settings at once.

    Args:
        camera: its name.
        settings: of each line.
        masks: the pictures in the mask files, read once.
        start: what the camera knows; None: nothing.
        carried: what ``carried`` has returned for lines of these settings, to go on from; else nothing.

    Raises:
        OSError: a mask cannot be read.
        ValueError: a mask is not a picture.
    """

    def __init__(
        self,
        camera: str,
        settings: Sequence[Settings],
        masks: dict[str, GrayImage],
        start: Start | None = None,
        carried: Sequence[CarriedGroup] = (),
    ) -> None:
        self._name = camera
        self._masks = masks
        self._works: dict[str, SharedWork] = {}
        self._settings = list(settings)
        self._detections: dict[tuple[int, str | None], DetectionSettings] = {}
        """Of each line, by the schedule that counts."""

        self.are_cold = False
        """Whether a line knows nothing of what the camera knew: its settings reduce pictures otherwise."""

        if carried:
            self._groups = [self._resumed(each) for each in carried]
        else:
            self._groups = [self._begun(line, start) for line in range(len(settings))]
            self._join()
        for each in self._settings:  # what is known of their works is then read with that of the others
            for schedule in each.schedules_of(camera):
                self._work_of(*self._detection_and_mask(each, schedule.name))

    @property
    def readings(self) -> dict[Reading, Settings]:
        """The ways in which a frame has to be read, each with the settings of a line that needs it."""
        return {reading_of(each, self._name): each for each in self._settings}

    def camera_of(self, line: int) -> Camera:
        """Return the camera that judges a line; its pictures and detectors are those of shared work."""
        (camera,) = (group.camera for group in self._groups if line in group.lines)
        return camera

    def carried(self) -> list[CarriedGroup]:
        """Return all that later decisions depend on besides the settings.

        Raises:
            NotKnownError: a frame was not read.
        """
        return [group.carried() for group in self._groups]

    @property
    def works(self) -> Mapping[str, SharedWork]:
        """What the lines compute together, by its key."""
        return self._works

    def key_of(self, settings: Settings) -> str:
        """Return what tells apart all that may change what a line decides, besides the frames."""
        reading = reading_of(settings, self._name)
        key = line_key(reading, *self._detection_and_mask(settings))
        scheduled = [
            (each.model_dump_json(), line_key(reading, *self._detection_and_mask(settings, each.name)))
            for each in settings.schedules_of(self._name)
        ]
        return digest_of(f"{key} {scheduled}".encode()) if scheduled else key

    def judge(
        self, number: int, moment: Moment, sha256: bytes, seen: Mapping[Reading, Seen]
    ) -> Iterator[Decided]:
        """Yield what the lines decide about a frame; references are named by ``key_of``.

        Args:
            number: of the frame.
            moment: when it was taken.
            sha256: of its bytes; empty if it could not be read.
            seen: what it shows, by reading.

        Raises:
            NotKnownError: something has to be computed, and a frame was not read.
            MemoryError: there is too little memory now.
        """
        waiting, judged, is_kept = deque(self._groups), [], False
        while waiting:
            group = waiting.popleft()
            judged.append(group)
            shown = seen[group.kin[0]]
            if isinstance(shown, Decision):
                yield Decided(group.lines, shown, {})
                continue
            self._keep_to_schedule(group, moment)
            scores: dict[int, ChangeScore] = {}
            part = partial(self._part, group, waiting, scores) if len(group.lines) > 1 else _go_on
            for shared in self._works.values():
                shared.on_measured = part
            decision = group.camera.decide_repeat(sha256, moment)
            if decision is None:
                small = cast(SmallPicture, shown)  # all that a detector with shared work asks for
                decision = group.camera.decide(key_of(number), moment, small, sha256)
            if decision.reason.is_kept:
                group.kept.append(moment)
                is_kept = True
            yield Decided(group.lines, decision, scores)
        self._groups = judged
        if is_kept:
            self._join()

    def retune(self, line: int, settings: Settings) -> bool:
        """Judge a line by other settings from now on; return False if it has to begin anew by them.

        From then on it is in no group: an edit is remembered in ways that ``state`` does not tell.
        """
        group = self._alone(line)  # by the settings of before: a branch may differ in its threshold alone
        self._settings[line] = settings
        self._detections = {key: each for key, each in self._detections.items() if key[0] != line}
        group.kin = (reading_of(settings, self._name), line)
        detection, mask = self._detection_and_mask(settings)
        if group.camera.judge.settings == detection:
            group.camera.schedule = None
            return True
        if not group.camera.retune(detection, mask):
            self._groups[self._groups.index(group)] = self._begun(line)
            return False
        limit(group.camera, group.kept)
        return True

    def _keep_to_schedule(self, group: Group, moment: Moment) -> None:
        """Judge the next frame of a group by the schedule that counts then, as the daemon would."""
        line, camera = group.lines[0], group.camera
        settings = self._settings[line]
        if not settings.schedule:
            return
        schedule = settings.schedule_at(self._name, camera.judge.pacing.time_ns(moment))
        if schedule != camera.schedule:
            _, mask = self._detection_and_mask(settings, schedule)
            camera.retune(self._detection(line, schedule), mask, schedule)
            limit(camera, group.kept)

    def _detection(self, line: int, schedule: str | None) -> DetectionSettings:
        """Return the settings of a line, the same object each time: it is asked for at every frame."""
        if (line, schedule) not in self._detections:
            self._detections[line, schedule] = self._settings[line].detection_of(self._name, schedule)
        return self._detections[line, schedule]

    def _part(
        self, group: Group, waiting: deque[Group], scores: dict[int, ChangeScore], measured: Measured
    ) -> None:
        """Let lines that decide otherwise than the first go their own way, before anything is changed."""
        for line in group.lines:
            scores[line] = decisive_score(measured, self._detection(line, group.camera.schedule))
        is_changed = _is_above(scores[group.lines[0]])
        others = [line for line in group.lines if _is_above(scores[line]) != is_changed]
        if others:
            group.lines = [line for line in group.lines if line not in others]
            waiting.appendleft(self._branch(group, others))
            for line in others:
                del scores[line]

    def _branch(self, group: Group, lines: list[int]) -> Group:
        camera = group.camera.branch(self._detection(lines[0], group.camera.schedule))
        return replace(group, lines=lines, camera=camera, kept=group.kept.copy())

    def _join(self) -> None:
        """Make one group of those whose states are equal."""
        if len(self._groups) < 2:  # noqa: PLR2004 - two groups
            return
        by_state: dict[tuple[Any, ...], Group] = {}
        for group in self._groups:
            first = by_state.setdefault(group.state(), group)
            if first is not group:
                first.lines += group.lines
        self._groups = list(by_state.values())

    def _alone(self, line: int) -> Group:
        (group,) = (each for each in self._groups if line in each.lines)
        if len(group.lines) > 1:
            others = [each for each in group.lines if each != line]
            self._groups.append(self._branch(group, others))
            camera = group.camera.branch(self._detection(line, group.camera.schedule))
            group.lines, group.camera = [line], camera
        return group

    def _begun(self, line: int, start: Start | None = None) -> Group:
        settings = self._settings[line]
        schedule = None if start is None else start.schedule_in(settings, self._name)
        detection, mask = self._detection_and_mask(settings, schedule)
        detector_of = self._new_detector_for(detection, mask)
        camera = Camera(self._name, detection, mask, schedule=schedule, new_detector=detector_of)
        kept: deque[Moment] = deque(maxlen=MOST_KEPT)
        if start is not None:
            try:
                camera = Camera.restored(
                    self._name, detection, mask, start.state, schedule=schedule, new_detector=detector_of
                )
            except ValueError:
                self.are_cold = True
            else:
                last = camera.judge.pacing.kept  # of these no row need be left
                known = set(last)
                kept.extend(each for each in start.kept if each not in known)
                kept.extend(last)
                limit(camera, kept)
        return Group([line], camera, kin_of(settings, self._name), kept)

    def _resumed(self, carried: CarriedGroup) -> Group:
        settings = self._settings[carried.lines[0]]
        schedule = schedule_of(carried.state)
        detection, mask = self._detection_and_mask(settings, schedule)
        camera = Camera.restored(
            self._name,
            detection,
            mask,
            carried.state,
            schedule=schedule,
            new_detector=self._new_detector_for(detection, mask),
            judges_alike=True,
        )
        line = carried.lines[0]
        kin = kin_of(settings, self._name)
        if carried.is_edited:
            kin = kin[0], line
        return Group([*carried.lines], camera, kin, deque(carried.kept, MOST_KEPT))

    def _new_detector_for(
        self, detection: DetectionSettings, mask: GrayImage | None
    ) -> Callable[[DetectionSettings, GrayImage | None], SharingDetector]:
        """Return what makes the detectors of a camera that begins by these settings."""
        work = self._work_of(detection, mask)

        def detector_of(other: DetectionSettings, mask: GrayImage | None) -> SharingDetector:
            is_alike = other is detection
            return SharingDetector(other, work if is_alike else self._work_of(other, mask))

        return detector_of

    def _detection_and_mask(
        self, settings: Settings, schedule: str | None = None
    ) -> tuple[DetectionSettings, GrayImage | None]:
        detection = settings.detection_of(self._name, schedule)
        path = detection.mask_file
        if path is not None and path not in self._masks:
            mask = mask_of(detection)
            assert mask is not None
            self._masks[path] = mask
        return detection, None if path is None else self._masks[path]

    def _work_of(self, detection: DetectionSettings, mask: GrayImage | None) -> SharedWork:
        key = work_key(detection, mask)
        if key not in self._works:
            self._works[key] = SharedWork(detection, mask)
        return self._works[key]


def _go_on(_measured: Measured) -> None:
    """Let a line that is alone in its group be: it has nobody to part from."""


def _is_above(score: ChangeScore) -> bool:
    return score.score > score.threshold
