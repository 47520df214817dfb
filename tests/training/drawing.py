"""Shapes and fields at random, at the working size of 180 x 320 pixels."""

import cv2
import numpy as np

from benchmarks.planting import Reals

ROWS, COLUMNS = 180, 320

Rng = np.random.Generator

Point = tuple[int, int]


def has_luck(rng: Rng, chance: float) -> bool:
    """Return True as often as the chance says."""
    return bool(rng.random() < chance)


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """Return a number that is as likely between 5 and 10 as between 10 and 20."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def nothing() -> Reals:
    """Return an empty mask, (180, 320)."""
    return np.zeros((ROWS, COLUMNS), np.float32)


def place(rng: Rng) -> Reals:
    """Return a point of the picture, (x, y)."""
    return np.array([rng.uniform(0, COLUMNS), rng.uniform(0, ROWS)], np.float32)


def whole(point: Reals) -> Point:
    """Return a point in whole pixels, rounded towards 0."""
    return int(point[0]), int(point[1])


def fill_polygon(rng: Rng, mask: Reals) -> None:
    """Fill a polygon of 3 to 8 corners, 8 to 200 pixels in radius and often oblong, with 1."""
    corners = int(rng.integers(3, 9))
    centre, radius = place(rng), log_uniform(rng, 8, 200)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    flat = rng.uniform(0.15, 1)
    squeezed = np.array([1, flat] if has_luck(rng, 0.5) else [flat, 1])
    round_about = np.stack([np.cos(angles), np.sin(angles)], 1)
    points = centre + round_about * radius * rng.uniform(0.5, 1.3, (corners, 1)) * squeezed
    cv2.fillPoly(mask, [points.astype(np.int32)], (1.0,))


def smooth_noise(rng: Rng, cell_px: float, amplitude: float) -> Reals:
    """Return normal noise that is smooth over cells of so many pixels, (180, 320)."""
    cells = max(2, int(ROWS / cell_px)), max(2, int(COLUMNS / cell_px))
    coarse = rng.normal(0, 1, cells).astype(np.float32)
    fine = cv2.resize(coarse, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine * np.float32(amplitude), np.float32)


def softened(mask: Reals, sigma_px: float) -> Reals:
    """Return a mask with a soft edge."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma_px), np.float32)


def shifted(mask: Reals, right_px: float, down_px: float, *, is_edge_repeated: bool = False) -> Reals:
    """Return a mask moved by parts of pixels."""
    border = cv2.BORDER_REPLICATE if is_edge_repeated else cv2.BORDER_CONSTANT
    shift = np.array([[1, 0, right_px], [0, 1, down_px]], np.float32)
    return np.asarray(cv2.warpAffine(mask, shift, (COLUMNS, ROWS), borderMode=border), np.float32)
