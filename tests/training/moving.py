"""Movement that is no change: a camera on a shaking mast, and leaves."""

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.planting import Reals
from training.drawing import COLUMNS, ROWS, Rng, fill_polygon, has_luck, nothing, smooth_noise, softened

MOST_SHAKE_PX = 4
"""A picture is off by no more, each way: one block."""


@dataclass(frozen=True, eq=False)
class _Leaves:
    cover: Reals
    """Where they are, 0 to 1, (180, 320)."""

    reach_px: float
    size_px: float
    do_gusts_come: bool


@dataclass(frozen=True, eq=False)
class Movement:
    """How the frames of a run move against each other."""

    shake_px: float
    is_shake_whole: bool
    """The picture is off by whole pixels, as a codec makes it."""

    leaves: _Leaves | None

    def moved(self, rng: Rng, picture: Reals) -> Reals:
        """Return a picture, (180, 320, 3), as one frame shows it; each call is another frame."""
        if not self.shake_px and self.leaves is None:
            return picture
        right, down = np.clip(rng.normal(0, 0.6 * self.shake_px, 2), -MOST_SHAKE_PX, MOST_SHAKE_PX)
        if self.is_shake_whole:
            right, down = round(right), round(down)
        from_down, from_right = np.indices((ROWS, COLUMNS), np.float32)
        from_right += np.float32(right)
        from_down += np.float32(down)
        if self.leaves is not None:
            reach_px = self.leaves.reach_px * (rng.uniform(0, 1.8) if self.leaves.do_gusts_come else 1)
            from_right += self.leaves.cover * smooth_noise(rng, self.leaves.size_px, reach_px)
            from_down += self.leaves.cover * smooth_noise(rng, self.leaves.size_px, reach_px)
        moved = cv2.remap(picture, from_right, from_down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(moved, np.float32)


def movement(rng: Rng) -> Movement:
    """Return the movement of a run of one picture: half of them shake, half have leaves."""
    shake_px = rng.uniform(0, 3) if has_luck(rng, 0.5) else 0.0
    leaves = _leaves(rng) if has_luck(rng, 0.5) else None
    return Movement(shake_px, has_luck(rng, 0.3), leaves)


def shake(rng: Rng) -> Movement:
    """Return the movement that is added to real footage, which has leaves of its own."""
    return Movement(rng.uniform(0, 2.5), is_shake_whole=False, leaves=None)


def _leaves(rng: Rng) -> _Leaves:
    cover = nothing()
    for _ in range(int(rng.integers(1, 4))):
        fill_polygon(rng, cover)
    return _Leaves(softened(cover, 3), rng.uniform(0.5, 3.5), rng.uniform(5, 20), has_luck(rng, 0.3))
