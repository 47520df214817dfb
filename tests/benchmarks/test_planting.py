from itertools import pairwise

import cv2
import numpy as np

from benchmarks.planting import MOST_CARS, Car, Picture, cut_out, distinct, plant, schedule

GROUND = 90


def _street(level: int = GROUND) -> Picture:
    return np.full((360, 640, 3), level, np.uint8)


def _cut(*boxes: tuple[int, int, int, int]) -> list[Car]:
    """Cut bright blocks (left, top, width, height) out of a street."""
    picture, mask = _street(), np.zeros((360, 640), np.uint8)
    for left, top, width, height in boxes:
        cv2.rectangle(picture, (left, top), (left + width - 1, top + height - 1), (180, 180, 180), -1)
        cv2.rectangle(mask, (left, top), (left + width - 1, top + height - 1), 255, -1)
    return list(cut_out(picture, mask))


def _parking() -> list[Car]:
    return _cut(*((left, top, 40, 24) for top in (60, 160, 260) for left in (40, 140, 240, 340, 440)))


def test_the_same_seed_plants_the_same_cars() -> None:
    """Who comes and goes depends on the seed alone, and another seed is another day."""
    cars = _parking()
    assert schedule(cars, 60, 7) == schedule(cars, 60, 7)
    assert schedule(cars, 60, 7) != schedule(cars, 60, 8)


def test_cars_come_and_go() -> None:
    """A day has changes and pauses, and never too many cars at once."""
    days = schedule(_parking(), 400, 1)
    changes = sum(before != after for before, after in pairwise(days))
    assert 120 < changes < 280
    assert max(len(day) for day in days) <= MOST_CARS


def test_a_place_holds_one_car() -> None:
    """A car does not come while another one stands where it would."""
    cars = [*_cut((40, 60, 40, 24)), *_cut((50, 62, 40, 24)), *_cut((300, 62, 40, 24))]
    days = schedule(cars, 400, 1)
    assert {0, 2} in map(set, days)
    assert {1, 2} in map(set, days)
    assert not any({0, 1} <= set(day) for day in days)


def test_a_planted_picture_is_the_same_each_time() -> None:
    """Planting twice gives the same pixels, and leaves the empty picture as it is."""
    cars, empty = _parking()[:3], _street(70)
    assert np.array_equal(plant(empty, cars, 15.5), plant(empty, cars, 15.5))
    assert (empty == 70).all()


def test_a_car_stands_in_the_light_of_its_ground() -> None:
    """On ground half as bright a car is half as bright, and nothing changes far from it."""
    car = _parking()[0]
    planted = plant(_street(GROUND // 2), [car], 12)
    rows, columns = car.box
    middle = planted[(rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2]
    assert np.allclose(middle, 90, atol=2)
    assert (planted[:, 200:] == GROUND // 2).all()


def test_a_car_casts_a_shadow_that_turns() -> None:
    """In the morning the ground is darker on one side of the car, in the evening on the other."""
    car = _cut((300, 160, 40, 24))[0]
    row, left, right = car.box[0].stop - 8, car.box[1].start - 5, car.box[1].stop + 4
    morning, evening = plant(_street(120), [car], 7), plant(_street(120), [car], 17)
    assert morning[row, left].mean() < morning[row, right].mean() - 5
    assert evening[row, right].mean() < evening[row, left].mean() - 5


def test_slivers_are_not_planted() -> None:
    """What is too small, cut off by the edge, or two cars that touch is no car to plant."""
    assert len(_cut((100, 100, 40, 24))) == 1
    assert _cut((100, 100, 12, 40)) == []
    assert _cut((0, 100, 40, 24)) == []
    assert _cut((100, 100, 40, 24), (120, 120, 60, 30)) == []


def test_a_car_that_stays_is_cut_out_once() -> None:
    """What stands in the same place in a later still is the same car; another place is another car."""
    first, second = _cut((100, 100, 40, 24), (300, 100, 40, 24))
    assert distinct([first, second, *_cut((103, 101, 40, 24))]) == [first, second]
