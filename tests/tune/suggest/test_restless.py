import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate.commands.demo.scene import Lot
from framegate.config.detection import DetectionSettings, IgnoredArea
from framegate.config.settings import DropSettings, ResultsSettings, Settings
from framegate.detect.masking import inside_polygon
from framegate.ingest.sweeping import candidates_of
from framegate.tune.replay.outcomes import Frame
from framegate.tune.suggest.drawn import with_areas
from framegate.tune.suggest.restless import LEAST_PAIRS, MOST_OF_ALL, Polygon, RestlessArea, Restlessness
from framegate.tune.suggest.watched import Watched, watched

START_S = 1_717_236_000
CLOCK = np.s_[12:24, 142:174]
"""Rows and columns where a burnt-in clock changes from minute to minute, in a picture of 540 rows."""


def seen(folder: Path, frames: int, draw: Callable[[Lot, int], None], *areas: IgnoredArea) -> Watched:
    """Let a camera over the drawn lot take frames, a minute apart, and watch them."""
    folder.mkdir()
    lot = Lot()
    for number in range(frames):
        draw(lot, number)
        path = folder / f"{number:04d}.jpg"
        path.write_bytes(lot.jpeg())
        os.utime(path, (START_S + 60 * number,) * 2)
    drop, results = DropSettings(folder=str(folder)), ResultsSettings(folder="/results")
    detection = DetectionSettings(ignore=areas)
    settings = Settings(version=1, drop=drop, results=results, detection=detection)
    return watched([Frame(each) for each in candidates_of(settings)], settings, "default")


def clock(pattern: str) -> Callable[[Lot, int], None]:
    def draw(lot: Lot, number: int) -> None:
        lot.clock = datetime.fromtimestamp(START_S + 61 * number, UTC).strftime(pattern)
        lot.pedestrian = 0.05 * (number % 20) if number % 3 == 0 else None

    return draw


def covered(polygon: Polygon, rows: int = 540, columns: int = 960) -> np.ndarray:
    return inside_polygon(columns, rows, polygon) > 0


@pytest.mark.parametrize("pattern", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M"])
def test_a_burnt_in_clock_is_found_and_little_else(tmp_path: Path, pattern: str) -> None:
    """The digits that change, with those that seldom do, are one area; the other is the tree."""
    areas = seen(tmp_path / "frames", 100, clock(pattern)).restlessness.areas()
    assert len(areas) == 2
    (of_clock,) = [area for area in areas if area.polygon[0][1] < 0.03]
    inside = covered(of_clock.polygon)
    changing = inside[CLOCK][
        :, (150 if pattern.endswith("S") else 155) : (195 if pattern.endswith("S") else 165)
    ]
    assert changing.all()
    assert inside.mean() < 0.012
    assert not inside[50:].any()


def test_people_walking_by_are_no_clock(tmp_path: Path) -> None:
    """Where somebody walks in every third frame, and cars come and go, nothing is proposed."""

    def draw(lot: Lot, number: int) -> None:
        clock("")(lot, number)
        lot.parked = {1: 0, 4: 1} if number % 4 < 2 else {1: 0}

    areas = seen(tmp_path / "frames", 60, draw).restlessness.areas()
    assert [area for area in areas if covered(area.polygon)[180:].any()] == []


def test_what_is_ignored_already_is_not_proposed(tmp_path: Path) -> None:
    """A clock that the config ignores is not found again."""
    corner = IgnoredArea(name="clock", polygon=((0.0, 0.0), (0.3, 0.0), (0.3, 0.06), (0.0, 0.06)))
    found = seen(tmp_path / "frames", 60, clock("%H:%M:%S"), corner)
    assert [area for area in found.restlessness.areas() if area.polygon[0][1] < 0.03] == []


def test_a_few_frames_prove_nothing(tmp_path: Path) -> None:
    """Under thirty pairs of frames nothing is called restless."""
    found = seen(tmp_path / "frames", LEAST_PAIRS, clock("%H:%M:%S"))
    assert found.restlessness.areas() == []
    assert found.size == (960, 540)


def blinking(*places: tuple[slice, slice], frames: int = 40) -> list[RestlessArea]:
    """Return what is found where some places change in every frame."""
    rng = np.random.default_rng(5)
    restless = Restlessness()
    before = np.full((180, 320), 90, np.uint8)
    for _ in range(frames):
        after = before + rng.integers(0, 2, before.shape).astype(np.uint8) - 1
        for place in places:
            after[place] = rng.integers(0, 256, after[place].shape)
        restless.add(before, after, None)
        before = after.clip(60, 200).astype(np.uint8)
    return restless.areas()


def test_a_large_restless_part_is_said_to_be_too_large() -> None:
    """A waving tree that fills an eighth of the picture is found, and not proposed."""
    (area,) = blinking(np.s_[40:120, 100:190])
    assert area.is_too_large
    assert area.share_of_picture > 0.1


def test_only_a_small_part_of_the_picture_is_ever_proposed() -> None:
    """Many restless places are proposed only as long as all together are a small part."""
    places = [np.s_[y : y + 24, x : x + 40] for y in (8, 72, 136) for x in (8, 88, 168, 248)]
    areas = blinking(*places)
    assert 0 < len(areas) < len(places)
    assert sum(area.share_of_picture for area in areas) <= MOST_OF_ALL


def test_clouds_and_noise_and_equal_frames_are_no_restlessness() -> None:
    """A change of the whole picture counts for no place, and a frame sent twice does not count at all."""
    rng = np.random.default_rng(4)
    restless = Restlessness()
    scene = rng.integers(40, 160, (180, 320)).astype(np.uint8)
    for number in range(80):
        lit = (scene * (1 + 0.3 * (number % 2)) + rng.normal(0, 2, scene.shape)).clip(0, 255).astype(np.uint8)
        restless.add(scene, lit, None)
        restless.add(lit, lit, None)
    assert restless.pairs == 80
    assert restless.areas() == []


def test_the_drawing_shows_each_area() -> None:
    """Red is what is proposed, amber what is too large; the picture is wide enough to see it."""
    small = RestlessArea(((0.1, 0.1), (0.2, 0.1), (0.2, 0.15), (0.1, 0.15)), 1.0, 0.005)
    large = RestlessArea(((0.4, 0.4), (0.9, 0.4), (0.9, 0.9), (0.4, 0.9)), 0.9, 0.25)
    drawn = with_areas(np.full((180, 320, 3), 90, np.uint8), [small, large], "lot\N{BULLET}1")
    assert drawn.shape == (540, 960, 3)
    red = cv2.inRange(drawn, np.array([60, 60, 255]), np.array([60, 60, 255]))
    amber = cv2.inRange(drawn, np.array([0, 190, 255]), np.array([0, 190, 255]))
    assert cv2.boundingRect(red)[:2] == (95, 53)
    assert cv2.boundingRect(amber)[2] > 450
