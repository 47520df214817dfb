"""``framegate explain``: why one frame would be kept or dropped after another."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2

from framegate.cameras.camera import mask_of
from framegate.commands.output import require_output
from framegate.config.quantities import comparison
from framegate.config.settings import Settings
from framegate.detect.detector import detector_of
from framegate.errors import FramegateError
from framegate.model import ChangeScore
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
        OutputError: the picture must not be written there.
        OverlayError: it cannot be written.
    """
    if overlay_file is not None:
        require_output(overlay_file, reference, current, suffix=".png")
    detection = settings.detection_of(camera)
    max_pixels = settings.drop.max_megapixels * 1e6
    detector = detector_of(detection, mask_of(detection))
    explanation = explain(reference, current, detector, max_pixels=max_pixels)
    if overlay_file is not None:
        write_picture(overlay_file, overlay(current, explanation))
    if as_json:
        print(json.dumps(explanation.as_json(), indent=2))
    else:
        print(in_words(explanation))
        if schedules := ", ".join(each.name for each in settings.schedules_of(camera)):
            print(f"as outside of all schedules ({schedules}): two files alone have no hour")


def in_words(explanation: Explanation) -> str:
    """Return the decision, the two numbers that were compared, where, and the regions, one on each line."""
    decision, score = explanation.decision, explanation.score
    if score is None:
        return f"{decision.verdict}: {decision.reason} ({decision.detail}); not compared"
    shown, sign, threshold = comparison(score.score, score.threshold, score.unit)
    zone = "" if score.zone is None else f" of zone {score.zone}"
    width, height = score.working_size
    lines = [
        f"{decision.verdict}: {decision.reason}",
        f"score {shown} {sign} threshold {threshold}{zone}",
        *what_was_compared(explanation, score, sign),
        f"regions {len(score.regions)}, in pixels of {width}x{height}",
    ]
    lines += [
        f"  {region.area_px:>9.1f}px  at x {region.x}, y {region.y}, {region.width} x {region.height}"
        for region in score.regions
    ]
    return "\n".join(lines)


def what_was_compared(explanation: Explanation, score: ChangeScore, sign: str) -> Iterator[str]:
    """Yield the areas that were compared, or the place that changed most."""
    if (picture_px := explanation.picture_px) is not None:
        threshold_px = score.threshold * picture_px / 100
        yield f"  changed: {score.changed_px:.1f}px {sign} {threshold_px:.1f}px of {picture_px}px"
    if (place := explanation.place) is not None:
        width, height = explanation.picture_size
        where = f"at x {place.x}, y {place.y}, {place.width} x {place.height} of {width}x{height}"
        yield f"  times what is usual, where it changed most: {where}"


def write_picture(path: Path, picture: cv2.typing.MatLike) -> None:
    """Write a PNG.

    Raises:
        OverlayError: it cannot be written.
    """
    encoded = cv2.imencode(".png", picture)[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise OverlayError(f"{path}: {error.strerror}") from error
