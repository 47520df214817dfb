"""Parts of the picture that do not count: borders, polygons, a mask picture."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from framegate.model import GrayImage

IGNORED, COUNTED = 0, 255


def counted_pixels(
    width: int,
    height: int,
    *,
    border_mask: Sequence[float] = (0, 0, 0, 0),
    polygons: Iterable[Sequence[tuple[float, float]]] = (),
    mask_picture: GrayImage | None = None,
) -> GrayImage:
    """Return which pixels count.

    Args:
        width, height: size of the working picture, in pixels.
        border_mask: percent to ignore at ``[left, top, right, bottom]``. As in the published program the
            edge pixel is included: left 5 of 640 columns ignores the columns 0 to 32.
        polygons: corners as fractions of the picture, ``(x, y)``, 0 to 1.
        mask_picture: uint8, any size; stretched over the picture, 0 ignores.

    Returns:
        uint8 (height, width): 255 counts, 0 does not. Read-only.
    """
    counted = np.full((height, width), COUNTED, np.uint8)
    if mask_picture is not None:
        stretched = cv2.resize(mask_picture, (width, height), interpolation=cv2.INTER_NEAREST)
        counted[stretched == 0] = IGNORED
    left, top, right, bottom = border_mask
    if left:
        counted[:, : int(left * width / 100) + 1] = IGNORED
    if top:
        counted[: int(top * height / 100) + 1] = IGNORED
    if right:
        counted[:, width - int(right * width / 100) :] = IGNORED
    if bottom:
        counted[height - int(bottom * height / 100) :] = IGNORED
    for polygon in polygons:
        counted[inside_polygon(width, height, polygon) > 0] = IGNORED
    counted.flags.writeable = False
    return counted


def inside_polygon(width: int, height: int, polygon: Sequence[tuple[float, float]]) -> GrayImage:
    """Return the pixels inside a polygon.

    Args:
        width, height: size of the working picture, in pixels.
        polygon: corners as fractions of the picture, ``(x, y)``, 0 to 1.

    Returns:
        uint8 (height, width): 255 inside and on the border, 0 outside.
    """
    inside = np.zeros((height, width), np.uint8)
    corners = np.array(polygon, np.float64) * (width - 1, height - 1)
    cv2.fillPoly(inside, [np.rint(corners).astype(np.int32)], COUNTED)
    return inside
