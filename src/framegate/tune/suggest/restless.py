"""Finds places that change in nearly every frame: a burnt-in clock, a flag. They may be ignored.

Places are blocks of 4 x 4 pixels of pictures of 180 rows. One has changed when it differs from the frame
before by much more than the picture as a whole, so that clouds and noise do not count. It is for a person to
say that nothing matters there: a busy road changes in every frame too. So little is proposed, and drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCK = 4

LEAST_LEVELS, TIMES_THE_PICTURE = 4.0, 4.0
"""By how many gray levels, and how many times the median of all blocks, one that has changed differs."""

LEAST_PAIRS = 30
"""Fewer frames say nothing about "nearly every"."""

NEARLY_ALWAYS, OFTEN = 0.8, 0.4
"""Of the pairs of frames: a place changes nearly always, and those around it belong to it if often."""

SELDOM, FEWEST = 0.01, 2
"""The hours of a clock change seldom, but more than once."""

GAP_BLOCKS = 3
"""Between two words of a text line."""

MOST_LINE_BLOCKS = 5
"""Higher than 20 of 180 rows is no line of text."""

STANDS_OUT = 4.0
"""How many times more often a line of text changes than what is above and below it."""

MOST_OF_PICTURE, MOST_OF_ALL = 0.03, 0.06
"""Shares of the picture: of one area, and of all together. What is larger is no clock and no flag."""

HULL = 0.7
"""Where the hull has less of the box than this, it is proposed instead: a corner more costs nothing."""

Shares = NDArray[np.float64]
Flags = NDArray[np.bool_]
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class RestlessArea:
    """A part of the picture that changes in nearly every frame."""

    polygon: Polygon
    """Corners as fractions of the picture."""

    share_of_frames: float
    """In which its most restless place changes."""

    share_of_picture: float

    @property
    def is_too_large(self) -> bool:
        """Whether ignoring it would make a large part of the picture blind."""
        return self.share_of_picture > MOST_OF_PICTURE


@dataclass(slots=True)
class Restlessness:
    """How often each place changes from one frame to the next."""

    pairs: int = 0
    _changes: NDArray[np.int64] | None = field(default=None, init=False)

    def add(self, previous: NDArray[np.uint8], current: NDArray[np.uint8], counted: Flags | None) -> None:
        """Add two consecutive frames; equal ones, and those of unlike sizes, are passed over.

        Args:
            previous, current: brightness, uint8 (rows, columns), both of one size.
            counted: which pixels count, (rows, columns); None for all. Where they do not, nothing changes.
        """
        if previous.shape != current.shape:
            return
        differences = _in_blocks(cv2.absdiff(previous, current).astype(np.float64))
        if not differences.any():
            return
        if counted is not None:
            differences[_in_blocks((~counted).astype(np.float64)) > 0] = 0
        changed = differences > max(LEAST_LEVELS, TIMES_THE_PICTURE * float(np.median(differences)))
        if self._changes is None or self._changes.shape != changed.shape:
            self._changes, self.pairs = np.zeros(changed.shape, np.int64), 0
        self._changes += changed
        self.pairs += 1

    def areas(self) -> list[RestlessArea]:
        """Return what changes in nearly every frame, the largest share of frames first; none of few frames.

        All that are not too large may be ignored together.
        """
        if self._changes is None or self.pairs < LEAST_PAIRS:
            return []
        shares = self._changes / self.pairs
        found = sorted(_areas(shares, self.pairs), key=lambda area: -area.share_of_frames)
        left = MOST_OF_ALL
        chosen = []
        for area in found:
            if area.is_too_large or area.share_of_picture <= left:
                chosen.append(area)
                left -= 0.0 if area.is_too_large else area.share_of_picture
        return chosen


def _in_blocks(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = (size // BLOCK for size in pixels.shape)
    split = pixels[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.asarray(split.mean(axis=(1, 3)))


def _areas(shares: Shares, pairs: int) -> Iterator[RestlessArea]:
    around = (shares >= OFTEN).astype(np.uint8)
    joined = cv2.dilate(around, np.ones((3, 1 + 2 * GAP_BLOCKS), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    for label in range(1, count):
        place = (labels == label) & (around > 0)
        most = float(shares[place].max(initial=0.0))
        if most >= NEARLY_ALWAYS:
            yield _area(_whole_line(place, shares, pairs), most)


def _whole_line(place: Flags, shares: Shares, pairs: int) -> Flags:
    """Return a line of text with the words that seldom change; any other place as it is."""
    rows, columns = np.flatnonzero(place.any(axis=1)), np.flatnonzero(place.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if bottom - top > MOST_LINE_BLOCKS:
        return place
    band = shares[top:bottom].max(axis=0)
    beside = [shares[row] for row in (top - 2, bottom + 1) if 0 <= row < len(shares)]
    outside = np.max(beside, axis=0) if beside else np.zeros_like(band)
    is_text = (band >= max(SELDOM, FEWEST / pairs)) & (band >= STANDS_OUT * outside)
    left, right = int(columns[0]), int(columns[-1])
    for step in (-1, 1):
        column, gap = (left if step < 0 else right), 0
        while 0 <= column + step < len(band) and gap <= GAP_BLOCKS:
            column += step
            gap = 0 if is_text[column] else gap + 1
            if is_text[column]:
                left, right = min(left, column), max(right, column)
    whole = place.copy()
    whole[top:bottom, left : right + 1] = True
    return whole


def _area(place: Flags, most: float) -> RestlessArea:
    """Return an area with a block's rim: its box, or its hull where that is much smaller."""
    rows, columns = place.shape
    rimmed = cv2.dilate(place.astype(np.uint8), np.ones((3, 3), np.uint8))
    ys, xs = np.nonzero(rimmed)
    left, top, right, bottom = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.int32)
    edges = np.concatenate([np.stack([xs + dx, ys + dy], 1) for dx in (0, 1) for dy in (0, 1)])
    hull = cv2.convexHull(edges.astype(np.int32))[:, 0, :].astype(np.int32)
    if cv2.contourArea(hull) < HULL * cv2.contourArea(corners):
        corners = hull
    polygon = tuple((round(float(x) / columns, 4), round(float(y) / rows, 4)) for x, y in corners)
    return RestlessArea(polygon, most, cv2.contourArea(corners) / (rows * columns))
