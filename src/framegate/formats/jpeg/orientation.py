"""How a JPEG has to be turned to stand upright, by its EXIF orientation."""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.formats.exif.directories import EXIF_NAME, EXIF_SEGMENT, Exif, exif_from
from framegate.formats.jpeg.structure import Structure

_ORIENTATION = 0x0112

_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
"""By orientation, what cv2.flip does; from 5 on after transposing."""


def orientation_of(data: bytes, structure: Structure) -> int:
    """Return the EXIF orientation of a JPEG, 1 to 8; 1 where it says none."""
    for segment in structure.segments:
        if segment.code == EXIF_SEGMENT and data.startswith(EXIF_NAME, segment.start + 4):
            exif = exif_from(data[segment.start + 10 : segment.end])
            try:
                return 1 if exif is None else _read_orientation(exif)
            except struct.error:  # it stops within its directory
                return 1
    return 1


def _read_orientation(exif: Exif) -> int:
    for entry in exif.entries(exif.number(4, "I")):
        if entry.tag == _ORIENTATION:
            value = exif.number(entry.at, "H")
            return value if value in range(1, 9) else 1
    return 1


def turned_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a picture turned and mirrored as its EXIF orientation, 1 to 8, says."""
    if lies_on_its_side(orientation):
        pixels = cv2.transpose(pixels).astype(np.uint8, copy=False)
    flip = _FLIPS.get(orientation)
    return pixels if flip is None else cv2.flip(pixels, flip).astype(np.uint8, copy=False)


def lies_on_its_side(orientation: int) -> bool:
    """Return whether rows have to become columns."""
    return orientation > 4  # noqa: PLR2004
