"""``framegate explain``: why one frame would be kept or dropped after another."""

import json
from pathlib import Path

import cv2

from framegate.camera import detector_of
from framegate.config.detection import DetectionSettings
from framegate.config.quantities import comparison
from framegate.config.settings import Settings
from framegate.errors import FramegateError
from framegate.tune.explain import Explanation, explain, overlay


class OverlayError(FramegateError):
    """The picture cannot be written."""


def run_explain(
    reference: Path,
    current: Path,
    settings: Settings,
    camera: str,
    *,
    overlay_file: Path | None,
    as_json: bool,
) -> None:
    """Print why the second of two files would be kept or dropped after the first.

    Raises:
        NotAFrameError: one of them cannot be read or decoded.
        OverlayError: the picture cannot be written.
    """
    detection = settings.detection_of(camera)
    max_pixels = settings.drop.max_megapixels * 1e6
    explanation = explain(reference, current, detector_of(detection), max_pixels=max_pixels)
    if overlay_file is not None:
        _write_picture(overlay_file, overlay(current, explanation))
    if as_json:
        print(json.dumps(explanation.as_json(), indent=2))
    else:
        print(in_words(explanation, detection))


def in_words(explanation: Explanation, settings: DetectionSettings) -> str:
    """Return the decision, the two numbers that were compared, and the regions, one on each line."""
    decision, score = explanation.decision, explanation.score
    if score is None:
        return f"{decision.verdict}: {decision.reason} ({decision.detail}); not compared"
    width, height = score.working_size
    picture_px = explanation.picture_px
    threshold_px = score.threshold * picture_px / 100
    shown, sign, threshold = comparison(score.score, score.threshold, score.unit)
    lines = [
        f"{decision.verdict}: {decision.reason}",
        f"score {shown} {sign} threshold {threshold}",
        f"  {score.changed_px:.1f}px {sign} {threshold_px:.1f}px of {picture_px}px at {width}x{height}",
        f"regions {len(score.regions)} of at least {settings.min_contour_area}",
    ]
    lines += [
        f"  {region.area_px:>9.1f}px  at x {region.x}, y {region.y}, {region.width} x {region.height}"
        for region in score.regions
    ]
    return "\n".join(lines)


def _write_picture(path: Path, picture: cv2.typing.MatLike) -> None:
    encoded = cv2.imencode(".png", picture)[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise OverlayError(f"{path}: {error.strerror}") from error
