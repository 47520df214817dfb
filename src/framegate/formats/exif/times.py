"""Finds the EXIF data in a picture's first bytes, and in them when the picture was taken."""

import struct
from dataclasses import dataclass
from itertools import islice

from framegate.formats.exif.directories import EXIF_NAME, EXIF_SEGMENT, Exif, exif_from

_JPEG_START, _PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_LAST_SEGMENTS = {0xD9, 0xDA}  # the end, or the coded data, of which EXIF stands before
_PNG_FIRST_CHUNK, _WEBP_FIRST_CHUNK = 8, 12

_MOST_ENTRIES = 512
"""A camera writes some dozens."""

_EXIF_DIRECTORY = 0x8769
_TIMES = (
    (0x9003, 0x9291, 0x9011),  # DateTimeOriginal, and its SubSecTime and OffsetTime
    (0x9004, 0x9292, 0x9012),  # DateTimeDigitized
    (0x0132, 0x9290, 0x9010),  # DateTime
)


@dataclass(frozen=True, slots=True)
class WrittenTime:
    """A time as a camera wrote it; nothing is sure about the texts, and one that is missing is empty."""

    text: str
    """``2026:11:27 02:12:00``, as it should be."""

    fraction: str
    """The digits behind the point of the seconds."""

    offset: str
    """From UTC: ``+01:00``."""


def read_times(head: bytes) -> list[WrittenTime]:
    """Return the times in a JPEG, PNG, WebP or TIFF at which it was taken, the best one first.

    Args:
        head: the first bytes of the file; EXIF data, or times in them, that lie behind are not found.
    """
    exif = exif_from(_exif_bytes(head))
    if exif is None:
        return []
    texts = _texts(exif)
    return [
        WrittenTime(texts[time], texts.get(fraction, ""), texts.get(offset, ""))
        for time, fraction, offset in _TIMES
        if texts.get(time)
    ]


def _texts(exif: Exif) -> dict[int, str]:
    """Return the texts of the first directory and the EXIF directory, as far as they are there."""
    wanted = {tag for tags in _TIMES for tag in tags}
    texts: dict[int, str] = {}
    try:
        directories = [exif.number(4, "I")]
        for directory in directories:
            for entry in islice(exif.entries(directory), _MOST_ENTRIES):
                if entry.tag in wanted:
                    texts.setdefault(entry.tag, exif.text(entry))
                elif entry.tag == _EXIF_DIRECTORY and len(directories) == 1:
                    directories.append(exif.number(entry.at, "I"))
    except struct.error:  # they stop within a directory
        pass
    return texts


def _exif_bytes(head: bytes) -> bytes:
    if head.startswith(_JPEG_START):
        return _in_jpeg(head)
    if head.startswith(_PNG_START):
        return _in_chunks(head, _PNG_FIRST_CHUNK, ">I4s", b"eXIf", checksum_bytes=4)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        webp = _in_chunks(head, _WEBP_FIRST_CHUNK, "<4sI", b"EXIF", checksum_bytes=0)
        return webp.removeprefix(EXIF_NAME)
    return head


def _in_jpeg(head: bytes) -> bytes:
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] not in _LAST_SEGMENTS:  # noqa: PLR2004
        code, length = struct.unpack_from(">xBH", head, at)
        if code == EXIF_SEGMENT and head.startswith(EXIF_NAME, at + 4):
            return head[at + 10 : at + 2 + length]
        at += 2 + length
    return b""


def _in_chunks(head: bytes, first: int, layout: str, wanted: bytes, *, checksum_bytes: int) -> bytes:
    at = first
    while at + 8 <= len(head):
        one, other = struct.unpack_from(layout, head, at)
        kind, length = (one, other) if isinstance(one, bytes) else (other, one)
        if kind == wanted:
            return head[at + 8 : at + 8 + length]
        is_padded = not checksum_bytes and length % 2
        at += 8 + length + checksum_bytes + bool(is_padded)
    return b""
