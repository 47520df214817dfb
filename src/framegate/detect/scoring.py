"""The published score, in its order: blur, difference, threshold, dilate, contours, sum.

Source of the method: the frame-difference chain of the parking-garage challenge that framegate grew out of,
itself the motion detection tutorial of A. Rosebrock ("Basic motion detection and tracking with Python and
OpenCV", PyImageSearch, 2015). No function here changes an array it is given.
"""

import cv2
import numpy as np

from framegate.model import GrayImage, Region

WIDEST_ASPECT = 16
"""The widest camera stills, stitched from four sensors, are some 7 times as wide as high. Wider than 16 is a
stray file: a PNG of 70,000 x 200 is 14 kB, and at its 200 rows it would cost as much as 60 frames."""


def at_working_size(gray: GrayImage, working_height: int) -> GrayImage:
    """Shrink a picture to ``working_height`` rows by area averaging, aspect kept; never enlarge it.

    A picture that would be wider than 16 times ``working_height`` is shrunk to that width: to fewer rows.

    Args:
        gray: uint8 (height, width).
        working_height: rows; 0 keeps the native size.

    Returns:
        uint8 (rows, columns); ``gray`` itself if it need not be shrunk.
    """
    height, width = gray.shape
    if not working_height:
        return gray
    rows = min(height, working_height)
    columns = max(1, round(width * rows / height))
    if columns > WIDEST_ASPECT * working_height:
        columns = WIDEST_ASPECT * working_height
        rows = max(1, round(height * columns / width))
    if (rows, columns) == (height, width):
        return gray
    return as_uint8(cv2.resize(gray, (columns, rows), interpolation=cv2.INTER_AREA))


def dilated(pixels: GrayImage, rounds: int) -> GrayImage:
    """Return pixels, 255 or 0, joined by rounds of dilation with a 3 x 3 square."""
    return as_uint8(cv2.dilate(pixels, None, iterations=rounds) if rounds else pixels)  # type: ignore[call-overload]


def regions_of(changed: GrayImage, min_area_px: float, offset: tuple[int, int]) -> tuple[Region, ...]:
    """Return the changed regions, by their outer contours, of at least ``min_area_px``, largest first.

    Args:
        changed: 255 changed, 0 not, in a part of the picture outside which nothing has.
        min_area_px: in pixels.
        offset: (x, y) of the part in the picture.
    """
    contours, _ = cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    regions = [_region(contour) for contour in contours if cv2.contourArea(contour) >= min_area_px]
    return tuple(sorted(regions, key=lambda region: (-region.area_px, region.y, region.x)))


def in_percent(regions: tuple[Region, ...], picture_px: int) -> float:
    """Return the sum of the regions' areas in percent of the unmasked picture, from 0 to 100.

    Dilation extends over the edge of a mask, so the sum may exceed the unmasked picture.

    Args:
        regions: what ``regions_of`` returned.
        picture_px: the number of unmasked pixels.
    """
    changed_px = sum(region.area_px for region in regions)
    return min(100.0, 100 * changed_px / picture_px) if picture_px else 0.0


def _region(contour: cv2.typing.MatLike) -> Region:
    x, y, width, height = cv2.boundingRect(contour)
    return Region(x, y, width, height, cv2.contourArea(contour))


def as_uint8(image: cv2.typing.MatLike) -> GrayImage:
    """Return an image, as the type that OpenCV's stubs do not know it has: uint8."""
    assert image.dtype == np.uint8
    return image  # type: ignore[return-value]
