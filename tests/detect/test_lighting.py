import numpy as np
import pytest

from framegate import ChangeDetector, DetectionSettings
from framegate.commands.demo.scene import Lot
from framegate.detect.decoding import decode
from framegate.detect.lighting import gain_between, in_one_light
from framegate.model import GrayImage


def lot_at(light: float, **changes: object) -> GrayImage:
    lot = Lot(width=640, height=360, light=light)
    for name, value in changes.items():
        setattr(lot, name, value)
    frame = decode(lot.jpeg(quality=95))
    return frame.gray  # type: ignore[union-attr]


def score(before: GrayImage, after: GrayImage, **overrides: object) -> float:
    detector = ChangeDetector(DetectionSettings.preset("adaptive", **overrides))
    return detector.score(detector.prepare(before), detector.prepare(after)).score


@pytest.mark.parametrize("light", [0.5, 0.7, 1.15], ids="light {}".format)
def test_a_change_of_light_alone_is_no_change(light: float) -> None:
    """Dusk and dawn score nothing with global lighting, and would without it."""
    assert score(lot_at(1.0), lot_at(light)) <= 0.2
    if light < 1:
        assert score(lot_at(1.0), lot_at(light), lighting="off") > 0.2


@pytest.mark.parametrize("light", [0.6, 1.0], ids="light {}".format)
def test_a_car_counts_in_any_light(light: float) -> None:
    """A car that parks while the light changes is noticed."""
    assert score(lot_at(1.0), lot_at(light, parked={1: 0, 4: 1, 2: 5})) > 0.5


def test_a_large_bright_object_does_not_pass_for_light() -> None:
    """A white lorry over a quarter of the picture leaves the rest of it unchanged."""
    before = lot_at(1.0)
    after = before.copy()
    after[180:, 160:480] = 240
    assert gain_between(before, after) == pytest.approx(1.0, abs=0.02)
    assert 20 < score(before, after) < 35


def test_the_darker_picture_is_raised() -> None:
    """What is saturated in the brighter picture is not made a change by lowering it."""
    bright = np.full((100, 100), 120, np.uint8)
    bright[:20] = 255
    dark = np.full((100, 100), 80, np.uint8)
    dark[:20] = 200
    raised, same = in_one_light(dark, bright)
    assert same is bright
    assert np.abs(raised.astype(int) - bright).max() <= 1
    same, raised = in_one_light(bright, dark)
    assert same is bright
    assert np.abs(raised.astype(int) - bright).max() <= 1


@pytest.mark.parametrize("levels", [(0, 120), (120, 0), (255, 120), (1, 120), (0, 0)], ids=str)
def test_a_picture_that_tells_no_light_is_compared_as_it_is(levels: tuple[int, int]) -> None:
    """A black or burnt-out picture has no gain: it is a change, and divides by nothing."""
    a, b = (np.full((90, 160), level, np.uint8) for level in levels)
    assert gain_between(a, b) == 1.0


def test_the_gain_has_a_limit() -> None:
    """Beyond two stops the rest counts as a change."""
    dark, bright = np.full((90, 160), 10, np.uint8), np.full((90, 160), 200, np.uint8)
    assert (gain_between(dark, bright), gain_between(bright, dark)) == (4.0, 0.25)


def test_ignored_places_do_not_set_the_light() -> None:
    """A lamp inside an ignored area does not change what the rest is compared by."""
    before, after = np.full((100, 100), 100, np.uint8), np.full((100, 100), 100, np.uint8)
    after[:, :70] = 200
    counted = np.full((100, 100), 255, np.uint8)
    counted[:, :70] = 0
    assert gain_between(before, after, counted) == 1.0
    assert gain_between(before, after) == 2.0


def test_neither_picture_is_changed() -> None:
    """Matching makes new pictures."""
    dark, bright = np.full((40, 40), 60, np.uint8), np.full((40, 40), 90, np.uint8)
    in_one_light(dark, bright)
    assert (dark == 60).all()
    assert (bright == 90).all()
