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

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Codes, Floats, product
from framegate.detect.adaptive.quantities import Quantities

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
    sums = product(network.cells.weights, cells.reshape(len(cells), -1))
    sums += (network.picture @ seen.picture.astype(np.float32))[:, None]
    values = _whole(_scaled(network.cells, sums))
    for reach, layer, passed_on in zip(REACHES, network.around, network.passed_on, strict=True):
        sums = _scaled(layer, _sums_around(layer, values.reshape(-1, *shape), reach))
        values *= np.float32(passed_on)
        sums += values
        values = _whole(sums)
    octaves = _scaled(network.correction, product(network.correction.weights, values))
    octaves *= np.float32(STEPS_AN_OCTAVE)
    np.rint(octaves, out=octaves)
    np.clip(octaves, LEAST_CORRECTION, MOST_CORRECTION, out=octaves)
    return _in_blocks(octaves.reshape(-1, *shape))[:rows, :columns]


def _in_cells(blocks: NDArray[np.uint8]) -> Floats:
    """Return (4 x quantities, cell rows, cell columns); an odd last row or column of blocks counts twice."""
    count, rows, columns = blocks.shape
    cell_rows, cell_columns = -(-rows // CELL), -(-columns // CELL)
    even = np.empty((count, cell_rows * CELL, cell_columns * CELL), np.uint8)
    even[:, :rows, :columns] = blocks
    even[:, rows:, :columns] = blocks[:, -1:]
    even[:, :, columns:] = even[:, :, columns - 1 : columns]
    pairs = even.view("<u2").reshape(count, cell_rows, CELL, cell_columns).swapaxes(1, 2)
    cells = np.empty((count, CELL, CELL, cell_rows, cell_columns), np.float32)
    cells[:, :, 0] = pairs & np.uint16(255)  # two bytes at a time: one by one they would take twice as long
    cells[:, :, 1] = pairs >> np.uint16(8)
    return cells.reshape(-1, cell_rows, cell_columns)


def _in_blocks(cells: Floats) -> Codes:
    _, rows, columns = cells.shape
    blocks = np.empty((rows, CELL, columns, CELL), np.int32)
    np.copyto(blocks, cells.reshape(CELL, CELL, rows, columns).transpose(2, 0, 3, 1), casting="unsafe")
    return blocks.reshape(CELL * rows, CELL * columns)


def _sums_around(layer: _Layer, values: Floats, reach: int) -> Floats:
    """Return the sums of a layer's products with each cell and the eight that are ``reach`` away.

    The cells to the left and right are put beside each other. Those above and below stand a number of whole
    rows before and after in memory: the same values, shifted, are multiplied again, and need not be copied.

    Args:
        layer: its weights are those of the row above, of the same row, and of the row below.
        values: (values, rows, columns); beyond the edge they are 0.
        reach: in cells.

    Returns:
        (values out, rows x columns).
    """
    count, rows, columns = values.shape
    beside = np.zeros((3, count, rows + 2 * reach, columns), np.float32)
    inner = beside[:, :, reach:-reach]
    inner[0, :, :, reach:] = values[:, :, :-reach]
    inner[1] = values
    inner[2, :, :, :-reach] = values[:, :, reach:]
    in_a_row = beside.reshape(3 * count, -1)
    a_row = reach * columns
    above, here, below = (
        product(layer.weights[:, first : first + len(in_a_row)], in_a_row[:, begin : begin + rows * columns])
        for first, begin in zip(range(0, 9 * count, 3 * count), (0, a_row, 2 * a_row), strict=True)
    )
    above += here
    above += below
    return above


def _scaled(layer: _Layer, sums: Floats) -> Floats:
    sums *= layer.scale
    sums += layer.bias
    return sums


def _whole(values: Floats) -> Floats:
    """Round a layer's values to whole numbers, 0 to ``MOST_VALUE``."""
    np.rint(values, out=values)
    cv2.threshold(values, 0, 0, cv2.THRESH_TOZERO, dst=values)  # np.clip takes twice as long
    cv2.threshold(values, MOST_VALUE, 0, cv2.THRESH_TRUNC, dst=values)
    return values
