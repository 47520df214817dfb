"""Reads a PNG: its size, its end, and which chunk is damaged."""

import struct
import zlib
from collections.abc import Iterator

from framegate.formats.header import Header

START = b"\x89PNG\r\n\x1a\n"
_CHUNK_FRAME = 12  # length, kind and checksum around a chunk's content
_END_CHECKSUM = b"\xaeB`\x82"

_MOST_CHUNKS = 10_000
"""A camera writes some dozens; a hostile file of 64 MB could hold 5 million."""


def read_png(data: bytes) -> Header:
    """Read size and end of a PNG.

    Raises:
        struct.error: the data stops within the header.
    """
    width, height = struct.unpack_from(">II", data, 16)
    for kind, start, length in _chunks(data):
        if kind == b"IEND":
            checksum = data[start + length : start + length + 4]
            return Header("png", width, height, whole=checksum == _END_CHECKSUM)
    return Header("png", width, height)


def find_wrong_checksum(data: bytes) -> str:
    """Return which chunk of a PNG is damaged, in words; empty if none is that the picture needs.

    libpng looks at the checksums, too, but prints what it finds to standard error, between our log lines.
    """
    for kind, start, length in _chunks(data):
        (checksum,) = struct.unpack_from(">I", data, start + length)
        is_needed = kind[:1].isupper()
        if is_needed and zlib.crc32(memoryview(data)[start - 4 : start + length]) != checksum:
            return f"the checksum of the chunk at byte {start - 8} is wrong"
        if kind == b"IEND":
            break
    return ""


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of the content of each chunk that is there in full."""
    position = len(START)
    for _ in range(_MOST_CHUNKS):
        if position + _CHUNK_FRAME > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        if position + _CHUNK_FRAME + length > len(data):
            return
        yield kind, position + 8, length
        position += length + _CHUNK_FRAME
