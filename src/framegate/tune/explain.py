"""Why two frames differ or not: the numbers that are compared, the regions, and a picture of both."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from framegate.config.detection import DetectionSettings, Zone
from framegate.config.quantities import comparison
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.adaptive.exact import Codes
from framegate.detect.adaptive.places import all_as_times
from framegate.detect.classic import Classic
from framegate.detect.decoding import Undecodable, decode
from framegate.detect.detector import Detector
from framegate.detect.judging.lane import compare, named_as_a_whole
from framegate.errors import FramegateError
from framegate.model import ChangeScore, Decision, GrayImage, Picture, Reason, Region

SCHEMA = 2

OUTLINE = (60, 60, 255)  # BGR: red over gray asphalt
ZONE = (220, 180, 40)  # blue
LETTERS, PLATE = (255, 255, 255), (30, 30, 30)
SMALLEST_OVERLAY_HEIGHT = 480
GAP = 8


class NotAFrameError(FramegateError):
    """A file to compare cannot be read or decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The comparison of two frames."""

    decision: Decision
    picture_size: tuple[int, int]
    """(width, height) of the second frame, in pixels."""

    changed: GrayImage | None = None
    """uint8 (height, width), of any size: white where it has changed; with ``adaptive`` gray where it has
    changed less than the threshold. None if the frames differ in size, and so were not compared."""

    picture_px: int | None = None
    """Number of unmasked pixels at the working size: percentages refer to it. None with ``adaptive``, whose
    score is no share of the picture."""

    place: Region | None = None
    """The place that changed most, in pixels of the picture. None with ``classic``, which adds up all."""

    zones: tuple[Zone, ...] = ()

    @property
    def score(self) -> ChangeScore | None:
        """What was compared; None if the frames differ in size."""
        return self.decision.score

    def as_json(self) -> Mapping[str, Any]:
        """Return what ``--json`` prints."""
        score = self.score
        return {
            "schema": SCHEMA,
            "score": None if score is None else score.score,
            "threshold": None if score is None else score.threshold,
            "unit": None if score is None else score.unit,
            "zone": None if score is None else score.zone,
            "verdict": str(self.decision.verdict),
            "reason": str(self.decision.reason),
            "detail": self.decision.detail,
            "picture_size": list(self.picture_size),
            "place": None if self.place is None else asdict(self.place),
            "changed_px": None if score is None else score.changed_px,
            "picture_px": self.picture_px,
            "working_size": None if score is None else list(score.working_size),
            "regions": [] if score is None else [asdict(region) for region in score.regions],
        }


def explain(reference: Path, current: Path, detector: Detector[Any], *, max_pixels: float) -> Explanation:
    """Compare two files as the daemon would, with ``reference`` as the last kept frame and the one before.

    Nothing has been learnt about the camera.

    Args:
        reference, current: the files.
        detector: with the camera's settings.
        max_pixels: a picture with more pixels is refused, as by the daemon.

    Raises:
        NotAFrameError: one of them cannot be read or decoded.
    """
    settings = detector.settings
    pictures = (_picture(file, settings, max_pixels) for file in (reference, current))
    before, after = (detector.prepare(detector.reduce(picture)) for picture in pictures)
    decision = named_as_a_whole(compare(detector, before, after), detector, before, after)
    return explained(detector, before, after, decision)


def explained(detector: Detector[Any], before: Any, after: Any, decision: Decision) -> Explanation:
    """Return the comparison of two pictures.

    Args:
        detector: which has prepared both, and may have learnt.
        before, after: the reference, and the current frame.
        decision: about it. The regions of its score are found, if it has a score.
    """
    if decision.score is not None:
        decision = replace(decision, score=detector.score(before, after))
    explanation = Explanation(decision, after.source_size, zones=detector.settings.zone)
    if isinstance(detector, Classic):
        explanation = replace(explanation, picture_px=detector.picture_px(after))
    score = explanation.score
    if score is None:
        return explanation
    if isinstance(detector, Classic):
        return replace(explanation, changed=detector.changed_pixels(before, after))
    assert isinstance(detector, Adaptive)
    place = detector.decisive(before, after)
    return replace(
        explanation,
        changed=_shades(detector.codes(before, after), score.threshold),
        place=None if place is None else _scaled(place, score.working_size, after.source_size),
    )


def overlay(current: Path, explanation: Explanation) -> GrayImage:
    """Draw the current frame with its changed regions and zones outlined, beside what changed how much.

    Returns:
        uint8 (height, width, 3), BGR.
    """
    score, changed = explanation.score, explanation.changed
    picture = cv2.imdecode(np.fromfile(current, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "explain() has decoded it"
    if score is None or changed is None:
        return picture.astype(np.uint8)
    width, height = score.working_size
    scale = max(1.0, SMALLEST_OVERLAY_HEIGHT / height)
    size = (round(width * scale), round(height * scale))
    left = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(changed, size, interpolation=cv2.INTER_NEAREST)
    right = cv2.cvtColor(mask, cv2.COLOR_GRAY2BGR)
    for panel in (left, right):
        _draw_zones(panel, explanation)
        _outline(panel, score, scale)
    _caption(left, explanation)
    gap = np.full((size[1], GAP, 3), 128, np.uint8)
    return np.hstack((left, gap, right)).astype(np.uint8)


def _shades(codes: Codes, threshold: float) -> GrayImage:
    """Return how strongly each block changed: black not at all, half gray just not enough, white more."""
    times = all_as_times(codes)
    shades = np.where(times > threshold, 255, 127 * times / threshold)
    return np.asarray(shades, np.uint8)


def _scaled(region: Region, size: tuple[int, int], to_size: tuple[int, int]) -> Region:
    """Return a region of a picture as a region of the same picture in another size."""
    across, down = to_size[0] / size[0], to_size[1] / size[1]
    x, y = round(region.x * across), round(region.y * down)
    right, bottom = (region.x + region.width) * across, (region.y + region.height) * down
    return Region(x, y, round(right) - x, round(bottom) - y, region.area_px * across * down)


def _draw_zones(panel: cv2.typing.MatLike, explanation: Explanation) -> None:
    height, width = panel.shape[:2]
    deciding = None if explanation.score is None else explanation.score.zone
    for zone in explanation.zones:
        corners = np.rint(np.array(zone.polygon) * (width - 1, height - 1)).astype(np.int32)
        cv2.polylines(
            panel, [corners], isClosed=True, color=ZONE, thickness=3 if zone.name == deciding else 1
        )
        x, y = corners.min(axis=0)
        _write(panel, zone.name, (int(x) + 4, int(y) + 16), 0.45)


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
    is_by_score = decision.reason in {Reason.CHANGED, Reason.UNCHANGED}
    verdict = decision.verdict if is_by_score else f"{decision.verdict}, {decision.reason}"
    _write(panel, f"{verdict}: {compared}", (10, 24), 0.7)


def _write(panel: cv2.typing.MatLike, words: str, at: tuple[int, int], size: float) -> None:
    """Write on a dark plate: OpenCV 5 spaces thick letters wider, so an outline would not fit."""
    (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x, y = at
    cv2.rectangle(panel, (x - 2, y - height - 2), (x + width + 2, y + below), PLATE, -1)
    cv2.putText(panel, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, LETTERS, 1, cv2.LINE_AA)


def _picture(path: Path, settings: DetectionSettings, max_pixels: float) -> Picture:
    try:
        if path.exists() and not path.is_file():  # reading a FIFO would block for ever
            raise NotAFrameError(f"{path}: not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise NotAFrameError(f"{path}: {error.strerror}") from error
    picture = decode(data, settings, max_pixels=max_pixels)
    if isinstance(picture, Undecodable):
        raise NotAFrameError(f"{path}: {picture.reason} ({picture.detail})")
    return picture
