import doctest
from itertools import pairwise

import numpy as np
import pytest

from framegate.config.detection import DetectionSettings
from framegate.detect import detector as room
from framegate.detect.detector import ChangeDetector


def _ground() -> np.ndarray:
    return np.random.default_rng(3).integers(80, 100, (120, 160), np.uint8)


def _with_car(ground: np.ndarray) -> np.ndarray:
    picture = ground.copy()
    picture[70:100, 20:60] = 230
    return picture


def _with_leaves(ground: np.ndarray, n: int) -> np.ndarray:
    picture = ground.copy()
    picture[10:50, 90:140] = 160 if n % 2 else 60
    return picture


def test_the_example_in_the_documentation_is_true() -> None:
    """What the class's docstring shows is what it does."""
    result = doctest.testmod(room)
    assert result.attempted > 5
    assert result.failed == 0


def test_a_restless_place_stops_counting_and_the_others_do_not() -> None:
    """After some frames of moving leaves they score nothing, and a car beside them still does."""
    detector = ChangeDetector(DetectionSettings.preset("adaptive"))
    frames = [detector.prepare(_with_leaves(_ground(), n)) for n in range(60)]
    assert detector.score(frames[0], frames[1]).regions
    for previous, current in pairwise(frames):
        detector.learn(previous, current)
    assert detector.score(frames[0], frames[1]).regions == ()
    (car,) = detector.score(frames[0], detector.prepare(_with_car(_with_leaves(_ground(), 1)))).regions
    assert (car.x < 60, car.y > 60) == (True, True)


def test_a_still_scene_teaches_nothing() -> None:
    """Having seen the same frame again and again forgives no change."""
    fresh, learned = (ChangeDetector(DetectionSettings.preset("adaptive")) for _ in range(2))
    ground, with_car = fresh.prepare(_ground()), fresh.prepare(_with_car(_ground()))
    for _ in range(60):
        learned.learn(ground, ground)
    assert fresh.score(ground, with_car).regions
    assert learned.score(ground, with_car) == fresh.score(ground, with_car)


def test_classic_never_learns() -> None:
    """With noise_gain 0 no footage changes a score."""
    detector = ChangeDetector(
        DetectionSettings.preset("classic", min_contour_area="0px", score_threshold="1%")
    )
    frames = [detector.prepare(_with_leaves(_ground(), n)) for n in range(20)]
    before = detector.score(frames[0], frames[1])
    for previous, current in pairwise(frames):
        detector.learn(previous, current)
    assert before.regions
    assert detector.score(frames[0], frames[1]) == before


def test_a_camera_that_changes_its_size_is_learnt_anew() -> None:
    """What was learnt at one size is not applied to frames of another, and breaks nothing."""
    detector = ChangeDetector(DetectionSettings.preset("adaptive"))
    frames = [detector.prepare(_with_leaves(_ground(), n)) for n in range(30)]
    for previous, current in pairwise(frames):
        detector.learn(previous, current)
    smaller = [detector.prepare(_with_leaves(_ground(), n)[:100]) for n in range(2)]
    detector.learn(frames[-1], smaller[0])
    assert detector.score(*smaller).regions
    detector.learn(*smaller)


def test_a_lamp_that_dims_the_whole_picture_does_not_count_with_lighting_matched() -> None:
    """With lighting global a scene at three quarters of its light scores nothing, and with off it does."""
    ground = np.random.default_rng(5).integers(150, 200, (120, 160), np.uint8)
    dimmed = np.rint(ground * 0.75).astype(np.uint8)
    scores = {}
    for lighting in ("global", "off"):
        detector = ChangeDetector(DetectionSettings.preset("adaptive", lighting=lighting))
        scores[lighting] = detector.score(detector.prepare(ground), detector.prepare(dimmed)).score
    assert scores["global"] == 0
    assert scores["off"] > 50


def test_a_prepared_frame_is_read_only() -> None:
    """Nobody can write to a reference."""
    prepared = ChangeDetector(DetectionSettings.preset("adaptive")).prepare(_ground())
    with pytest.raises(ValueError, match="read-only"):
        prepared.image[0, 0] = 1


@pytest.mark.parametrize("blur", [5, 0])
def test_a_prepared_frame_does_not_change_with_its_source(blur: int) -> None:
    """A caller that reuses its buffer for the next frame does not change the reference."""
    detector = ChangeDetector(DetectionSettings.preset("adaptive", blur=blur))
    buffer = _ground()
    prepared = detector.prepare(buffer)
    before = prepared.image.copy()
    buffer[:] = 0
    np.testing.assert_array_equal(prepared.image, before)


ORDINARY = [(1080, 1920), (2160, 3840), (480, 640), (360, 640), (359, 641), (1, 1), (3000, 11), (1080, 7680)]


@pytest.mark.parametrize("working_height", [360, 270, 1080, 2])
@pytest.mark.parametrize("shape", ORDINARY, ids=str)
def test_the_working_size_keeps_the_aspect_and_enlarges_nothing(
    shape: tuple[int, int], working_height: int
) -> None:
    """A picture of any camera has ``working_height`` rows, or its own when they are fewer."""
    (height, width), rows = shape, min(shape[0], working_height)
    detector = ChangeDetector(DetectionSettings.preset("adaptive", working_height=working_height))
    prepared = detector.prepare(np.zeros(shape, np.uint8))
    assert prepared.image.shape == (rows, max(1, round(width * rows / height)))


@pytest.mark.parametrize("shape", [(200, 70_000), (400, 70_000), (300, 300_000)], ids=str)
def test_an_absurdly_wide_picture_makes_no_large_working_picture(shape: tuple[int, int]) -> None:
    """It is shrunk to 16 times as many columns as the working height, and still shows what changed."""
    detector = ChangeDetector(DetectionSettings.preset("adaptive"))
    plain = np.full(shape, 90, np.uint8)
    half = plain.copy()
    half[:, : shape[1] // 2] = 200
    before, after = detector.prepare(plain), detector.prepare(half)
    assert before.image.shape == (max(1, round(shape[0] * 5760 / shape[1])), 5760)
    assert before.source_size == (shape[1], shape[0])
    assert detector.score(before, after).score > 0
    detector.learn(before, after)
    assert detector.noise.to_bytes()


def test_the_native_size_is_native_however_wide() -> None:
    """With ``working_height = 0`` no pixel is averaged: the published algorithm compares what it is given."""
    detector = ChangeDetector(
        DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
    )
    assert detector.prepare(np.zeros((10, 70_000), np.uint8)).image.shape == (10, 70_000)
