"""One camera of the daemon: its judge, what the ledger remembers of it, and which bytes it has sent last."""

import hashlib
from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from framegate.cameras.camera_state import Digests, packed, unpacked
from framegate.config.detection import DetectionSettings
from framegate.detect.detector import DETECTOR_VERSION, NewDetector, detector_of
from framegate.detect.judging.capture_clock import CaptureClock
from framegate.detect.judging.judge import Judge
from framegate.detect.judging.lane import Lane
from framegate.detect.judging.pacing import Storm
from framegate.detect.small_picture import SmallPicture
from framegate.events.base import LogEvent
from framegate.events.frames import CameraCalm, CameraClock, CameraClockRight, CameraStorm
from framegate.ingest.lateness import Lateness
from framegate.keep.memories import LaneMemory, Memory
from framegate.model import (
    Candidate,
    Decision,
    Entry,
    FileKey,
    GrayImage,
    Moment,
    Picture,
    Reason,
    Size,
    iso_utc,
)

DIGESTS_BYTES = 300
"""Memory of a camera besides its judge, and of the digests of each picture size."""


def read_mask(path: str) -> GrayImage:
    """Return a mask picture: uint8 (height, width), 0 where the picture is ignored.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a picture.
    """
    return mask_in(Path(path).read_bytes(), path)


def mask_in(data: bytes, path: str) -> GrayImage:
    """Return the mask picture in a file's bytes; see ``read_mask``.

    Raises:
        ValueError: they are no picture; ``path`` is for the words.
    """
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    except cv2.error:  # for example more pixels than OpenCV decodes at all
        picture = None
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    return picture.astype(np.uint8, copy=False)


def mask_of(settings: DetectionSettings) -> GrayImage | None:
    """Return the mask in the file that the settings name; None if they name none.

    Raises:
        OSError: the mask cannot be read.
        ValueError: the mask is not a picture.
    """
    return None if settings.mask_file is None else read_mask(settings.mask_file)


