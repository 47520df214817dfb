"""What the size of an object says about the settings.

``classic`` adds up areas: a threshold follows from an area. The score of ``adaptive`` is how strongly the
strongest place changed, whatever its size is: there an area bears on ``min_contour_area``, and on whether the
object can be seen at all.
"""

import re
from dataclasses import dataclass

import cv2
import numpy as np

from framegate.config.detection import DetectionSettings, Zone
from framegate.detect.adaptive.working import BLOCK, working_size
from framegate.detect.masking import counted_pixels, inside_polygon
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.model import GrayImage, Size

QUARTER = 4
"""Part of an object's area that has to change: a car in the colour of the ground, a person half hidden."""

TENTH = 10
"""Part of the threshold that a single region needs: the published program had 500 of 5,000 pixels."""

SEEN_PX = (5, 10)
"""A person of fewer pixels, at 180 rows, was missed."""


class ObjectError(FramegateError):
    """The place of an object cannot be read."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Box:
    """Where an object is, as fractions of the picture."""

    x: float
    y: float
    width: float
    height: float
    has_place: bool = True
    """False: only its size was given."""

    @classmethod
    def parse(cls, text: str, picture: Size) -> "Box":
        """Return the box written as ``X,Y,W,H`` or ``W,H``.

        Args:
            text: fractions of the picture if none is above 1, else pixels.
            picture: (width, height) in pixels.

        Raises:
            ObjectError: it is no box, or not inside of the picture.
        """
        parts = text.split(",")
        if len(parts) not in {2, 4} or not all(re.fullmatch(r"\s*\d+(\.\d+)?\s*", part) for part in parts):
            raise ObjectError(
                f"--object: write X,Y,W,H or W,H, in pixels or as fractions of the picture, not {text!r}"
            )
        numbers = [float(part) for part in parts]
        if max(numbers) > 1:
            numbers = [number / side for number, side in zip(numbers, picture * 2, strict=False)]
        x, y, width, height = (0.0, 0.0, *numbers) if len(numbers) == 2 else numbers  # noqa: PLR2004
        if not (width and height) or x + width > 1 or y + height > 1:
            raise ObjectError(f"--object: {text} has no area inside of {picture[0]} x {picture[1]} pixels")
        return cls(x, y, width, height, has_place=len(numbers) == 4)  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class ObjectAdvice:
    """What follows from the size of an object."""

    picture: Size
    pixels: Size
    """Of the object, in the picture."""

    working: Size
    """Of the picture that is compared."""

    working_px: tuple[float, float]
    """Width and height of the object there."""

    share: float
    """Of the picture's area that counts, in percent."""

    ignored: float
    """Part of the object that lies where the picture is ignored, from 0 to 1."""

    zone: Zone | None
    """The zone that its middle lies in."""

    is_seen: bool
    """Whether it is large enough to be seen."""

    settings: dict[str, float]
    """Areas in percent, by the name of the setting."""

    has_effect: bool
    """False: the smallest area would be less than one block, and none is ignored."""


def object_advice(
    box: Box, picture: Size, detection: DetectionSettings, mask: GrayImage | None
) -> ObjectAdvice:
    """Return what the size of an object says.

    Args:
        box: where it is.
        picture: (width, height) in pixels.
        detection: the settings.
        mask: the picture in their mask file.
    """
    is_classic = detection.preset_name == "classic"
    working = _classic_size(picture, detection.working_height) if is_classic else working_size(picture)
    columns, rows = working
    wide, high = box.width * columns, box.height * rows
    counted = counted_pixels(
        columns,
        rows,
        border_mask=detection.border_mask,
        polygons=[area.polygon for area in detection.ignore],
        mask_picture=mask,
    )
    picture_px = max(1, int(np.count_nonzero(counted)))
    share = min(100.0, 100 * wide * high / picture_px)
    least = share / QUARTER
    settings = (
        {"score_threshold": least, "min_contour_area": least / TENTH}
        if is_classic
        else {"min_contour_area": least}
    )
    return ObjectAdvice(
        picture,
        (round(box.width * picture[0]), round(box.height * picture[1])),
        working,
        (wide, high),
        share,
        _ignored(box, counted) if box.has_place else 0.0,
        _zone_of(box, working, detection) if box.has_place else None,
        is_classic or _is_seen(wide, high),
        settings,
        is_classic or least * picture_px / 100 > BLOCK**2,
    )


def _is_seen(wide: float, high: float) -> bool:
    short, long = sorted((wide, high))
    least_short, least_long = SEEN_PX
    return short >= least_short and long >= least_long


def _classic_size(picture: Size, working_height: int) -> Size:
    width, height = picture
    rows = min(height, working_height or height)
    return max(1, round(width * rows / height)), rows


def _ignored(box: Box, counted: GrayImage) -> float:
    rows, columns = counted.shape
    top, left = int(box.y * rows), int(box.x * columns)
    bottom, right = (
        max(top + 1, round((box.y + box.height) * rows)),
        max(left + 1, round((box.x + box.width) * columns)),
    )
    inside = counted[top:bottom, left:right]
    return 1 - float(cv2.countNonZero(inside)) / inside.size


def _zone_of(box: Box, working: Size, detection: DetectionSettings) -> Zone | None:
    columns, rows = working
    y, x = int((box.y + box.height / 2) * (rows - 1)), int((box.x + box.width / 2) * (columns - 1))
    inside = (zone for zone in detection.zone if inside_polygon(columns, rows, zone.polygon)[y, x])
    return next(inside, None)
