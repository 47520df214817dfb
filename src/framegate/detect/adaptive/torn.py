"""Is a picture torn: does its lower part stand elsewhere, though the file itself is whole?

Where a camera loses some blocks of a JPEG before it is written, all that follow move up into their place:
below a row the picture is shifted sideways, and what leaves it on one side comes back on the other. So a torn
picture shows what the reference shows, in the wrong place, and has a seam which the reference has not. Both
are asked for: a whole frame that is rejected is lost, and a torn one that is kept costs one result.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from framegate.detect.adaptive.exact import Floats, floats
from framegate.detect.adaptive.rows import (
    RUN,
    contrast,
    details,
    halved,
    likeness_of_rows,
    likeness_of_runs,
    step_across,
    step_down,
)
from framegate.detect.adaptive.working import BLOCK, WorkingPicture, working_size
from framegate.detect.tear import Tear
from framegate.model import GrayImage

STRIP = RUN * BLOCK
"""Rows of the strips that are looked for elsewhere; the narrowest tear of footage has 14 of 180."""

MOST_STRIPS = 5
"""Strips that are looked for in one frame, 0.3 ms each: where one is found, most of the others are."""

NOT_HERE = 0.2
"""Correlation below which a strip does not show what the reference shows there. Where the camera stands still
1 of 100 consecutive frames of footage has one, every torn one has."""

ELSEWHERE = 0.33
"""Correlation with the whole reference, both ends of the strip taken as joined, above which a place is looked
at more closely. Strips that stand elsewhere have .41 to .97, others .2 to .5."""

ALIKE = 0.6
"""Correlation of a part of a strip with the reference above which they show the same."""

ALONE = 0.75
"""Share of the correlation that other places reach at most: what repeats itself could be anywhere."""

HERE = 0.5
"""The same share for where it stands, a shaking mast considered."""

FAR = 8
"""Pixels of the working size that no mast shakes."""

LEAST_SIDE = 16
"""Columns of the narrower part of a strip: of fewer it cannot be said what they show."""

LEAST_ENERGY = 0.15
"""Mean square of the details of a strip that shows anything: sky has .05, asphalt .3, all else more."""

CUT = 2.2
"""So many times as large as at the same places of the reference the steps are from one row to the next at a
cut. Where the reference is torn instead it was 1.1 at most in 1,400 tries, with lorries and trains 1.9."""

JOINT, NO_LESS = 3.5, 0.8
"""The same of a cut and of the column where both ends meet, multiplied, and of the cut alone: not less. Where
the reference is torn instead, 2.7 at most in 2,700 tries, of tears 4 of 5 have more."""

LEAST_ABOVE = 0.25
"""Share of the rows that are in their place above a cut without a joint: else it may be a banner, below which
the camera was turned. Without this 3 of 352 of those were called torn."""

EDGE, NOT_HERE_AT_ALL = 3, 0.4
"""Rows at a cut that are not sure, and the correlation that what stands in the wrong place has at most."""

_AROUND, _DETAIL = 15, 4
"""Side of the surroundings of a pixel, and gray levels of noise."""

_SHAKEN = FAR // 2
_ROWS_APART, _COLUMNS_APART = 12, 2
"""How far the two parts of a strip may stand from where the strip was found: one of them is a row of the
JPEG's blocks lower, 16 rows of at least 360."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a strip of the current picture shows, found in the reference."""

    likeness: float
    """Correlation, -1 to 1."""

    down: int
    right: int
    """Pixels from its place in the current picture to that in the reference."""

    left: int
    stop: int
    """Its columns in the current picture."""

    energy: float


_NO_PART = _Part(0.0, 0, 0, 0, 0, 0.0)


def torn(reference: WorkingPicture, current: WorkingPicture) -> Tear | None:
    """Return where the current picture is torn, as the reference proves; None if it does not.

    Args:
        reference, current: pictures of one working size. Where both are ignored nothing is missed, elsewhere
            the whole picture is looked at.
    """
    rows = _missing(reference, current)
    if not rows:
        return None  # as nearly always; to look closer takes 1 to 3 ms
    pair = _Pair(*(_whole(picture) for picture in (reference, current)))
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), MOST_STRIPS)).round().astype(int)
    for row in (rows[index] for index in chosen):
        if (tear := pair.torn_at(row)) is not None:
            return tear
    return None


