"""The published score, in its order: blur, difference, threshold, dilate, contours, sum.

Source of the method: the frame-difference chain of the parking-garage challenge that framegate grew out of,
itself the motion detection tutorial of A. Rosebrock ("Basic motion detection and tracking with Python and
OpenCV", PyImageSearch, 2015). No function here changes an array it is given.
"""

import cv2
import numpy as np

from framegate.config.quantities import Area
from framegate.model import ChangeScore, GrayImage, Region

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
    return _uint8(cv2.resize(gray, (columns, rows), interpolation=cv2.INTER_AREA))


def blurred(gray: GrayImage, kernel: int) -> GrayImage:
    """Return a picture, uint8, blurred with a Gaussian of ``kernel`` x ``kernel`` pixels.

    ``kernel`` is odd, or 0 for no blur; OpenCV derives sigma from it.
    """
    return _uint8(cv2.GaussianBlur(gray, (kernel, kernel), 0)) if kernel else gray


def changed_pixels(
    difference: GrayImage, threshold: int | GrayImage, dilate: int, counted: GrayImage | None
) -> GrayImage:
    """Return the pixels that differ by more than the threshold, joined by dilation.

    Args:
        difference: absolute difference of two prepared pictures, uint8 (height, width).
        threshold: gray levels, one for all or uint8 (height, width) for each pixel.
        dilate: rounds of dilation with a 3 x 3 square.
        counted: 255 where a pixel counts, 0 where it is ignored; None when all count.

    Returns:
        uint8 (height, width), 255 changed, 0 not.
    """
    if isinstance(threshold, int):
        changed = cv2.threshold(difference, threshold, 255, cv2.THRESH_BINARY)[1]
    else:
        changed = cv2.compare(difference, threshold, cv2.CMP_GT)
    if counted is not None:
        changed = cv2.bitwise_and(changed, counted)
    return _uint8(cv2.dilate(changed, None, iterations=dilate) if dilate else changed)  # type: ignore[call-overload]


def regions_of(changed: GrayImage, min_area_px: float) -> tuple[Region, ...]:
    """Return the changed regions, by their outer contours, of at least ``min_area_px``, largest first."""
    contours, _ = cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    regions = [_region(contour) for contour in contours if cv2.contourArea(contour) >= min_area_px]
    return tuple(sorted(regions, key=lambda region: (-region.area_px, region.y, region.x)))


def score_of(
    regions: tuple[Region, ...], threshold: Area, picture_px: int, working_size: tuple[int, int]
) -> ChangeScore:
    """Return the sum of the regions' areas as a score, in percent of the unmasked picture.

    Dilation extends over the edge of a mask, so the sum may exceed the unmasked picture; it is at most 100%.

    Args:
        regions: what ``regions_of`` returned.
        threshold: to compare the score with.
        picture_px: the number of unmasked pixels.
        working_size: (width, height) of the pictures that were compared.
    """
    changed_px = sum(region.area_px for region in regions)
    score = min(100.0, 100 * changed_px / picture_px) if picture_px else 0.0
    return ChangeScore(score, threshold.in_percent(picture_px), "%", regions, changed_px, working_size)


def absolute_difference(a: GrayImage, b: GrayImage) -> GrayImage:
    """Return the absolute difference of two uint8 pictures of one shape, uint8."""
    return _uint8(cv2.absdiff(a, b))


def _region(contour: cv2.typing.MatLike) -> Region:
    x, y, width, height = cv2.boundingRect(contour)
    return Region(x, y, width, height, cv2.contourArea(contour))


def _uint8(image: cv2.typing.MatLike) -> GrayImage:
    """Return the image, as the type that OpenCV's stubs do not know it has: uint8."""
    assert image.dtype == np.uint8
    return image  # type: ignore[return-value]
