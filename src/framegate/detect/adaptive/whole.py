"""Did the picture change as a whole: by its light, or because the camera shows something else?

It goes by the relief: where a block is clearly brighter or darker than its surroundings. Another light leaves
most of it where it is, even where it turns bright into dark, as a lit house before the night sky and then
before the day's. A camera that was turned has another one, a camera that was covered none.
"""

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Codes, Flags, floats, in_octaves
from framegate.detect.adaptive.working import SIXTEENTHS, WorkingPicture
from framegate.model import Reason

STEPS_AN_OCTAVE = 32

DARKNESS = np.float32(8)
"""Gray levels added to all: factors mean little below."""

DRASTIC_STEPS, CLEAR_STEPS = 22, 13
"""Factors of 1.6 and 1.3: by so much light has to change to be kept for that alone, or to be named as the
reason when the picture has changed anyway. A cloud that leaves the sun makes a lot 1.5 times as bright."""

MOST_BLOCKS = 0.5
"""Share of the blocks that have to change their light, all brighter or all darker. Traffic and leaves change
as many each way: .27 at most on footage."""

WINDOW = 5
"""Blocks of the side of the surroundings that a block is compared with."""

RELIEF_STEPS = 4
"""A factor of 1.09 by which a block differs clearly from its surroundings: noise in the dark stays below."""

SHIFTS = sorted(
    ((down, right) for down in range(-2, 3) for right in range(-2, 3)), key=lambda s: s[0] ** 2 + s[1] ** 2
)
"""Blocks down and right by which two pictures are compared, the least first: up to 8 of 180 rows, which is
twice what a mast shakes."""

LEAST_RELIEF = 0.08
"""Share of blocks with relief below which a picture shows too little to say where the camera looks. Rooms
and yards have .15 to .7."""

COVERED = 0.2
"""Of the relief before, what a covered camera shows at most."""

LEAST_ALIKE = 0.15
"""Correlation of the reliefs below which two pictures show different places. Consecutive frames have .33 and
more, a motorway full of cars .17, a night and the next morning .11, which are light."""

STILL_ALIKE = 0.25
"""Where the light changed, the reliefs have to agree so much, in their signs or only in their places: else it
is a thing that fills most of the picture."""

DARK = 24
"""Gray levels that most blocks of a dark picture are below."""

LEAST_BLOCKS = 64
"""Blocks that have to count to say anything of a whole picture: the picture of a thumbnail."""

COLOURED = 1.5
"""Gray levels by which the chroma of a block in colour differs from the picture's middle one.
Infrared has a tint, the same everywhere."""

MOST_COLOURED, FEW_COLOURED = 0.4, 0.1
"""Shares of the blocks: a camera in colour has at least .55 on footage, infrared hardly any. A mean over all
would take one coloured car on gray ground for a switch."""


@dataclass(frozen=True, slots=True, eq=False)
class _Relief:
    """Where a picture has relief."""

    signs: NDArray[np.int8]
    """1 where a block is clearly brighter than its surroundings, -1 where darker, else 0."""

    count: int
    """How many are not 0."""

    share: float
    """That, of the blocks it could have."""

    def within(self, blocks: Flags) -> "_Relief":
        """Return the relief of some of the blocks."""
        signs = np.where(blocks, self.signs, 0)
        count = int(np.count_nonzero(signs))
        return _Relief(signs, count, count / np.count_nonzero(blocks))


def whole_change(
    before: WorkingPicture, after: WorkingPicture, counted: Flags, *, is_changed: bool
) -> Reason | None:
    """Return what changed most of the picture at once from one frame to the next; None if nothing did.

    Args:
        before, after: consecutive frames of one working size, with the same mask.
        counted: the blocks that count.
        is_changed: whether the frame is kept anyway, as changed: then milder light is its reason, too.

    Returns:
        ``LIGHTING``: other light, or infrared on or off. ``MOVED``: the camera was turned or covered.
    """
    inner = _inner(counted)
    if np.count_nonzero(inner) < LEAST_BLOCKS:
        return None
    light = _light(before), _light(after)
    was, now = (_relief(each, inner) for each in light)
    if _is_all_over(was) and now.count <= COVERED * was.count:
        return Reason.MOVED
    was_dark, is_dark = _is_dark(before, counted), _is_dark(after, counted)
    lit = _lit(light[1] - light[0], CLEAR_STEPS if is_changed else DRASTIC_STEPS, counted)
    if lit is None and _colour_switched(before, after, counted):
        lit = counted
    if lit is not None and _is_still_there(was.within(lit), now.within(lit), was_dark=was_dark):
        return Reason.LIGHTING
    if was_dark or is_dark or not (_is_all_over(was) and _is_all_over(now)):
        return None
    return None if _agree(was, now, LEAST_ALIKE, in_signs=True) else Reason.MOVED


