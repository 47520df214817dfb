"""Why two frames differ or not: the numbers that are compared, the regions, and a picture of both."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from framegate.config.quantities import comparison
from framegate.detect.deciding import decide
from framegate.detect.decoding import Undecodable, decode
from framegate.detect.detector import ChangeDetector
from framegate.errors import FramegateError
from framegate.model import ChangeScore, Decision, Frame, GrayImage, Prepared, Reason

SCHEMA = 2

OUTLINE = (60, 60, 255)  # BGR: red over gray asphalt
LETTERS, PLATE = (255, 255, 255), (30, 30, 30)
SMALLEST_OVERLAY_HEIGHT = 480
GAP = 8


class NotAFrameError(FramegateError):
    """A file to compare cannot be read or decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The comparison of two frames."""

    decision: Decision
    score: ChangeScore | None
    """None if the frames differ in size, and so were not compared."""

    changed: GrayImage | None
    """uint8 (height, width) at the working size: 255 is changed, 0 is not; None if not compared."""

    picture_px: int
    """Number of unmasked pixels at the working size; the percentages refer to it."""

    def as_json(self) -> Mapping[str, Any]:
        """Return what ``--json`` prints."""
        score = self.score
        return {
            "schema": SCHEMA,
            "score": None if score is None else score.score,
            "threshold": None if score is None else score.threshold,
            "unit": None if score is None else score.unit,
            "zone": None if score is None else score.zone,
            "changed_px": None if score is None else score.changed_px,
            "verdict": str(self.decision.verdict),
            "reason": str(self.decision.reason),
            "detail": self.decision.detail,
            "picture_px": self.picture_px,
            "working_size": None if score is None else list(score.working_size),
            "regions": [] if score is None else [asdict(region) for region in score.regions],
        }


def explain(reference: Path, current: Path, detector: ChangeDetector, *, max_pixels: float) -> Explanation:
    """Compare two files as the daemon would, with ``reference`` as the last kept frame.

    There is no noise map, since nothing has been learnt about the camera.

    Args:
        reference, current: the files.
        detector: with the camera's settings.
        max_pixels: a picture with more pixels is refused, as by the daemon.

    Raises:
        NotAFrameError: one of them cannot be read or decoded.
    """
    before = detector.prepare(_frame(reference, max_pixels).gray)
    after = detector.prepare(_frame(current, max_pixels).gray)
    if before.source_size != after.source_size:
        detail = f"{_size(before)} -> {_size(after)}"
        return Explanation(
            Decision(Reason.SIZE_CHANGED, detail=detail), None, None, detector.picture_px(after)
        )
    score = detector.score(before, after)
    decision = decide(score)
    return Explanation(decision, score, detector.changed_pixels(before, after), detector.picture_px(after))


def overlay(current: Path, explanation: Explanation) -> GrayImage:
    """Draw the current frame with its changed regions outlined, beside the thresholded picture.

    Returns:
        uint8 (height, width, 3), BGR.
    """
    score, changed = explanation.score, explanation.changed
    picture = cv2.imdecode(np.fromfile(current, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "explain() has decoded it"
    if score is None or changed is None:
        return picture.astype(np.uint8)
    scale = max(1.0, SMALLEST_OVERLAY_HEIGHT / changed.shape[0])
    size = (round(changed.shape[1] * scale), round(changed.shape[0] * scale))
    left = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(changed, size, interpolation=cv2.INTER_NEAREST)
    right = cv2.cvtColor(mask, cv2.COLOR_GRAY2BGR)
    for panel in (left, right):
        _outline(panel, score, scale)
    _caption(left, explanation)
    gap = np.full((size[1], GAP, 3), 128, np.uint8)
    return np.hstack((left, gap, right)).astype(np.uint8)


def _outline(panel: cv2.typing.MatLike, score: ChangeScore, scale: float) -> None:
    for region in score.regions:
        x, y = round(region.x * scale), round(region.y * scale)
        right, bottom = round((region.x + region.width) * scale), round((region.y + region.height) * scale)
        cv2.rectangle(panel, (x, y), (right, bottom), OUTLINE, 2)
        _write(panel, f"{region.area_px:.0f}px", (x, y - 5 if y > 40 else bottom + 16), 0.45)  # noqa: PLR2004


def _caption(panel: cv2.typing.MatLike, explanation: Explanation) -> None:
    decision, score = explanation.decision, explanation.score
    assert score is not None
    compared = " ".join(comparison(score.score, score.threshold, score.unit))
    _write(panel, f"{decision.verdict}: {compared}", (10, 24), 0.7)


def _write(panel: cv2.typing.MatLike, words: str, at: tuple[int, int], size: float) -> None:
    """Write on a dark plate: OpenCV 5 spaces thick letters wider, so an outline would not fit."""
    (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x, y = at
    cv2.rectangle(panel, (x - 2, y - height - 2), (x + width + 2, y + below), PLATE, -1)
    cv2.putText(panel, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, LETTERS, 1, cv2.LINE_AA)


def _frame(path: Path, max_pixels: float) -> Frame:
    try:
        if path.exists() and not path.is_file():  # reading a FIFO would block for ever
            raise NotAFrameError(f"{path}: not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise NotAFrameError(f"{path}: {error.strerror}") from error
    frame = decode(data, max_pixels=max_pixels)
    if isinstance(frame, Undecodable):
        raise NotAFrameError(f"{path}: {frame.reason} ({frame.detail})")
    return frame


def _size(prepared: Prepared) -> str:
    width, height = prepared.source_size
    return f"{width}x{height}"
