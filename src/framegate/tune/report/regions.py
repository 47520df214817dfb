"""Where the frames around each threshold have changed: what the page outlines.

A replay knows scores alone: regions need the pixels, and what the detector had learnt by then. So the frames
are judged once more by the pipeline's own camera, and a few of its comparisons are looked into. That takes as
long as a scan; it ends with the last frame that is outlined. To do so for every frame and threshold would
take forty times as long.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, cast

from framegate.cameras.camera import Camera, mask_of
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.detector import Detector, Prepared, detector_of
from framegate.detect.small_picture import SmallPicture
from framegate.model import ChangeScore, Decision, GrayImage, Moment, Region
from framegate.tune.replay.facts import Seen
from framegate.tune.replay.group import reading_of
from framegate.tune.replay.outcomes import NONE, Frame, Outcome, Start
from framegate.tune.replay.reader import Reader

SCALE = 1000
"""Sides of the picture, in the units of a box."""

MOST_BOXES = 12

Box = tuple[int, int, int, int]
"""Left, top, width and height, in thousandths of the picture."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A frame to be outlined, as one outcome has compared it."""

    number: int
    outcome: Outcome

    @property
    def reference(self) -> int:
        """The number of the frame it was compared with."""
        return int(self.outcome.references[self.number])


def regions_of(
    camera: str,
    frames: Sequence[Frame],
    numbers: Sequence[int],
    wanted: Sequence[Comparison],
    *,
    settings: Settings,
    progress: Progress = lambda _frames: None,
) -> dict[int, list[Box]]:
    """Return the boxes of comparisons, by their place in ``wanted``.

    A comparison is missing where the score is not to the bit the one that was replayed, because other frames
    had been learnt from: then where it changed is not known either.

    Args:
        camera: its name.
        frames: all that were replayed.
        numbers: those of this camera, in their order.
        wanted: with a reference each.
        settings: of any line; the thresholds come with the comparisons.
        progress: called with the number of frames judged since the last call.
    """
    watch = _Watch(camera, wanted)
    judging = _begun(camera, settings, frames[numbers[0]].start, watch)
    readings = {reading_of(settings, camera): settings}
    last = max((comparison.number for comparison in wanted), default=NONE)
    with closing(Reader([frames[number] for number in numbers])) as reader:
        for place, number in enumerate(numbers):
            if number <= last and frames[number].settled is None:
                sha256, seen = reader.take(place, readings)
                watch.number = number
                _keep_to_schedule(judging, settings, _moment_of(frames[number]))
                watch.schedule = judging.schedule
                _judge(judging, str(number), frames[number], sha256, *seen.values())
            progress(1)
    return watch.found


def _begun(camera: str, settings: Settings, start: Start | None, watch: "_Watch") -> Camera:
    """Return a camera that knows what it knew when the replay began, as far as it can be told."""
    schedule = None if start is None else start.schedule_in(settings, camera)
    detection = settings.detection_of(camera, schedule)
    mask = mask_of(detection)
    if start is not None:
        with suppress(ValueError):
            return Camera.restored(
                camera, detection, mask, start.state, new_detector=watch.new_detector, schedule=schedule
            )
    return Camera(camera, detection, mask, new_detector=watch.new_detector, schedule=schedule)


def _moment_of(frame: Frame) -> Moment:
    return Moment(frame.candidate.captured_at_ns, frame.candidate.arrived_at_ns)


def _keep_to_schedule(judging: Camera, settings: Settings, moment: Moment) -> None:
    """Compare as at the hour of a frame. How many were kept before may be lost: it changes no score."""
    schedule = settings.schedule_at(judging.name, judging.judge.pacing.time_ns(moment))
    if schedule != judging.schedule:
        detection = settings.detection_of(judging.name, schedule)
        judging.retune(detection, mask_of(detection), schedule)


def _judge(judging: Camera, name: str, frame: Frame, sha256: bytes, shown: Seen) -> None:
    moment = _moment_of(frame)
    if isinstance(shown, Decision) or judging.decide_repeat(sha256, moment) is not None:
        return
    assert shown.small is not None, "it was read"
    judging.decide(name, moment, shown.small, sha256)


class _Watch:
    """Looks into comparisons at the moment when the detector has learnt all that came before."""

    def __init__(self, camera: str, wanted: Sequence[Comparison]) -> None:
        self.number = NONE
        """Of the frame that is judged now."""

        self.schedule: str | None = None
        """That counts for it."""

        self.found: dict[int, list[Box]] = {}
        self._camera = camera
        self._wanted: dict[int, list[tuple[int, Comparison]]] = {}
        self._needed_until: dict[int, int] = {}
        for place, comparison in enumerate(wanted):
            self._wanted.setdefault(comparison.number, []).append((place, comparison))
            until = self._needed_until.get(comparison.reference, NONE)
            self._needed_until[comparison.reference] = max(until, comparison.number)
        self._references: dict[int, Prepared] = {}

    def new_detector(self, settings: DetectionSettings, mask: GrayImage | None) -> Detector[Any]:
        """Return a detector of the settings' preset that is watched."""
        return cast(Detector[Any], _WatchedDetector(detector_of(settings, mask), self))

    def look(self, detector: Detector[Any], prepared: Prepared) -> None:
        """Look at the current frame, which was prepared and not judged yet."""
        for place, comparison in self._wanted.get(self.number, ()):
            reference = self._references.get(comparison.reference)
            if reference is not None and reference.shape == prepared.shape:
                boxes = self._boxes(detector, comparison, reference, prepared)
                if boxes is not None:
                    self.found[place] = boxes
        if self.number in self._needed_until:
            self._references[self.number] = prepared
        for number in [each for each in self._references if self._needed_until[each] <= self.number]:
            del self._references[number]

    def _boxes(
        self, detector: Detector[Any], comparison: Comparison, reference: Prepared, current: Prepared
    ) -> list[Box] | None:
        own = detector.branch()
        own.settings = comparison.outcome.line.settings.detection_of(self._camera, self.schedule)
        score = own.score(reference, current)
        if score.score != comparison.outcome.scores[comparison.number]:
            return None
        return [_box(region, score) for region in _shown(own, score, reference, current)]


class _WatchedDetector:
    """A detector whose ``prepare``, the first thing that is asked of it for a frame, is noticed."""

    def __init__(self, detector: Detector[Any], watch: _Watch) -> None:
        self._detector, self._watch = detector, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def go_on_from(self, other: "_WatchedDetector") -> None:
        """Know what another watched detector has learnt."""
        self._detector.go_on_from(other._detector)  # noqa: SLF001 - one of us

    def prepare(self, small: SmallPicture) -> Prepared:
        """Return what comparing a picture needs, after a look at it."""
        prepared: Prepared = self._detector.prepare(small)
        self._watch.look(self._detector, prepared)
        return prepared


def _shown(
    detector: Detector[Any], score: ChangeScore, reference: Prepared, current: Prepared
) -> Iterator[Region]:
    """Yield what counted; where nothing was above the threshold, the place that changed most."""
    if score.regions or not isinstance(detector, Adaptive):
        yield from score.regions[:MOST_BOXES]
    elif score.score > 1 and (place := detector.decisive(reference, current)) is not None:  # type: ignore[arg-type]
        yield place


def _box(region: Region, score: ChangeScore) -> Box:
    width, height = score.working_size
    left, top = round(SCALE * region.x / width), round(SCALE * region.y / height)
    right = round(SCALE * (region.x + region.width) / width)
    bottom = round(SCALE * (region.y + region.height) / height)
    return left, top, max(1, right - left), max(1, bottom - top)
