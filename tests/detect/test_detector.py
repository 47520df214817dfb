"""What holds for the detector of every preset."""

from typing import Any

import numpy as np
import pytest

from framegate.config.detection import DetectionSettings
from framegate.detect.deciding import decide
from framegate.detect.detector import Detector, detector_of
from framegate.detect.small_picture import SmallPicture
from framegate.model import Reason
from pictures import gray, picture_for

CLASSIC = DetectionSettings.preset("classic", min_contour_area="0px", score_threshold="1%")
ADAPTIVE = DetectionSettings.preset("adaptive")
PRESETS = pytest.mark.parametrize("settings", [CLASSIC, ADAPTIVE], ids=["classic", "adaptive"])
SHAPES = [
    *((side, side) for side in range(1, 9)),
    (1, 8),
    (8, 1),
    (93, 154),
    (154, 93),
    (120, 360),
    (360, 120),
]


def ground(shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    return np.random.default_rng(3).integers(80, 100, (*shape, 3), np.uint8)


def with_car(pixels: np.ndarray) -> np.ndarray:
    picture = pixels.copy()
    rows, columns = picture.shape[:2]
    picture[rows // 2 : rows // 2 + rows // 4 + 1, columns // 4 : columns // 2 + 1] = (180, 220, 250)
    return picture


def prepared(detector: Detector[Any], pixels: np.ndarray) -> Any:
    return detector.prepare(detector.reduce(picture_for(detector.settings, pixels)))


@PRESETS
def test_a_car_is_a_change_and_the_same_picture_is_none(settings: DetectionSettings) -> None:
    """A car scores above the threshold, in one region where it stands; the ground alone does not."""
    detector = detector_of(settings)
    empty, car = (prepared(detector, pixels) for pixels in (ground(), with_car(ground())))
    assert decide(detector.score(empty, empty)).reason is Reason.UNCHANGED
    score = detector.score(empty, car)
    assert decide(score).reason is Reason.CHANGED
    assert score.unit == ("%" if settings is CLASSIC else "x")
    (region,) = score.regions
    width, height = score.working_size
    assert 0.2 * width < region.x + region.width / 2 < 0.55 * width
    assert 0.45 * height < region.y + region.height / 2 < 0.8 * height
    assert score.changed_px == region.area_px


@PRESETS
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_smallest_pictures_have_a_score(settings: DetectionSettings, shape: tuple[int, int]) -> None:
    """Pictures from one pixel on, and panoramas, are compared and learnt from without an error."""
    detector = detector_of(settings)
    one, other = (prepared(detector, pixels) for pixels in (ground(shape), with_car(ground(shape))))
    assert one.source_size == (shape[1], shape[0])
    for _ in range(3):
        assert decide(detector.score(one, one)).reason is Reason.UNCHANGED
        score = detector.score(one, other)
        assert 0 <= score.score < 1e6
        detector.learn(one, other)


@PRESETS
def test_what_is_prepared_is_read_only_and_its_own(settings: DetectionSettings) -> None:
    """Nobody can write to a reference, and a caller may use the array again that it was made from."""
    detector = detector_of(settings)
    picture = picture_for(settings, ground())
    buffer = picture.pixels.copy()
    one = detector.prepare(detector.reduce(type(picture)(buffer, picture.size)))
    before = one.image.copy()
    buffer[:] = 0
    np.testing.assert_array_equal(one.image, before)
    with pytest.raises(ValueError, match="read-only"):
        one.image[0, 0] = 1


@PRESETS
def test_what_was_prepared_can_be_prepared_again(settings: DetectionSettings) -> None:
    """From image and size alone a picture comes back that scores and teaches the same."""
    detector = detector_of(settings)
    frames = [prepared(detector, pixels) for pixels in (ground((361, 643)), with_car(ground((361, 643))))]
    again = [detector.prepare(SmallPicture(frame.image.copy(), frame.source_size)) for frame in frames]
    for one, other in zip(frames, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert (one.source_size, one.size_bytes) == (other.source_size, other.size_bytes)
    assert detector.score(*frames) == detector.score(*again)
    detector.learn(*frames)
    twin = detector_of(settings)
    twin.learn(*again)
    assert twin.learnt() == detector.learnt()


@PRESETS
def test_what_was_learnt_goes_on_from_its_bytes(settings: DetectionSettings) -> None:
    """A detector restored from what another learnt scores the same, and learns on to the same bytes."""
    chance = np.random.default_rng(5)
    detector = detector_of(settings)
    frames = [prepared(detector, chance.integers(60, 160, (90, 130, 3), np.uint8)) for _ in range(12)]
    for number in range(6):
        detector.learn(frames[number], frames[number + 1])
    twin = detector_of(settings)
    learnt = detector.learnt()
    assert (learnt is None) == (settings is CLASSIC)
    if learnt is not None:
        twin.restore(learnt)
    for number in range(6, 11):
        assert twin.score(frames[0], frames[number]) == detector.score(frames[0], frames[number])
        for each in (detector, twin):
            each.learn(frames[number], frames[number + 1])
    assert twin.learnt() == detector.learnt()


def test_the_published_algorithm_learns_nothing() -> None:
    """No footage changes a score of classic, and what another preset has learnt means nothing to it."""
    detector = detector_of(CLASSIC)
    one, other = (prepared(detector, pixels) for pixels in (ground(), with_car(ground())))
    before = detector.score(one, other)
    for _ in range(20):
        detector.learn(one, other)
    detector.restore(b"learnt by another")
    assert before.regions
    assert detector.score(one, other) == before
    assert detector.learnt() is None


@PRESETS
def test_pictures_of_unlike_size_cannot_be_compared(settings: DetectionSettings) -> None:
    """A reference of another working size is a ValueError, never a score."""
    detector = detector_of(settings)
    one, other = (prepared(detector, ground(shape)) for shape in ((100, 200), (120, 200)))
    with pytest.raises(ValueError, match="cannot be compared"):
        detector.score(one, other)


MASKS: dict[str, dict[str, Any]] = {
    "border": {"border_mask": (50, 0, 0, 0)},
    "polygon": {"ignore": [{"name": "street", "polygon": [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]}]},
    "picture": {},
}


@PRESETS
@pytest.mark.parametrize("mask", MASKS)
def test_what_happens_in_a_masked_place_is_no_change(settings: DetectionSettings, mask: str) -> None:
    """A car in the masked half is no change, and the same car in the other half is one."""
    half = np.full((8, 8), 255, np.uint8)
    half[:, :4] = 0
    masked = type(settings).preset(
        **{"name": settings.preset_name}
        | {"min_contour_area": "0%", "score_threshold": settings.score_threshold}
        | MASKS[mask]
    )
    detector = detector_of(masked, half if mask == "picture" else None)
    plain = np.full((100, 200, 3), 60, np.uint8)
    left, right = plain.copy(), plain.copy()
    left[30:70, 20:80] = (160, 220, 250)
    right[30:70, 120:180] = (160, 220, 250)
    reference = prepared(detector, plain)
    assert decide(detector.score(reference, prepared(detector, left))).reason is Reason.UNCHANGED
    assert decide(detector.score(reference, prepared(detector, right))).reason is Reason.CHANGED


@PRESETS
def test_when_all_is_masked_nothing_changes(settings: DetectionSettings) -> None:
    """A mask of nothing but black makes every frame unchanged, and no number is broken."""
    detector = detector_of(settings, np.zeros((2, 2), np.uint8))
    dark, light = (prepared(detector, np.full((30, 30, 3), level, np.uint8)) for level in (10, 250))
    detector.learn(dark, light)
    assert decide(detector.score(dark, light)).reason is Reason.UNCHANGED


def test_classic_refuses_colour() -> None:
    """A picture that was decoded for another preset is a TypeError that names decode()."""
    with pytest.raises(TypeError, match=r"decode\(\)"):
        detector_of(CLASSIC).reduce(picture_for(ADAPTIVE, ground()))


@pytest.mark.parametrize("shape", [(200, 70_000), (400, 70_000)], ids=str)
def test_an_absurdly_wide_picture_makes_no_large_working_picture(shape: tuple[int, int]) -> None:
    """It is shrunk to 16 times as many columns as the working height, and still shows what changed."""
    settings = CLASSIC.model_copy(update={"working_height": 360})
    detector = detector_of(settings)
    plain = np.full(shape, 90, np.uint8)
    half = plain.copy()
    half[:, : shape[1] // 2] = 200
    before, after = (
        detector.prepare(detector.reduce(gray(plain))),
        detector.prepare(detector.reduce(gray(half))),
    )
    assert before.image.shape == (max(1, round(shape[0] * 5760 / shape[1])), 5760)
    assert before.source_size == (shape[1], shape[0])
    assert detector.score(before, after).score > 0


def test_the_native_size_is_native_however_wide() -> None:
    """With ``working_height = 0`` no pixel is averaged: the published algorithm compares what it is given."""
    picture = gray(np.zeros((10, 70_000), np.uint8))
    assert detector_of(CLASSIC).reduce(picture).image.shape == (10, 70_000)
