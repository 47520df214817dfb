"""The network's products are of whole numbers that a float holds exactly."""

from importlib.resources import files
from io import BytesIO
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.detect.adaptive.exact import Codes
from framegate.detect.adaptive.neighbourhood import MOST_VALUE, REACHES, _Layer, _network, corrections
from framegate.detect.adaptive.quantities import Quantities

law = settings(deadline=None, max_examples=25)

EXACT_BELOW = 2**24
"""Whole numbers that a float32 holds without rounding."""

VIEW_BLOCKS = 15
"""Seven cells, and the other block of one's own."""


def _packed() -> bytes:
    return files("framegate.detect.adaptive").joinpath("neighbourhood.npz").read_bytes()


def _layers() -> dict[str, _Layer]:
    network = _network()
    around = {f"around {reach}": layer for reach, layer in zip(REACHES, network.around, strict=True)}
    return {"cells": network.cells, **around, "correction": network.correction}


def _noise(seed: int, rows: int, columns: int, low: int = 0) -> Quantities:
    chance = np.random.default_rng(seed)
    channels = _network().cells.weights.shape[1] // 4
    blocks = chance.integers(low, 256, (channels, rows, columns)).astype(np.uint8)
    picture = chance.integers(0, 256, (_network().picture.shape[1],)).astype(np.uint8)
    return Quantities(blocks, picture)


def test_the_weights_are_a_small_file_of_plain_numbers() -> None:
    """The file has less than 64 kB, and is read without a pickle."""
    assert len(_packed()) < 64 * 1024
    with np.load(BytesIO(_packed()), allow_pickle=False) as stored:
        for name in stored.files:
            assert stored[name].dtype.kind in "iuf", name
            assert np.isfinite(stored[name]).all(), name


@pytest.mark.parametrize("name", ["cells", *(f"around {reach}" for reach in REACHES), "correction"])
def test_no_sum_of_products_can_reach_what_a_float_rounds(name: str) -> None:
    """The weights are whole, and with the largest values everywhere any part of a sum is below 2**24."""
    weights, most = [_layers()[name].weights], 255 if name == "cells" else MOST_VALUE
    if name == "cells":
        weights.append(_network().picture)
    sums = np.zeros(len(weights[0]), np.int64)
    for each in weights:
        np.testing.assert_array_equal(each, np.rint(each))
        sums += most * np.abs(each.astype(np.int64)).sum(1)
    assert sums.max() < EXACT_BELOW


def _whole(layer: _Layer, values: npt.NDArray[np.int64], more: npt.NDArray[np.int64] | int = 0) -> np.ndarray:
    sums = layer.weights.astype(np.int64) @ values + more
    return sums.astype(np.float32) * layer.scale + layer.bias


def _plainly(seen: Quantities) -> Codes:
    """Return the corrections of an even number of rows and columns, from sums of whole numbers."""
    network = _network()
    channels, rows, columns = seen.blocks.shape
    four = [seen.blocks[:, y::2, x::2] for y in (0, 1) for x in (0, 1)]
    cells = np.stack(four, axis=1).astype(np.int64).reshape(4 * channels, rows // 2, columns // 2)
    shape = rows // 2, columns // 2
    of_all = network.picture.astype(np.int64) @ seen.picture.astype(np.int64)
    values = np.clip(
        np.rint(_whole(network.cells, cells.reshape(len(cells), -1), of_all[:, None])), 0, MOST_VALUE
    )
    for reach, layer, passed_on in zip(REACHES, network.around, network.passed_on, strict=True):
        padded = np.pad(values.astype(np.int64).reshape(-1, *shape), ((0, 0), (reach,) * 2, (reach,) * 2))
        nine = [
            padded[:, down : down + shape[0], right : right + shape[1]]
            for down in (0, reach, 2 * reach)
            for right in (0, reach, 2 * reach)
        ]
        joined = _whole(layer, np.concatenate(nine).reshape(-1, shape[0] * shape[1]))
        joined += values.astype(np.float32) * np.float32(passed_on)
        values = np.clip(np.rint(joined), 0, MOST_VALUE)
    octaves = np.rint(_whole(network.correction, values.astype(np.int64)) * np.float32(64))
    corrected = np.clip(octaves, -128, 256).astype(np.int32).reshape(4, *shape)
    blocks = np.empty((rows, columns), np.int32)
    for place in range(4):
        blocks[place // 2 :: 2, place % 2 :: 2] = corrected[place]
    return blocks


@law
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 23), st.integers(1, 23), st.sampled_from([0, 128, 255])
)  # fmt: skip
def test_corrections_are_those_of_exact_sums(seed: int, rows: int, columns: int, low: int) -> None:
    """Every correction is what sums of whole numbers give, to the bit, and is 16 times at most."""
    seen = _noise(seed, 2 * rows, 2 * columns, low)
    corrected = corrections(seen)
    np.testing.assert_array_equal(corrected, _plainly(seen))
    assert np.abs(corrected).max() <= 256


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 1), (5, 7), (23, 39), (45, 81)], ids=str)
def test_an_odd_last_row_and_column_count_twice(shape: tuple[int, int]) -> None:
    """A picture of odd rows or columns is corrected as if its last ones stood there twice."""
    rows, columns = shape
    seen = _noise(3, rows, columns)
    padding = (0, 0), (0, rows % 2), (0, columns % 2)
    doubled = Quantities(np.pad(seen.blocks, padding, mode="edge"), seen.picture)
    corrected = corrections(seen)
    assert corrected.shape == shape
    np.testing.assert_array_equal(corrected, _plainly(doubled)[:rows, :columns])


def test_a_block_sees_no_farther_than_fifteen_blocks() -> None:
    """What changes at one place leaves all corrections as they are that are farther away."""
    seen = _noise(7, 46, 80)
    blocks = seen.blocks.copy()
    blocks[:, 22, 40] = 255 - blocks[:, 22, 40]
    moved = np.argwhere(corrections(seen) != corrections(Quantities(blocks, seen.picture)))
    assert len(moved)
    assert np.abs(moved - (22, 40)).max() <= VIEW_BLOCKS


def test_corrections_do_not_depend_on_what_was_corrected_before() -> None:
    """The same quantities have the same corrections, in whatever order pictures come."""
    pictures = [_noise(seed, 20, 30) for seed in range(4)]
    forth = [corrections(seen) for seen in pictures]
    back = [corrections(seen) for seen in reversed(pictures)][::-1]
    for one, other in zip(forth, back, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any(np.array_equal(one, other) for one, other in pairwise(forth))
