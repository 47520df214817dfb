"""Reads a HEIC or AVIF: its size, and whether its boxes are all there."""

import re
import struct

from framegate.formats.header import Header

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
_SIZE = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
_MOST_BOXES = 1000
_MOST_HEADER_BYTES = 1 << 20
"""Where sizes are looked for: they stand in the first boxes, before the pixels."""
_BOX_FRAME, _BOX_LONG_FRAME, _TO_THE_END, _IS_LONG = 8, 16, 0, 1


def read_heif(data: bytes) -> Header | None:
    """Read kind, size and extent of a HEIC or AVIF; None for a film and other files of the same build.

    Raises:
        struct.error: the data stops within the header.
    """
    (first_bytes,) = struct.unpack_from(">I", data)
    if len(data) < first_bytes:
        raise struct.error("it stops within its list of brands")
    brands = {data[at : at + 4] for at in (8, *range(16, first_bytes, 4))}
    kind = "avif" if brands & _AVIF_BRANDS else "heic" if brands & _HEIC_BRANDS else ""
    if not kind:
        return None
    found, is_cut = _boxes(data)
    sizes = [struct.unpack(">II", match[1]) for match in _SIZE.finditer(data, 0, _MOST_HEADER_BYTES)]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return Header(kind, width, height, whole=not is_cut and {b"meta", b"mdat"} <= found)


def _boxes(data: bytes) -> tuple[set[bytes], bool]:
    """Return the kinds of the boxes that are there in full, and whether one is cut."""
    found: set[bytes] = set()
    at = 0
    for _ in range(_MOST_BOXES):
        if at + _BOX_FRAME > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalnum() or (length < _BOX_FRAME and length not in {_TO_THE_END, _IS_LONG}):
            break  # what a maker wrote behind the end
        if length == _IS_LONG:
            (length,) = struct.unpack_from(">Q", data, at + _BOX_FRAME)
        elif length == _TO_THE_END:
            length = len(data) - at
        if length < _BOX_FRAME or at + length > len(data):
            return found, True
        found.add(kind)
        at += length
    return found, False
