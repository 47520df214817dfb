"""Things that come, stand, move and go: these are the changes that the network learns to see."""

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.planting import Reals
from training.drawing import COLUMNS, ROWS, Rng, has_luck, log_uniform, nothing, softened
from training.footage import CutOut

SMALLEST_PX, USUALLY_LARGEST_PX, LARGEST_PX = 5, 55, 150
"""Root of a thing's area at the working size; a quarter of them may be up to the largest."""

BLOB_PX = 48


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing that can be planted.

    Attributes:
        pixels: BGR, float32, (height, width, 3).
        cover: float32, (height, width), 0 to 1.
        left: of its place when it comes, in pixels; it may reach over the edge of the picture.
        top: likewise.
        speed_px: to the right and down, pixels a frame, (2,).
        shadow: light that is left under its shadow, and how far that leans; None for no shadow.
        light_of_its_own: 1 keeps its levels; 0 brings them to those of the ground. None is 1, unbounded.
    """

    pixels: Reals
    cover: Reals
    left: int
    top: int
    speed_px: Reals
    shadow: tuple[float, float] | None
    light_of_its_own: float | None

    @property
    def is_moving(self) -> bool:
        """It is elsewhere in each frame."""
        return bool(self.speed_px.any())


@dataclass(frozen=True, eq=False)
class Planted:
    """What a thing has changed in a picture.

    Attributes:
        cover: float32, (180, 320), 0 to 1.
        shadow: likewise, where its shadow lies.
        contrast: mean change of levels that it covers, the most of the three channels.
    """

    cover: Reals
    shadow: Reals
    contrast: float


def thing(rng: Rng, cut_outs: list[CutOut]) -> Thing | None:
    """Return a thing of random size, place and look; None for one that would not fit, or without cut-outs.

    Args:
        rng: the source of all chance.
        cut_outs: of what it may be made; one in seven is made of nothing but colour instead.
    """
    largest_px = LARGEST_PX if has_luck(rng, 0.25) else USUALLY_LARGEST_PX
    side_px = log_uniform(rng, SMALLEST_PX, largest_px)
    if has_luck(rng, 0.15):
        pixels, cover = _blob(rng)
        aspect = float(np.exp(rng.uniform(-0.9, 0.9)))
    elif cut_outs:
        chosen = cut_outs[rng.integers(len(cut_outs))]
        pixels, cover = chosen.pixels.astype(np.float32), chosen.cover
        aspect = cover.shape[1] / cover.shape[0] * float(np.exp(rng.normal(0, 0.15)))
    else:
        return None
    height, width = (max(3, int(side)) for side in (side_px / aspect**0.5, side_px * aspect**0.5))
    if height > 1.2 * ROWS or width > 0.9 * COLUMNS:
        return None
    pixels, cover = (
        np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        for part in (pixels, cover)
    )
    if has_luck(rng, 0.5):
        pixels, cover = pixels[:, ::-1], cover[:, ::-1]
    return Thing(
        _recoloured(rng, pixels),
        np.clip(cover, 0, 1),
        int(rng.uniform(-0.3 * width, COLUMNS - 0.7 * width)),
        int(rng.uniform(-0.2 * height, ROWS - 0.6 * height)),
        (rng.uniform(-6, 6, 2) * has_luck(rng, 0.25)).astype(np.float32),
        (rng.uniform(0.45, 0.8), rng.uniform(-0.6, 0.6)) if has_luck(rng, 0.5) else None,
        rng.uniform(0, 0.7) if has_luck(rng, 0.6) else None,
    )


def plant(picture: Reals, chosen: Thing, age: int, *, is_gray: bool) -> Planted:
    """Put a thing into a picture, which is changed; return what it has changed.

    Args:
        picture: BGR, float32, (180, 320, 3).
        chosen: the thing.
        age: frames since it has come.
        is_gray: the camera shows no colours.
    """
    cover, shadow = nothing(), nothing()
    height, width = chosen.cover.shape
    right_px, down_px = age * chosen.speed_px
    left, top = int(chosen.left + right_px), int(chosen.top + down_px)
    rows = slice(max(top, 0), min(top + height, ROWS))
    columns = slice(max(left, 0), min(left + width, COLUMNS))
    if rows.stop - rows.start < 2 or columns.stop - columns.start < 2:
        return Planted(cover, shadow, 0.0)
    seen = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    cover[rows, columns] = chosen.cover[seen]
    if chosen.shadow is not None:
        left_of_light, lean = chosen.shadow
        shadow = _cast(cover, lean * width / 2, top + height)
        picture *= 1 - (1 - left_of_light) * shadow[..., None]
    here, part = picture[rows, columns], chosen.cover[seen][..., None]
    before = here.copy()
    pixels = chosen.pixels[seen] * _gain(chosen, seen, here)
    if is_gray:
        pixels = pixels.mean(axis=2, keepdims=True)
    here[...] = here * (1 - part) + np.clip(pixels, 0, 255) * part
    difference = np.abs(here - before).max(axis=2) * part[..., 0]
    return Planted(cover, shadow, float(difference.sum() / (part.sum() + 1e-6)))


def _blob(rng: Rng) -> tuple[Reals, Reals]:
    """Return the pixels and the cover of a thing of seven corners, in one colour with stains."""
    cover = np.zeros((BLOB_PX, BLOB_PX), np.float32)
    angles, radii = np.sort(rng.uniform(0, 2 * np.pi, 7)), rng.uniform(0.5, 1, 7)
    round_about = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], 1)
    points = BLOB_PX / 2 * (1 + 0.95 * round_about)
    cv2.fillPoly(cover, [points.astype(np.int32)], (1.0,))
    colour = rng.uniform(10, 245, 3) if has_luck(rng, 0.5) else np.repeat(rng.uniform(10, 245), 3)
    stains = rng.normal(0, rng.uniform(2, 40), (8, 8, 3))
    return np.asarray(colour + cv2.resize(stains, cover.shape), np.float32), cover


def _recoloured(rng: Rng, pixels: Reals) -> Reals:
    changed = pixels * rng.uniform(0.6, 1.4) + rng.uniform(-15, 15)
    if has_luck(rng, 0.3):
        changed = changed[:, :, ::-1]
    if has_luck(rng, 0.25):
        gray = changed.mean(axis=2, keepdims=True)
        changed = gray + (changed - gray) * rng.uniform(0, 1.8)
    return np.asarray(changed, np.float32)


def _cast(cover: Reals, right_px: float, foot_px: float) -> Reals:
    """Return the shadow of what is covered: flatter than it, at its foot."""
    flat = np.array([[1, 0, right_px], [0, 0.7, 0.3 * foot_px]], np.float32)
    return softened(np.asarray(cv2.warpAffine(cover, flat, (COLUMNS, ROWS)), np.float32), 1.2)


def _gain(chosen: Thing, seen: tuple[slice, slice], ground: Reals) -> float:
    """Return what brings the levels of a thing towards those of the ground on which it stands."""
    if chosen.light_of_its_own is None:
        return 1.0
    inside = chosen.pixels[seen][chosen.cover[seen] > 0.5]
    level = float(inside.mean()) if inside.size else 100.0
    whole = np.clip((float(ground.mean()) + 8) / (level + 8), 0.35, 2.2)
    return float(whole ** (1 - chosen.light_of_its_own))
