"""Reads one directory of a TIFF or BigTIFF: the tags of one of its pictures."""

import struct
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

SUBFILE, OLD_SUBFILE = 254, 255
_WIDTH, _HEIGHT, _BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_STARTS, _SAMPLES, _STRIP_ROWS, _STRIP_LENGTHS = 273, 277, 278, 279
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_STARTS, _TILE_LENGTHS = 284, 322, 323, 324, 325
SUB_DIRECTORIES, SAMPLE_FORMAT, JPEG_TABLES, DNG_VERSION = 330, 339, 347, 50706

_USED = {
    SUBFILE, OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, COMPRESSION, PHOTOMETRIC, _STRIP_STARTS, _SAMPLES,
    _STRIP_ROWS, _STRIP_LENGTHS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_STARTS, _TILE_LENGTHS,
    SUB_DIRECTORIES, SAMPLE_FORMAT, JPEG_TABLES, DNG_VERSION,
}  # fmt: skip

_KIND_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_KINDS_OF_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 7: "u1", 13: "u4", 16: "u8", 18: "u8"}

_MOST_ENTRIES = 512
"""A camera writes some dozens. 64 directories of 4,000 entries each took over 2 s."""

_YCBCR, _SEPARATE_PLANES = 6, 2
NO_COMPRESSION = 1
_REDUCED_OR_MASK, _OLD_REDUCED = 0b101, 2

Numbers = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Layout:
    """How numbers and directories of a TIFF are written."""

    order: str
    """``<`` or ``>``."""

    is_big: bool
    """Whether it is a BigTIFF, with offsets of 64 bits."""

    @property
    def offset(self) -> str:
        """The format of an offset into the file."""
        return self.order + ("Q" if self.is_big else "I")

    @property
    def first_at(self) -> int:
        """Where the offset of the first directory stands."""
        return 8 if self.is_big else 4


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a TIFF, as its directory describes it."""

    at: int
    """Where the directory begins."""

    following: int
    """Where the next one begins; 0 when there is none."""

    lacks_values: bool
    """Whether a value that is of no use here lies behind the end of the data."""

    tags: dict[int, Numbers] = field(repr=False)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first number of a tag."""
        numbers = self.tags.get(tag)
        return default if numbers is None or not len(numbers) else int(numbers[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return self.number(_WIDTH)

    @property
    def height(self) -> int:
        """In pixels."""
        return self.number(_HEIGHT)

    @property
    def bits(self) -> int:
        """Of one sample."""
        return self.number(_BITS, 1)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a smaller copy of another page, or a mask."""
        return bool(self.number(SUBFILE) & _REDUCED_OR_MASK) or self.number(OLD_SUBFILE) == _OLD_REDUCED

    @property
    def compression(self) -> int:
        """1 for none."""
        return self.number(COMPRESSION, NO_COMPRESSION)

    @property
    def is_tiled(self) -> bool:
        """Whether it is stored in tiles, not in strips."""
        return _TILE_STARTS in self.tags

    def extents(self) -> tuple[list[int], list[int]]:
        """Return where the strips or tiles begin, and how many bytes each has."""
        starts = self.tags.get(_TILE_STARTS if self.is_tiled else _STRIP_STARTS)
        lengths = self.tags.get(_TILE_LENGTHS if self.is_tiled else _STRIP_LENGTHS)
        if starts is None or not len(starts):
            return [], []
        given = [0] * len(starts) if lengths is None else lengths.tolist()
        given = given[: len(starts)] + [0] * (len(starts) - len(given))
        if self.compression == NO_COMPRESSION:  # what is given may be wrong, or left out
            full = [self.unpacked_bytes(index) for index in range(len(starts))]
            given = [min(a or b, b or a) for a, b in zip(given, full, strict=True)]
        return starts.tolist(), given

    def unpacked_bytes(self, index: int) -> int:
        """Return how many bytes a strip or tile has without compression; 0 where that is not known."""
        if self.number(PHOTOMETRIC) == _YCBCR:  # colour may be stored for fewer pixels
            return 0
        if self.is_tiled:
            return self.most_unpacked_bytes
        above = self._rows * (index % max(ceil(self.height / max(self._rows, 1)), 1))
        return self._row_bytes(self.width) * min(self._rows, self.height - above)

    @property
    def most_unpacked_bytes(self) -> int:
        """How many bytes a tile, or a strip of all its rows, has without compression."""
        if self.is_tiled:
            return self._row_bytes(self.number(_TILE_WIDTH)) * self.number(_TILE_HEIGHT)
        return self._row_bytes(self.width) * self._rows

    @property
    def _rows(self) -> int:
        return min(self.number(_STRIP_ROWS, self.height) or self.height, self.height)

    def _row_bytes(self, width: int) -> int:
        samples = 1 if self.number(_PLANAR) == _SEPARATE_PLANES else self.number(_SAMPLES, 1)
        return ceil(width * self.bits * samples / 8)


def read_page(data: bytes, layout: Layout, at: int) -> Page:
    """Read the directory that begins at a byte.

    Raises:
        struct.error: the directory, or a value of it that is of use, lies behind the end of the data.
    """
    count_format, entry, inline = ("Q", "HHQ", 8) if layout.is_big else ("H", "HHI", 4)
    if at > len(data):
        raise struct.error("the directory is not there yet")
    (count,) = struct.unpack_from(layout.order + count_format, data, at)
    if count > _MOST_ENTRIES:
        raise struct.error("no directory has as many entries")
    first = at + struct.calcsize("<" + count_format)
    entry_bytes = struct.calcsize("<" + entry) + inline
    tags: dict[int, Numbers] = {}
    lacks_values = False
    for place in range(first, first + count * entry_bytes, entry_bytes):
        tag, kind, length = struct.unpack_from(layout.order + entry, data, place)
        where, size_bytes = place + entry_bytes - inline, length * _KIND_BYTES.get(kind, 0)
        if size_bytes > inline:
            (where,) = struct.unpack_from(layout.offset, data, where)
        is_used = tag in _USED and tag not in tags and kind in _KINDS_OF_NUMBERS
        if where + size_bytes <= len(data) and is_used:
            tags[tag] = np.frombuffer(data, layout.order + _KINDS_OF_NUMBERS[kind], length, where)
        elif where + size_bytes > len(data) and is_used:
            raise struct.error("the values of an entry are not there yet")
        else:
            lacks_values |= where + size_bytes > len(data)
    (following,) = struct.unpack_from(layout.offset, data, first + count * entry_bytes)
    return Page(at, following, lacks_values, tags)
