"""Reads a WebP: its size, its end, and whether the decoder uses all of its data."""

import struct
from collections.abc import Callable

from framegate.formats.header import Header

_KIND_END = 16
_CHUNK_FRAME, _RIFF_FRAME = 8, 12
_FRAME_HEADER = 16  # of an animation's frame: where it stands, how long it is shown

_PICTURES = {b"VP8 ", b"VP8L"}
_MOST_CHUNKS = 1000

_NEEDED_BYTES, _PADDING_BYTES, _LEAST_BYTES = 16, 8, 200
"""No whole picture decodes without the last 16 bytes of its data (0 of 440), but one of 54 bytes did without
the last 9. Up to 8 zeros behind them may be a maker's padding."""


def read_webp(data: bytes) -> Header | None:
    """Read size and end of a WebP.

    Raises:
        struct.error: the data stops within the header.
    """
    (length,) = struct.unpack_from("<I", data, 4)
    kind, whole = data[8:_KIND_END], len(data) >= length + 8
    if kind == b"WEBPVP8X":
        width, height = (1 + int.from_bytes(side, "little") for side in struct.unpack_from("3s3s", data, 24))
    elif kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return Header("webp") if len(data) < _KIND_END else None
    return Header("webp", width, height, whole)


def find_damage(data: bytes, decodes: Callable[[bytes], bool]) -> str:
    """Return what is wrong with a WebP that decodes, in words; empty when it uses its data up to their end.

    WebP has no checksum. But its data are one stream of bits without marks: after damage the decoder reads
    other symbols than were written, and comes to the last pixel too early or too late. Too late, it says so
    itself. Too early, it decodes just as well without the last bytes.

    Args:
        data: a whole file.
        decodes: whether a WebP can be decoded.
    """
    kind, picture = _first_picture(data)
    padding = len(picture) - len(picture.rstrip(b"\0"))
    needed = len(picture) - min(padding, _PADDING_BYTES)
    if needed < _LEAST_BYTES or not decodes(_file_of(kind, picture[: needed - _NEEDED_BYTES])):
        return ""
    return "the picture is complete before its data end: some of them are wrong or missing"


def _first_picture(data: bytes) -> tuple[bytes, bytes]:
    """Return kind and content of the first picture: of an animation, its first frame."""
    position = _RIFF_FRAME
    for _ in range(_MOST_CHUNKS):
        if position + _CHUNK_FRAME > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        position += _CHUNK_FRAME
        if kind in _PICTURES:
            return kind, data[position : position + length]
        position += _FRAME_HEADER if kind == b"ANMF" else length + length % 2
    return b"", b""


def _file_of(kind: bytes, picture: bytes) -> bytes:
    padding = bytes(len(picture) % 2)
    length = _KIND_END - _RIFF_FRAME + _CHUNK_FRAME + len(picture) + len(padding)
    return struct.pack("<4sI4s4sI", b"RIFF", length, b"WEBP", kind, len(picture)) + picture + padding
