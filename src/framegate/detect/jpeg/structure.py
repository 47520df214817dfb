"""What the markers of a JPEG say, before it is decoded: its size, and whether its end is there."""

import re
import struct
from dataclasses import dataclass

_MOST_SEGMENTS = 10_000
"""A camera writes some dozens; a hostile file of 64 MB could hold 16 million, and take 10 s to read."""

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker that is neither a stuffed zero, nor fill, nor a restart: what can end a scan. One FF and no
repetition, so that a file full of FF costs linear time."""

_END, _START, _TEMPORARY = 0xD9, 0xD8, 0x01
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Structure:
    """The markers of a JPEG."""

    width: int = 0
    height: int = 0
    """In pixels; 0 when the file stops before its size."""

    has_end: bool = False
    """Whether the end marker is there. There may be damage before it."""


def read_structure(data: bytes) -> Structure:
    """Read the markers of a JPEG.

    Args:
        data: the file, or as much of it as there is, from the start marker on.

    Raises:
        struct.error: it stops within a marker's segment.
    """
    width = height = 0
    position = 2
    for _ in range(_MOST_SEGMENTS):
        marker = _MARKER.search(data, position)
        if marker is None:
            break
        code, position = marker[1][0], marker.end()
        if code == _END:
            return Structure(width, height, has_end=True)
        if code in {_START, _TEMPORARY}:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if code in _FRAME_HEADERS and not width:  # libjpeg, too, uses the first
            height, width = struct.unpack_from(">HH", data, position + 3)
        position += length
    return Structure(width, height)
