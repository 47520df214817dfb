"""Reads a TIFF or BigTIFF: which of its pages is the picture, its size, and whether its pixels are there."""

import struct
from dataclasses import dataclass

from framegate.formats.header import Header
from framegate.formats.tiff.page import (
    DNG_VERSION,
    NO_COMPRESSION,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SUB_DIRECTORIES,
    Layout,
    Page,
    read_page,
)
from framegate.formats.zeros import ends_in_zeros

_MOST_PAGES = 64
"""A page costs up to a millisecond; a hostile file of 64 MB could hold millions."""

_READABLE = {1, 2, 3, 4, 5, 7, 8, 32766, 32771, 32773, 32809, 32909, 32946}
"""Compressions that OpenCV's libtiff is built with. For others it may return what was in memory before."""

_COMPRESSIONS = {
    6: "old-style JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000", 34661: "JBIG", 34712: "JPEG 2000",
    34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_PLAIN_TILE_BYTES = 1024
"""libtiff 4.7 takes tiles without compression only in multiples of this: "Invalid tile byte count"."""

_RAW_PHOTOMETRICS = {32803, 34892}  # one colour for each pixel, as the sensor has them; and the same, linear
_UNSIGNED, _FLOAT, _UNTYPED = 1, 3, 4
_SIGNED, _MOST_BITS = 2, 16


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages that were found, and whether there are more that are not there yet."""

    found: list[Page]
    lacks_some: bool


def read_tiff(data: bytes) -> Header:
    """Read size and extent of the largest page that is not marked as a reduced copy or a mask.

    Raises:
        struct.error: the data stops within the header.
    """
    layout = Layout("<" if data.startswith(b"II") else ">", b"+" in data[2:4])
    (at,) = struct.unpack_from(layout.offset, data, layout.first_at)
    pages = _pages(data, layout, [at])
    if not pages.found:
        return Header("tiff")
    page = _largest(data, layout, pages.found)
    is_there = _is_there(page, len(data))
    unfinished = _unfinished(data, page, pages) if is_there else ""
    return Header(
        "tiff", page.width, page.height, is_there, _unsupported(page), unfinished=unfinished, page=page
    )


def with_first_page(data: bytes, page: Page) -> bytes:
    """Return a TIFF with a page of it as its first: the one that decoders read."""
    layout = Layout("<" if data.startswith(b"II") else ">", b"+" in data[2:4])
    (first,) = struct.unpack_from(layout.offset, data, layout.first_at)
    if first == page.at:
        return data
    offset = struct.pack(layout.offset, page.at)
    return data[: layout.first_at] + offset + data[layout.first_at + len(offset) :]


def _pages(data: bytes, layout: Layout, starts: list[int]) -> _Pages:
    """Follow the chains of directories from their starts; one that comes back to itself ends."""
    found: dict[int, Page] = {}
    for start in starts:
        at = start
        while at and at not in found and len(found) < _MOST_PAGES:
            try:
                found[at] = read_page(data, layout, at)
            except struct.error:
                return _Pages(list(found.values()), lacks_some=True)
            at = found[at].following
    return _Pages(list(found.values()), lacks_some=False)


def _largest(data: bytes, layout: Layout, pages: list[Page]) -> Page:
    full = [page for page in pages if not page.is_reduced]
    if not full:  # raw files of cameras: a thumbnail, and below it the picture
        below = [int(at) for page in pages for at in page.tags.get(SUB_DIRECTORIES, ())[:_MOST_PAGES]]
        full = [page for page in _pages(data, layout, below).found if not page.is_reduced]
    return max(full or pages, key=lambda page: page.width * page.height)


def _is_there(page: Page, size_bytes: int) -> bool:
    starts, lengths = page.extents()
    pairs = zip(starts, lengths, strict=True)
    return bool(starts) and all(length and start + length <= size_bytes for start, length in pairs)


def _unfinished(data: bytes, page: Page, pages: _Pages) -> str:
    if pages.lacks_some:
        return "a later page of it is not there"
    if page.lacks_values:
        return "some values of its directory are not there"
    if page.compression != NO_COMPRESSION:
        return ""
    starts, lengths = page.extents()
    start, length = max(zip(starts, lengths, strict=True))
    return ends_in_zeros(data, start, start + length)


def _unsupported(page: Page) -> str:
    if DNG_VERSION in page.tags or page.number(PHOTOMETRIC) in _RAW_PHOTOMETRICS:
        return "the raw picture of a camera"
    if page.compression not in _READABLE:
        name = _COMPRESSIONS.get(page.compression, f"method {page.compression}")
        return f"TIFF compressed with {name}"
    tile_bytes = page.unpacked_bytes(0) if page.is_tiled and page.compression == NO_COMPRESSION else 0
    if tile_bytes % _PLAIN_TILE_BYTES:
        return f"TIFF without compression in tiles of {tile_bytes} bytes"
    sample_format = page.number(SAMPLE_FORMAT, _UNSIGNED)
    if sample_format == _FLOAT:
        return f"TIFF of {page.bits}-bit floating-point numbers"
    if sample_format not in {_UNSIGNED, _SIGNED, _UNTYPED}:
        return "TIFF of complex numbers"
    return f"TIFF of {page.bits}-bit numbers" if page.bits > _MOST_BITS else ""
