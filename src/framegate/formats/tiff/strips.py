"""Whether the strips or tiles of a compressed TIFF unpack to what they should.

OpenCV reports no damage of theirs: it returns the rows above it, and below them zeros, noise, or what was in
memory before.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from framegate.formats.jpeg.decoding import Damaged, decode_jpeg
from framegate.formats.jpeg.structure import read_structure
from framegate.formats.tiff.lzw import unpacked_bytes
from framegate.formats.tiff.page import JPEG_TABLES, Page

_LZW, _JPEG, _DEFLATE, _PACK_BITS, _OLD_DEFLATE = 5, 7, 8, 32773, 32946

_PIECE_BYTES = 1 << 16
_MOST_OVERLAP = 2
"""A hostile file's strips may all be the whole file: then their sum is many times its size."""

_MOST_PADDING = 4
"""Bytes behind the runs of a strip, to make its length even."""

_NOTHING = 128
"""The code of no run."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A strip or tile."""

    packed: bytes
    least_bytes: int
    """That it unpacks to; 0 where that is not known."""

    most_bytes: int
    jpeg_tables: bytes


def find_damage(data: bytes, page: Page) -> str:
    """Return what is wrong with the compressed pixels of a page, in words; empty when nothing is found.

    Args:
        data: a TIFF of which the page's extents are there.
        page: of it.
    """
    starts, lengths = page.extents()
    is_whole = _CHECKS.get(page.compression)
    if is_whole is None or sum(lengths) > _MOST_OVERLAP * len(data):
        return ""
    tables = page.tags.get(JPEG_TABLES)
    before = b"" if tables is None else tables.tobytes()
    for index, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        packed = data[start : start + length]
        if not is_whole(_Part(packed, page.unpacked_bytes(index), page.most_unpacked_bytes, before)):
            return f"the compressed data of part {index + 1} of {len(starts)} are wrong or missing"
    return ""


def _inflates(part: _Part) -> bool:
    engine, count = zlib.decompressobj(), 0
    try:
        for at in range(0, len(part.packed), _PIECE_BYTES):
            piece = part.packed[at : at + _PIECE_BYTES]
            while piece and not engine.eof:
                count += len(engine.decompress(piece, _PIECE_BYTES))
                piece = engine.unconsumed_tail
                if count > part.most_bytes:
                    return False
    except zlib.error:
        return False
    return engine.eof and count >= part.least_bytes


def _unpacks_bits(part: _Part) -> bool:
    packed = part.packed
    at = count = 0
    while at + 1 < len(packed) and count <= part.most_bytes:
        if count == part.least_bytes and len(packed) - at <= _MOST_PADDING:
            return True
        code = packed[at]
        if code < _NOTHING:  # code + 1 bytes follow as they are
            count, at = count + code + 1, at + code + 2
        elif code > _NOTHING:  # one byte follows, to be repeated
            count, at = count + 257 - code, at + 2
        else:
            at += 1
    return part.least_bytes <= count <= part.most_bytes


def _unpacks_codes(part: _Part) -> bool:
    count = unpacked_bytes(part.packed)
    return count is None or part.least_bytes <= count <= part.most_bytes


def _is_jpeg(part: _Part) -> bool:
    tables = part.jpeg_tables.removesuffix(b"\xff\xd9")
    joined = tables + part.packed.removeprefix(b"\xff\xd8") if tables else part.packed
    try:
        structure = read_structure(joined)
    except struct.error:
        return False
    if not structure.has_end:
        return False
    return not isinstance(decode_jpeg(joined, structure, is_colour=False), Damaged)


_CHECKS: dict[int, Callable[[_Part], bool]] = {
    _DEFLATE: _inflates,
    _OLD_DEFLATE: _inflates,
    _PACK_BITS: _unpacks_bits,
    _LZW: _unpacks_codes,
    _JPEG: _is_jpeg,
}
"""By the number of the compression: whether a part of it is whole, as far as that shows."""
