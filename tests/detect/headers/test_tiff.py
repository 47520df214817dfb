import struct
import time

import cv2
import numpy as np
import pytest

from framegate import DetectionSettings, Undecodable, decode
from framegate.formats.sniffing import Header, read_header
from framegate.model import Picture, Reason
from tiffs import DEFLATE, PACK_BITS, PLAIN, Order, Sheet, tiff

ADAPTIVE = DetectionSettings.preset("adaptive")
SCENE = cv2.GaussianBlur(np.random.default_rng(3).integers(1, 256, (60, 80, 3), np.uint8), (5, 5), 0)
GRAY, SMALL = SCENE[:, :, 0].copy(), SCENE[::4, ::4, 0].copy()
REDUCED, MASK = {254: 1}, {254: 4}


def header_of(data: bytes) -> Header:
    header = read_header(data)
    assert header is not None
    return header


def picture_of(data: bytes, *, is_final: bool = True) -> Picture:
    picture = decode(data, ADAPTIVE, is_final=is_final)
    assert isinstance(picture, Picture), picture
    return picture


def refusal_of(data: bytes, *, is_final: bool = True, max_pixels: float = 1e8) -> Undecodable:
    refusal = decode(data, ADAPTIVE, is_final=is_final, max_pixels=max_pixels)
    assert isinstance(refusal, Undecodable)
    return refusal


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("is_big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("compression", [PLAIN, DEFLATE, PACK_BITS])
@pytest.mark.parametrize("layout", [{"rows": 7}, {"tile": 32}, {"is_planar": True}], ids=str)
@pytest.mark.parametrize("bits", [8, 16])
def test_every_layout_is_read(
    order: Order, is_big: bool, compression: int, layout: dict[str, int], bits: int
) -> None:
    """A TIFF of either byte order, offsets of 32 or 64 bits, in strips, tiles or planes, is read."""
    pixels = SCENE if bits == 8 else SCENE.astype(np.uint16) * 257
    sheet = Sheet(pixels, compression, tile=layout.get("tile", 0), rows=layout.get("rows", 0),
                  is_planar="is_planar" in layout)  # fmt: skip
    data = tiff([sheet], order=order, is_big=is_big)
    assert np.array_equal(picture_of(data, is_final=False).pixels[:, :, ::-1], SCENE)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("is_big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize(
    "others", [[Sheet(SMALL, tags=REDUCED)], [Sheet(SMALL)], [Sheet(np.repeat(GRAY, 2, 0), tags=MASK)]],
    ids=["thumbnail", "unmarked-thumbnail", "mask"],
)  # fmt: skip
def test_the_picture_is_the_largest_page_that_is_no_copy(
    others: list[Sheet], order: Order, is_big: bool
) -> None:
    """A thumbnail before the picture, and a mask larger than it, are not what is compared."""
    data = tiff([*others, Sheet(SCENE), *others], order=order, is_big=is_big)
    assert np.array_equal(picture_of(data).pixels[:, :, ::-1], SCENE)


def test_the_first_of_equal_pages_is_the_picture() -> None:
    """Of pages of one size the first is compared."""
    data = tiff([Sheet(SCENE), Sheet(255 - SCENE)])
    assert np.array_equal(picture_of(data).pixels[:, :, ::-1], SCENE)


def test_the_limit_of_size_holds_for_the_page_that_is_decoded() -> None:
    """A giant page behind a thumbnail is refused by its header."""
    data = tiff([Sheet(SMALL, tags=REDUCED), Sheet(GRAY, tags={256: 100_000, 257: 100_000})])
    assert refusal_of(data).reason is Reason.TOO_LARGE


def test_a_page_that_is_not_there_yet_is_waited_for_and_then_done_without() -> None:
    """A TIFF whose second page is missing waits, and is judged by its first when it is final."""
    data = tiff([Sheet(SCENE), Sheet(SCENE)])
    cut = data[: len(data) - 20]
    assert refusal_of(cut, is_final=False).may_be_unfinished
    assert np.array_equal(picture_of(cut).pixels[:, :, ::-1], SCENE)


@pytest.mark.parametrize(
    "sheet", [Sheet(SCENE), Sheet(SCENE, rows=7), Sheet(SCENE, tile=32)], ids=["one", "rows", "tile"]
)
def test_zeros_at_the_end_of_plain_pixels_wait_and_are_then_judged(sheet: Sheet) -> None:
    """A lower half of zeros may be still to come, or black: it waits, and is a picture when it is final."""
    black = SCENE.copy()
    black[30:] = 0
    data = tiff([Sheet(black, rows=sheet.rows, tile=sheet.tile)])
    assert refusal_of(data, is_final=False).may_be_unfinished
    assert not picture_of(data).pixels[30:].any()


def test_a_black_corner_does_not_wait() -> None:
    """A few black pixels at the end of a picture are judged at once."""
    dark = SCENE.copy()
    dark[-1, -30:] = 0
    picture_of(tiff([Sheet(dark)]), is_final=False)


def test_lengths_that_are_left_out_or_wrong_do_not_matter_without_compression() -> None:
    """The lengths of strips of plain pixels are known without being said."""
    for wrong in (0, 10**6):
        assert header_of(tiff([Sheet(SCENE, tags={279: wrong})])).whole


@pytest.mark.parametrize("compression", [5, DEFLATE, PACK_BITS, 7])
@pytest.mark.parametrize("how", ["zeros", "rest"])
def test_a_compressed_part_that_is_still_zeros_is_no_picture(compression: int, how: str) -> None:
    """Zeros in the compressed data of a TIFF are damage, and are waited for when they reach to its end."""
    busy = cv2.resize(SCENE, (320, 240))
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_ROWSPERSTRIP, 64]
    whole = cv2.imencode(".tif", busy, options)[1].tobytes()
    picture_of(whole)
    header = header_of(whole)
    assert header.page is not None
    starts, lengths = header.page.extents()
    hole = bytearray(whole)
    end = starts[-1] + lengths[-1] if how == "rest" else starts[1] + lengths[1]
    hole[starts[1] + 30 : end] = bytes(end - starts[1] - 30)
    refusal = refusal_of(bytes(hole))
    assert refusal.reason is Reason.DAMAGED
    assert "part 2" in refusal.detail


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_a_flipped_bit_in_deflated_pixels_is_damage(place: float) -> None:
    """The checksum of each deflated strip is looked at."""
    data = bytearray(tiff([Sheet(SCENE, DEFLATE)]))
    page = header_of(bytes(data)).page
    assert page is not None
    ((start,), (length,)) = page.extents()
    data[start + int(length * place)] ^= 16
    assert refusal_of(bytes(data)).reason is Reason.DAMAGED


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({259: 50000}, "TIFF compressed with Zstandard is not supported"),
        ({259: 34712}, "TIFF compressed with JPEG 2000 is not supported"),
        ({259: 12345}, "TIFF compressed with method 12345 is not supported"),
        ({339: 3, 258: 32}, "TIFF of 32-bit floating-point numbers is not supported"),
        ({258: 32}, "TIFF of 32-bit numbers is not supported"),
        ({262: 32803}, "the raw picture of a camera is not supported"),
        ({50706: 1}, "the raw picture of a camera is not supported"),
    ],
)
def test_what_is_valid_but_not_supported_is_said_at_once(tags: dict[int, int], words: str) -> None:
    """A TIFF that nothing here decodes is refused in those words, and never waits."""
    refusal = refusal_of(tiff([Sheet(GRAY, tags=tags)]), is_final=False)
    assert (refusal.reason, refusal.detail) == (Reason.UNDECODABLE, words)


