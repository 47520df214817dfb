"""EXIF data as cameras write them, and pictures that have them."""

import struct
import zlib
from collections.abc import Mapping

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
"""The tags DateTimeOriginal, DateTimeDigitized and DateTime."""

FRACTION, OFFSET = 0x9291, 0x9011
"""SubSecTimeOriginal and OffsetTimeOriginal."""

TEXT = 2


def exif(texts: Mapping[int, str], order: str = "<", kind: int = TEXT) -> bytes:
    """Return EXIF data with these texts: DateTime in the first directory, all others in the second."""
    main = {tag: text for tag, text in texts.items() if tag == CHANGED}
    below = {tag: text for tag, text in texts.items() if tag != CHANGED}
    second_at = 8 + 2 + 12 * (len(main) + 1) + 4
    values_at = second_at + 2 + 12 * len(below) + 4
    values = b""
    directories = []
    for entries in (main, below):
        directory = b""
        for tag, text in sorted(entries.items()):
            value = text.encode() + b"\0"
            short = len(value) <= 4
            where = value.ljust(4, b"\0") if short else struct.pack(order + "I", values_at + len(values))
            values += b"" if short else value
            directory += struct.pack(order + "HHI", tag, kind, len(value)) + where
        directories.append(directory)
    pointer = struct.pack(order + "HHII", 0x8769, 4, 1, second_at)
    counts = [struct.pack(order + "H", len(main) + 1), struct.pack(order + "H", len(below))]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return (
        start
        + counts[0]
        + directories[0]
        + pointer
        + bytes(4)
        + counts[1]
        + directories[1]
        + bytes(4)
        + values
    )


def jpeg_with(exif_data: bytes, jpeg: bytes) -> bytes:
    """Return a JPEG with EXIF data behind its start, and its other segments behind those."""
    content = b"Exif\0\0" + exif_data
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def png_with(exif_data: bytes, png: bytes) -> bytes:
    """Return a PNG with EXIF data behind its header."""
    checksum = struct.pack(">I", zlib.crc32(b"eXIf" + exif_data))
    return png[:33] + struct.pack(">I", len(exif_data)) + b"eXIf" + exif_data + checksum + png[33:]


def webp_with(exif_data: bytes) -> bytes:
    """Return the chunks of a WebP with EXIF data behind a picture of an odd number of bytes."""
    chunks = b"VP8X" + struct.pack("<I", 10) + bytes(10) + b"VP8 " + struct.pack("<I", 7) + bytes(8)
    chunks += b"EXIF" + struct.pack("<I", len(exif_data)) + exif_data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
