import struct
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from framegate import DetectionSettings, Undecodable, decode
from framegate.formats import heif_decoding as heif
from framegate.formats.sniffing import read_header
from framegate.formats.strangers import name_of
from framegate.model import Picture, Reason

CLASSIC = DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
ADAPTIVE = DetectionSettings.preset("adaptive")
SCENE = cv2.GaussianBlur(np.random.default_rng(3).integers(1, 256, (60, 80, 3), np.uint8), (5, 5), 0)
LOSSLESS = 101
HAS_AVIF = heif.can_decode("avif")


def picture_of(data: bytes, *, is_final: bool = True) -> Picture:
    picture = decode(data, ADAPTIVE, is_final=is_final)
    assert isinstance(picture, Picture), picture
    return picture


def refusal_of(data: bytes, *, is_final: bool = True) -> Undecodable:
    refusal = decode(data, ADAPTIVE, is_final=is_final)
    assert isinstance(refusal, Undecodable)
    return refusal


def os2_bmp(pixels: np.ndarray, header_size: int = 12) -> bytes:
    height, width = pixels.shape[:2]
    rows = np.pad(pixels[::-1].reshape(height, -1), ((0, 0), (0, -width * 3 % 4)))
    sides = struct.pack("<HH" if header_size == 12 else "<ii", width, height)
    first = 14 + header_size
    start = b"BM" + struct.pack("<IHHI", first + rows.size, 0, 0, first) + struct.pack("<I", header_size)
    return start + sides + struct.pack("<HH", 1, 24) + rows.tobytes()


def webp(quality: int, pixels: np.ndarray = SCENE) -> bytes:
    return cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


def test_a_bmp_with_the_header_of_os2_is_read() -> None:
    """A BMP with a header of 12 bytes is the picture it was."""
    assert np.array_equal(picture_of(os2_bmp(SCENE), is_final=False).pixels, SCENE)


def test_a_bmp_with_a_short_header_is_said_to_be_unsupported() -> None:
    """A BMP whose header the decoder does not know is not called damaged."""
    refusal = refusal_of(os2_bmp(SCENE, 16), is_final=False)
    assert refusal.detail == "BMP with a 16-byte header is not supported"


def test_a_bmp_that_ends_in_zeros_waits_and_is_then_judged() -> None:
    """The upper half of a BMP, which comes last, may be still to come, or black."""
    data = cv2.imencode(".bmp", SCENE)[1].tobytes()
    half = data[: len(data) // 2].ljust(len(data), b"\0")
    assert refusal_of(half, is_final=False).may_be_unfinished
    picture_of(half)


@pytest.mark.parametrize("quality", [1, 30, 80, 100, LOSSLESS])
@pytest.mark.parametrize("kind", ["scene", "flat", "half-black", "tiny"])
def test_a_whole_webp_is_never_refused(quality: int, kind: str) -> None:
    """A WebP of any quality is read, also one that is flat, black or tiny, and needs next to no data."""
    pixels = {"flat": np.full_like(SCENE, 90), "tiny": SCENE[:3, :2].copy()}.get(kind, SCENE.copy())
    if kind == "half-black":
        pixels[30:] = 0
    picture_of(webp(quality, pixels), is_final=False)


def test_a_lossy_webp_that_needs_less_than_its_data_is_damaged() -> None:
    """Bytes that are wrong in the middle of a lossy WebP show at its end, in at least nine cases of ten."""
    whole, rng = webp(85, cv2.resize(SCENE, (320, 240))), np.random.default_rng(5)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        at = int(rng.integers(200, len(whole) - 300))
        damaged[at : at + 100] = bytes(100) if rng.random() < 0.5 else rng.bytes(100)
        refused += isinstance(decode(bytes(damaged), ADAPTIVE), Undecodable)
    assert refused >= 36


def test_a_webp_with_a_hole_says_what_is_wrong() -> None:
    """The reason is in the operator's words."""
    whole = bytearray(webp(85, cv2.resize(SCENE, (320, 240))))
    whole[1000:1500] = bytes(500)
    refusal = refusal_of(bytes(whole))
    assert refusal.reason is Reason.DAMAGED


@pytest.mark.parametrize("critical", [True, False], ids=["critical", "ancillary"])
def test_a_wrong_checksum_in_a_png_counts_where_the_picture_needs_the_chunk(*, critical: bool) -> None:
    """A PNG with a wrong checksum in its pixels is damaged, in a text it is not."""
    data = cv2.imencode(".png", SCENE)[1].tobytes()
    if critical:
        start = data.index(b"IDAT") - 4
        (length,) = struct.unpack_from(">I", data, start)
        wrong = data[: start + 8 + length] + b"abcd" + data[start + 12 + length :]
        refusal = refusal_of(wrong)
        assert refusal.reason is Reason.DAMAGED
        assert f"byte {start}" in refusal.detail
    else:
        text = struct.pack(">I", 3) + b"tEXta\0babcd"
        picture_of(data[:33] + text + data[33:])


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x18ftypcrx ", "CR3"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a film"),
        (b"FUJIFILMCCD-RAW 0201", "Fujifilm"),
        (b"\r\n<!DOCTYPE HTML PUBLIC", "an HTML page"),
        (b"P6\n4 4\n255\n", "portable anymap"),
        (b"RIFF\x40\0\0\0AVI LIST", "a film (AVI)"),
    ],
)
def test_a_file_of_another_kind_is_named(start: bytes, name: str) -> None:
    """What framegate does not read is said at once, by its name."""
    refusal = refusal_of(start + bytes(60), is_final=False)
    assert refusal.reason is Reason.UNDECODABLE
    assert name in refusal.detail


