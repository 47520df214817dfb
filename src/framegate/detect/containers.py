"""What an encoded picture says about itself before it is decoded: format, size, and whether it is whole.

Two dangers are met here, before a pixel is allocated: the picture that unpacks to gigabytes (a 493 kB PNG
of 13000 x 13000), and the upload that stopped half way or whose size was set first and filled later. The
second decodes without an error in more than one library; only the end of the content tells.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker that is neither a stuffed zero, nor fill, nor a restart: what can end a scan. One FF and no
repetition, so that a file full of FF costs linear time."""

_JPEG_END, _JPEG_START, _JPEG_TEMPORARY = 0xD9, 0xD8, 0x01
_JPEG_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SEGMENTS = 10_000
"""A camera writes some dozens; a hostile file of 64 MB could hold 16 million and stop the line for 10 s."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_EXTENTS = ((273, 279), (324, 325))
"""Tags of where the strips (or tiles) begin, and how long they are."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's first bytes promise, and whether the rest of it is there."""

    format: str
    """``jpeg``, ``png``, ``webp``, ``tiff`` or ``bmp``."""

    width: int
    height: int
    whole: bool
    """The content ends as the format demands. It says nothing about damage in between."""

    @property
    def pixels(self) -> int:
        """Number of pixels after decoding."""
        return self.width * self.height


def read_header(data: bytes) -> Header | None:
    """Recognise a picture by its content.

    Args:
        data: the whole file, or as much of it as there is.

    Returns:
        Its header; None when it is none of JPEG, PNG, WebP, TIFF, BMP, or too short to tell its size.
    """
    for start, reader in _READERS:
        if data.startswith(start):
            try:
                header = reader(data)
            except (struct.error, IndexError):  # the header itself is cut
                return None
            return header if header and header.width > 0 and header.height > 0 else None
    return None


def is_known_start(data: bytes) -> bool:
    """Tell whether the first bytes are those of a picture, even when its header is cut."""
    return any(data.startswith(start) or start.startswith(data) for start, _ in _READERS)


def _read_jpeg(data: bytes) -> Header | None:
    width = height = 0
    position = 2
    for _ in range(_MOST_SEGMENTS):
        marker = _JPEG_MARKER.search(data, position)
        if marker is None:
            break
        code, position = marker[1][0], marker.end()
        if code == _JPEG_END:
            return Header("jpeg", width, height, whole=True)
        if code in {_JPEG_START, _JPEG_TEMPORARY}:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if code in _JPEG_FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, position + 3)
        position += length
    return Header("jpeg", width, height, whole=False)


def _read_png(data: bytes) -> Header | None:
    width, height = struct.unpack_from(">II", data, 16)
    return Header("png", width, height, whole=_PNG_END in data)


def _read_webp(data: bytes) -> Header | None:
    (length,) = struct.unpack_from("<I", data, 4)
    kind, whole = data[8:16], len(data) >= length + 8
    if kind == b"WEBPVP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return Header("webp", width, height, whole)


def _read_bmp(data: bytes) -> Header | None:
    first_pixel, _, width, height, _, bits, compression, pixel_bytes = struct.unpack_from(
        "<IIiiHHII", data, 10
    )
    if not compression:
        pixel_bytes = (width * bits + 31) // 32 * 4 * abs(height)
    return Header("bmp", width, abs(height), whole=len(data) >= first_pixel + pixel_bytes)


def _read_tiff(data: bytes) -> Header | None:
    order = "<" if data.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    if directory >= len(data):  # the directory often stands last: an upload that has not got to it
        return None
    (entries,) = struct.unpack_from(order + "H", data, directory)
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(entries):
        tag, values = _read_tiff_entry(data, order, directory + 2 + 12 * entry)
        tags[tag] = values
    if not tags.get(_TIFF_WIDTH) or not tags.get(_TIFF_HEIGHT):
        return None
    whole = any(
        tags.get(starts)
        and all(s + n <= len(data) for s, n in zip(tags[starts], tags.get(counts, ()), strict=False))
        for starts, counts in _TIFF_EXTENTS
    )
    return Header("tiff", tags[_TIFF_WIDTH][0], tags[_TIFF_HEIGHT][0], bool(whole))


def _read_tiff_entry(data: bytes, order: str, at: int) -> tuple[int, tuple[int, ...]]:
    tag, kind, count = struct.unpack_from(order + "HHI", data, at)
    letter = {3: "H", 4: "I"}.get(kind)  # SHORT and LONG; sizes and extents are one of them
    if letter is None:
        return tag, ()
    length = struct.calcsize(letter) * count
    where = at + 8 if length <= 4 else struct.unpack_from(order + "I", data, at + 8)[0]  # noqa: PLR2004
    if where + length > len(data):
        return tag, ()
    return tag, struct.unpack_from(f"{order}{count}{letter}", data, where)


_READERS: tuple[tuple[bytes, Callable[[bytes], Header | None]], ...] = (
    (b"\xff\xd8", _read_jpeg),
    (_PNG_START, _read_png),
    (b"RIFF", _read_webp),
    (b"BM", _read_bmp),
    (b"II*\0", _read_tiff),
    (b"MM\0*", _read_tiff),
)
