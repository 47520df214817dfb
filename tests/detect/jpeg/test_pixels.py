import random
import struct
import threading
import time

import cv2
import numpy as np
import pytest
import simplejpeg

import jpegs
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import Undecodable, decode
from framegate.formats.jpeg.structure import read_structure
from framegate.formats.jpeg.tidying import tidied
from framegate.model import Picture

CLASSIC = DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
ADAPTIVE = DetectionSettings.preset("adaptive")
REDUCED = {
    1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}  # fmt: skip
SIZES = {(97, 61): 1, (641, 401): 2, (1280, 723): 4, (2000, 1501): 8}
"""By size, how many pixels of a side adaptive makes one."""


def picture(size: tuple[int, int]) -> np.ndarray:
    numbers = np.random.default_rng(5)
    coarse = numbers.integers(0, 256, (size[1] // 12 + 2, size[0] // 12 + 2, 3), np.uint8)
    noisy = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) + numbers.normal(0, 3, (*size[::-1], 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def exif(orientation: int, order: str) -> bytes:
    head = b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    entries = struct.pack(order + "HHHIHH", 2, 0x100, 3, 1, 7, 0)
    entries += struct.pack(order + "HHIHHI", 0x112, 3, 1, orientation, 0, 0)
    return jpegs.segment(0xE1, b"Exif\0\0" + head + entries)


def pixels_of(data: bytes, settings: DetectionSettings) -> np.ndarray:
    decoded = decode(data, settings)
    assert isinstance(decoded, Picture)
    return decoded.pixels


def assert_as_opencv(data: bytes) -> None:
    encoded = np.frombuffer(data, np.uint8)
    gray, colour = decode(data, CLASSIC), decode(data, ADAPTIVE)
    assert isinstance(gray, Picture)
    assert isinstance(colour, Picture)
    np.testing.assert_array_equal(gray.pixels, cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))
    by = round(max(colour.size) / max(colour.pixels.shape))
    np.testing.assert_array_equal(colour.pixels, cv2.imdecode(encoded, REDUCED[by]))
    assert colour.size == gray.size == gray.pixels.shape[::-1]
    assert not colour.pixels.flags.writeable


@pytest.mark.parametrize("extra", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]], ids=["baseline", "progressive"])
@pytest.mark.parametrize("sampling", jpegs.SAMPLINGS.values(), ids=jpegs.SAMPLINGS)
@pytest.mark.parametrize(("size", "by"), SIZES.items(), ids=str)
def test_pixels_are_those_of_opencv(size: tuple[int, int], by: int, sampling: int, extra: list[int]) -> None:
    """Gray, and colour at each reduction, are to the bit what OpenCV decodes, whatever the sampling."""
    data = jpegs.encoded(picture(size), [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, *extra])
    assert_as_opencv(data)
    colour = decode(data, ADAPTIVE)
    assert isinstance(colour, Picture)
    assert colour.pixels.shape[1] == -(-size[0] // by)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("at", [2, 20], ids=["first", "after-JFIF"])
def test_pictures_are_turned_as_opencv_turns_them(orientation: int, order: str, at: int) -> None:
    """Each EXIF orientation, in both byte orders, and a wrong one, gives the picture that OpenCV gives."""
    data = jpegs.encoded(picture((641, 401)), [])
    assert_as_opencv(data[:at] + exif(orientation, order) + data[at:])


@pytest.mark.parametrize("settings", [CLASSIC, ADAPTIVE], ids=["gray", "colour"])
def test_the_first_exif_counts(settings: DetectionSettings) -> None:
    """XMP before it does not hide an orientation; of two the first counts; a cut one is none."""
    data = jpegs.encoded(picture((97, 61)), [])
    xmp, cut = (
        jpegs.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        jpegs.segment(0xE1, exif(6, "<")[4:-8]),
    )
    turned = pixels_of(data[:2] + exif(6, "<") + data[2:], settings)
    # not compared with OpenCV itself: its older versions look for EXIF in the first of such segments only
    for before, expected in [
        (xmp + exif(6, "<"), turned), (exif(6, "<") + exif(3, "<"), turned), (cut, pixels_of(data, settings)),
    ]:  # fmt: skip
        np.testing.assert_array_equal(pixels_of(data[:2] + before + data[2:], settings), expected)


def test_what_is_tidied_is_unchanged_where_nothing_is_odd() -> None:
    """A JPEG with nothing to take out is not copied; each odd one decodes to the same pixels as the plain."""
    plain = jpegs.encoded(picture((320, 240)), [])
    assert tidied(plain, read_structure(plain)) is plain
    expected = decode(plain, ADAPTIVE)
    assert isinstance(expected, Picture)
    for kind, odd in jpegs.HARMLESS.items():
        decoded = decode(odd(plain, random.Random(1)), ADAPTIVE)
        assert isinstance(decoded, Picture), kind
        np.testing.assert_array_equal(decoded.pixels, expected.pixels, kind)


def test_threads_do_not_mix_up_what_is_said() -> None:
    """Decoded by many threads at once, each picture gets its own reason."""
    plain = jpegs.encoded(picture((320, 240)), [])
    cut = plain[: len(plain) // 2] + b"\xff\xd9"
    spare = plain[:-2] + b"\x55" * 99 + plain[-2:]
    wrong: list[object] = []

    def decode_often(data: bytes, words: str) -> None:
        for _ in range(200):
            said = decode(data, ADAPTIVE)
            if not (isinstance(said, Undecodable) and words in said.detail):
                wrong.append(said)

    pairs = [(cut, "ends early"), (spare, "left over")] * 2
    threads = [threading.Thread(target=decode_often, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


HOSTILE = {
    "zeros": bytes(16_000_000), "fill": b"\xff" * 16_000_000, "stuffing": b"\xff\0" * 8_000_000,
    "holes": (bytes(16) + b"\xff\xd0") * 900_000, "restarts": b"\xff\xd0" * 8_000_000,
    "starts": b"\xff\xd8" * 8_000_000, "runs": (bytes(15) + b"\1") * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_sixteen_megabytes_of_anything_take_seconds(content: bytes) -> None:
    """No content of the coded data takes more than linear time."""
    plain = jpegs.encoded(picture((97, 61)), [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])
    start = read_structure(plain).scans[0][0].end
    for ending in (b"\xff\xd9", b""):
        began = time.process_time()
        said = decode(plain[: start + 100] + content + ending, ADAPTIVE)
        assert time.process_time() - began < 3
        assert isinstance(said, Picture | Undecodable)


def test_too_little_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the decoder has too little memory, that is said as such, and the picture is not refused."""

    def starved(*_: object, **__: object) -> None:
        raise ValueError("Insufficient memory (case 4)")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", starved)
    with pytest.raises(MemoryError):
        decode(jpegs.encoded(picture((97, 61)), []), ADAPTIVE)


def test_odd_sampling_is_left_to_opencv() -> None:
    """A JPEG that simplejpeg does not decode, for its sampling, has the pixels that OpenCV gives."""
    flat = jpegs.encoded(np.full((8, 8, 3), 128, np.uint8), [])
    structure = read_structure(flat)
    frame = next(segment for segment in structure.segments if segment.code == 0xC0)
    three_across = struct.pack(">HHBBB", 8, 24, 3, 1, 0x31)
    head = flat[: frame.start + 5] + three_across + flat[frame.start + 12 : structure.scans[0][0].end]
    luma, chroma = "001010", "0000"  # a flat block, in the usual tables
    data = head + int(luma * 3 + chroma * 2 + "1" * 6, 2).to_bytes(4, "big") + b"\xff\xd9"
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg(data)
    assert_as_opencv(data)
