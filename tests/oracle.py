"""Frames whose verdict is certain, and the sequential oracle: what a daemon that nothing disturbs keeps.

A scene is one flat grey. Two scenes are at least 70 of 255 apart, so that under ``DETECTION`` every pixel
counts as changed between them, and none within one. All else about a frame is random bytes in comments, which
no decoder looks at; they make each frame's bytes its own, and its size whatever a test wants.

Nothing here is taken from ``src``: the oracle says again, in a few straight lines, what the daemon promises.
"""

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

GREYS = (20, 90, 160, 230)
"""The grey of each scene; its number is its place here."""

DETECTION = """\
preset = "classic"
min_contour_area = "1px"
score_threshold = "50%"
"""
"""For ``[detection]``: another scene is surely ``changed``, the same scene surely ``unchanged``."""

CAMERAS = r"""
camera_pattern = '^(?P<camera>c\d+)'
"""
"""For ``[drop]``: what ``camera_in`` says, as the daemon is told it."""

WIDTH, HEIGHT = 64, 48
DEFAULT_SIZE_BYTES = 4_000
SMALLEST_SIZE_BYTES = 600
MOST_COMMENT_BYTES = 65_533
"""A segment counts its length, with the two bytes of the count itself, in 16 bits."""

FIRST_MTIME_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Shot:
    """One version of one file in the drop folder: what a camera took, and what it wrote."""

    name: str
    """Relative to the drop folder."""

    data: bytes
    mtime_ns: int
    scene: int | None
    """None: it is no picture, and will be rejected."""

    camera: str = "default"
    is_portrait: bool = False
    """A camera's portraits and landscapes are two sizes, each with a reference of its own."""

    @property
    def version(self) -> tuple[str, int, int]:
        """What the daemon tells versions of files apart by."""
        return self.name, len(self.data), self.mtime_ns


def scene_jpeg(
    scene: int, number: int, size_bytes: int = DEFAULT_SIZE_BYTES, *, is_portrait: bool = False
) -> bytes:
    """Return a JPEG of a scene, exactly ``size_bytes`` long; another number gives other bytes."""
    assert size_bytes >= SMALLEST_SIZE_BYTES
    plain = _flat(GREYS[scene], is_portrait=is_portrait)
    noise = random.Random(f"{scene} {number}")
    # JFIF wants its own segment first, so the comments stand behind that.
    behind_jfif = 4 + int.from_bytes(plain[4:6], "big")
    comments = b"".join(_comment(noise.randbytes(length)) for length in _lengths(size_bytes - len(plain)))
    return plain[:behind_jfif] + comments + plain[behind_jfif:]


def shot(
    number: int,
    scene: int | None,
    *,
    camera: str = "default",
    folder: str = "",
    size_bytes: int = DEFAULT_SIZE_BYTES,
    is_portrait: bool = False,
) -> Shot:
    """Return the frame of a number: a later number was taken later."""
    data = b"no picture " * 50 + b"%d" % number
    if scene is not None:
        data = scene_jpeg(scene, number, size_bytes, is_portrait=is_portrait)
    prefix = "" if camera == "default" else f"{camera}_"
    name = os.path.join(folder, f"{prefix}{number:06d}.jpg")
    return Shot(name, data, FIRST_MTIME_NS + number * 1_000_000, scene, camera, is_portrait)


def upload(taken: Shot, drop: Path) -> None:
    """Put a frame into the drop folder as a well-behaved camera does: whole, and with its time."""
    path = drop / taken.name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(taken.data)
    os.utime(part, ns=(taken.mtime_ns, taken.mtime_ns))
    part.rename(path)


def expected(shots: Iterable[Shot]) -> list[Shot]:
    """Return the frames that are kept, in capture order: of each camera and size the first, then the new."""
    scenes: dict[tuple[str, bool], int] = {}
    kept = []
    for taken in in_capture_order(shots):
        lane = taken.camera, taken.is_portrait
        if taken.scene is not None and taken.scene != scenes.get(lane):
            scenes[lane] = taken.scene
            kept.append(taken)
    return kept


def in_capture_order(shots: Iterable[Shot]) -> list[Shot]:
    """Return frames in the order in which they were taken: by mtime, then by name."""
    return sorted(shots, key=lambda taken: (taken.mtime_ns, taken.name))


@cache
def _flat(grey: int, *, is_portrait: bool) -> bytes:
    shape = (WIDTH, HEIGHT) if is_portrait else (HEIGHT, WIDTH)
    done, encoded = cv2.imencode(".jpg", np.full(shape, grey, np.uint8))
    assert done
    return encoded.tobytes()


def _comment(content: bytes) -> bytes:
    return b"\xff\xfe" + (len(content) + 2).to_bytes(2, "big") + content


def _lengths(total_bytes: int) -> list[int]:
    """Split a number of bytes over comments; each costs four bytes beside its content."""
    count = -(-total_bytes // (MOST_COMMENT_BYTES + 4))
    each, left_over = divmod(total_bytes - 4 * count, count)
    return [each + (number < left_over) for number in range(count)]
