"""What the network sees: whole numbers from 0 to 255, and logarithms without a library."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.adaptive.walk import drawn, hashed
from framegate.detect.adaptive.difference import difference
from framegate.detect.adaptive.exact import in_octaves, octaves_of
from framegate.detect.adaptive.places import all_as_times, as_times
from framegate.detect.adaptive.quantities import quantities
from framegate.detect.adaptive.strength import strength
from framegate.detect.adaptive.usual import Usual
from framegate.detect.adaptive.working import colours_of, working_picture

law = settings(deadline=None)
values = st.floats(2.0**-20, 2.0**20, width=32)
steps_an_octave = st.sampled_from([1, 2, 16, 32, 64, 256])


@law
@given(values, steps_an_octave)
def test_octaves_are_the_logarithm_linear_within_each(value: float, steps: int) -> None:
    """Exact at powers of 2, between them less than the logarithm by at most 0.0861 octaves and a step."""
    code = int(in_octaves(np.array(value, np.float32), steps))
    mantissa, exponent = math.frexp(value)
    assert code == (exponent - 1) * steps + math.floor((2 * mantissa - 1) * steps)
    assert code == octaves_of(value, steps)
    assert 0 <= math.log2(value) * steps - code < 0.0861 * steps + 1


@law
@given(values, values, steps_an_octave)
def test_more_is_never_fewer_octaves(one: float, other: float, steps: int) -> None:
    """The larger value has the larger code, or the same."""
    less, more = sorted((one, other))
    codes = in_octaves(np.array([less, more], np.float32), steps)
    assert codes[0] <= codes[1]


def test_times_are_the_inverse_of_octaves() -> None:
    """Every code comes back from its times the usual, one by one and all at once."""
    codes = np.arange(-1000, 1500, dtype=np.int32)
    times = [as_times(int(code)) for code in codes]
    np.testing.assert_array_equal(all_as_times(codes), times)
    np.testing.assert_array_equal(in_octaves(np.array(times, np.float32), 64), codes)
    assert as_times(0) == 1
    assert as_times(64) == 2
    assert as_times(-32) == 0.75


@law
@given(st.floats(2.0**-7, 1000, width=32))
def test_times_from_octaves_are_no_more_than_the_value(value: float) -> None:
    """A value becomes its step: the value itself or up to 1.6% less."""
    times = as_times(int(in_octaves(np.array(value, np.float32), 64)))
    assert times <= value < times * 1.016


def _frames(kind: str) -> tuple[np.ndarray, np.ndarray]:
    shape = (60, 84)
    black, white = np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 255, np.uint8)
    checks = (255 * (np.add.outer(np.arange(60), np.arange(84)) % 2)).astype(np.uint8)[..., None].repeat(3, 2)
    red, blue = black.copy(), black.copy()
    red[..., 2], blue[..., 0] = 255, 255
    noise = hashed(shape, 3, 256).astype(np.uint8)
    return {
        "nothing": (black, black),
        "black and white": (black, white),
        "white and black": (white, black),
        "red and blue": (red, blue),
        "finest checks": (checks, 255 - checks),
        "checks and nothing": (checks, white),
        "noise": (noise, 255 - noise),
        "a car": (drawn(shape, 0), drawn(shape, 3)),
    }[kind]


@pytest.mark.parametrize("learnt", [0, 1, 30])
@pytest.mark.parametrize(
    "kind",
    ["nothing", "black and white", "white and black", "red and blue", "finest checks", "checks and nothing",
     "noise", "a car"],
)  # fmt: skip
def test_every_quantity_fits_in_a_byte(kind: str, learnt: int) -> None:
    """At every extreme each quantity is in its bounds, so that none wraps around; nothing warns."""
    a, b = (working_picture(colours_of(pixels, (84, 60)), (84, 60), None) for pixels in _frames(kind))
    between, usual = difference(a, b), Usual()
    for _ in range(learnt):
        usual.learn(between.measures)
    strong = strength(a, b, between, usual, None)
    seen = quantities(a, b, between, strong, usual.frames_learnt)
    assert (seen.blocks.dtype, seen.picture.dtype) == (np.uint8, np.uint8)
    assert seen.blocks.shape[1:] == (15, 21)
    assert seen.picture[-1] == 16 * min(learnt, 15)
    assert strong.times.min() > 0
    assert np.isfinite(strong.times).all()


def test_brighter_and_darker_are_told_apart() -> None:
    """The other way round, what is signed is mirrored about 128, and what is not stays the same."""
    a, b = (working_picture(colours_of(pixels, (84, 60)), (84, 60), None) for pixels in _frames("a car"))
    between = difference(a, b)
    there, back = (
        quantities(one, other, between, strength(one, other, between, Usual(), None), 0)
        for one, other in ((a, b), (b, a))
    )
    mirrored = [
        channel
        for channel in range(len(there.blocks))
        if (there.blocks[channel].astype(int) + back.blocks[channel] == 256).all()
    ]
    same = [
        channel
        for channel in range(len(there.blocks))
        if (there.blocks[channel] == back.blocks[channel]).all()
    ]
    assert len(mirrored) == 3
    assert len(same) == len(there.blocks) - 3 - 4
