"""A drawn yard in twenty frames, the same to the bit everywhere: integer arithmetic alone, lossless files.

No generator of random numbers, no drawing function and no rounding takes part: what they return may change
with the version of numpy or OpenCV, and these frames are what a new version is judged by.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 640, 360
FRAMES = 20

NOISE_LEVELS = 7
"""Sensor noise is one of so many gray levels."""

LIGHT_PERCENT = (100,) * 6 + (96, 92, 88, 84, 80) + (80,) * 3 + (100, 100, 118, 118, 100, 100)
"""Dusk comes in steps; later a lamp is switched on and off."""

LORRY, CAR, WALKER = (320, 210), (120, 60), (22, 70)
"""Width and height in pixels."""

THINGS: dict[int, tuple[tuple[tuple[int, int], int, int, int], ...]] = {
    3: ((CAR, 60, 250, 215),),
    4: ((CAR, 60, 250, 215),),
    5: ((CAR, 60, 250, 215), (WALKER, 300, 220, 20)),
    6: ((CAR, 60, 250, 215), (WALKER, 420, 215, 20)),
    7: ((CAR, 60, 250, 215),),
    9: ((LORRY, 250, 100, 230),),
    10: ((LORRY, 250, 100, 230),),
    11: ((CAR, 62, 251, 215),),
    12: ((CAR, 62, 251, 215), (CAR, 400, 260, 30)),
    13: ((CAR, 400, 260, 30),),
    15: ((LORRY, 5, 100, 15),),
    18: ((WALKER, 200, 230, 240),),
}
"""What stands in the yard, by frame: its size, the place of its left upper corner, and its gray level."""

LEAVES = (slice(20, 100), slice(480, 620))
"""Rows and columns where no two frames are alike."""

Gray = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.int64]


@cache
def frame(number: int) -> Gray:
    """Return the frame of a number from 0 to 19: uint8, (360, 640), read-only."""
    picture = 70 + _hashed(1, 60, cell_px=8) + _hashed(2, 16, cell_px=2)
    picture[LEAVES] = 60 + _hashed(100 + number, 80, cell_px=4)[LEAVES]
    for (width, height), left, top, level in THINGS.get(number, ()):
        picture[top : top + height, left : left + width] = level
    lit: Levels = picture * LIGHT_PERCENT[number] // 100 + _hashed(200 + number, NOISE_LEVELS)
    shown: Gray = np.clip(lit, 0, 255).astype(np.uint8)
    shown.flags.writeable = False
    return shown


def written(folder: Path) -> list[Path]:
    """Write all frames as PNG; return the files in the order of time."""
    files = [folder / f"{number:04d}.png" for number in range(FRAMES)]
    for number, file in enumerate(files):
        assert cv2.imwrite(str(file), frame(number))
    return files


def _hashed(seed: int, levels: int, *, cell_px: int = 1) -> Levels:
    """Return levels from 0 to ``levels - 1`` that look random, one for each cell of a grid."""
    rows, columns = np.indices((HEIGHT, WIDTH), np.uint64) // np.uint64(cell_px)
    mixed = rows * np.uint64(0x9E3779B97F4A7C15) + columns * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(seed)
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # as splitmix64 mixes
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(factor)
    chosen: Levels = ((mixed >> np.uint64(33)) % np.uint64(levels)).astype(np.int64)
    return chosen
