"""One camera: its detector, its reference, and the frame before; restored from the ledger after a restart."""

from dataclasses import dataclass

import cv2
import numpy as np

from framegate.detect.deciding import decide
from framegate.detect.detector import ChangeDetector
from framegate.detect.memory import want_of_memory_told
from framegate.keep.ledger import Memory
from framegate.model import Decision, FileKey, Frame, GrayImage, Prepared, Reason
from framegate.settings import DetectionSettings


def detector_of(settings: DetectionSettings) -> ChangeDetector:
    """Make a detector, with the mask file that the settings name."""
    mask = None if settings.mask_file is None else read_mask(settings.mask_file)
    return ChangeDetector(settings, mask_picture=mask)


def read_mask(path: str) -> GrayImage:
    """Read a mask picture, uint8 (height, width), 0 ignores.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no picture.
    """
    data = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    if picture is None:
        raise ValueError(f"{path} is no picture")
    return picture.astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame as the camera remembers it."""

    key: FileKey
    prepared: Prepared


class Camera:
    """Judges the frames of one camera, in order."""

    def __init__(self, name: str, detector: ChangeDetector) -> None:
        self.name = name
        self.detector = detector
        self.reference: Seen | None = None
        """The last kept frame."""

        self.previous: Seen | None = None
        """The frame before, kept or not: what the noise map learns against."""

    def judge(self, key: FileKey, frame: Frame) -> Decision:
        """Decide about a frame, learn from it, and make it the reference when it is kept.

        Raises:
            MemoryError: there is none for it now; then nothing was learnt.
        """
        with want_of_memory_told():
            current = Seen(key, self.detector.prepare(frame.gray))
            decision = self._decide(current.prepared)
            if self.previous is not None:
                self.detector.learn(self.previous.prepared, current.prepared)
        self.previous = current
        if decision.reason.is_kept:
            self.reference = current
        return decision

    def memory(self) -> Memory:
        """Return what has to come back after a restart, beside the reference."""
        previous = None if self.previous is None else self.previous.key
        return Memory(previous, self.detector.noise.to_bytes())

    def _decide(self, current: Prepared) -> Decision:
        if self.reference is None:
            return Decision(Reason.FIRST)
        reference = self.reference.prepared
        if reference.source_size != current.source_size:
            (width, height), (was_width, was_height) = current.source_size, reference.source_size
            return Decision(Reason.SIZE_CHANGED, detail=f"{was_width}x{was_height} -> {width}x{height}")
        score = self.detector.score(reference, current)
        return decide(score, self.detector.threshold_percent(current))
