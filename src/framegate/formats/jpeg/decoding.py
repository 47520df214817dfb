"""Decodes a JPEG, or says why it is damaged."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.formats.jpeg.damage import damage
from framegate.formats.jpeg.orientation import orientation_of, turned_upright
from framegate.formats.jpeg.structure import Structure, read_structure
from framegate.formats.jpeg.tidying import tidied
from framegate.formats.jpeg.turbo import decode_in_spite, decode_turbo

_END = b"\xff\xd9"
_INKS = 4
_DATA_ZEROS = 2
"""Zeros at the end may be data: libjpeg takes some too many without a word, and misses each that is gone.
None is put there that the file has not: in the usual tables zeros end a block, whatever should follow."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Why a JPEG cannot be trusted."""

    detail: str


def decode_jpeg(
    data: bytes, structure: Structure, *, is_colour: bool, reduction: int = 1
) -> NDArray[np.uint8] | Damaged | None:
    """Decode a JPEG, upright by its EXIF orientation, if libjpeg finds its data whole.

    Args:
        data: a JPEG, from its start marker on, with its end marker.
        structure: its markers.
        is_colour: whether to decode to (height, width, 3) of blue, green, red; else (height, width) of gray.
        reduction: 1, 2, 4 or 8: how many pixels of a side become one; of colour only.

    Returns:
        The pixels, the very ones that OpenCV gives; what is wrong with the data; or None for a kind that
        simplejpeg does not decode, or not as OpenCV does: four inks.

    Raises:
        MemoryError: there is too little memory for the picture now.
    """
    orientation = orientation_of(data, structure)
    tidy = tidied(data, structure)
    if tidy is not data:
        structure = read_structure(tidy)
    size = (-(-structure.width // reduction), -(-structure.height // reduction)) if reduction > 1 else None
    pixels, said = decode_turbo(tidy, is_colour=is_colour, size=size)
    wrong = damage(tidy, structure, said)
    if wrong:
        return Damaged(wrong)
    if len(structure.components) == _INKS:
        return None
    if pixels is None:
        pixels = decode_in_spite(tidy, is_colour=is_colour, size=size)
    return None if pixels is None else turned_upright(pixels, orientation)


def with_end(data: bytes) -> tuple[bytes, Structure] | None:
    """Return a JPEG that lacks nothing but its end marker, with one, and its markers.

    Some cameras and proxies never write the marker; zeros may follow where it should be.

    Returns:
        None where more than the marker is missing, or that cannot be known.
    """
    shorter = data.rstrip(b"\0")
    if shorter.endswith(b"\xff") and len(shorter) < len(data):
        shorter += b"\0"  # the FF was data
    for candidate in dict.fromkeys((shorter, data[: len(shorter) + _DATA_ZEROS], data)):
        completed = candidate + _END
        try:
            structure = read_structure(completed)
        except struct.error:  # the zeros were part of a header
            continue
        tidy = tidied(completed, structure)
        said = decode_turbo(tidy, is_colour=False, size=(1, 1))[1]
        if not said and not damage(tidy, read_structure(tidy), said):
            return completed, structure
    return None
