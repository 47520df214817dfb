"""A frame at the working size, against plain whole numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.adaptive.walk import Pixels, drawn
from framegate.detect.adaptive.working import (
    SIXTEENTHS,
    block_means,
    colours_of,
    working_picture,
    working_size,
)

Whole = npt.NDArray[np.int64]

law = settings(deadline=None, max_examples=30)


def _colours(pixels: Pixels) -> Pixels:
    return colours_of(pixels, pixels.shape[1::-1])


def _windows(values: Whole) -> Whole:
    """Return the 5 x 5 pixels around each pixel, mirrored at the edge: (25, rows, columns)."""
    padded = np.pad(values, 2, mode="reflect")
    rows, columns = values.shape
    return np.array(
        [padded[y : y + rows, x : x + columns] for y in range(5) for x in range(5)],
        np.int64,
    )


def _blocks(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    rows, columns = values.shape
    return values.reshape(rows // 4, 4, columns // 4, 4).swapaxes(1, 2).reshape(rows // 4, columns // 4, 16)


@st.composite
def _pictures(draw: st.DrawFn) -> Pixels:
    rows, columns = 4 * draw(st.integers(1, 8)), 4 * draw(st.integers(1, 8))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = draw(st.integers(0, 255))
    return chance.integers(low, 256, (rows, columns, 3), np.uint8)


@law
@given(_pictures())
def test_local_statistics_are_those_of_whole_numbers(colours: Pixels) -> None:
    """Sums, means and variances are exact, and rounded once where a quotient has to be."""
    picture = working_picture(colours, colours.shape[1::-1], None)
    luma = colours[..., 0].astype(np.int64)
    windows = _windows(luma)
    np.testing.assert_array_equal(picture.luma, luma)
    np.testing.assert_array_equal(picture.window_sum, windows.sum(0))
    variance = (25 * (windows**2).sum(0) - windows.sum(0) ** 2) / 625
    np.testing.assert_allclose(picture.variance / SIXTEENTHS**2, variance, atol=0.02)
    assert picture.variance.min() >= 0
    for channel, sums in enumerate(picture.blocks):
        np.testing.assert_array_equal(sums, _blocks(colours[..., channel].astype(np.int64)).sum(-1))
    texture = np.sqrt(_blocks(np.rint(variance)).mean(-1))
    np.testing.assert_allclose(picture.texture / SIXTEENTHS, texture, atol=0.3)


@law
@given(st.integers(0, 2**32 - 1))
def test_block_means_are_exact_up_to_a_million(seed: int) -> None:
    """The mean of sixteen whole numbers is that of whole numbers, and not one bit of a float is lost."""
    values = np.random.default_rng(seed).integers(0, 1_000_001, (12, 20))
    np.testing.assert_array_equal(block_means(values.astype(np.float32)), _blocks(values).sum(-1) / 16)


def _whole_means(pixels: Pixels, across: int, down: int) -> npt.NDArray[np.float64]:
    rows, columns = pixels.shape[0] // down, pixels.shape[1] // across
    cut = pixels[: rows * down, : columns * across].astype(np.int64)
    sums = cut.reshape(rows, down, columns, across, 3).sum((1, 3))
    means: npt.NDArray[np.float64] = sums / (across * down)
    return means


@pytest.mark.parametrize(
    ("shape", "factor"), [((360, 640), 2), ((540, 960), 3), ((720, 724), 4), ((1080, 1440), 6)], ids=str
)
def test_a_whole_factor_is_a_mean(shape: tuple[int, int], factor: int) -> None:
    """Where one pixel is the mean of whole ones, it is that mean, rounded, in each channel."""
    gray = drawn(shape, 0).copy()
    gray[...] = gray[..., :1]  # of gray pixels, luma is the gray level itself
    luma = _colours(gray)[..., 0]
    means = _whole_means(gray, factor, factor)[..., 0]
    rows, columns = means.shape
    assert np.abs(luma[:rows, :columns] - means).max() <= 0.5


@pytest.mark.parametrize("shape", [(722, 1283), (1083, 1927), (739, 1001), (363, 541)], ids=str)
def test_shrinking_keeps_things_in_their_place(shape: tuple[int, int]) -> None:
    """Also where a side is no multiple of the factor, an edge moves by less than one pixel."""
    rows, columns = shape
    wide, high = working_size((columns, rows))
    pixels = np.full((*shape, 3), 40, np.uint8)
    pixels[:, 9 * columns // 10 :] = 200
    luma = _colours(pixels)[high // 2, :wide, 0]
    edge = int(np.argmax(luma > 120))
    assert abs(edge - wide * (9 * columns // 10) / columns) <= 1


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_a_working_size_is_no_larger_than_the_picture(width: int, height: int) -> None:
    """The shorter side is 180 at most, the longer 2,880 at most, and nothing is enlarged."""
    columns, rows = working_size((width, height))
    assert 1 <= columns <= width
    assert 1 <= rows <= height
    assert min(columns, rows) <= 180
    assert max(columns, rows) <= 2880
    assert (min(columns, rows) == min(180, width, height)) or max(columns, rows) == 2880


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (7, 5), (93, 154), (181, 179), (200, 3300), (120, 360), (1920, 1080)], ids=str
)
def test_sides_are_whole_blocks_by_repeating_the_edge(shape: tuple[int, int]) -> None:
    """What is added below and to the right is the last row and the last column; nobody can write to it."""
    colours = _colours(drawn(shape, 1))
    columns, rows = working_size(shape[::-1])
    assert colours.shape == (-(-rows // 4) * 4, -(-columns // 4) * 4, 3)
    assert (colours[rows:] == colours[rows - 1]).all()
    assert (colours[:, columns:] == colours[:, columns - 1 : columns]).all()
    assert not colours.flags.writeable


def test_gray_pixels_are_their_own_luma() -> None:
    """A picture of one channel, or of three equal ones, has its own levels as luma, and no colour."""
    gray = drawn((90, 120), 0)[..., 0]
    colours = _colours(gray)
    np.testing.assert_array_equal(colours[:90, :120, 0], gray)
    np.testing.assert_array_equal(colours, _colours(np.repeat(gray[..., None], 3, axis=2)))
    assert not working_picture(colours, (120, 90), None).has_colour


def test_ignored_pixels_are_neutral_in_all_that_is_compared() -> None:
    """Two pictures that differ only where they are ignored have equal statistics; the image stays whole."""
    one, other = _colours(drawn((96, 128), 0)), _colours(drawn((96, 128), 2))
    counted = np.full((96, 128), 255, np.uint8)
    counted[20:70, 30:101] = 0
    mixed = np.where(counted[..., None] > 0, one, other)
    pictures = [working_picture(image, (128, 96), counted) for image in (one, mixed)]
    for name in ("luma", "window_sum", "variance", "blocks", "texture"):
        np.testing.assert_array_equal(getattr(pictures[0], name), getattr(pictures[1], name), name)
    assert (pictures[0].luma[20:70, 30:101] == 128).all()
    np.testing.assert_array_equal(pictures[1].image, mixed)


def test_a_picture_has_colour_if_its_mean_chroma_says_so() -> None:
    """A tint of two levels is colour, noise of the decoder is none."""
    levels = np.full((16, 16, 3), (90, 128, 128), np.uint8)
    assert not working_picture(levels, (16, 16), None).has_colour
    for cr, has_colour in ((129, False), (130, True)):
        levels[..., 1] = cr
        assert working_picture(levels, (16, 16), None).has_colour == has_colour