def test_what_nobody_knows_has_no_name() -> None:
    """Text and zeros are no kind of picture."""
    assert not name_of(b"lot1, north gate")
    assert not name_of(bytes(100))


@pytest.mark.skipif(not HAS_AVIF, reason="this OpenCV is built without AVIF")
def test_an_avif_is_read_and_its_end_is_waited_for() -> None:
    """An AVIF is read; no beginning of it is."""
    data = cv2.imencode(".avif", SCENE)[1].tobytes()
    header = read_header(data)
    assert header is not None
    assert (header.format, header.width, header.height, header.whole) == ("avif", 80, 60, True)
    assert picture_of(data, is_final=False).size == (80, 60)
    assert all(
        refusal_of(data[:n], is_final=False).may_be_unfinished for n in range(1, len(data), 7) if n > 8
    )


@pytest.mark.skipif(find_spec("pillow_heif") is not None, reason="pillow-heif is installed")
def test_a_heic_without_the_extra_says_what_it_needs() -> None:
    """A HEIC names the package that reads it, at once."""
    boxes = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x10meta" + bytes(8)
    assert "pip install" in refusal_of(boxes, is_final=False).detail


@pytest.mark.skipif(find_spec("pillow_heif") is None, reason="pillow-heif is not installed")
@pytest.mark.parametrize("preset", ["adaptive", "classic"])
def test_a_heic_is_read_with_the_extra(preset: str) -> None:
    """A HEIC comes out in colour and in gray within the loss of its compression."""
    from pillow_heif import from_bytes

    data = bytearray()

    class Sink:
        def write(self, more: bytes) -> int:
            data.extend(more)
            return len(more)

    smooth = cv2.GaussianBlur(SCENE, (15, 15), 0)
    from_bytes("BGR", (80, 60), smooth.tobytes()).save(Sink(), quality=95)
    picture = decode(bytes(data), CLASSIC if preset == "classic" else ADAPTIVE)
    assert isinstance(picture, Picture)
    expected = smooth if preset == "adaptive" else cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY)
    assert np.abs(picture.pixels.astype(int) - expected).mean() < 6
    assert read_header(bytes(data[: len(data) // 2])) != read_header(bytes(data))
