"""Looks at each piece between two restart markers by itself.

libjpeg says only the first thing that it finds wrong: where a camera leaves a few bytes too many before each
restart marker, as Logitech's do, it says nothing of a packet that is lost behind them.
"""

import re
import struct

from framegate.formats.jpeg.spare import spare_is_harmless
from framegate.formats.jpeg.structure import SCAN, Structure
from framegate.formats.jpeg.turbo import decode_turbo

_RESTART = re.compile(rb"\xff([\xd0-\xd7])", re.DOTALL)
_NAMES = 8
"""Restart markers are numbered 0 to 7, and again."""

_MOST_SPARE_ROWS = 2
"""Some encoders code rows below the height that they announce, to the next multiple of 16 or 32 pixels."""

_MOST_PIECES = 40_000
"""Each takes 0.02 ms. A 4K picture with a restart marker after each of its units has 32,400."""

_WIDEST = 65_500
_TABLES_AND_HEADERS = {0xDB, 0xC4, 0xDD, 0xDA, 0xC0, 0xC1}


def damage_between_restarts(data: bytes, structure: Structure) -> str:
    """Return what is wrong with the restart markers, or with the data between two of them.

    Args:
        data: a sequential JPEG of one scan with a restart interval, from its start marker on.
        structure: its markers.

    Returns:
        In words; empty when nothing is.
    """
    ((header, end),) = structure.scans
    across, down = structure.units
    wanted = -(-across * down // structure.restart_interval) - 1
    markers = [(found.start(), found[1][0] - 0xD0) for found in _RESTART.finditer(data, header.end, end)]
    if len(markers) < wanted:
        return f"{wanted - len(markers)} of {wanted} restart markers are missing"
    if (len(markers) - wanted) * structure.restart_interval > _MOST_SPARE_ROWS * across:
        return "it has more data between restart markers than its size has room for"
    if any(number != place % _NAMES for place, (_, number) in enumerate(markers[:wanted])):
        return "its restart markers are out of order"
    if wanted > _MOST_PIECES:
        return ""
    starts = [header.end, *(at + 2 for at, _ in markers[:wanted])]
    ends = [*(at for at, _ in markers), end][: len(starts)]
    left = across * down
    for place, (a, b) in enumerate(zip(starts, ends, strict=True)):
        piece = _as_picture(data, structure, data[a:b], min(structure.restart_interval, left))
        left -= structure.restart_interval
        said = decode_turbo(piece, is_colour=False, size=(1, 1))[1] if piece else ""
        if said and not spare_is_harmless(said, piece[:-2]):
            row = place * structure.restart_interval // across * structure.unit_size[1]
            return f"the picture data is damaged from row {row} of {structure.height} on"
    return ""


def _as_picture(data: bytes, structure: Structure, coded: bytes, units: int) -> bytes:
    """Return the units of one interval as a JPEG of their own; nothing where they are too many for a row."""
    across, _ = structure.units
    width, height = structure.unit_size
    columns, rows = (across, units // across) if units % across == 0 else (units, 1)
    if max(columns * width, rows * height) > _WIDEST:
        return b""
    parts = [data[:2]]
    for segment in structure.segments:
        content = data[segment.start : segment.end]
        if segment.code == structure.frame:
            content = content[:5] + struct.pack(">HH", rows * height, columns * width) + content[9:]
        if segment.code in _TABLES_AND_HEADERS:
            parts.append(content)
        if segment.code == SCAN:
            break
    return b"".join([*parts, coded, b"\xff\xd9"])
