"""Which blocks count, where which threshold holds, and which block decides."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Codes, Flags
from framegate.detect.adaptive.neighbourhood import STEPS_AN_OCTAVE
from framegate.detect.adaptive.working import BLOCK
from framegate.model import GrayImage, Region

OVER_FOUR = 1
"""Blocks by which a place reaches up and left: its strength is the mean of 2 x 2 blocks."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A part of the picture with a threshold of its own: a zone, or what lies in none."""

    blocks: Flags
    """(block rows, block columns)."""

    least_px: float
    """Changes of a smaller area do not count; pixels of the working size."""


def as_times(code: int) -> float:
    """Return a code of 64 steps an octave as times the usual: the inverse of ``quantities.in_octaves``."""
    octave, step = divmod(code, STEPS_AN_OCTAVE)
    return (1 + step / STEPS_AN_OCTAVE) * 2.0**octave


def all_as_times(codes: Codes) -> NDArray[np.float64]:
    """Return all codes as times the usual."""
    octave, step = np.divmod(codes, STEPS_AN_OCTAVE)
    return np.ldexp(1 + step / STEPS_AN_OCTAVE, octave)


def blocks_of(pixels: GrayImage) -> Flags:
    """Return the blocks that have a pixel in common with those that are not 0; uint8 (rows, columns)."""
    rows, columns = pixels.shape
    split = pixels.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    return np.asarray(split.any(axis=(1, 3)))


def strongest_code(codes: Codes, place: Place) -> int | None:
    """Return the code of the change that decides at a place; None if the place has no block.

    It is the largest code at which the blocks of at least that code still form one change of ``least_px``.
    So a small thing counts as little as the larger change that it is a part of, whatever the threshold is.
    """
    inside = codes[place.blocks]
    if not inside.size:
        return None
    if place.least_px <= BLOCK**2:
        return int(inside.max())
    levels = np.unique(inside)
    low, high = 0, len(levels) - 1  # at levels[0] all blocks are one change, or it is the least there is
    while low < high:
        middle = (low + high + 1) // 2
        if any(True for _ in _changes(codes >= levels[middle], place)):
            low = middle
        else:
            high = middle - 1
    return int(levels[low])


def regions(codes: Codes, place: Place, threshold: float) -> list[Region]:
    """Return the changes at a place that are above its threshold, in pixels of the working size."""
    return list(_changes(all_as_times(codes) > threshold, place))


def decisive(codes: Codes, place: Place, threshold: float) -> Region | None:
    """Return the change that decides at a place, in pixels of the working size; None if it has no block.

    Above the threshold it is the whole change around the strongest block, else the strongest block alone.
    """
    code = strongest_code(codes, place)
    core = None if code is None else next(_changes(codes >= code, place), None)
    if core is None:
        return None
    around = [region for region in regions(codes, place, threshold) if _has_inside(region, core)]
    return min(around, key=lambda region: region.area_px, default=core)


def _has_inside(outer: Region, inner: Region) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def _changes(blocks: Flags, place: Place) -> Iterator[Region]:
    chosen = (blocks & place.blocks).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(chosen, connectivity=8)
    for x, y, width, height, size in stats[1:count]:
        area_px = float(size * BLOCK**2)
        if area_px < place.least_px:
            continue
        left, top = max(0, int(x) - OVER_FOUR), max(0, int(y) - OVER_FOUR)
        sides = int(x + width) - left, int(y + height) - top
        yield Region(left * BLOCK, top * BLOCK, sides[0] * BLOCK, sides[1] * BLOCK, area_px)
