"""What is known of two frames: that something changed between them, that nothing did, or neither.

Truth is always asked about a frame and the frame it was compared with, never about neighbours: a filter that
kept a frame too few compares the following ones with an older frame, and for that pair it has to answer.
"""

import csv
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Truth = Callable[[str, str], bool | None]
"""Of the names of a reference and of a frame: changed, unchanged, or None for a pair that is not judged."""

Mask = npt.NDArray[np.uint8]

OUTSIDE, UNKNOWN, MOVING = 85, 170, 255
"""The levels of a CDnet ground truth that matter here; 0 is static, and so counts 50, a shadow."""

CHANGED_SHARE, UNCHANGED_SHARE = 0.01, 0.0005
"""Of the judged pixels. Between the two lie slivers of a person at the edge of the picture."""


def always(*, changed: bool | None) -> Truth:
    """Return the truth of footage in which every pair is alike."""
    return lambda _reference, _name: changed


def states_differ(before: Sequence[int], after: Sequence[int]) -> bool | None:
    """Compare what is known of each object in two frames; -1 is an object of which nothing is known."""
    known = [(a, b) for a, b in zip(before, after, strict=True) if a >= 0 and b >= 0]
    if any(a != b for a, b in known):
        return True
    return False if len(known) == len(before) else None


def state_truth(states: Path) -> Truth:
    """Read a table with a row a frame and a column an object; names may differ in their suffix alone."""
    with states.open(newline="", encoding="utf-8") as table:
        rows = list(csv.reader(table))
    known = {Path(row[0]).stem: [int(state) for state in row[1:]] for row in rows[1:] if row}
    return lambda reference, name: states_differ(known[Path(reference).stem], known[Path(name).stem])


def masks_differ(before: Mask, after: Mask) -> bool | None:
    """Compare two ground truths, uint8, (height, width), by the share of the judged pixels that changed."""
    judged = np.ones(before.shape, bool)
    for mask in (before, after):
        judged &= (mask != OUTSIDE) & (mask != UNKNOWN)
    judged_px = np.count_nonzero(judged)
    if not judged_px:
        return None
    share = np.count_nonzero(judged & ((before == MOVING) != (after == MOVING))) / judged_px
    if share >= CHANGED_SHARE:
        return True
    return False if share <= UNCHANGED_SHARE else None


def mask_truth(folder: Path) -> Truth:
    """Return the truth of a folder with ``gt000570.png`` for the frame ``in000570.jpg``."""

    @lru_cache(maxsize=512)
    def mask_of(name: str) -> Mask:
        path = folder / f"gt{Path(name).stem.removeprefix('in')}.png"
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise FileNotFoundError(path)
        return mask.astype(np.uint8)

    return lambda reference, name: masks_differ(mask_of(reference), mask_of(name))
