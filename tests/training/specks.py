"""What passes close by and is no change: insects, glints, rain."""

import cv2
import numpy as np

from benchmarks.planting import Reals
from training.drawing import Rng, nothing, place, softened, whole


def add_specks(rng: Rng, picture: Reals, *, is_gray: bool) -> None:
    """Draw a few of one kind into a picture, BGR, float32, (180, 320, 3).

    Args:
        rng: the source of all chance.
        picture: it is changed.
        is_gray: the camera shows no colours.
    """
    kind = rng.random()
    if kind < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            _insect(rng, picture)
    elif kind < 0.8:
        for _ in range(int(rng.integers(1, 8))):
            _glint(rng, picture)
    else:
        _rain(rng, picture)
    if is_gray:
        picture[...] = picture.mean(axis=2, keepdims=True)


def _blend(picture: Reals, level: float, cover: Reals) -> None:
    picture += (np.float32(level) - picture) * cover[..., None]


def _insect(rng: Rng, picture: Reals) -> None:
    """A short trace, out of focus."""
    trace, begin = nothing(), place(rng)
    end = begin + rng.normal(0, 12, 2).astype(np.float32)
    cv2.line(trace, whole(begin), whole(end), (1.0,), int(rng.integers(1, 7)))
    soft = softened(trace, rng.uniform(0.8, 4))
    _blend(picture, rng.uniform(60, 255), soft * np.float32(rng.uniform(0.2, 0.9)))


def _glint(rng: Rng, picture: Reals) -> None:
    """A small, very bright ellipse."""
    spot, centre, radius = nothing(), whole(place(rng)), int(rng.integers(1, 4))
    radii = radius, max(1, int(radius * rng.uniform(0.3, 1)))
    cv2.ellipse(spot, centre, radii, rng.uniform(0, 180), 0, 360, (1.0,), -1)
    _blend(picture, 255, softened(spot, 0.6) * np.float32(rng.uniform(0.5, 1)))


def _rain(rng: Rng, picture: Reals) -> None:
    """Many thin streaks that fall one way."""
    streaks, angle = nothing(), rng.uniform(1.2, 1.9)
    along = np.array([np.cos(angle), np.sin(angle)], np.float32)
    for _ in range(int(rng.integers(20, 120))):
        begin = place(rng)
        end = begin + along * np.float32(rng.uniform(3, 14))
        cv2.line(streaks, whole(begin), whole(end), (1.0,), 1)
    _blend(picture, rng.uniform(150, 255), softened(streaks, 0.7) * np.float32(rng.uniform(0.1, 0.5)))
