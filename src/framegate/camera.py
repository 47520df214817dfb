"""One camera: its detector, its reference, the previous frame, and the storm that it may be in."""

from collections import deque
from dataclasses import dataclass, replace

import cv2
import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.detect.deciding import decide
from framegate.detect.detector import ChangeDetector
from framegate.detect.memory import opencv_out_of_memory_as_memory_error
from framegate.keep.schema import Memory
from framegate.model import HOUR_NS, Decision, FileKey, Frame, GrayImage, Prepared, Reason


def read_mask(path: str) -> GrayImage:
    """Return a mask picture: uint8 (height, width), 0 where the picture is ignored.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a picture.
    """
    data = np.fromfile(path, np.uint8)
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except cv2.error:  # for example more pixels than OpenCV decodes at all
        picture = None
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    return picture.astype(np.uint8, copy=False)


def detector_of(settings: DetectionSettings) -> ChangeDetector:
    """Return a detector with the mask file that the settings name.

    Raises:
        OSError: the mask cannot be read.
        ValueError: the mask is not a picture.
    """
    mask = None if settings.mask_file is None else read_mask(settings.mask_file)
    return ChangeDetector(settings, mask_picture=mask)


MINUTE_NS = 60 * 10**9
"""How often a storm still keeps a frame, in capture time."""

OVERHEAD_BYTES, TIME_BYTES = 3_000, 40
"""Memory of a camera besides its pictures (2.3 kB measured), and of each time in ``kept_at_ns``."""


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame at the working size, and which file it came from."""

    key: FileKey
    captured_at_ns: int
    prepared: Prepared


@dataclass(slots=True)
class Storm:
    """Frames kept and dropped since a camera passed ``max_kept_per_hour``."""

    kept: int = 0
    dropped: int = 0


class Camera:
    """Judges the frames of one camera, in order.

    Only the frames' own times count, so judging the same frames later gives the same decisions.

    Args:
        name: as ``camera_pattern`` gives it.
        detector: set up by this camera's settings.
    """

    def __init__(self, name: str, detector: ChangeDetector) -> None:
        self.name = name
        self.detector = detector
        self.reference: PreparedFrame | None = None
        """The last kept frame."""

        self.previous: PreparedFrame | None = None
        """The frame before the next one, kept or not: the noise map learns from their difference."""

        self.kept_at_ns: deque[int] = deque()
        """Capture times of the last kept frames, oldest first, ``max_kept_per_hour`` at most."""

        self.storm: Storm | None = None

    @property
    def size_bytes(self) -> int:
        """Memory of the camera in bytes, nearly all of it pictures at the working size."""
        pictures = {id(each): each.prepared.image.nbytes for each in (self.reference, self.previous) if each}
        beside = OVERHEAD_BYTES + TIME_BYTES * len(self.kept_at_ns) + self.detector.size_bytes
        return sum(pictures.values()) + beside

    def judge(self, key: FileKey, captured_at_ns: int, frame: Frame) -> Decision:
        """Decide about a frame, learn from it, and make it the reference when it is kept.

        Raises:
            MemoryError: there is too little memory now. Nothing was learnt from the frame.
        """
        with opencv_out_of_memory_as_memory_error():
            current = PreparedFrame(key, captured_at_ns, self.detector.prepare(frame.gray))
            decision = self._by_time(self._by_content(current.prepared), captured_at_ns)
            if self.previous is not None:
                self.detector.learn(self.previous.prepared, current.prepared)
        self.previous = current
        if decision.reason.is_kept:
            self._keep(current)
        self._follow_the_storm(decision.reason, captured_at_ns)
        return decision

    def memory(self) -> Memory:
        """Return what the ledger has to save of the camera, besides its reference."""
        previous = None if self.previous is None else self.previous.key
        storm = None if self.storm is None else (self.storm.kept, self.storm.dropped)
        return Memory(previous, self.detector.noise.to_bytes(), storm)

    def retune(self, detector: ChangeDetector) -> None:
        """Judge with another detector that prepares pictures in the same way, and keep what was learnt."""
        detector.noise = self.detector.noise
        self.detector = detector

    def _by_content(self, current: Prepared) -> Decision:
        if self.reference is None:
            return Decision(Reason.FIRST)
        reference = self.reference.prepared
        if reference.source_size != current.source_size:
            (width, height), (was_width, was_height) = current.source_size, reference.source_size
            return Decision(Reason.SIZE_CHANGED, detail=f"{was_width}x{was_height} -> {width}x{height}")
        score = self.detector.score(reference, current)
        return decide(score)

    def _by_time(self, decision: Decision, captured_at_ns: int) -> Decision:
        """Keep an unchanged frame when ``keep_every`` has passed; in a storm keep one frame a minute."""
        if self.reference is None:
            return decision
        settings = self.detector.settings
        # A camera's clock may be set back: without abs() there would be no heartbeat, and no frame of a storm
        # kept, until it had caught up.
        since_ns = abs(captured_at_ns - self.reference.captured_at_ns)
        if decision.reason is Reason.UNCHANGED and settings.keep_every is not None:
            return (
                replace(decision, reason=Reason.HEARTBEAT)
                if since_ns >= settings.keep_every * 1e9
                else decision
            )
        if decision.reason in {Reason.CHANGED, Reason.SIZE_CHANGED} and self._is_storm_at(captured_at_ns):
            return replace(decision, reason=Reason.STORM if since_ns >= MINUTE_NS else Reason.STORM_DROPPED)
        return decision

    def _is_storm_at(self, captured_at_ns: int) -> bool:
        most = self.detector.settings.max_kept_per_hour
        if most is None:
            return False
        in_the_hour = sum(0 <= captured_at_ns - kept_at_ns < HOUR_NS for kept_at_ns in self.kept_at_ns)
        return in_the_hour >= most

    def _keep(self, current: PreparedFrame) -> None:
        self.reference = current
        self.kept_at_ns.append(current.captured_at_ns)
        while len(self.kept_at_ns) > (self.detector.settings.max_kept_per_hour or 0):
            self.kept_at_ns.popleft()

    def _follow_the_storm(self, reason: Reason, captured_at_ns: int) -> None:
        if reason is Reason.STORM or reason is Reason.STORM_DROPPED:
            self.storm = self.storm or Storm()
            self.storm.kept += reason is Reason.STORM
            self.storm.dropped += reason is Reason.STORM_DROPPED
        elif not self._is_storm_at(captured_at_ns):
            self.storm = None
