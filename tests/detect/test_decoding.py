import doctest
import struct
import time
import zlib
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framegate.config.detection import DetectionSettings
from framegate.detect import decoding
from framegate.detect.adaptive.working import WORKING_SIDE
from framegate.detect.decoding import Undecodable, decode
from framegate.model import Picture, Reason

MAGICS = {
    "nothing": b"",
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "webp": b"RIFF\x40\0\0\0WEBP",
    "bmp": b"BM",
    "tiff-little": b"II*\0\x08\0\0\0",
    "tiff-big": b"MM\0*\0\0\0\x08",
}

CLASSIC = DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
ADAPTIVE = DetectionSettings.preset("adaptive")
PRESETS = pytest.mark.parametrize("preset", [CLASSIC, ADAPTIVE], ids=["classic", "adaptive"])
NO_END_TO_LOOK_FOR = "a BMP has no end: a black rest and one not yet written look alike"


class Encoded(Protocol):
    """What the fixture ``encoded`` gives."""

    way: str
    data: bytes


def _gray(data: bytes) -> np.ndarray:
    return _picture(data, CLASSIC).pixels


def _picture(data: bytes, settings: DetectionSettings) -> Picture:
    picture = decode(data, settings)
    assert isinstance(picture, Picture), picture
    return picture


def _reason(data: bytes) -> Reason:
    refusal = decode(data, CLASSIC)
    assert isinstance(refusal, Undecodable)
    return refusal.reason


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    one_bit_gray = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", one_bit_gray)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _turned(jpeg: bytes, orientation: int) -> bytes:
    """Return a JPEG with an EXIF orientation: from 5 on it lies on its side."""
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + jpeg[2:]


def _colours(width: int, height: int) -> np.ndarray:
    few = np.random.default_rng(1).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC)


def _memory_kb(line: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(line + ":")[2].split()[0])


def test_a_frame_is_what_opencv_reads_from_the_same_file(encoded: Encoded, tmp_path: Path) -> None:
    """Every pixel is the one that cv2.imread gives in gray."""
    file = tmp_path / "frame"
    file.write_bytes(encoded.data)
    np.testing.assert_array_equal(_gray(encoded.data), cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))


def test_a_frame_is_read_only_gray(encoded: Encoded) -> None:
    """A frame is a picture of one channel of bytes that nobody can write to."""
    gray = _gray(encoded.data)
    assert (gray.dtype, gray.ndim) == (np.uint8, 2)
    with pytest.raises(ValueError, match="read-only"):
        gray[0, 0] = 1