def test_plain_tiles_that_libtiff_refuses_are_said_to_be_unsupported() -> None:
    """A whole TIFF in plain tiles of a size that the decoder does not take is not called damaged."""
    assert "in tiles of 256 bytes is not supported" in refusal_of(tiff([Sheet(GRAY, tile=16)])).detail
    picture_of(tiff([Sheet(GRAY, DEFLATE, tile=16)]))


def test_a_chain_of_pages_that_comes_back_to_itself_ends() -> None:
    """A page that names itself as the next one is one page."""
    data = bytearray(tiff([Sheet(GRAY)]))
    data[-4:] = data[4:8]
    picture_of(bytes(data))


@pytest.mark.parametrize("is_big", [False, True], ids=["classic", "big"])
def test_hostile_directories_are_read_in_bounded_time(is_big: bool) -> None:
    """Thousands of pages with thousands of entries, which overlap, take less than two seconds."""
    start, count, entry, offset = (16, "Q", 20, "Q") if is_big else (8, "H", 12, "I")
    entries = 500
    size = struct.calcsize("<" + count) + entries * entry + struct.calcsize("<" + offset)
    magic = b"II+\0\x08\0\0\0" if is_big else b"II*\0"
    data = bytearray(magic + struct.pack("<" + offset, start))
    for page in range(200):
        data += struct.pack("<" + count, entries)
        data += struct.pack("<HH" + offset * 2, 273, 4, 10**6, 0) * entries
        data += struct.pack("<" + offset, start + (page + 1) * size)
    begun = time.thread_time()
    read_header(bytes(data))
    assert time.thread_time() - begun < 2


def test_a_tiff_of_many_small_tiles_is_whole() -> None:
    """A picture of more than 10,000 tiles is read like one of a few."""
    many = np.tile(GRAY, (80, 42))
    data = tiff([Sheet(many, tile=32)])
    assert np.array_equal(picture_of(data).pixels[:, :, 0], many)
