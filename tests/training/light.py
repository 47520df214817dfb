"""Light that changes from frame to frame, and is no change: gain, gamma, tint, shadows that travel, lamps."""

from dataclasses import dataclass

import numpy as np

from benchmarks.planting import Reals
from training.drawing import (
    COLUMNS,
    ROWS,
    Rng,
    fill_polygon,
    has_luck,
    nothing,
    shifted,
    smooth_noise,
    softened,
)

MEMORY = 0.8
"""Part of the last frame's gain, gamma and tint that the next one keeps."""

WHITE = 255


@dataclass(frozen=True, eq=False)
class Light:
    """The light of one frame.

    Attributes:
        gain: by which all levels are multiplied.
        gamma: the power to which levels, as parts of white, are raised.
        tint: a gain for each channel, (3,), BGR.
        spots: a gain for each place and channel, (180, 320, 3); None where no shadow and no lamp is.
    """

    gain: float
    gamma: float
    tint: Reals
    spots: Reals | None

    def on(self, picture: Reals, *, is_gray: bool) -> Reals:
        """Return a picture, (180, 320, 3), in this light."""
        part = np.power(np.clip(picture, 0, WHITE) * np.float32(1 / WHITE), np.float32(self.gamma))
        lit = WHITE * part * np.float32(self.gain)
        if not is_gray:
            lit *= self.tint
        if self.spots is not None:
            lit *= self.spots[..., 1:2] if is_gray else self.spots
        return np.asarray(lit, np.float32)


@dataclass(frozen=True, eq=False)
class _Spot:
    """A shadow or the light of a lamp, while it is there."""

    mask: Reals
    speed_px: Reals
    dims: float
    """Part of the light that it takes away; below 0 it adds some."""

    blueness: float
    """How much more of red than of blue that part is."""

    frames: range
    does_flicker: bool

    def gain(self, rng: Rng, frame: int) -> Reals:
        """Return a gain for each place and channel, (180, 320, 3)."""
        right, down = self.speed_px * (frame - self.frames.start)
        here = shifted(self.mask, right, down, is_edge_repeated=True) if self.speed_px.any() else self.mask
        dims = self.dims * (rng.uniform(0.3, 1) if self.does_flicker else 1)
        more = dims * self.blueness
        return np.stack([1 - (dims - more) * here, 1 - dims * here, 1 - (dims + more) * here], axis=2)


def lights(rng: Rng, frames: int, *, is_drawn: bool) -> list[Light]:
    """Return the light of each frame of a run.

    Args:
        rng: the source of all chance.
        frames: how many.
        is_drawn: the run is of one picture, so all its light is drawn; else there is light of its own.
    """
    chances = (0.25, 0.25, 0.5) if is_drawn else (0.55, 0.3, 0.15)
    mode = rng.choice(["steady", "whole", "spots"], p=chances)
    spots = [_spot(rng, frames) for _ in range(int(rng.integers(1, 6)))] if mode == "spots" else []
    pace = rng.uniform(0.02, 0.12)
    gain, gamma, tint = 0.0, 0.0, np.zeros(3)  # logarithms
    shown = []
    for frame in range(frames):
        if mode != "steady":
            gain = MEMORY * gain + rng.normal(0, pace)
            gamma = MEMORY * gamma + rng.normal(0, 0.6 * pace)
            tint = MEMORY * tint + rng.normal(0, 0.015, 3)
        of_spots = None
        for spot in spots:
            if frame in spot.frames:
                more = spot.gain(rng, frame)
                of_spots = more if of_spots is None else of_spots * more
        tints = np.exp(tint).astype(np.float32)
        shown.append(Light(float(np.exp(gain)), float(np.exp(gamma)), tints, of_spots))
    return shown


def _spot(rng: Rng, frames: int) -> _Spot:
    mask = _spot_mask(rng)
    speed_px = (rng.uniform(-5, 5, 2) * has_luck(rng, 0.7)).astype(np.float32)
    dims, blueness = 1 - rng.uniform(0.3, 0.85), rng.uniform(-0.02, 0.18)
    if has_luck(rng, 0.15):  # a lamp: it adds more red than blue
        dims, blueness = 1 - rng.uniform(1.15, 2.2), rng.uniform(-0.05, 0.2)
    begins = int(rng.integers(-3, frames))
    lasts = range(begins, begins + int(rng.integers(2, frames + 4)))
    return _Spot(mask, speed_px, dims, blueness, lasts, has_luck(rng, 0.3))


def _spot_mask(rng: Rng) -> Reals:
    """Return a polygon, the dapples of one under leaves, or one side of a straight edge, as of a house."""
    mask, kind = nothing(), rng.random()
    if kind < 0.8:
        fill_polygon(rng, mask)
    if 0.55 <= kind < 0.8:
        mask *= smooth_noise(rng, rng.uniform(3, 14), 1) > rng.uniform(-0.3, 0.8)
    if kind >= 0.8:
        angle, distance_px = rng.uniform(0, 2 * np.pi), rng.uniform(-80, 80)
        down, right = np.indices((ROWS, COLUMNS), np.float32)
        across = (right - COLUMNS / 2) * np.cos(angle) + (down - ROWS / 2) * np.sin(angle)
        mask = (across > distance_px).astype(np.float32)
    return softened(mask, 0.6 if has_luck(rng, 0.5) else rng.uniform(1.5, 9))
