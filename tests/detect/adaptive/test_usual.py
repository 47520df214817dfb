"""What is usual at each block: a quantile that is learnt, saved and restored in whole numbers."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.detect.adaptive.usual import LEVELS, Usual
from framegate.detect.adaptive.working import SIXTEENTHS

law = settings(deadline=None, max_examples=50)
ROWS, COLUMNS = 6, 9


def _learnt(frames: int, *, seed: int = 4, shape: tuple[int, int] = (ROWS, COLUMNS)) -> Usual:
    chance = np.random.default_rng(seed)
    usual = Usual()
    for _ in range(frames):
        measures = chance.integers(0, 640, (2, *shape)).astype(np.float32)
        usual.learn(measures)
    return usual


def _bytes(usual: Usual) -> bytes:
    data = usual.to_bytes()
    assert data is not None
    return data


def test_the_levels_are_the_same_whatever_library_computed_them() -> None:
    """They are powers of 2 in 256 steps an octave, computed to 40 digits, times 0.05, rounded to 1/1024."""
    with localcontext(prec=40):
        exact = [1024 * Decimal("0.05") * Decimal(2) ** (Decimal(step) / 256) for step in range(len(LEVELS))]
        whole = [int(level.to_integral_value()) for level in exact]
        tightest = min(abs(level % 1 - Decimal("0.5")) for level in exact)
    np.testing.assert_array_equal(LEVELS * 1024, whole)
    assert tightest > 1e-7, "a last bit could round the other way"


@pytest.mark.parametrize("scale", [0.3, 2.0, 20.0])
def test_a_level_becomes_the_two_thirds_quantile(scale: float) -> None:
    """After some hundred frames about a third of what comes is above the level, be it much or little."""
    chance = np.random.default_rng(11)
    usual, above, asked = Usual(), 0, 0
    for number in range(900):
        measures = np.rint(chance.exponential(scale, (2, 10, 16)) * 16).astype(np.float32)
        levels = usual.levels((10, 16))
        if number > 300 and levels is not None:
            above += sum(int((now > level).sum()) for now, level in zip(measures, levels, strict=True))
            asked += measures.size
        usual.learn(measures)
    assert 0.31 < above / asked < 0.39


def test_a_level_follows_within_ten_frames() -> None:
    """Leaves that begin to move fourfold, and that stop again, are known within some ten frames."""
    usual = Usual()
    calm, windy = (np.full((2, ROWS, COLUMNS), level * SIXTEENTHS, np.float32) for level in (2, 8))
    for _ in range(30):
        usual.learn(calm)
    for _ in range(14):
        usual.learn(windy)
    levels = usual.levels((ROWS, COLUMNS))
    assert levels is not None
    assert levels[0].min() > 7 * SIXTEENTHS
    for _ in range(24):
        usual.learn(calm)
    levels = usual.levels((ROWS, COLUMNS))
    assert levels is not None
    assert levels[0].max() < 3 * SIXTEENTHS


def test_one_thing_that_passes_counts_like_any_other() -> None:
    """A car raises the level by the same step as a cat: it is no mean that a large thing could spoil."""
    one, other = _learnt(20), _learnt(20)
    for usual, level in ((one, 45.0), (other, 400.0)):
        usual.learn(np.full((2, ROWS, COLUMNS), level * SIXTEENTHS, np.float32))
    assert _bytes(one) == _bytes(other)


def test_nothing_is_usual_before_two_frames_or_of_another_shape() -> None:
    """Empty, it has no levels and no bytes; of another shape it has none, and begins again when it learns."""
    usual = Usual()
    assert usual.levels((ROWS, COLUMNS)) is None
    assert (usual.to_bytes(), usual.size_bytes, usual.frames_learnt) == (None, 0, 0)
    usual = _learnt(9)
    assert usual.levels((COLUMNS, ROWS)) is None
    usual.learn(np.zeros((2, COLUMNS, ROWS), np.float32))
    assert usual.frames_learnt == 1
    assert usual.levels((ROWS, COLUMNS)) is None
    assert usual.levels((COLUMNS, ROWS)) is not None


def test_levels_stay_in_bounds() -> None:
    """A thousand frames of nothing, or of all, end at the lowest and at the highest level."""
    for value, end in ((0.0, 0), (500.0, -1)):
        usual = Usual()
        measures = np.full((2, 2, 2), value * SIXTEENTHS, np.float32)
        for _ in range(200):
            usual.learn(measures)
        levels = usual.levels((2, 2))
        assert levels is not None
        assert (levels[0] == LEVELS[end] * SIXTEENTHS).all()
        assert usual.frames_learnt == 15


@law
@given(st.integers(1, 25), st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_restoring_what_was_saved_changes_nothing(frames: int, seed: int, rows: int, columns: int) -> None:
    """The bytes of a restored state are the same, and so are its levels, its size and all it learns next."""
    usual = _learnt(frames, seed=seed, shape=(rows, columns))
    twin = Usual()
    twin.restore(_bytes(usual))
    assert (twin.frames_learnt, twin.size_bytes) == (usual.frames_learnt, usual.size_bytes)
    for _ in range(3):
        assert _bytes(twin) == _bytes(usual)
        levels, others = (each.levels((rows, columns)) for each in (twin, usual))
        assert levels is not None
        assert others is not None
        np.testing.assert_array_equal(levels, others)
        measures = np.random.default_rng(seed).random((2, rows, columns), np.float32) * 9 * SIXTEENTHS
        for each in (usual, twin):
            each.learn(measures)


def _damaged(draw: st.DataObject, data: bytes) -> bytes:
    kind = draw.draw(st.sampled_from(["cut", "longer", "header", "level", "other"]))
    if kind == "cut":
        return data[: draw.draw(st.integers(0, len(data) - 1))]
    if kind == "longer":
        return data + draw.draw(st.binary(min_size=1, max_size=9))
    if kind == "header":
        place = draw.draw(st.integers(0, 3) | st.integers(5, 8))  # not the count: another one may be true
        return data[:place] + bytes([data[place] ^ draw.draw(st.integers(1, 255))]) + data[place + 1 :]
    if kind == "level":
        place = draw.draw(st.integers(0, ROWS * COLUMNS * 2 - 1))
        level = draw.draw(st.integers(-(2**15), -1) | st.integers(len(LEVELS), 2**15 - 1))
        return data[: 9 + 2 * place] + level.to_bytes(2, "little", signed=True) + data[9 + 2 * place + 2 :]
    return draw.draw(st.binary(max_size=300))


@law
@given(st.data())
def test_damaged_bytes_are_refused_and_change_nothing(draw: st.DataObject) -> None:
    """Cut, longer, of another header or with a level out of bounds: a ValueError, and the state stays."""
    damaged = _damaged(draw, _bytes(_learnt(7)))
    usual = _learnt(3, seed=8)
    before = _bytes(usual)
    with pytest.raises(ValueError, match="not what adaptive learns"):
        usual.restore(damaged)
    assert _bytes(usual) == before


@pytest.mark.parametrize("count", [0, 16, 255])
def test_a_count_of_frames_out_of_bounds_is_refused(count: int) -> None:
    """From no frame nothing is learnt, and no more than 15 are counted."""
    data = bytearray(_bytes(_learnt(3)))
    data[4] = count
    with pytest.raises(ValueError, match="not what adaptive learns"):
        Usual().restore(bytes(data))