def _missing(reference: WorkingPicture, current: WorkingPicture) -> list[int]:
    """Return the first rows of the strips that do not show what the reference shows there."""
    likeness = likeness_of_runs(reference.details, current.details)
    rows: list[int] = []
    for row in np.flatnonzero(likeness < NOT_HERE):
        if not rows or row * BLOCK >= rows[-1] + STRIP:
            rows.append(int(row) * BLOCK)
    return rows


def _whole(picture: WorkingPicture) -> GrayImage:
    """Return the luma of a picture without what was added to fill its last blocks: it ends where it ends."""
    columns, rows = working_size(picture.source_size)
    return np.ascontiguousarray(picture.image[:rows, :columns, 0])


class _Pair:
    """The reference and the current picture, and where strips of one stand in the other."""

    def __init__(self, reference: GrayImage, current: GrayImage) -> None:
        self.was, self.now = reference, current
        self.rows, self.columns = current.shape
        self.was_details = details(reference, _AROUND, _DETAIL)
        self.now_details = details(current, _AROUND, _DETAIL)
        self.was_half, self.now_half = halved(self.was_details), halved(self.now_details)
        self.was_spectrum = cv2.dft(self.was_half)
        self.gain = contrast(reference) / contrast(current)
        """What makes steps of the current picture comparable with the reference's: the light may differ."""
        self.was_energy = float(np.square(self.was_half).mean())

    def torn_at(self, row: int) -> Tear | None:
        """Return the tear above a strip; None if the strip is not found elsewhere, or there is no seam."""
        row = min(row, self.rows - STRIP)
        place = self._elsewhere(row)
        if place is None:
            return None
        down, right = place
        beyond = right - self.columns if right > 0 else right + self.columns
        parts = [self._part(row, down, right), self._part(row, down, beyond)]
        parts = [part for part in parts if part.likeness >= ALIKE and part.energy >= LEAST_ENERGY]
        if not parts:
            return None
        widest = max(parts, key=lambda part: part.stop - part.left)
        here, there = self._likeness(widest)
        first, end = _extent(there - here, row + STRIP // 2)
        if end - first < STRIP // 2:
            return None
        is_joined = len(parts) > 1 and self._has_joint(first, end, widest)
        is_cut = self._is_clean_cut(first, end, here, there) and self._has_cut(first, widest)
        return Tear(first, -widest.right, -widest.down) if is_joined or is_cut else None

    def _elsewhere(self, row: int) -> tuple[int, int] | None:
        """Return how far (down, right) a strip of the current picture stands in the reference, roughly.

        None when it is found nowhere, near its own place, or in several places.
        """
        strip = np.zeros_like(self.now_half)
        half = slice(row // 2, (row + STRIP) // 2)
        strip[half] = self.now_half[half]
        product = cv2.mulSpectrums(self.was_spectrum, cv2.dft(strip), 0, conjB=True)
        likeness = floats(cv2.idft(product, flags=cv2.DFT_SCALE))
        usual = np.sqrt(float(np.square(strip).sum()) * self.was_energy * strip[half].size)
        rows, columns = likeness.shape
        down, right = divmod(int(likeness.argmax()), columns)
        best = float(likeness[down, right])
        if best < ELSEWHERE * max(usual, 1.0):
            return None
        here = float(likeness[_around(0, 0, _SHAKEN, _SHAKEN, likeness.shape)].max())
        likeness[_around(down, right, _ROWS_APART, _COLUMNS_APART, likeness.shape)] = 0
        if here > HERE * best or float(likeness.max()) > ALONE * best:
            return None
        return 2 * (down if down <= rows // 2 else down - rows), 2 * (
            right if right <= columns // 2 else right - columns
        )

    def _part(self, row: int, down: int, right: int) -> _Part:
        """Return the part of a strip that stays in the picture when it is moved, where it is found best."""
        left = max(0, _COLUMNS_APART - right)
        stop = min(self.columns, self.columns - right - _COLUMNS_APART)
        top = max(0, row + down - _ROWS_APART)
        bottom = min(self.rows, row + down + STRIP + _ROWS_APART)
        if stop - left < LEAST_SIDE or bottom - top < STRIP:
            return _NO_PART
        strip = self.now_details[row : row + STRIP, left:stop]
        around = self.was_details[top:bottom, left + right - _COLUMNS_APART : stop + right + _COLUMNS_APART]
        likeness = cv2.matchTemplate(around, strip, cv2.TM_CCORR_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(likeness)
        energy = float(np.square(strip).mean())
        return _Part(best, top + y - row, right - _COLUMNS_APART + x, left, stop, energy)

    def _likeness(self, part: _Part) -> tuple[Floats, Floats]:
        """Return, row by row, how alike the current picture is to the reference here, and there."""
        now = self.now_details[:, part.left : part.stop]
        here = self.was_details[:, part.left : part.stop]
        left, stop = part.left + part.right, part.stop + part.right
        there = np.zeros_like(now)
        to, since = max(0, -part.down), min(self.rows, self.rows - part.down)
        there[to:since, max(0, -left) : now.shape[1] - max(0, stop - self.columns)] = self.was_details[
            to + part.down : since + part.down, max(0, left) : stop
        ]
        return likeness_of_rows(now, here), likeness_of_rows(now, there)

    def _has_joint(self, first: int, end: int, part: _Part) -> bool:
        """Return whether both ends of the picture meet in it, where the reference shows no such edge."""
        x, was_x = -part.right % self.columns, part.right % self.columns
        down = min(max(part.down, -first), self.rows - end)
        joined = self.gain * step_across(self.now[first:end], x)
        usual = step_across(self.was[first:end], x), step_across(self.was[first + down : end + down], was_x)
        along = joined / max(*usual, 1.0)
        rows = [row for row in (first, end) if EDGE < row < self.rows - EDGE]
        now, was = (
            sum(step_down(each[:, part.left : part.stop], row) for row in rows)
            for each in (self.now, self.was)
        )
        across = self.gain * now / max(was, 1.0) if rows else 1.0
        return across > NO_LESS and along * across > JOINT

    def _is_clean_cut(self, first: int, end: int, here: Floats, there: Floats) -> bool:
        """Return whether the picture is in its place right above a row, and elsewhere right below it."""
        above, below = slice(max(0, first - STRIP), first - EDGE), slice(first + EDGE, first + STRIP)
        return (
            end - first >= 2 * STRIP
            and first >= LEAST_ABOVE * self.rows
            and here[:first].mean() >= ALIKE
            and min(here[above].min(), there[below].min()) >= ALIKE
            and max(there[above].max(), here[below].max()) <= NOT_HERE_AT_ALL
        )

    def _has_cut(self, first: int, part: _Part) -> bool:
        """Return whether there is an edge at a row, where the reference shows none."""
        if 2 * (part.stop - part.left) < self.columns:
            return False
        now = self.gain * step_down(self.now[:, part.left : part.stop], first)
        here = step_down(self.was[:, part.left : part.stop], first)
        left, stop = max(0, part.left + part.right), min(self.columns, part.stop + part.right)
        there = step_down(self.was[:, left:stop], first + part.down)
        return now > CUT * max(here, there, 1.0)


def _extent(gain: Floats, row: int) -> tuple[int, int]:
    """Return the first row around a row, and the one after the last, up to which there is a gain."""
    lost = np.flatnonzero(gain <= 0)
    before, after = lost[lost < row], lost[lost >= row]
    return int(before[-1]) + 1 if before.size else 0, int(after[0]) if after.size else gain.size


def _around(down: int, right: int, rows: int, columns: int, shape: tuple[int, int]) -> tuple[Any, ...]:
    """Return an index of what stands around a place in an array whose opposite sides are joined."""
    return np.ix_(
        np.arange(down - rows, down + rows + 1) % shape[0],
        np.arange(right - columns, right + columns + 1) % shape[1],
    )