@pytest.mark.parametrize("channels", [1, 4], ids=["gray", "alpha"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16], ids=["8bit", "16bit"])
def test_every_kind_of_png_becomes_bytes_of_gray(depth: type[np.unsignedinteger[Any]], channels: int) -> None:
    """Sixteen bits a channel, or transparency, make no other kind of frame."""
    picture = np.full((6, 9, channels), np.iinfo(depth).max // 2, depth)
    gray = _gray(cv2.imencode(".png", picture)[1].tobytes())
    assert (gray.dtype, gray.shape) == (np.uint8, (6, 9))
    assert abs(int(gray[0, 0]) - 127) <= 1


@PRESETS
def test_the_size_of_a_frame_is_width_and_height(preset: DetectionSettings) -> None:
    """A frame says its width first."""
    assert _picture(cv2.imencode(".png", np.zeros((5, 8), np.uint8))[1].tobytes(), preset).size == (8, 5)


def test_a_turned_camera_is_turned_back(jpeg: bytes) -> None:
    """A picture whose EXIF says that it lies on its side stands upright as a frame."""
    turned = _turned(jpeg, 6)
    np.testing.assert_array_equal(_gray(turned), np.rot90(_gray(jpeg), -1))
    assert _picture(turned, CLASSIC).size == (48, 64)


REDUCED = {
    (1920, 1080): 4, (3840, 2160): 8, (1280, 720): 4, (640, 480): 2, (640, 360): 2, (640, 358): 1,
    (361, 359): 2, (93, 154): 1, (1, 1): 1, (1080, 360): 2, (1440, 1440): 8, (1441, 1439): 8, (722, 721): 1,
}  # fmt: skip
"""By size: the largest of 8, 4, 2 that leaves 180 rows and columns, and no square of what is none."""


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(("size", "by"), REDUCED.items(), ids=str)
def test_adaptive_gets_colour_at_the_largest_reduction(
    size: tuple[int, int], by: int, orientation: int
) -> None:
    """However a JPEG is turned, it is reduced as its decoder can, and its size is the whole picture's."""
    (width, height), is_turned = size, orientation > 4
    upright = cv2.imencode(".jpg", _colours(width, height), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    picture = _picture(_turned(upright, orientation), ADAPTIVE)
    assert picture.size == ((height, width) if is_turned else size)
    rows, columns = -(-height // by), -(-width // by)
    assert picture.pixels.shape == ((columns, rows, 3) if is_turned else (rows, columns, 3))
    assert min(rows, columns) >= min(WORKING_SIDE, *size)
    whole = cv2.imdecode(np.frombuffer(_turned(upright, orientation), np.uint8), cv2.IMREAD_COLOR)
    assert whole is not None
    means = cv2.resize(
        whole, (picture.pixels.shape[1], picture.pixels.shape[0]), interpolation=cv2.INTER_AREA
    )
    assert np.abs(means.astype(int) - picture.pixels).mean() < 3


@pytest.mark.parametrize("ending", [".png", ".webp", ".tif", ".bmp"])
def test_other_formats_are_not_reduced(ending: str) -> None:
    """Only the JPEG decoder reduces by averaging: another format has all its pixels, in colour."""
    colours = _colours(1280, 720)
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if ending == ".webp" else []
    picture = _picture(cv2.imencode(ending, colours, options)[1].tobytes(), ADAPTIVE)
    np.testing.assert_array_equal(picture.pixels, colours)
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0] = 1


@pytest.mark.parametrize("channels", [1, 3, 4], ids=["gray", "colour", "alpha"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16], ids=["8bit", "16bit"])
@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg"])
def test_adaptive_gets_three_channels_of_every_kind_of_file(
    ending: str, depth: type[np.unsignedinteger[Any]], channels: int
) -> None:
    """Gray becomes three equal channels, sixteen bits become eight, and transparency is not looked at."""
    if ending == ".jpg" and (depth is np.uint16 or channels == 4):
        pytest.skip("no JPEG has it")
    colour = np.full((6, 9, channels), np.iinfo(depth).max // 2, depth)
    pixels = _picture(cv2.imencode(ending, colour)[1].tobytes(), ADAPTIVE).pixels
    assert (pixels.dtype, pixels.shape) == (np.uint8, (6, 9, 3))
    assert np.abs(pixels.astype(int) - 127).max() <= 1


def test_the_example_of_decode_is_true() -> None:
    """What the docstring of decode shows is what it does."""
    result = doctest.testmod(decoding)
    assert (result.failed, result.attempted > 4) == (0, True)


def test_no_beginning_of_a_picture_is_a_frame(encoded: Encoded) -> None:
    """However far an upload has got, its beginning is never decoded to a frame."""
    beginnings = (decode(encoded.data[:n], CLASSIC, is_final=False) for n in range(len(encoded.data)))
    assert [n for n, said in enumerate(beginnings) if isinstance(said, Picture)] == []


def test_what_lacks_only_its_end_marker_is_a_frame_when_no_more_comes(encoded: Encoded) -> None:
    """A JPEG without its end marker is decoded once it is final; whatever lacks more, or else, is not."""
    finals = [decode(encoded.data[:n], CLASSIC) for n in range(len(encoded.data))]
    taken = [len(encoded.data) - n for n, said in enumerate(finals) if isinstance(said, Picture)]
    assert taken == ([2, 1] if encoded.way.startswith("jpeg") else [])


def test_the_beginning_of_a_picture_may_be_unfinished(encoded: Encoded) -> None:
    """Whatever part of an upload is there, more of it could still mend it."""
    refusals = [decode(encoded.data[:n], CLASSIC) for n in range(len(encoded.data))]
    assert [
        n for n, no in enumerate(refusals) if isinstance(no, Undecodable) and not no.may_be_unfinished
    ] == []


def test_a_half_filled_file_of_the_full_size_is_truncated(encoded: Encoded) -> None:
    """A file whose size was set first and whose second half is still zeros is truncated."""
    if encoded.way == "bmp":
        pytest.skip(NO_END_TO_LOOK_FOR)
    half = len(encoded.data) // 2
    assert _reason(encoded.data[:half] + bytes(len(encoded.data) - half)) is Reason.TRUNCATED


@pytest.mark.parametrize("ending", [b"\0", b"\xff\xd8", b"camera v2\n" * 30], ids=repr)
def test_bytes_after_the_end_change_no_pixel(encoded: Encoded, ending: bytes) -> None:
    """A maker's bytes after the end of a picture are no part of it."""
    np.testing.assert_array_equal(_gray(encoded.data + ending), _gray(encoded.data))


def test_two_pictures_in_one_file_are_the_first(jpeg: bytes) -> None:
    """Of two JPEGs in one file the first is the frame."""
    second = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    np.testing.assert_array_equal(_gray(jpeg + second), _gray(jpeg))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.txt", "a"])
def test_content_decides_and_not_the_name(encoded: Encoded, name: str, tmp_path: Path) -> None:
    """A picture is decoded under whatever name it has."""
    file = tmp_path / name
    file.write_bytes(encoded.data)
    assert _picture(file.read_bytes(), CLASSIC).size == (64, 48)


def test_nothing_is_empty() -> None:
    """A file of no bytes is empty, and more of it may come."""
    refusal = decode(b"", CLASSIC)
    assert isinstance(refusal, Undecodable)
    assert (refusal.reason, refusal.may_be_unfinished) == (Reason.EMPTY, True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"north gate, lot 1\n" * 9, id="text"),
        pytest.param(b"GIF89a" + bytes(99), id="gif"),
        pytest.param(b"RIFF\x48\0\0\0AVI LIST" + bytes(64), id="avi"),
        pytest.param(
            b"BMW, Bentley, Buick: who parked where in November\n" * 9,
            id="text-that-begins-with-BM",
        ),
    ],
)
def test_what_is_no_picture_is_undecodable(data: bytes) -> None:
    """A file of another kind is undecodable, and no more of it is waited for."""
    assert _reason(data) is Reason.UNDECODABLE


def test_damage_in_the_middle_of_a_png_is_found(png: bytes) -> None:
    """A PNG that has its end, but whose middle does not match its checksum, is damaged."""
    middle = len(png) // 2
    assert _reason(png[:middle] + bytes(50) + png[middle + 50 :]) is Reason.DAMAGED


def test_a_picture_that_unpacks_to_gigabytes_is_refused_before_memory_is_taken() -> None:
    """A valid PNG of 13000 x 13000 in 20 kB is too large, at once, and costs no memory."""
    bomb = _png(13000, 13000, bytes(13000 * (1 + 13000 // 8)))
    assert len(bomb) < 100_000
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts at what is held now
    held, start = _memory_kb("VmRSS"), time.process_time()
    assert _reason(bomb) is Reason.TOO_LARGE
    assert time.process_time() - start < 0.1
    assert _memory_kb("VmHWM") - held < 20_000


def test_the_limit_itself_is_not_too_large(encoded: Encoded) -> None:
    """A picture of exactly as many pixels as are allowed is a frame; allowing one less, it is not."""
    assert isinstance(decode(encoded.data, CLASSIC, max_pixels=64 * 48), Picture)
    refusal = decode(encoded.data, CLASSIC, max_pixels=64 * 48 - 1)
    assert isinstance(refusal, Undecodable)
    assert refusal.reason is Reason.TOO_LARGE


def test_a_second_size_does_not_lift_the_limit(jpeg: bytes) -> None:
    """A JPEG that takes back its size at its end is measured by the size it is decoded to."""
    at = jpeg.index(b"\xff\xc0")
    (length,) = struct.unpack_from(">H", jpeg, at + 2)
    small = jpeg[at : at + 2 + length]
    large = small[:5] + struct.pack(">HH", 480, 640) + small[9:]
    liar = jpeg[:at] + large + jpeg[at + len(small) : -2] + small + b"\xff\xd9"
    frame = decode(liar, CLASSIC, max_pixels=64 * 48)
    assert isinstance(frame, Undecodable)


@pytest.mark.parametrize("magic", MAGICS.values(), ids=MAGICS)
@given(rest=st.binary(max_size=2000))
def test_no_bytes_break_the_decoder(magic: bytes, rest: bytes) -> None:
    """Any bytes after any known beginning become a frame or a reason."""
    for preset in (CLASSIC, ADAPTIVE):
        assert isinstance(decode(magic + rest, preset, max_pixels=1e6), Picture | Undecodable)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.binary(min_size=1, max_size=8))
def test_no_damage_breaks_the_decoder(encoded: Encoded, place: float, value: bytes) -> None:
    """A picture with a few bytes overwritten anywhere becomes a frame or a reason."""
    at = int(len(encoded.data) * place)
    damaged = encoded.data[:at] + value + encoded.data[at + len(value) :]
    for preset in (CLASSIC, ADAPTIVE):
        assert isinstance(decode(damaged, preset, max_pixels=1e6), Picture | Undecodable)
