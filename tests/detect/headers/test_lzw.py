"""LZW data: its length is known without unpacking it."""

import random

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.formats.tiff.lzw import unpacked_bytes
from framegate.formats.tiff.page import Layout, read_page


def strips(pixels: np.ndarray) -> list[tuple[bytes, int]]:
    """Return the strips of a TIFF as libtiff packs them, each with the bytes that it unpacks to."""
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 1]
    data = cv2.imencode(".tif", pixels, options)[1].tobytes()
    page = read_page(data, Layout("<", is_big=False), int.from_bytes(data[4:8], "little"))
    assert page is not None
    starts, lengths = page.extents()
    pairs = enumerate(zip(starts, lengths, strict=True))
    return [(data[start : start + length], page.unpacked_bytes(index)) for index, (start, length) in pairs]


@pytest.mark.parametrize("levels", [1, 2, 7, 60, 256])
@pytest.mark.parametrize("size", [(3, 2), (97, 61), (640, 480)])
def test_the_length_is_what_libtiff_unpacks(levels: int, size: tuple[int, int]) -> None:
    """For flat, coarse and noisy pictures, with few codes and with many full tables."""
    rng = np.random.default_rng(levels)
    pixels = (rng.integers(0, levels, (size[1], size[0], 3)) * (255 // levels)).astype(np.uint8)
    for packed, length in strips(pixels):
        assert unpacked_bytes(packed) == length


def test_what_is_lost_or_overwritten_changes_the_length() -> None:
    """Of strips with lost or wrong bytes nearly none has the length that it should have."""
    rng = random.Random(5)
    pixels = np.random.default_rng(5).integers(0, 255, (64, 640), np.uint8)
    same = 0
    for _ in range(100):
        packed, length = rng.choice(strips(pixels))
        at = rng.randrange(len(packed) - 40)
        lost = packed[:at] + packed[at + rng.randint(1, 30) :]
        wrong = packed[:at] + rng.randbytes(20) + packed[at + 20 :]
        same += (unpacked_bytes(lost) == length) + (unpacked_bytes(wrong) == length)
    assert same <= 4


@given(st.binary(max_size=3000))
def test_any_bytes_have_a_length_or_none(packed: bytes) -> None:
    """Hostile data cost no error and no time."""
    length = unpacked_bytes(packed)
    assert length is None or -1 <= length < 4096 * 8 * 3000


def test_a_clear_code_after_each_code_is_not_followed_for_long() -> None:
    """Data of clear codes alone, as no encoder writes them, are refused within their limit."""
    assert unpacked_bytes(bytes([0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01, 0x00]) * 20_000) == -1
