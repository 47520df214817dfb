"""Drawn frames of a parking lot, like a camera's: sensor noise, rough ground, rustling leaves, moving cars.

They are drawn once, into a cache. Seeded, so that two machines measure with the same pictures.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from framegate.commands.demo.scene import Lot, Picture, encoded

EDITION = "2"
"""Of what is drawn; another one is drawn afresh beside it."""

CHANGES_EVERY = 8
"""Frames: cars come and go in the first of each so many."""

FIRST_SHARE = 4
"""One in so many frames is in the folder of the first ones."""

QUALITY = 85
NOISE, ROUGHNESS = 3.0, 21.0
"""Gray levels: the sensor's, and the ground's before it is smoothed. With these a frame of 1080p has
about 390 kB, like a street by day."""

FIRST_S, STEP_S = 1_780_000_000, 60
"""Capture times, as modification times."""

BAYS, WHITE, SILVER = 6, 5, 1


@dataclass(frozen=True, slots=True)
class Size:
    """A size of picture, and how many frames of it are judged."""

    name: str
    width: int
    height: int
    frames: int
    frames_quick: int


SIZES = (
    Size("480p", 640, 480, 960, 160),
    Size("1080p", 1920, 1080, 240, 48),
    Size("4K", 3840, 2160, 96, 24),
)


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Frames in a folder, and the first of them in another.

    What the rest adds is the cost without start-up. One frame would not do as the first: part of the start-up
    passes while the next frames are decoded, so that they would seem to cost less than their decoding.
    """

    size: Size
    folder: Path
    first: Path

    @property
    def frames(self) -> list[Path]:
        """The frames, in order."""
        return sorted(self.folder.iterdir())

    @property
    def first_count(self) -> int:
        """How many frames are in the folder of the first ones."""
        return len(list(self.first.iterdir()))


def drawn(size: Size, count: int, cache: Path, say: Callable[[str], None]) -> FrameSet:
    """Return a set of frames, drawn unless the cache has it.

    Args:
        size: of the pictures.
        count: of the frames.
        cache: a folder of any content.
        say: is told what is drawn.
    """
    home = cache / f"edition-{EDITION}" / f"{size.name}-{count}"
    found = FrameSet(size, home / "frames", home / "first")
    if not home.exists():
        say(f"drawing {count} frames of {size.name}")
        partial = home.with_name(f".{home.name}.{os.getpid()}")
        for name in ("frames", "first"):
            (partial / name).mkdir(parents=True)
        view = View(size.width, size.height)
        for number in range(count):
            lay(partial / "frames", number, view.jpeg(number // CHANGES_EVERY))
        for number in range(count // FIRST_SHARE):
            lay(partial / "first", number, (partial / "frames" / name_of(number)).read_bytes())
        partial.rename(home)
    for frame in found.frames:
        frame.read_bytes()  # from now on it comes from memory, for every program alike
    return found


def lay(folder: Path, number: int, data: bytes, name: str = "") -> None:
    """Write a frame, with its capture time."""
    path = folder / (name or name_of(number))
    path.write_bytes(data)
    os.utime(path, (FIRST_S + STEP_S * number,) * 2)


def name_of(number: int) -> str:
    """Return the name of a frame."""
    return f"lot_{number:06d}.jpg"


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """Return a JPEG with a comment: the same picture, but bytes of its own."""
    text = comment.encode()
    behind_jfif = 4 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:behind_jfif] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[behind_jfif:]


class View:
    """A camera above the lot."""

    def __init__(self, width: int, height: int) -> None:
        self._lot = Lot(width, height)
        rough = np.random.default_rng(1).normal(0, ROUGHNESS, (height, width)).astype(np.float32)
        soft = np.rint(cv2.GaussianBlur(rough, (3, 3), 0)).astype(np.int16)
        soft[: round(0.2 * height)] = 0  # the sky is smooth
        self._ground = cv2.merge([soft] * 3)

    def jpeg(self, state: int) -> bytes:
        """Return a frame; another state has other cars."""
        self._lot.parked = {state % BAYS: WHITE, (state + BAYS // 2) % BAYS: SILVER}
        picture = self._lot.picture(noise=NOISE)
        rough: Picture = cv2.add(picture, self._ground, dtype=cv2.CV_8U).astype(np.uint8, copy=False)
        return encoded(rough, ".jpg", QUALITY)
