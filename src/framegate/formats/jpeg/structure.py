"""What the markers of a JPEG say, before it is decoded: its size and kind, and whether its end is there."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

_MOST_SEGMENTS = 10_000
"""A camera writes some dozens; a hostile file of 64 MB could hold 16 million, and take 10 s to read."""

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker that is neither a stuffed zero, nor fill, nor a restart: what can end a scan. One FF and no
repetition, so that a file full of FF costs linear time."""

_NEAR_BYTES, _PIECE_BYTES = 256, 131_072
"""The pattern looks so far, since most markers stand where a segment ends; behind that the data are looked
through in pieces that stay in the processor's cache."""

START, END, SCAN, TABLES, RESTARTS = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD
"""Codes of markers: start and end of the picture, start of a scan, Huffman tables, restart interval."""

_TEMPORARY = 0x01
_LS = 0xF7
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
_ARITHMETIC, _ARITHMETIC_PROGRESSIVE, _LOSSLESS = 0xC9, 0xCA, 0xC3
_FRAMES = frozenset(range(0xC0, 0xD0)) - {TABLES, 0xC8, 0xCC} | {_LS}
_DECODED_FRAMES = {BASELINE, EXTENDED, PROGRESSIVE, _LOSSLESS, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE}
_AFTER_SCAN = {SCAN, TABLES, RESTARTS, END, 0xCC, 0xDB, 0xDC, 0xFE, *range(0xE0, 0xF0)}
_BLOCK = 8  # pixels


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and what belongs to it."""

    code: int
    """The marker's second byte."""

    start: int
    """Where its marker begins, in bytes from the start of the picture."""

    end: int
    """Where its content ends. The coded data of a scan follows there."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the picture: the luma, for example."""

    number: int
    across: int
    """How many blocks of 8 x 8 of it lie side by side in one unit of the coded data."""

    down: int


@dataclass(frozen=True)
class Structure:
    """The markers of a JPEG."""

    width: int = 0
    height: int = 0
    """In pixels; 0 when the file stops before its size."""

    frame: int = 0
    """Code of the marker that says the size, and with it the kind: baseline, progressive, ..."""

    bits: int = 0
    """Of one value of one component."""

    components: tuple[Component, ...] = ()
    segments: tuple[Segment, ...] = ()
    """In the order of the file, the end marker among them."""

    restart_interval: int = 0
    """After so many units of the coded data stands a restart marker; 0 for never."""

    @property
    def has_end(self) -> bool:
        """Whether the end marker is there. There may be damage before it."""
        return bool(self.segments) and self.segments[-1].code == END

    @property
    def has_impossible_marker(self) -> bool:
        """Whether a marker stands behind the first scan's header that cannot: no more bytes mend that."""
        codes = [segment.code for segment in self.segments]
        return SCAN in codes and not _AFTER_SCAN.issuperset(codes[codes.index(SCAN) :])

    @property
    def unsupported(self) -> str:
        """What kind of JPEG it is, if it is one that nothing here decodes; else empty."""
        if self.frame == _LS:
            return "JPEG-LS"
        if self.bits and self.bits != 8:  # noqa: PLR2004
            return f"{self.bits}-bit JPEG"
        if self.frame and self.frame not in _DECODED_FRAMES:
            return f"JPEG of the hierarchical or the arithmetic lossless kind (SOF{self.frame - 0xC0})"
        if self.width and not self.height:
            return "JPEG that says its height after its data (DNL)"
        return ""

    @property
    def is_sequential(self) -> bool:
        """Whether one pass over the coded data gives all of it, Huffman-coded."""
        return self.frame in {BASELINE, EXTENDED}

    @property
    def is_lossless(self) -> bool:
        """Whether it is of the lossless kind, which is decoded only where no colours have to be converted."""
        return self.frame == _LOSSLESS

    @property
    def is_in_intervals(self) -> bool:
        """Whether each piece between two restart markers can be decoded by itself."""
        return self.is_sequential and self.restart_interval > 0 and len(self.scans) == 1

    @cached_property
    def scans(self) -> tuple[tuple[Segment, int], ...]:
        """Each scan's header, and where the coded data that follows it ends, if a marker ends it."""
        return tuple((a, b.start) for a, b in pairwise(self.segments) if a.code == SCAN)

    @property
    def unit_size(self) -> tuple[int, int]:
        """(width, height) in pixels of one unit of the coded data, where one scan holds all components."""
        if len(self.components) == 1:
            return _BLOCK, _BLOCK
        across = max(component.across for component in self.components)
        return _BLOCK * across, _BLOCK * max(component.down for component in self.components)

    @property
    def units(self) -> tuple[int, int]:
        """How many units of the coded data (a row, a column) of them has."""
        width, height = self.unit_size
        return -(-self.width // width), -(-self.height // height)


def read_structure(data: bytes) -> Structure:
    """Read the markers of a JPEG.

    Args:
        data: the file, or as much of it as there is, from the start marker on.

    Raises:
        struct.error: it stops within a marker's segment.
    """
    frame, bits, height, width = 0, 0, 0, 0
    components: tuple[Component, ...] = ()
    restart_interval = 0
    segments = []
    for segment in _segments(data):
        segments.append(segment)
        content = segment.start + 4
        if segment.code in _FRAMES and not frame:  # libjpeg, too, uses the first
            frame = segment.code
            bits, height, width, count = struct.unpack_from(">BHHB", data, content)
            thirds = struct.iter_unpack("3B", data[content + 6 : content + 6 + 3 * count])
            components = tuple(
                Component(number, max(hv >> 4, 1), max(hv & 15, 1)) for number, hv, _ in thirds
            )
        elif segment.code == RESTARTS:
            (restart_interval,) = struct.unpack_from(">H", data, content)
    return Structure(width, height, frame, bits, components, tuple(segments), restart_interval)


def _segments(data: bytes) -> Iterator[Segment]:
    position = 2
    for _ in range(_MOST_SEGMENTS):
        marker = _next_marker(data, position)
        if marker is None:
            return
        code, position = marker[1][0], marker.end()
        if code == END:
            yield Segment(code, marker.start(), position)
            return
        if code in {START, _TEMPORARY}:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        position += length
        yield Segment(code, marker.start(), position)


def _next_marker(data: bytes, position: int) -> re.Match[bytes] | None:
    """Return the first marker at a position or behind it.

    The pattern alone takes 0.28 ms for 0.5 MB of coded data. But only where a marker or a restart stands has
    an FF another byte than zero behind it, and to find that there is none takes 0.08 ms.
    """
    near = _MARKER.search(data, position, position + _NEAR_BYTES)
    if near is not None:
        return near
    values = np.frombuffer(data, np.uint8)
    for start in range(position, len(data) - 1, _PIECE_BYTES):
        piece = values[start : start + _PIECE_BYTES + 1]
        is_marker = piece[:-1] == 0xFF  # noqa: PLR2004
        is_marker &= piece[1:].view(np.bool_)
        first = int(is_marker.argmax())
        if is_marker[first]:
            return _MARKER.search(data, start + first)
    return None
