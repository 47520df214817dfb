"""What a block's surroundings say: compact is an object; thin, long or ragged is light or leaves.

A network of some 8,000 parameters looks at each block's quantities and at those of the blocks up to 14 away,
and says by how many octaves its strength counts for more or less: it corrects the strength, and does not
replace it. Real and drawn footage has taught it, see ``tests/training/``. It gives the same on every
processor: weights and values are whole numbers, and no sum of their products reaches 2**24, so that a float
holds each exactly, in whatever order they are added.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.quantities import Codes, Quantities
from framegate.detect.adaptive.working import Floats

STEPS_AN_OCTAVE = 64
"""Of a correction, and of the score: a step is a factor of 1.011."""

LEAST_CORRECTION, MOST_CORRECTION = -2 * STEPS_AN_OCTAVE, 4 * STEPS_AN_OCTAVE
"""A block counts at least a fourth of its strength, and at most 16 times as much: what is 10 times the usual
is kept, whatever the network thinks of a thing that it may never have seen."""

CELL = 2
"""The network works on cells of 2 x 2 blocks: a quarter of the work, and twice the view."""

REACHES = (1, 2, 4)
"""How far apart the nine cells are that each layer joins."""

MOST_WEIGHT, MOST_VALUE = 500, 511
"""So fine that 1 score in 100 is 0.06 octaves off that of the network in floats; with weights up to 127 it
was 0.2, with values up to 255 it was 1.3. Finer ones would let a sum come near 2**24: it is 0.78 of that."""

COLUMNS_AT_ONCE = 112
"""OpenBLAS starts threads for a product of more than 2**18 steps. On a busy machine of two cores the network
then took 25 ms instead of 0.5."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Whole weights, and what makes the sum of their products a whole value again."""

    weights: Floats
    """Whole numbers up to ``MOST_WEIGHT`` either way, (values out, values in)."""

    scale: Floats
    bias: Floats
    """(values out, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """All that ``neighbourhood.npz`` holds."""

    cells: _Layer
    picture: Floats
    """Weights of ``Quantities.picture``, in the scale of ``cells``: (values out, 8)."""

    around: tuple[_Layer, ...]
    passed_on: tuple[float, ...]
    """How much of a layer's input is added to its output."""

    correction: _Layer


@cache
def _network() -> Network:
    """Return the network that is in the package."""
    return network_of(files("framegate.detect.adaptive").joinpath("neighbourhood.npz").read_bytes())


def network_of(packed: bytes) -> Network:
    """Return the network in a file, as ``tests/training/`` writes it."""
    with np.load(BytesIO(packed), allow_pickle=False) as stored:
        return Network(
            _layer(stored, "cells"),
            stored["picture.weights"].astype(np.float32),
            tuple(_layer(stored, f"around{reach}") for reach in REACHES),
            tuple(float(stored[f"around{reach}.passed_on"]) for reach in REACHES),
            _layer(stored, "correction"),
        )


def _layer(stored: NDArray[np.void], name: str) -> _Layer:
    scale, bias = (stored[f"{name}.{part}"].astype(np.float32)[:, None] for part in ("scale", "bias"))
    return _Layer(stored[f"{name}.weights"].astype(np.float32), scale, bias)


def corrections(seen: Quantities, network: Network | None = None) -> Codes:
    """Return by how many 64ths of an octave each block counts for more or less than its strength says.

    Args:
        seen: the quantities of a picture.
        network: another one than that in the package.

    Returns:
        (block rows, block columns), ``LEAST_CORRECTION`` to ``MOST_CORRECTION``.
    """
    network = network or _network()
    _, rows, columns = seen.blocks.shape
    cells = _in_cells(seen.blocks)
    shape = cells.shape[1:]
    values = _scaled(
        network.cells, cells.reshape(len(cells), -1), network.picture @ seen.picture.astype(np.float32)
    )
    nine = np.empty((9, len(values), *shape), np.float32)  # for all layers: fresh memory takes 0.15 ms each
    for reach, layer, passed_on in zip(REACHES, network.around, network.passed_on, strict=True):
        _put_nine_around(values.reshape(-1, *shape), reach, nine)
        joined = nine.reshape(-1, values.shape[1])
        values = _scaled(layer, joined, added=values * np.float32(passed_on))
    octaves = np.rint(_product(network.correction, values) * STEPS_AN_OCTAVE)
    bounded = np.clip(octaves, LEAST_CORRECTION, MOST_CORRECTION).astype(np.int32)
    return _in_blocks(bounded.reshape(-1, *shape))[:rows, :columns]


def _in_cells(blocks: NDArray[np.uint8]) -> Floats:
    """Return (4 x quantities, cell rows, cell columns); an odd last row or column of blocks counts twice."""
    channels, rows, columns = blocks.shape
    if rows % CELL or columns % CELL:
        blocks = np.pad(blocks, ((0, 0), (0, rows % CELL), (0, columns % CELL)), mode="edge")
    split = blocks.reshape(channels, -1, CELL, blocks.shape[2] // CELL, CELL)
    cells = split.transpose(0, 2, 4, 1, 3).astype(np.float32)
    return cells.reshape(channels * CELL * CELL, *cells.shape[3:])


def _in_blocks(cells: Codes) -> Codes:
    _, rows, columns = cells.shape
    return cells.reshape(CELL, CELL, rows, columns).transpose(2, 0, 3, 1).reshape(CELL * rows, CELL * columns)


def _put_nine_around(values: Floats, reach: int, nine: Floats) -> None:
    """Put the values of each cell and of the eight ``reach`` away into (9, values, rows, columns)."""
    count, rows, columns = values.shape
    padded = np.zeros((count, rows + 2 * reach, columns + 2 * reach), np.float32)
    padded[:, reach:-reach, reach:-reach] = values
    for place in range(9):
        down, right = (reach * step for step in divmod(place, 3))
        nine[place] = padded[:, down : down + rows, right : right + columns]


def _scaled(
    layer: _Layer, values: Floats, sums: Floats | None = None, *, added: Floats | None = None
) -> Floats:
    """Return a layer's values: whole numbers, 0 to ``MOST_VALUE``, (values out, cells)."""
    result = _product(layer, values, sums)
    if added is not None:
        result += added
    np.rint(result, out=result)
    np.maximum(result, 0, out=result)
    return np.minimum(result, MOST_VALUE, out=result)


def _product(layer: _Layer, values: Floats, sums: Floats | None = None) -> Floats:
    """Return weights times values, plus ``sums`` of each row, scaled and biased."""
    result = np.empty((len(layer.weights), values.shape[1]), np.float32)
    for begin in range(0, values.shape[1], COLUMNS_AT_ONCE):
        at_once = np.s_[:, begin : begin + COLUMNS_AT_ONCE]
        np.matmul(layer.weights, values[at_once], out=result[at_once])
    if sums is not None:
        result += sums[:, None]
    result *= layer.scale
    result += layer.bias
    return result
