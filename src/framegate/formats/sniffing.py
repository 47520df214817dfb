"""What the header of an encoded picture shows before it is decoded: format, size, and whether it is whole.

Two dangers are averted here, before a pixel is allocated: a picture that unpacks to gigabytes (a 493 kB PNG
of 13000 x 13000), and an upload that stopped half way, or whose size was set first and filled later. The
second decodes without an error in more than one library; only the end of the content shows it.
"""

import struct
from collections.abc import Callable, Sequence

from framegate.formats.bmp import read_bmp
from framegate.formats.header import Header
from framegate.formats.heif import read_heif
from framegate.formats.jpeg.start import find_start, may_start_later
from framegate.formats.jpeg.structure import read_structure
from framegate.formats.png import START as PNG_START
from framegate.formats.png import read_png
from framegate.formats.strangers import name_of
from framegate.formats.tiff.reading import read_tiff
from framegate.formats.webp import read_webp

__all__ = ["Header", "read_header"]


def read_header(data: bytes) -> Header | None:
    """Recognise a picture by its content.

    A BMP and a TIFF without compression have no mark at their end: one whose size was set first, to be filled
    later, is whole, and ``unfinished`` says that it ends in zeros.

    Args:
        data: the whole file, or as much of it as there is.

    Returns:
        Its header; None when it cannot become a picture of a known format, whatever bytes
        follow.
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
    start = None if name_of(data) else find_start(data)  # a PDF may hold a JPEG
    if start is None:
        return Header("jpeg") if may_start_later(data) else None
    try:
        return _read_jpeg(data, start)
    except struct.error:  # it stops within the header
        return Header("jpeg", start=start)


_READERS: tuple[tuple[str, Sequence[int | None], Callable[[bytes], Header | None]], ...] = (
    ("jpeg", b"\xff\xd8", _read_jpeg),
    ("png", PNG_START, read_png),
    ("webp", (*b"RIFF", None, None, None, None, *b"WEBP"), read_webp),
    ("bmp", b"BM", read_bmp),
    ("tiff", b"II*\0", read_tiff),
    ("tiff", b"MM\0*", read_tiff),
    ("tiff", b"II+\0", read_tiff),
    ("tiff", b"MM\0+", read_tiff),
    ("heif", (0, 0, None, None, *b"ftyp"), read_heif),
)
"""Format, how it begins (None is any byte), and what reads it."""
