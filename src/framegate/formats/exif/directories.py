"""Reads the directories of EXIF data, which are those of a TIFF without a picture."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

EXIF_SEGMENT, EXIF_NAME = 0xE1, b"Exif\0\0"
"""The segment of a JPEG that holds EXIF data, and how it begins."""

_FIRST_BYTES = {b"II": "<", b"MM": ">"}
_TEXT = 2
_MOST_TEXT_BYTES = 64
"""A time has 20."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory."""

    tag: int
    kind: int
    count: int
    """How many values of that kind it has."""

    at: int
    """Where its value stands, or the offset of a value of more than 4 bytes."""


@dataclass(frozen=True, slots=True)
class Exif:
    """EXIF data: a TIFF without a picture. What it says may be wrong."""

    data: bytes
    order: str
    """``<`` or ``>``, for struct."""

    def number(self, at: int, kind: str) -> int:
        """Return a number, ``H`` or ``I``, at a place.

        Raises:
            struct.error: it lies behind the end.
        """
        return int(struct.unpack_from(self.order + kind, self.data, at)[0])

    def entries(self, directory: int) -> Iterator[Entry]:
        """Yield the entries of the directory at a place.

        Raises:
            struct.error: the directory goes on behind the end of the data.
        """
        first = directory + 2
        for at in range(first, first + 12 * self.number(directory, "H"), 12):
            yield Entry(self.number(at, "H"), self.number(at + 2, "H"), self.number(at + 4, "I"), at + 8)

    def text(self, entry: Entry) -> str:
        """Return the text of an entry, without zeros and spaces around it; empty if it is none."""
        if entry.kind != _TEXT or entry.count > _MOST_TEXT_BYTES:
            return ""
        at = entry.at if entry.count <= 4 else self.number(entry.at, "I")  # noqa: PLR2004
        return self.data[at : at + entry.count].split(b"\0")[0].decode("ascii", "replace").strip()


def exif_from(tiff: bytes) -> Exif | None:
    """Return EXIF data that begin as a TIFF does; None for others."""
    order = _FIRST_BYTES.get(tiff[:2])
    return None if order is None else Exif(tiff, order)
