"""What the header of an encoded picture shows before it is decoded: format, size, and whether it is whole.

Two dangers are averted here, before a pixel is allocated: a picture that unpacks to gigabytes (a 493 kB PNG
of 13000 x 13000), and an upload that stopped half way, or whose size was set first and filled later. The
second decodes without an error in more than one library; only the end of the content shows it.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from framegate.detect.jpeg.start import find_start, may_start_later
from framegate.detect.jpeg.structure import Structure, read_structure

_MOST_SEGMENTS = 10_000
"""A camera writes some dozens; a hostile file of 64 MB could hold 16 million, and take 10 s to read."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK_FRAME = 12  # length, kind and checksum around a chunk's content

_PNG_END_CHECKSUM = b"\xaeB`\x82"

_WEBP_KIND_END, _WEBP_TAIL = 16, 64
"""A WebP's content is compressed: when its last 64 bytes are zeros, only its size was set."""

_BMP_HEADER_SIZES, _BMP_BITS = {40, 52, 56, 64, 108, 124}, {1, 4, 8, 16, 24, 32}

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_EXTENTS = ((273, 279), (324, 325))
"""Tags of where the strips (or tiles) begin, and how long they are."""

_TIFF_TAGS = {_TIFF_WIDTH, _TIFF_HEIGHT, *_TIFF_EXTENTS[0], *_TIFF_EXTENTS[1]}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_TIFF_LETTERS = {3: "H", 4: "I"}  # the two kinds that sizes and extents have
_TIFF_INLINE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's first bytes announce, and whether the rest of it is there."""

    format: str
    """``jpeg``, ``png``, ``webp``, ``tiff`` or ``bmp``."""

    width: int = 0
    height: int = 0
    """In pixels; 0 when the file stops before its size."""

    whole: bool = False
    """Whether the content ends as the format demands. There may be damage in between."""

    unsupported: str = ""
    """What kind of picture it is, if it is one that nothing here decodes, whole or not: ``12-bit JPEG``."""

    start: int = 0
    """How many bytes stand before the picture; only a JPEG may have some."""

    jpeg: Structure | None = None
    """The markers of a JPEG, counted from ``start``."""

    @property
    def pixels(self) -> int:
        """Number of pixels after decoding."""
        return self.width * self.height


def read_header(data: bytes) -> Header | None:
    """Recognise a picture by its content.

    A BMP has no mark at its end: one whose size was set first, to be filled later, looks whole.

    Args:
        data: the whole file, or as much of it as there is.

    Returns:
        Its header; None when it cannot become a JPEG, PNG, WebP, TIFF or BMP, whatever bytes follow.
    """
    for name, start, reader in _READERS:
        if data and all(a in {None, b} for a, b in zip(start, data, strict=False)):
            try:
                return reader(data)
            except struct.error:  # it stops within the header
                return Header(name)
    return _read_late_jpeg(data)


def _read_jpeg(data: bytes, start: int = 0) -> Header | None:
    jpeg = read_structure(data[start:])
    return Header("jpeg", jpeg.width, jpeg.height, jpeg.has_end, jpeg.unsupported, start, jpeg)


def _read_late_jpeg(data: bytes) -> Header | None:
    start = find_start(data)
    if start is None:
        return Header("jpeg") if may_start_later(data) else None
    try:
        return _read_jpeg(data, start)
    except struct.error:  # it stops within the header
        return Header("jpeg", start=start)


def _read_png(data: bytes) -> Header | None:
    width, height = struct.unpack_from(">II", data, 16)
    position = len(_PNG_START)
    for _ in range(_MOST_SEGMENTS):
        if position + _PNG_CHUNK_FRAME > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        position += length + _PNG_CHUNK_FRAME
        if kind == b"IEND":
            return Header("png", width, height, whole=data[position - 4 : position] == _PNG_END_CHECKSUM)
    return Header("png", width, height)


def _read_webp(data: bytes) -> Header | None:
    (length,) = struct.unpack_from("<I", data, 4)
    kind, tail = data[8:_WEBP_KIND_END], data[: length + 8][-_WEBP_TAIL:]
    whole = len(data) >= length + 8 and any(tail)
    if kind == b"WEBPVP8X":
        width, height = (1 + int.from_bytes(side, "little") for side in struct.unpack_from("3s3s", data, 24))
    elif kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return Header("webp") if len(data) < _WEBP_KIND_END else None
    return Header("webp", width, height, whole)


def _read_bmp(data: bytes) -> Header | None:
    first_pixel, header_size = struct.unpack_from("<II", data, 10)
    if header_size not in _BMP_HEADER_SIZES:  # two letters alone begin many a text
        return None
    width, height, planes, bits, compression, pixel_bytes = struct.unpack_from("<iiHHII", data, 18)
    if planes != 1 or bits not in _BMP_BITS or width <= 0 or not height:
        return None
    if not compression:
        pixel_bytes = (width * bits + 31) // 32 * 4 * abs(height)
    return Header("bmp", width, abs(height), whole=len(data) >= first_pixel + pixel_bytes)


def _read_tiff(data: bytes) -> Header | None:
    order = "<" if data.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)  # it is often last in the file
    tags: dict[int, tuple[int, ...]] = {}
    whole = True
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, values, is_there = _read_tiff_entry(data, order, at)
        tags[tag] = values
        whole = whole and is_there
    width, height = (tags.get(tag) or (0,) for tag in (_TIFF_WIDTH, _TIFF_HEIGHT))
    return Header("tiff", width[0], height[0], whole and _extents_are_there(tags, len(data)))


def _read_tiff_entry(data: bytes, order: str, at: int) -> tuple[int, tuple[int, ...], bool]:
    """Return an entry's tag, its values if they are of use here, and whether all its values are there."""
    tag, kind, count = struct.unpack_from(order + "HHI", data, at)
    length, where = count * _TIFF_SIZES.get(kind, 0), at + 8
    if length > _TIFF_INLINE_BYTES:
        (where,) = struct.unpack_from(order + "I", data, where)
    is_there = where + length <= len(data)
    if not is_there or tag not in _TIFF_TAGS or kind not in _TIFF_LETTERS or count > _MOST_SEGMENTS:
        return tag, (), is_there
    return tag, struct.unpack_from(f"{order}{count}{_TIFF_LETTERS[kind]}", data, where), True


def _extents_are_there(tags: dict[int, tuple[int, ...]], size_bytes: int) -> bool:
    for starts, lengths in _TIFF_EXTENTS:
        if starts in tags and lengths in tags:
            pairs = zip(tags[starts], tags[lengths], strict=False)
            return all(start + length <= size_bytes for start, length in pairs)
    return False


_READERS: tuple[tuple[str, Sequence[int | None], Callable[[bytes], Header | None]], ...] = (
    ("jpeg", b"\xff\xd8", _read_jpeg),
    ("png", _PNG_START, _read_png),
    ("webp", (*b"RIFF", None, None, None, None, *b"WEBP"), _read_webp),
    ("bmp", b"BM", _read_bmp),
    ("tiff", b"II*\0", _read_tiff),
    ("tiff", b"MM\0*", _read_tiff),
)
"""Format, how it begins (None is any byte), and what reads it."""
