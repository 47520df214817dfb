"""TIFFs of every layout: byte order, 64-bit offsets, strips, tiles, planes, compressions, several pages."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Order = Literal["<", ">"]
PLAIN, DEFLATE, PACK_BITS = 1, 8, 32773


def pack_bits(data: bytes) -> bytes:
    """Return data in runs: of one byte where it is repeated, else as they are."""
    packed, at = bytearray(), 0
    while at < len(data):
        run = 1
        while run < 128 and at + run < len(data) and data[at + run] == data[at]:
            run += 1
        if run > 2:
            packed += bytes([257 - run, data[at]])
            at += run
        else:
            literal = data[at : at + 100]
            packed += bytes([len(literal) - 1]) + literal
            at += len(literal)
    return bytes(packed)


PACKERS: dict[int, Callable[[bytes], bytes]] = {PLAIN: bytes, DEFLATE: zlib.compress, PACK_BITS: pack_bits}


@dataclass(frozen=True)
class Sheet:
    """A page to be written: gray (height, width) or colour (height, width, 3), of 8 or 16 bits."""

    pixels: np.ndarray
    compression: int = PLAIN
    tile: int = 0
    """Side of a square tile, a multiple of 16; 0 for strips."""

    rows: int = 0
    """Of a strip; 0 for one strip."""

    is_planar: bool = False
    tags: dict[int, int] = field(default_factory=dict)
    """More of them, or others."""

    def parts(self, order: Order) -> list[bytes]:
        """Return the strips or tiles, packed."""
        pixels = self.pixels.astype(self.pixels.dtype.newbyteorder(order))
        planes = [pixels[:, :, n] for n in range(3)] if self.is_planar else [pixels]
        return [PACKERS[self.compression](piece) for plane in planes for piece in self._cut(plane)]

    def _cut(self, plane: np.ndarray) -> list[bytes]:
        height, width = plane.shape[:2]
        if not self.tile:
            rows = self.rows or height
            return [plane[top : top + rows].tobytes() for top in range(0, height, rows)]
        side = self.tile
        margins = [(0, -height % side), (0, -width % side), (0, 0)][: plane.ndim]
        full = np.pad(plane, margins, mode="edge")
        return [
            full[top : top + side, left : left + side].tobytes()
            for top in range(0, full.shape[0], side)
            for left in range(0, full.shape[1], side)
        ]


def tiff(sheets: Sequence[Sheet], *, order: Order = "<", is_big: bool = False) -> bytes:
    """Return a TIFF of these pages, with the directories behind the pixels."""
    offset = "Q" if is_big else "I"
    file = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if is_big else 42))
    if is_big:
        file += struct.pack(order + "HH", 8, 0)
    link = len(file)
    file += struct.pack(order + offset, 0)
    for sheet in sheets:
        starts, lengths = [], []
        for part in sheet.parts(order):
            starts.append(len(file))
            lengths.append(len(part))
            file += part
        tags = _tags(sheet, starts, lengths)
        values: dict[int, tuple[int, bytes]] = {}
        for tag, numbers in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(numbers)}{offset}", *numbers)
            if len(packed) > struct.calcsize(offset):
                file += bytes(len(file) % 2)
                packed, at = struct.pack(order + offset, len(file)), packed
                file += at
            values[tag] = len(numbers), packed
        file += bytes(len(file) % 2)
        struct.pack_into(order + offset, file, link, len(file))
        file += struct.pack(order + ("Q" if is_big else "H"), len(values))
        for tag, (count, packed) in values.items():
            file += struct.pack(order + "HH" + offset, tag, 16 if is_big else 4, count) + packed
        link = len(file)
        file += struct.pack(order + offset, 0)
    return bytes(file)


def _tags(sheet: Sheet, starts: list[int], lengths: list[int]) -> dict[int, list[int]]:
    height, width = sheet.pixels.shape[:2]
    samples = 3 if sheet.pixels.ndim == 3 else 1
    tags = {
        256: [width], 257: [height], 258: [8 * sheet.pixels.itemsize] * samples, 259: [sheet.compression],
        262: [2 if samples == 3 else 1], 277: [samples], 284: [2 if sheet.is_planar else 1],
    }  # fmt: skip
    if sheet.tile:
        tags |= {322: [sheet.tile], 323: [sheet.tile], 324: starts, 325: lengths}
    else:
        tags |= {273: starts, 278: [sheet.rows or height], 279: lengths}
    return tags | {tag: [number] for tag, number in sheet.tags.items()}
