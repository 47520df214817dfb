"""Texture, brightness and colour of two pictures."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.adaptive.walk import Pixels, drawn
from framegate.detect.adaptive.difference import Difference, difference
from framegate.detect.adaptive.working import SIXTEENTHS, WorkingPicture, colours_of, working_picture

law = settings(deadline=None, max_examples=25)
SHAPE = (96, 128)


def _picture(pixels: Pixels) -> WorkingPicture:
    return working_picture(colours_of(pixels, pixels.shape[1::-1]), pixels.shape[1::-1], None)


def _noise(seed: int, low: int) -> WorkingPicture:
    chance = np.random.default_rng(seed)
    return _picture(chance.integers(low, 256, (*SHAPE, 3), np.uint8))


def _parts(between: Difference) -> tuple[np.ndarray, ...]:
    return between.texture, between.brightness, *between.measures


seeds, lows = st.integers(0, 2**32 - 1), st.integers(0, 255)


@law
@given(seeds, seeds, lows, lows)
def test_the_order_of_two_pictures_does_not_matter(one: int, other: int, low: int, lower: int) -> None:
    """From a to b, and from b to a, it is the same to the bit."""
    a, b = _noise(one, low), _noise(other, lower)
    for there, back in zip(_parts(difference(a, b)), _parts(difference(b, a)), strict=True):
        np.testing.assert_array_equal(there, back)


@law
@given(seeds, seeds, lows, lows)
def test_all_is_in_sixteenths_and_no_more_than_gray_levels(
    one: int, other: int, low: int, lower: int
) -> None:
    """Every measure is a whole number of sixteenths (texture: in sixteenths) from 0 to 361 gray levels."""
    between = difference(_noise(one, low), _noise(other, lower))
    for values, steps in zip(_parts(between), (16, 1, 1, 1), strict=True):
        np.testing.assert_array_equal(values * steps, np.rint(values * steps))
        assert values.min() >= 0
        assert values.max() <= 361 * SIXTEENTHS


@law
@given(seeds, seeds, st.integers(200, 254), st.integers(1, 40))
def test_what_a_float_rounds_leaves_no_negative_variance(one: int, other: int, low: int, rare: int) -> None:
    """Where bright pictures are flat but for a few pixels, no root of a negative number is taken."""
    pictures = []
    for seed in (one, other):
        chance = np.random.default_rng(seed)
        pixels = np.full((*SHAPE, 3), low, np.uint8)
        pixels[chance.integers(0, rare, SHAPE) == 0] += chance.integers(1, 256 - low, dtype=np.uint8)
        pictures.append(_picture(pixels))
    assert min(picture.variance.min() for picture in pictures) >= 0
    for a, b in ((pictures[0], pictures[1]), (pictures[0], pictures[0])):
        assert np.isfinite(difference(a, b).texture).all()


@law
@given(seeds, lows)
def test_a_picture_does_not_differ_from_itself(seed: int, low: int) -> None:
    """Its measures are 0; what noise may explain of its texture is one gray level at most."""
    a = _noise(seed, low)
    between = difference(a, a)
    assert between.texture.max() <= SIXTEENTHS
    for values in (between.brightness, *between.measures):
        assert not values.any()


def test_light_leaves_the_texture() -> None:
    """A gain of 0.5 to 1.5 and an offset change the brightness; of the texture hardly anything is left."""
    ground = drawn(SHAPE, 0)[..., :1].repeat(3, axis=2)
    a = _picture(ground)
    for gain, offset in ((0.5, 0), (0.7, 10), (1.2, 0), (1.0, 30)):
        b = _picture(np.clip(ground * gain + offset, 0, 255).astype(np.uint8))
        between = difference(a, b)
        assert np.median(between.texture) < 3 * SIXTEENTHS
        assert np.median(between.brightness) > 8 * SIXTEENTHS


def test_a_thing_hides_the_texture_behind_it() -> None:
    """Where a flat thing stands, all texture of the ground is unexplained; elsewhere nothing changed."""
    ground = drawn(SHAPE, 0)
    shown = ground.copy()
    shown[32:64, 40:80] = 220
    a, b = _picture(ground), _picture(shown)
    between = difference(a, b)
    inside = between.texture[9:15, 11:19]
    assert inside.min() > 3 * SIXTEENTHS
    np.testing.assert_allclose(inside, a.texture[9:15, 11:19], rtol=0.35)
    assert not between.measures[:, :7].any()


def test_colour_is_the_distance_of_the_mean_chroma() -> None:
    """Three levels of red difference and four of blue are five."""
    levels = np.full((8, 8, 3), 128, np.uint8)
    tinted = levels.copy()
    tinted[..., 1] += 3
    tinted[..., 2] -= 4
    a, b = (working_picture(each, (8, 8), None) for each in (levels, tinted))
    assert (difference(a, b).measures[1] == 5 * SIXTEENTHS).all()
    assert not difference(a, b).brightness.any()


def test_the_negative_of_a_texture_is_another_texture() -> None:
    """No light turns bright into dark: all of the texture of a negative is unexplained."""
    ground = drawn(SHAPE, 0)[..., :1].repeat(3, axis=2)
    a, b = _picture(ground), _picture(255 - ground)
    assert difference(a, b).texture.mean() > 0.8 * a.texture.mean()
