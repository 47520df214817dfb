"""Plants real cars into real empty days: exact truth under real travelling shadows.

A busy day against empty days rewards a filter that goes deaf while nothing happens; a car that comes on an
empty day does not. The cars are cut out of other days by hand-drawn masks and stand where they once stood,
in the light of the ground around them, each with a shadow that turns with the sun. Cut-outs that are cut off,
or of two cars that touch, are left out. The same seed plants the same cars at the same times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

ROWS = 360
"""Of a planted picture; the empty days that were made for learning have no more."""

LEAST_AREA_PX, LEAST_SIDE_PX = 300, 18
"""Of a cut-out, at 360 rows: what is smaller is the part of a car that another one does not hide."""

LEAST_SOLIDITY = 0.88
"""Area by area of the convex hull: two cars that touch leave a notch."""

SAME_PLACE_SHARE = 0.15
"""Cut-outs that overlap by more of the smaller one stand in the same place: only one car can be there."""

ARRIVES, LEAVES, MOST_CARS = 0.3, 0.2, 5
"""The chance that a car comes in a frame, the chance that each goes, and how many stand at most.

A filter that overlooks a car is asked again in every frame until another one comes or goes: with half these
chances three dark cars under the trees made a third of all positives."""

SHADE, CONTACT_SHADE = 0.35, 0.3
"""Light that the shadow of a car takes away at noon of a bright day, and that under its rim takes always."""

DARK_GROUND, BRIGHT_GROUND = 50.0, 110.0
"""Gray levels of the ground: no shadow is cast in the first, a full one in the second."""

Picture = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Car:
    """A car cut out of a picture of 360 rows.

    Attributes:
        pixels: uint8, (height, width, 3), BGR.
        cover: float32, (height, width), from 0 beside the car to 1 on it.
        left: of its place, in pixels.
        top: of its place, in pixels.
        ground: the median of each channel of the ground around it, where it was cut out.
    """

    pixels: Picture
    cover: Reals
    left: int
    top: int
    ground: Reals

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and columns of its place."""
        height, width = self.cover.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def shrunk(picture: Picture, rows: int = ROWS) -> Picture:
    """Return a picture at this many rows, unless it has no more."""
    height, width = picture.shape[:2]
    if height <= rows:
        return picture
    size = (round(width * rows / height), rows)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def cut_out(picture: Picture, mask: Picture) -> Iterator[Car]:
    """Yield the cars of a picture that can be planted.

    Args:
        picture: BGR, uint8, 360 rows.
        mask: how much of each pixel belongs to a car, uint8, (height, width), 0 to 255.
    """
    cars = (mask > 127).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cars)
    for label in range(1, count):
        left, top, width, height, area_px = (int(number) for number in stats[label])
        alone = (labels == label).astype(np.uint8)
        if area_px < LEAST_AREA_PX or min(width, height) < LEAST_SIDE_PX or _solidity(alone) < LEAST_SOLIDITY:
            continue
        box = (slice(top - 1, top + height + 1), slice(left - 1, left + width + 1))
        if top < 2 or left < 2 or top + height > mask.shape[0] - 2 or left + width > mask.shape[1] - 2:
            continue  # cut off by the edge of the picture
        near = cv2.dilate(alone[box], np.ones((3, 3), np.uint8))
        cover = (mask[box] * near / np.float32(255)).astype(np.float32)
        ground = _ground(picture, _ring(alone) & (cars == 0))
        yield Car(picture[box].copy(), cover, left - 1, top - 1, ground)


def distinct(cars: list[Car]) -> list[Car]:
    """Return the cars without those that stand in the very place, at nearly the size, of an earlier one.

    The stills are minutes apart: what stands in the same place in two of them is the same car.
    """
    chosen: list[Car] = []
    for car in cars:
        if not any(_is_same_car(car, other) for other in chosen):
            chosen.append(car)
    return chosen


def overlap(a: Car, b: Car) -> float:
    """Return the area that the boxes of two cars share, as a part of the smaller box."""
    rows = min(a.box[0].stop, b.box[0].stop) - max(a.top, b.top)
    columns = min(a.box[1].stop, b.box[1].stop) - max(a.left, b.left)
    shared_px: int = max(rows, 0) * max(columns, 0)
    return shared_px / min(a.cover.size, b.cover.size)