class Camera:
    """Judges the frames of one camera, in order, and drops those whose bytes have just been judged.

    Args:
        name: as ``camera_pattern`` gives it.
        settings: of this camera.
        mask: the picture in the mask file that they name.
        schedule: the one that these settings are of.
        new_detector: makes the detectors of its judge.
    """

    def __init__(
        self,
        name: str,
        settings: DetectionSettings,
        mask: GrayImage | None,
        *,
        schedule: str | None = None,
        new_detector: NewDetector = detector_of,
    ) -> None:
        self.name = name
        self.schedule = schedule
        """Name of the one that counts now; None without one."""

        self.judge = Judge(settings, mask_picture=mask, new_detector=new_detector)
        self.lateness = Lateness()
        self._digests: dict[Size, Digests] = {}
        """Of the judge's lanes."""

        self._settings_sha256 = _settings_sha256(settings, mask)
        self.judged_on = self.saved_on = 0
        """The day of its last decision, and of its last checkpoint, in days since 1970 UTC."""

    @property
    def size_bytes(self) -> int:
        """Memory of the camera in bytes, nearly all of it pictures at the working size."""
        return DIGESTS_BYTES * (1 + len(self._digests)) + self.judge.size_bytes

    @property
    def sizes_dropped(self) -> frozenset[Size]:
        """Picture sizes whose last frame was dropped as unchanged: a copy of it need not be judged."""
        return frozenset(size for size, digests in self._digests.items() if digests.dropped is not None)

    def has_judged(self, sha256: bytes) -> bool:
        """Return whether ``decide_repeat`` may know a frame by its bytes; may be called in any thread."""
        judged = self._judged_sha256(sha256)
        digests_of = self._digests  # another thread replaces it, and never changes it
        return any(sha256 == each.reference or judged == each.dropped for each in digests_of.values())

    def decide_repeat(self, sha256: bytes, moment: Moment) -> Decision | None:
        """Drop a frame as ``identical`` if its bytes have just been judged; return None if they have to be.

        Those of the reference cannot differ from it. Those of a frame that was dropped as unchanged would be
        dropped again, by the same settings: after an edit they are judged once more.
        """
        judged = self._judged_sha256(sha256)
        for size, digests in self._digests.items():
            if sha256 == digests.reference:
                return self._repeat(size, "kept", moment)
            if judged == digests.dropped:
                return self._repeat(size, "unchanged", moment)
        return None

    def _repeat(self, size: Size, repeated: str, moment: Moment) -> Decision | None:
        decision = self.judge.judge_repeat(
            moment.captured_at_ns, size=size, arrived_at_ns=moment.arrived_at_ns
        )
        detail = f"the same bytes as the last {repeated} frame"
        return decision and replace(decision, detail=detail, schedule=self.schedule)

    def decide(self, key: FileKey | str, moment: Moment, picture: SmallPicture, sha256: bytes) -> Decision:
        """Decide about a frame that has to be judged, and learn from it.

        Args:
            key, moment: which frame it is, and when it was taken.
            picture: as ``reduced`` returns it for the camera's settings.
            sha256: of its bytes.

        Raises:
            MemoryError: there is too little memory now. Nothing was learnt from the frame.
        """
        decision = self.judge.judge_reduced(
            key, moment.captured_at_ns, picture, arrived_at_ns=moment.arrived_at_ns
        )
        if self.schedule is not None:
            decision = replace(decision, schedule=self.schedule)
        if decision.reason is Reason.TORN:
            return decision  # the judge goes on as if it had not come
        size = picture.source_size
        digests = self._digests.get(size, Digests())
        if decision.reason.is_kept:
            digests.reference = sha256
        is_settled = decision.reason is Reason.UNCHANGED  # not in a storm: it may have a turn in a minute
        digests.dropped = self._judged_sha256(sha256) if is_settled else None
        self._note(size, digests)
        return decision

    def announcements(
        self, candidate: Candidate, storm: Storm | None, clock: CaptureClock
    ) -> Iterator[LogEvent]:
        """Yield what is to be logged of the camera after a frame, besides the verdict.

        Args:
            candidate: the frame.
            storm: in which the camera was before it.
            clock: what was known of the camera's clock before it.
        """
        now = self.judge.pacing
        if now.storm is not None and storm is None:
            yield CameraStorm(self.name, self.judge.settings.max_kept_per_hour)
        elif now.storm is None and storm is not None:
            yield CameraCalm(self.name, storm.kept, storm.dropped)
        arrived_at_ns = candidate.arrived_at_ns
        if now.clock.fault is not clock.fault and arrived_at_ns is not None:
            ahead_s = round((candidate.captured_at_ns - arrived_at_ns) / 1e9)
            captured_at, frame = iso_utc(candidate.captured_at_ns), candidate.key.name
            if now.clock.fault is not None:
                yield CameraClock(self.name, frame, now.clock.fault, captured_at, ahead_s)
            else:
                yield CameraClockRight(self.name, frame, captured_at, ahead_s)

    def renew(self, before: Entry, now: Entry) -> None:
        """Know a judged frame by its present version, time and content."""
        self.judge.renew(before.key, now.key, now.captured_at_ns)
        self.lateness.renew(before.captured_at_ns, now.captured_at_ns)
        for digests in self._digests.values():
            if before.sha256 == digests.reference:
                digests.reference = now.sha256

    def memory(self) -> Memory:
        """Return what the ledger has to save of the camera."""
        storm = self.judge.pacing.storm
        lanes = tuple(self._memory_of(size, lane) for size, lane in self.judge.lanes.items())
        counts = None if storm is None else (storm.kept, storm.dropped)
        return Memory(lanes, counts, self.lateness.saved(), self.judge.pacing.clock.saved())

    def _memory_of(self, size: Size, lane: Lane) -> LaneMemory:
        reference, previous = lane.reference.key, lane.previous_key
        assert not isinstance(reference, str)
        assert not isinstance(previous, str)
        torn = None if lane.torn is None else lane.torn.saved()
        dropped = self._digests[size].dropped
        return LaneMemory(size, reference, previous, lane.detector.learnt(), dropped, torn)

    def state(self) -> bytes:
        """Return all that its later decisions depend on besides the settings, for ``restored``."""
        known = self._digests, self.lateness.saved(), self._settings_sha256, self.judge.state()
        return packed(*known, schedule=self.schedule)

    @classmethod
    def restored(
        cls,
        name: str,
        settings: DetectionSettings,
        mask: GrayImage | None,
        state: bytes,
        *,
        schedule: str | None = None,
        new_detector: NewDetector = detector_of,
        judges_alike: bool = False,
    ) -> Self:
        """Return a camera that goes on where another was when ``state`` returned these bytes.

        Args:
            name, settings, mask, schedule, new_detector: as for the constructor. The settings may be other
                ones, as far as ``Judge.restored`` allows.
            state: the bytes.
            judges_alike: whether the other one judged by these settings, be it as a ``branch`` that has them
                from another. Else bytes that it has dropped are judged again by settings that differ.

        Raises:
            ValueError: they are no such state, or as ``Judge.restored``.
        """
        digests, lateness, judged_by, judge = unpacked(state)
        camera = cls(name, settings, mask, schedule=schedule, new_detector=new_detector)
        camera.judge = Judge.restored(settings, judge, mask_picture=mask, new_detector=new_detector)
        camera.lateness.restore(lateness)
        if digests.keys() != camera.judge.lanes.keys():
            raise ValueError("these bytes are no state of a camera: it has other picture sizes")
        camera._digests = {size: digests[size] for size in camera.judge.lanes}
        if judges_alike:
            camera._settings_sha256 = judged_by
        elif judged_by != camera._settings_sha256:  # by other settings they may be decided otherwise
            camera._digests = {size: Digests(each.reference) for size, each in camera._digests.items()}
        return camera

    def restore_lane(self, memory: LaneMemory, kept: Entry, picture: Picture) -> Lane:
        """Make a kept frame the reference of its picture size again, as the size used last.

        Args:
            memory: what was saved of this size.
            kept: the decision to keep the frame.
            picture: the frame.
        """
        lane = self.judge.restore_lane(kept.key, Moment(kept.captured_at_ns, kept.arrived_at_ns), picture)
        self._note(picture.size, Digests(kept.sha256, memory.previous_sha256))
        return lane

    def branch(self, settings: DetectionSettings) -> "Camera":
        """Return a camera in the same state; from now on each judges alone.

        Args:
            settings: that it judges by, like these in all but ``score_threshold``.
        """
        other = copy(self)
        other.judge = self.judge.branch(settings)
        other.lateness = deepcopy(self.lateness)
        other._digests = {size: replace(each) for size, each in self._digests.items()}  # noqa: SLF001 - one of us
        return other

    def retune(
        self, settings: DetectionSettings, mask: GrayImage | None, schedule: str | None = None
    ) -> bool:
        """Judge by other settings; return False, and change nothing, if they reduce pictures otherwise."""
        if not self.judge.retune(settings, mask_picture=mask):
            return False
        self.schedule = schedule
        self._settings_sha256 = _settings_sha256(settings, mask)
        return True

    def _note(self, size: Size, digests: Digests) -> None:
        """Remember digests, and forget those of sizes that the judge has forgotten."""
        digests_of = self._digests | {size: digests}
        self._digests = {each: digests_of[each] for each in self.judge.lanes}

    def _judged_sha256(self, sha256: bytes) -> bytes:
        return hashlib.sha256(self._settings_sha256 + sha256).digest()


def _settings_sha256(settings: DetectionSettings, mask: GrayImage | None) -> bytes:
    """Return what tells apart all that may change the verdict on the same bytes."""
    digest = hashlib.sha256(
        f"{DETECTOR_VERSION} {settings.model_dump_json(by_alias=True, exclude={'mask_file'})}".encode()
    )
    if mask is not None:
        digest.update(f"{mask.shape}".encode() + mask.tobytes())
    return digest.digest()
