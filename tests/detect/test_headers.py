import struct
import time
import tracemalloc
import zlib
from typing import Protocol

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.formats.sniffing import Header, read_header

MAGICS = {
    "nothing": b"",
    "jpeg": b"\xff\xd8",
    "png": b"\x89PNG\r\n\x1a\n",
    "webp": b"RIFF\x40\0\0\0WEBPVP8 ",
    "webp-lossless": b"RIFF\x40\0\0\0WEBPVP8L",
    "webp-extended": b"RIFF\x40\0\0\0WEBPVP8X",
    "bmp": b"BM",
    "tiff-little": b"II*\0\x08\0\0\0",
    "tiff-big": b"MM\0*\0\0\0\x08",
}


class Encoded(Protocol):
    """What the fixture ``encoded`` gives."""

    data: bytes
    format: str


def _decoded_size(data: bytes) -> tuple[int, int]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture.shape[1], picture.shape[0]


def _header(data: bytes) -> Header:
    header = read_header(data)
    assert header is not None
    return header


def test_a_header_says_the_format_and_the_size_that_decoding_gives(encoded: Encoded) -> None:
    """The header names the format, and the very size that OpenCV decodes to."""
    header = _header(encoded.data)
    assert (header.format, (header.width, header.height)) == (encoded.format, _decoded_size(encoded.data))


def test_a_complete_picture_is_whole(encoded: Encoded) -> None:
    """A picture that has all its bytes is whole."""
    assert _header(encoded.data).whole


def test_no_beginning_of_a_picture_is_whole(encoded: Encoded) -> None:
    """However far an upload has got, it is not taken for whole before its last byte."""
    headers = [read_header(encoded.data[:n]) for n in range(len(encoded.data))]
    assert [n for n, header in enumerate(headers) if header and header.whole] == []


@pytest.mark.parametrize("ending", [b"\0", b"\xff", b"camera v2\n", bytes(5000)], ids=repr)
def test_bytes_after_the_end_do_not_matter(encoded: Encoded, ending: bytes) -> None:
    """A whole picture stays whole, and its size the same, with a maker's bytes after its end."""
    assert read_header(encoded.data + ending) == read_header(encoded.data)


def test_two_pictures_in_one_file_are_the_first(jpeg: bytes) -> None:
    """A file of two JPEGs, as phones write with a preview, is whole and has the size of the first."""
    second = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    assert read_header(jpeg + second) == read_header(jpeg)


@pytest.mark.parametrize("code", [0xE0, 0xE1, 0xED, 0xFE], ids=hex)
def test_an_end_marker_inside_a_segment_is_no_end(jpeg: bytes, code: int) -> None:
    """The bytes FFD9 within a maker's note or a comment end nothing."""
    segment = bytes([0xFF, code]) + struct.pack(">H", 2 + 6) + b"\xff\xd9\xff\xd8\xff\xd9"
    decorated = jpeg[:2] + segment + jpeg[2:]
    assert _header(decorated).whole
    assert not _header(decorated[:-1]).whole


def test_the_end_of_a_picture_inside_a_png_is_no_end(png: bytes) -> None:
    """The end of a preview PNG that stands within a chunk does not end the picture around it."""
    chunk = b"prVw" + png
    inside = struct.pack(">I", len(png)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    decorated = png[:33] + inside + png[33:]
    assert not _header(decorated[:-1]).whole


@pytest.mark.parametrize("cut", [1, 2, 100, 0.5, 0.9], ids=str)
@pytest.mark.parametrize("way", ["jpeg", "png"])
def test_a_file_with_its_size_set_first_is_not_whole_until_it_is_filled(
    request: pytest.FixtureRequest, way: str, cut: float
) -> None:
    """Zeros where the rest of a JPEG or PNG will be written do not count as its rest."""
    data: bytes = request.getfixturevalue(way)
    missing = int(len(data) * cut) if isinstance(cut, float) else cut
    assert not _header(data[:-missing] + bytes(missing)).whole


@pytest.mark.parametrize(
    "data",
    [b"", b"lot1, north gate\n" * 50, b"GIF89a" + bytes(100), bytes(100), b"%PDF-1.7\n"],
    ids=["nothing", "text", "gif", "zeros", "pdf"],
)
def test_what_is_no_known_picture_has_no_header(data: bytes) -> None:
    """Bytes of another kind have no header."""
    assert read_header(data) is None


@pytest.mark.parametrize("magic", MAGICS.values(), ids=MAGICS)
@given(rest=st.binary(max_size=2000))
def test_no_bytes_break_the_reader(magic: bytes, rest: bytes) -> None:
    """Any bytes after any known beginning give a header or none; no size is negative."""
    header = read_header(magic + rest)
    assert header is None or (header.width >= 0 and header.height >= 0)


@pytest.mark.parametrize(
    "filling",
    [b"\xff", b"\xff\xe0\0\x02", b"\xff\xd8", b"\xff\x00", b"\xff\xd0", b"\0"],
    ids=["fill", "segments", "starts", "stuffing", "restarts", "zeros"],
)
def test_a_hostile_jpeg_of_20_mb_is_read_in_linear_time(filling: bytes) -> None:
    """No filling of a 20 MB JPEG takes two seconds of the line."""
    data = b"\xff\xd8" + filling * (20_000_000 // len(filling))
    start = time.thread_time()
    header = read_header(data)
    assert time.thread_time() - start < 2
    assert header is None or not header.whole


def test_a_hostile_tiff_takes_no_more_memory_than_its_size() -> None:
    """A directory of entries that all name the whole file costs no multiple of the file's size."""
    entries, size = 100, 200_000
    count = (size - 8 - 2 - 12 * entries) // 2
    directory = b"".join(struct.pack("<HHII", 1000 + n, 3, count, 8) for n in range(entries))
    data = (b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + directory).ljust(size, b"\0")
    tracemalloc.start()
    try:
        read_header(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * size