def schedule(cars: list[Car], frames: int, seed: int) -> list[list[int]]:
    """Return the numbers of the cars that stand in each frame, at most five, none in the place of another."""
    rng = np.random.default_rng(seed)
    rivals = {
        pair
        for pair in combinations(range(len(cars)), 2)
        if overlap(*(cars[k] for k in pair)) > SAME_PLACE_SHARE
    }
    standing: list[int] = []
    days: list[list[int]] = []
    for _ in range(frames):
        standing = [car for car in standing if rng.random() >= LEAVES]
        if rng.random() < ARRIVES and len(standing) < MOST_CARS:
            new = int(rng.integers(len(cars)))
            if not any(new == car or (min(new, car), max(new, car)) in rivals for car in standing):
                standing = [*standing, new]
        days.append(sorted(standing))
    return days


def plant(empty: Picture, cars: list[Car], hour: float) -> Picture:
    """Return a picture in which the cars stand, the nearest in front; each in the light of its own ground.

    Args:
        empty: BGR, uint8, 360 rows.
        cars: the cars.
        hour: of the day, by which their shadows lie.
    """
    lit = empty.astype(np.float32)
    covers = [_laid(car, empty.shape[0], empty.shape[1]) for car in cars]
    grounds = [_ground(empty, _ring((cover > 0.5).astype(np.uint8))) for cover in covers]
    for cover, ground in zip(covers, grounds, strict=True):
        lit *= (1 - _shade(cover, ground, hour))[..., None]
    order = sorted(range(len(cars)), key=lambda k: cars[k].box[0].stop)
    for k in order:
        gain = np.clip(grounds[k] / np.maximum(cars[k].ground, 1), 0.3, 3)
        cover = cars[k].cover[..., None]
        lit[cars[k].box] = lit[cars[k].box] * (1 - cover) + np.minimum(cars[k].pixels * gain, 255) * cover
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def cars_of(slots: Path) -> list[Car]:
    """Return the cars of the sequences in ``lot_slots``, in order."""
    found: list[Car] = []
    for frame in sorted(slots.glob("*/frames/*.png")):
        picture = cv2.imread(str(frame), cv2.IMREAD_COLOR)
        mask = cv2.imread(str(frame.parent.parent / "masks" / frame.name), cv2.IMREAD_COLOR)
        if picture is None or mask is None:
            raise FileNotFoundError(frame)
        inside = ((mask.max(2) > 0) * 255).astype(np.uint8)
        found += cut_out(shrunk(picture.astype(np.uint8)), shrunk(inside))
    return distinct(found)


def _solidity(alone: npt.NDArray[np.uint8]) -> float:
    contours, _ = cv2.findContours(alone, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    return float(cv2.contourArea(outline)) / max(float(cv2.contourArea(cv2.convexHull(outline))), 1.0)


def _ring(car: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    inner, outer = (cv2.dilate(car, np.ones((3, 3), np.uint8), iterations=n) for n in (2, 7))
    return (outer - inner) > 0


def _ground(picture: Picture, around: npt.NDArray[np.bool_]) -> Reals:
    levels = picture[around] if around.any() else picture.reshape(-1, 3)
    return np.asarray(np.median(levels, axis=0), np.float32)


def _is_same_car(a: Car, b: Car) -> bool:
    sizes = sorted((a.cover.size, b.cover.size))
    return abs(a.left - b.left) + abs(a.top - b.top) <= 8 and sizes[0] > 0.8 * sizes[1]


def _laid(car: Car, rows: int, columns: int) -> Reals:
    cover = np.zeros((rows, columns), np.float32)
    cover[car.box] = car.cover
    return cover


def _shade(cover: Reals, ground: Reals, hour: float) -> Reals:
    """Return the share of light that a car takes from each place: under its rim, and where the sun is not."""
    height = float(np.count_nonzero(cover.max(1)))
    brightness = (float(ground.mean()) - DARK_GROUND) / (BRIGHT_GROUND - DARK_GROUND)
    sun = SHADE * min(max(brightness, 0.0), 1.0)
    lean = (hour - 12) / 6  # from west in the morning to east in the evening
    cast = _moved(cover, 0.5 * height * lean, 0.15 * height)
    rim = _moved(cover, 0, 0.06 * height + 1)
    soft = cv2.GaussianBlur(np.maximum(sun * cast, CONTACT_SHADE * rim), (0, 0), 1.2)
    return np.asarray(soft, np.float32)


def _moved(cover: Reals, right: float, down: float) -> Reals:
    shift = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(cover, shift, cover.shape[::-1]), np.float32)
