"""How alike rows of two pictures are, whatever the light, and how large the steps between neighbours are."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Floats, floats
from framegate.model import GrayImage

RUN = 3
"""Rows of blocks that are looked at together."""

_BLOCKS_AROUND, _BLOCK_NOISE = 7, 2 * 16
"""Side of the surroundings in blocks, and sixteenths of a gray level that are noise."""


@dataclass(frozen=True, slots=True, eq=False)
class BlockDetails:
    """How each block differs from its surroundings: computed once, and compared with two other pictures."""

    values: Floats
    """In times the usual there, (block rows, block columns)."""

    energy: NDArray[np.float64]
    """Sum of the squares of each run of rows, (block rows - RUN + 1,)."""


def details(luma: NDArray[np.floating | np.uint8], around: int, noise: int) -> Floats:
    """Return how each pixel differs from its surroundings, in times the usual there: light does not count."""
    above = luma.astype(np.float32)
    above -= cv2.boxFilter(above, -1, (around, around))
    spread = np.sqrt(np.maximum(cv2.boxFilter(above * above, -1, (around, around)), 0))
    return floats(above / (spread + np.float32(noise)))


def block_details(sixteenths: Floats) -> BlockDetails:
    """Return the details of a picture's blocks, from their luma in sixteenths of a gray level."""
    values = details(sixteenths, _BLOCKS_AROUND, _BLOCK_NOISE)
    return BlockDetails(values, _sums_of_runs(values * values))


def likeness_of_runs(one: BlockDetails, other: BlockDetails) -> NDArray[np.float64]:
    """Return the correlation of each run of ``RUN`` rows of blocks; 1 where there is nothing to correlate."""
    both = np.sqrt(one.energy * other.energy)
    return np.where(both > 1, _sums_of_runs(one.values * other.values) / np.maximum(both, 1), 1.0)


def likeness_of_rows(one: Floats, other: Floats) -> Floats:
    """Return the correlation of each row and the two on each side."""

    def sums(product: Floats) -> Floats:
        return floats(cv2.blur(product.sum(axis=1, keepdims=True), (1, 5), borderType=cv2.BORDER_REPLICATE))

    both = np.sqrt(sums(one * one) * sums(other * other))
    return floats(np.ravel(sums(one * other) / np.maximum(both, np.float32(1))))


def step_across(rows: GrayImage, column: int) -> float:
    """Return the mean step from one column to the next around this one, in gray levels."""
    steps = np.abs(np.diff(rows[:, max(0, column - 2) : column + 2].astype(np.int16), axis=1)).mean(axis=0)
    return float(steps.max(initial=0))


def step_down(columns: GrayImage, row: int) -> float:
    """Return the mean step from one row to the next around this one, in gray levels."""
    return step_across(columns.T, row)


def contrast(luma: GrayImage) -> float:
    """Return the mean step from one column to the next in gray levels, 1 at least."""
    return max(1.0, float(cv2.absdiff(luma[:, 1:], luma[:, :-1]).mean()))


def halved(details: Floats) -> Floats:
    """Return means of 2 x 2: float32 (rows // 2, columns // 2)."""
    rows, columns = details.shape
    return floats(cv2.resize(details, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA))


def _sums_of_runs(values: Floats) -> NDArray[np.float64]:
    total = np.concatenate(([0.0], np.cumsum(values.sum(axis=1, dtype=np.float64))))
    return total[RUN:] - total[:-RUN]
