import random
import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest

import jpegs
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import Undecodable, decode
from framegate.formats.jpeg.structure import read_structure
from framegate.model import Picture, Reason

ADAPTIVE = DetectionSettings.preset("adaptive")
SIZE = (640, 360)
ROWS_OF_UNITS = 23
RESTARTS = [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_RST_INTERVAL, 40]
PROGRESSIVE = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]


def scene(seed: int = 1) -> np.ndarray:
    numbers = np.random.default_rng(seed)
    coarse = numbers.integers(30, 220, (30, 53, 3), np.uint8)
    picture = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC) + numbers.normal(0, 3, (360, 640, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A JPEG of a scene."""
    return jpegs.encoded(scene(), [cv2.IMWRITE_JPEG_QUALITY, 85])


@pytest.fixture(scope="module")
def pieces() -> tuple[bytes, list[bytes], bytes]:
    """A JPEG with a restart marker after each row of units: its head, the 23 rows, its end."""
    data = jpegs.encoded(scene(), RESTARTS)
    ((header, end),) = read_structure(data).scans
    rows = re.split(rb"(?=\xff[\xd0-\xd7])", data[header.end : end])
    assert len(rows) == ROWS_OF_UNITS
    return data[: header.end], rows, data[end:]


def detail_of(data: bytes) -> str:
    refusal = decode(data, ADAPTIVE)
    assert isinstance(refusal, Undecodable), "taken for whole"
    assert refusal.reason is Reason.DAMAGED, refusal
    return refusal.detail


def half(data: bytes) -> bytes:
    return data[: len(data) // 2] + b"\xff\xd9"


def test_data_that_ends_early_is_damaged(plain: bytes) -> None:
    """Half the data with an end marker put behind it is damaged, and the detail says after which row."""
    detail = detail_of(half(plain))
    assert detail == "jpeg 640x360: the picture data ends early, after 192 of 360 rows"


def test_a_lost_packet_is_damage(plain: bytes) -> None:
    """A JPEG in whose middle 1,448 bytes are missing is damaged."""
    middle = len(plain) // 2
    assert "ends early" in detail_of(plain[:middle] + plain[middle + 1448 :])


@pytest.mark.parametrize("filling", [b"\0", b"\xff"], ids=["zeros", "fill"])
def test_a_buffer_that_was_not_filled_is_damage(plain: bytes, filling: bytes) -> None:
    """Half the data, then padding up to the end marker at its old place, is damaged."""
    detail_of(plain[: len(plain) // 2] + filling * (len(plain) // 2 - 2) + b"\xff\xd9")


def test_a_hole_of_zeros_is_damage(plain: bytes) -> None:
    """Zeros for 64 bytes of the data decode without a complaint, and are damage all the same."""
    middle = len(plain) // 2
    holed = plain[:middle] + bytes(64) + plain[middle + 64 :]
    assert re.search(r"zeros from \d+ on", detail_of(holed))


def test_another_picture_begun_within_the_data_is_damage(plain: bytes) -> None:
    """Half a JPEG with another whole one behind it is not the second, and not whole."""
    detail_of(plain[: len(plain) // 2] + jpegs.encoded(scene(2), []))


@pytest.mark.parametrize("height", [300, 720])
def test_another_height_than_the_data_has_is_damage(plain: bytes, height: int) -> None:
    """A JPEG that announces more rows, or fewer, than its data has is damaged."""
    frame = next(segment for segment in read_structure(plain).segments if segment.code == 0xC0)
    changed = plain[: frame.start + 5] + height.to_bytes(2, "big") + plain[frame.start + 7 :]
    detail_of(changed)


@pytest.mark.parametrize("count", range(1, 10))
def test_a_progressive_jpeg_without_its_last_scans_is_damaged(count: int) -> None:
    """A progressive JPEG that ends between two scans decodes to a blurred picture, and is damaged."""
    data = jpegs.encoded(scene(), PROGRESSIVE)
    scans = read_structure(data).scans
    assert len(scans) == 10
    assert "scans are missing" in detail_of(data[: scans[count - 1][1]] + b"\xff\xd9")


ROWS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "one row lost": lambda rows: [*rows[:9], *rows[10:]],
    "eight rows lost": lambda rows: [*rows[:9], *rows[17:]],
    "the last row lost": lambda rows: rows[:-1],
    "the last third lost": lambda rows: rows[:15],
    "one marker lost": lambda rows: [*rows[:9], rows[9][2:], *rows[10:]],
    "two rows exchanged": lambda rows: [*rows[:9], rows[10], rows[9], *rows[11:]],
    "one row twice": lambda rows: [*rows[:9], rows[9], *rows[9:]],
    "eight rows twice": lambda rows: [*rows[:17], *rows[9:]],
    "the end of a row lost": lambda rows: [*rows[:9], rows[9][:-100], *rows[10:]],
}


@pytest.mark.parametrize("change", ROWS.values(), ids=ROWS)
def test_restart_markers_have_to_match_the_size(
    pieces: tuple[bytes, list[bytes], bytes], change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Pieces between restart markers that are missing, exchanged, repeated or cut are damage."""
    head, rows, end = pieces
    detail_of(head + b"".join(change(rows)) + end)


@pytest.mark.parametrize("change", ROWS.values(), ids=ROWS)
def test_stray_bytes_before_restart_markers_hide_no_damage(
    pieces: tuple[bytes, list[bytes], bytes], change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Where a camera leaves some bytes too many before each restart marker, damage behind them is found."""
    head, rows, end = pieces
    stray = [row + b"\x13\x37" for row in rows]
    assert isinstance(decode(head + b"".join(stray) + end, ADAPTIVE), Picture)
    cut = [*stray[:9], stray[9][:-102] + b"\x13\x37", *stray[10:]]
    assert "from row" in detail_of(head + b"".join(cut) + end)
    assert detail_of(head + b"".join(change(stray)) + end)


ODD_HEADS = [
    "gap of zeros", "zeros in the scan header", "two start markers", "broken colour profile",
    "another JFIF revision", "bytes before the start", "EXIF and preview", "no Huffman tables",
]  # fmt: skip


@pytest.mark.parametrize("kind", ODD_HEADS)
def test_an_odd_head_hides_no_damage(plain: bytes, kind: str) -> None:
    """What some cameras do to the head of every picture is forgiven, and what is lost behind it is not."""
    odd = jpegs.HARMLESS[kind]
    assert isinstance(decode(odd(plain, random.Random(1)), ADAPTIVE), Picture)
    assert "ends early" in detail_of(odd(half(plain), random.Random(1)))


@pytest.mark.parametrize("is_final", [True, False], ids=["final", "growing"])
def test_a_marker_that_no_data_has_is_damage_at_once(plain: bytes, *, is_final: bool) -> None:
    """A marker that cannot follow coded data is damage, though the bytes behind it hide the end marker."""
    middle = len(plain) // 2
    broken = plain[:middle] + b"\xff\x3c\xff\xff" + plain[middle + 4 :]
    refusal = decode(broken, ADAPTIVE, is_final=is_final)
    assert isinstance(refusal, Undecodable)
    assert (refusal.reason, refusal.may_be_unfinished) == (Reason.DAMAGED, False)


@pytest.mark.parametrize("ending", [b"", b"\0", bytes(600)], ids=["nothing", "one-zero", "zeros"])
def test_a_jpeg_without_its_end_marker_may_be_unfinished_until_it_is_final(
    plain: bytes, ending: bytes
) -> None:
    """Data that is whole but for its end marker is waited for, and decoded when no more comes."""
    data = plain[:-2] + ending
    growing = decode(data, ADAPTIVE, is_final=False)
    assert isinstance(growing, Undecodable)
    assert growing.may_be_unfinished
    final, whole = decode(data, ADAPTIVE), decode(plain, ADAPTIVE)
    assert isinstance(final, Picture)
    assert isinstance(whole, Picture)
    np.testing.assert_array_equal(final.pixels, whole.pixels)


def test_half_a_jpeg_without_an_end_is_truncated(plain: bytes) -> None:
    """A JPEG that lacks half its data as well as its end marker is truncated, final or not."""
    for ending in (b"", bytes(len(plain) // 2)):
        refusal = decode(plain[: len(plain) // 2] + ending, ADAPTIVE)
        assert isinstance(refusal, Undecodable)
        assert refusal.reason is Reason.TRUNCATED


UNSUPPORTED = {
    (4, 12): "12-bit JPEG", (4, 16): "16-bit JPEG", (1, 0xF7): "JPEG-LS",
    (1, 0xC5): "JPEG of the hierarchical or the arithmetic lossless kind (SOF5)",
}  # fmt: skip


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "begun"])
@pytest.mark.parametrize(("byte", "kind"), UNSUPPORTED.items(), ids=UNSUPPORTED.values())
def test_a_kind_that_nothing_decodes_is_named_at_once(
    plain: bytes, byte: tuple[int, int], kind: str, *, is_whole: bool
) -> None:
    """A JPEG of a valid kind that is not supported is undecodable as such, before all of it is there."""
    frame = next(segment for segment in read_structure(plain).segments if segment.code == 0xC0)
    at, value = frame.start + byte[0], byte[1]
    data = plain[:at] + bytes([value]) + plain[at + 1 :]
    refusal = decode(data if is_whole else data[:3000], ADAPTIVE, is_final=False)
    assert refusal == Undecodable(Reason.UNDECODABLE, f"{kind} is not supported")


BEFORE = [b"\xff", b"\r\n", b"\r\n\r\n\xff", b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n"]


@pytest.mark.parametrize("before", BEFORE, ids=repr)
def test_bytes_before_the_start_change_nothing(plain: bytes, before: bytes) -> None:
    """A JPEG behind a stray FF, line ends or an HTTP part's head is the same picture, once it is whole."""
    late, whole = decode(before + plain, ADAPTIVE), decode(plain, ADAPTIVE)
    assert isinstance(late, Picture)
    assert isinstance(whole, Picture)
    np.testing.assert_array_equal(late.pixels, whole.pixels)
    for count in range(1, len(before) + 700):
        begun = decode((before + plain)[:count], ADAPTIVE, is_final=False)
        assert isinstance(begun, Undecodable)
        knows_already = count < before.find(b"image/jpeg") + 10
        assert begun.may_be_unfinished or knows_already, count


def test_a_jpeg_is_not_looked_for_beyond_a_kilobyte(plain: bytes) -> None:
    """A file of another kind with a JPEG somewhere in it is no JPEG."""
    assert isinstance(decode(b"x" * 1024 + plain, ADAPTIVE), Picture)
    refusal = decode(b"x" * 1025 + plain, ADAPTIVE)
    assert isinstance(refusal, Undecodable)
    assert refusal.reason is Reason.UNDECODABLE


def test_nothing_is_printed(plain: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """What the decoder says becomes the reason, and is not printed."""
    detail_of(half(plain))
    decode(jpegs.HARMLESS["bytes before the end"](plain, random.Random(1)), ADAPTIVE)
    assert capfd.readouterr() == ("", "")