def _is_all_over(relief: _Relief) -> bool:
    """Return whether a picture shows enough, and not only one thing on a bare ground, which may leave."""
    rows, columns = relief.signs.shape
    quarters = [half for side in np.array_split(relief.signs, 2) for half in np.array_split(side, 2, axis=1)]
    least = LEAST_RELIEF / 2 * rows * columns / len(quarters)
    return relief.share >= LEAST_RELIEF and sum(np.count_nonzero(each) >= least for each in quarters) > 2  # noqa: PLR2004 - of four


def _light(picture: WorkingPicture) -> Codes:
    return in_octaves(picture.blocks[0] + DARKNESS * SIXTEENTHS, STEPS_AN_OCTAVE)


def _lit(steps: Codes, least: int, counted: Flags) -> Flags | None:
    """Return the blocks that became brighter, or those that became darker; None when neither are most."""
    for changed in (counted & (steps >= least), counted & (steps <= -least)):
        if np.count_nonzero(changed) > MOST_BLOCKS * np.count_nonzero(counted):
            return changed
    return None


def _is_still_there(was: _Relief, now: _Relief, *, was_dark: bool) -> bool:
    """Return whether what is seen in another light is still the same; a dark room shows nothing before."""
    flat = was.share < LEAST_RELIEF, now.share < LEAST_RELIEF
    if any(flat):
        return all(flat) or was_dark
    return _agree(was, now, STILL_ALIKE, in_signs=False)


def _is_dark(picture: WorkingPicture, counted: Flags) -> bool:
    luma = picture.blocks[0][counted]
    return bool(2 * np.count_nonzero(luma < DARK * SIXTEENTHS) > luma.size)


def _inner(counted: Flags) -> Flags:
    """Return the blocks whose surroundings all count; what is outside of the picture does."""
    return np.asarray(cv2.erode(counted.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8)) > 0)


def _relief(light: Codes, inner: Flags) -> _Relief:
    whole = light.astype(np.float32)
    around = floats(cv2.boxFilter(whole, cv2.CV_32F, (WINDOW, WINDOW), normalize=False))
    above = whole * np.float32(WINDOW**2) - around
    clear = np.abs(above) > RELIEF_STEPS * WINDOW**2
    return _Relief(np.where(clear, np.sign(above), 0).astype(np.int8), 0, 0.0).within(inner)


def _agree(one: _Relief, other: _Relief, least: float, *, in_signs: bool) -> bool:
    """Return whether two reliefs correlate at any shift: in their signs, or in where there are any."""
    if not one.count or not other.count:
        return False
    both = sqrt(one.count * other.count)
    by_chance = min(both * sqrt(one.share * other.share), both - 1)
    for down, right in SHIFTS:
        product = _shifted(one.signs, down, right) * _shifted(other.signs, -down, -right)
        if int(product.sum()) >= least * both:
            return True
        if not in_signs and np.count_nonzero(product) - by_chance >= least * (both - by_chance):
            return True
    return False


def _shifted(signs: NDArray[np.int8], down: int, right: int) -> NDArray[np.int8]:
    rows, columns = signs.shape
    return signs[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)]


def _colour_switched(before: WorkingPicture, after: WorkingPicture, counted: Flags) -> bool:
    less, more = sorted(_coloured(picture, counted) for picture in (before, after))
    return less <= FEW_COLOURED and more >= MOST_COLOURED


def _coloured(picture: WorkingPicture, counted: Flags) -> float:
    """Return the share of the blocks whose chroma differs from the middle one."""
    distance = np.zeros(np.count_nonzero(counted), np.float32)
    for channel in picture.blocks[1:, counted]:
        distance += np.abs(channel - np.partition(channel, channel.size // 2)[channel.size // 2])
    return int(np.count_nonzero(distance >= COLOURED * SIXTEENTHS)) / distance.size
