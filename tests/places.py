"""Places that a camera looks at, in colour, and pictures of them that are torn."""

import cv2
import numpy as np

from pictures import Pixels

ROWS, COLUMNS = 360, 640


def place(seed: int, rows: int = ROWS, columns: int = COLUMNS) -> Pixels:
    """Return a place in colour: a rough ground with many things on it, uint8 (rows, columns, 3)."""
    chance = np.random.default_rng(seed)
    rough = chance.uniform(70, 130, (rows // 6, columns // 6, 1)) * chance.uniform(0.8, 1.2, 3)
    picture = cv2.resize(rough, (columns, rows), interpolation=cv2.INTER_CUBIC)
    for _ in range(rows * columns // 1500):
        x, y = int(chance.integers(0, columns)), int(chance.integers(0, rows))
        width, height = chance.integers(8, 60, 2)
        picture[y : y + height, x : x + width] = chance.uniform(20, 220, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


def seen(scene: Pixels, seed: int = 0, light: float = 1.0) -> Pixels:
    """Return what a camera makes of a scene, with noise of its own."""
    noise = np.random.default_rng(seed).normal(0, 2, scene.shape)
    return np.clip(scene * light + noise, 0, 255).astype(np.uint8)


def below(scene: Pixels, row: int, other: Pixels) -> Pixels:
    """Return a scene whose lower part, from a row on, is that of another picture."""
    return np.concatenate((scene[:row], other[row:]))


def rolled(scene: Pixels, right: int, down: int = 0) -> Pixels:
    return np.roll(scene, (down, right), axis=(0, 1))
