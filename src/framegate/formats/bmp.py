"""Reads a BMP: its size, and whether its pixels are there. It has neither an end mark nor a checksum."""

import struct

from framegate.formats.header import Header
from framegate.formats.zeros import ends_in_zeros

_OS2_HEADER, _OS2_SHORT_HEADER, _OS2_LONG_HEADER = 12, 16, 64
_HEADER_SIZES, _BITS = {40, 52, 56, _OS2_LONG_HEADER, 108, 124}, {1, 4, 8, 16, 24, 32}
_PLAIN, _RUNS_8, _RUNS_4, _BIT_FIELDS, _JPEG_OR_RUNS_24, _PNG = 0, 1, 2, 3, 4, 5
_UNSUPPORTED = {_JPEG_OR_RUNS_24: "BMP that holds a JPEG or 24-bit runs", _PNG: "BMP that holds a PNG"}


def read_bmp(data: bytes) -> Header | None:
    """Read size and extent of a BMP.

    Raises:
        struct.error: the data stops within the header.
    """
    first_pixel, header_size = struct.unpack_from("<II", data, 10)
    if header_size == _OS2_HEADER:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
        compression = pixel_bytes = 0
    elif header_size == _OS2_SHORT_HEADER:
        width, height, planes, bits = struct.unpack_from("<iiHH", data, 18)
        compression = pixel_bytes = 0
    elif header_size in _HEADER_SIZES:
        width, height, planes, bits, compression, pixel_bytes = struct.unpack_from("<iiHHII", data, 18)
    else:  # two letters alone begin many a text
        return None
    if planes != 1 or bits not in _BITS or width <= 0 or not height:
        return None
    if compression in {_PLAIN, _BIT_FIELDS}:
        pixel_bytes = (width * bits + 31) // 32 * 4 * abs(height)
    whole = len(data) >= first_pixel + pixel_bytes
    is_short = header_size == _OS2_SHORT_HEADER
    unsupported = "BMP with a 16-byte header" if is_short else _UNSUPPORTED.get(compression, "")
    unfinished = ends_in_zeros(data, first_pixel, first_pixel + pixel_bytes) if whole else ""
    return Header("bmp", width, abs(height), whole, unsupported, unfinished=unfinished)
