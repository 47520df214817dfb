"""How many times more than usual each block changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.adaptive.walk import Pixels, drawn
from framegate.detect.adaptive.difference import Difference, difference
from framegate.detect.adaptive.exact import Flags
from framegate.detect.adaptive.strength import Strength, strength
from framegate.detect.adaptive.usual import Usual
from framegate.detect.adaptive.working import SIXTEENTHS, WorkingPicture, colours_of, working_picture

law = settings(deadline=None, max_examples=25)
ROWS, COLUMNS = 96, 128


def _picture(pixels: Pixels) -> WorkingPicture:
    return working_picture(colours_of(pixels, pixels.shape[1::-1]), pixels.shape[1::-1], None)


def _strength(
    a: WorkingPicture, b: WorkingPicture, usual: Usual | None = None, counted: Flags | None = None
) -> tuple[Strength, Difference]:
    between = difference(a, b)
    return strength(a, b, between, usual or Usual(), counted), between


@law
@given(st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_each_is_the_mean_of_four_blocks(seed: int, low: int) -> None:
    """A block is taken together with those above, left, and above left; the edge is repeated."""
    chance = np.random.default_rng(seed)
    a, b = (_picture(chance.integers(low, 256, (32, 44, 3), np.uint8)) for _ in range(2))
    strong, between = _strength(a, b)
    for measure, blocks in zip(strong.measures, between.measures, strict=True):
        padded = np.pad(blocks.astype(np.float64), ((1, 0), (1, 0)), mode="edge")
        mean = (padded[:-1, :-1] + padded[:-1, 1:] + padded[1:, :-1] + padded[1:, 1:]) / 4
        np.testing.assert_array_equal(measure, mean)


@law
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_median_is_that_of_what_counts(seed: int, some: bool) -> None:
    """The median of each measure over the blocks that count, the upper of two; of no block it is 0."""
    chance = np.random.default_rng(seed)
    a, b = (_picture(chance.integers(0, 256, (32, 44, 3), np.uint8)) for _ in range(2))
    counted = chance.random((8, 11)) < (0.5 if some else 0)
    strong, _ = _strength(a, b, counted=counted)
    for median, measure in zip(strong.medians, strong.measures, strict=True):
        values = sorted(measure[counted].tolist())
        assert median == (values[len(values) // 2] if values else 0)


def test_what_is_usual_takes_strength_away() -> None:
    """The same change is weaker by the day: where leaves always move they count less than a car elsewhere."""
    ground, leaves = drawn((ROWS, COLUMNS), 0), drawn((ROWS, COLUMNS), 0).copy()
    leaves[:32] = drawn((ROWS, COLUMNS), 0)[::-1][:32, ::-1]
    a, b = _picture(ground), _picture(leaves)
    usual, times = Usual(), []
    for _ in range(12):
        strong, between = _strength(a, b, usual)
        times.append(float(strong.times[1:7].mean()))
        usual.learn(between.measures)
    assert times[0] > 4 * times[1]
    assert times[-1] < 2


def test_a_change_of_the_whole_picture_raises_what_is_usual_but_not_by_much() -> None:
    """A car that fills the picture is not hidden by itself: 5 gray levels are the most that is forgiven."""
    ground = drawn((ROWS, COLUMNS), 0)
    filled = ground.copy()
    filled[10:-10, 10:-10] = (20, 30, 230)
    strong, _ = _strength(_picture(ground), _picture(filled))
    assert min(strong.medians) > 5 * SIXTEENTHS
    for ratio, measure in zip(strong.ratios[:2], strong.measures, strict=True):
        np.testing.assert_allclose(ratio, measure / (6 * SIXTEENTHS) + 0.05, rtol=1e-6)


@pytest.mark.parametrize("is_gray", [False, True])
def test_two_witnesses_agree_or_one_is_stronger(is_gray: bool) -> None:
    """In colour it is the geometric mean of both ratios; without, the first alone, by 1.5, is enough."""
    frames = [drawn((ROWS, COLUMNS), number) for number in (0, 2)]
    if is_gray:
        frames[0] = frames[0][..., :1].repeat(3, axis=2)
    strong, _ = _strength(_picture(frames[0]), _picture(frames[1]))
    assert strong.is_gray == is_gray
    first, second = (ratio.astype(np.float64) for ratio in strong.ratios[:2])
    expected = np.maximum(first / 1.5, np.sqrt(first * second)) if is_gray else np.sqrt(first * second)
    np.testing.assert_allclose(strong.times, expected, rtol=1e-6)


@law
@given(st.integers(0, 2**32 - 1))
def test_no_change_is_a_twentieth_of_the_usual(seed: int) -> None:
    """A picture and itself: the least there is, everywhere."""
    a = _picture(np.random.default_rng(seed).integers(0, 256, (32, 44, 3), np.uint8))
    strong, _ = _strength(a, a)
    np.testing.assert_array_equal(strong.times, np.full((8, 11), 0.05, np.float32))
