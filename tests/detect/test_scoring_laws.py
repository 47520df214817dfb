"""What holds for every picture, whatever it shows."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.config.detection import DetectionSettings
from framegate.detect.classic import Classic
from framegate.detect.deciding import decide
from framegate.detect.decoding import decode
from framegate.detect.scoring import WIDEST_ASPECT
from framegate.detect.small_picture import SmallPicture
from framegate.model import Picture, Reason
from pictures import gray, png

law = settings(deadline=None)

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 120)
blurs = st.sampled_from([0, 3, 5])


def _picture(seed: int, width: int, height: int) -> np.ndarray:
    """Draw textured ground with some things on it."""
    rng = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(rng.integers(40, 200, (height, width), np.uint8), (9, 9), 0)
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        picture[y : y + int(rng.integers(1, 40)), x : x + int(rng.integers(1, 40))] = rng.integers(0, 256)
    return picture


@st.composite
def _two_pictures(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    width, height = draw(sides), draw(sides)
    return _picture(draw(seeds), width, height), _picture(draw(seeds), width, height)


@st.composite
def _detectors(draw: st.DrawFn) -> Classic:
    return Classic(
        DetectionSettings.preset(
            "classic",
            min_contour_area=draw(st.sampled_from(["0px", "20px", "0.5%", "3%"])),
            score_threshold="1%",
            working_height=draw(st.sampled_from([0, 24, 360])),
            blur=draw(blurs),
            pixel_threshold=draw(st.integers(0, 80)),
            dilate=draw(st.integers(0, 4)),
        )
    )


def _classic(**overrides: object) -> Classic:
    areas = {"min_contour_area": "0px", "score_threshold": "0px"}
    return Classic(DetectionSettings.preset("classic", **(areas | overrides)))


def _prepare(detector: Classic, pixels: np.ndarray) -> SmallPicture:
    return detector.prepare(detector.reduce(gray(pixels)))


def _prepared(detector: Classic, *pictures: np.ndarray) -> list[SmallPicture]:
    return [_prepare(detector, pixels) for pixels in pictures]


pairs, detectors = _two_pictures(), _detectors()


@law
@given(detectors, pairs)
def test_a_picture_does_not_differ_from_itself(
    detector: Classic, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """Two identical frames score nothing, under all settings."""
    picture, _ = pair
    score = detector.score(_prepare(detector, picture), _prepare(detector, picture.copy()))
    assert (score.changed_px, score.score, score.regions) == (0, 0, ())


@law
@given(detectors, pairs)
def test_no_picture_is_changed_by_being_compared(
    detector: Classic, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """Preparing, scoring and learning write to no frame and to nothing prepared."""
    before = [picture.copy() for picture in pair]
    prepared = [_prepare(detector, picture) for picture in pair]
    prepared_before = [one.image.copy() for one in prepared]
    detector.score(*prepared)
    detector.learn(*prepared)
    detector.score(*prepared)
    for picture, copy in zip(pair, before, strict=True):
        np.testing.assert_array_equal(picture, copy)
        assert picture.flags.writeable
    for one, copy in zip(prepared, prepared_before, strict=True):
        np.testing.assert_array_equal(one.image, copy)


@law
@given(detectors, pairs)
def test_a_score_is_a_percentage(detector: Classic, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Without a mask no score is below 0 or above 100."""
    score = detector.score(*_prepared(detector, *pair))
    assert 0 <= score.score <= 100


def test_a_score_is_a_percentage_also_beside_a_mask() -> None:
    """A change that fills a small unmasked window scores no more than all of it."""
    detector = _classic(border_mask=(45, 45, 45, 45), blur=0)
    dark, light = np.zeros((100, 100), np.uint8), np.full((100, 100), 255, np.uint8)
    assert 0 < detector.score(_prepare(detector, dark), _prepare(detector, light)).score <= 100


@law
@given(detectors, pairs)
def test_a_score_is_the_sum_of_its_regions(detector: Classic, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """The regions explain the score completely, in pixels and in percent of the working picture."""
    score = detector.score(*_prepared(detector, *pair))
    width, height = score.working_size
    assert score.changed_px == sum(region.area_px for region in score.regions)
    assert score.score == pytest.approx(100 * score.changed_px / (width * height))


@law
@given(detectors, pairs)
def test_regions_are_large_enough_and_the_largest_comes_first(
    detector: Classic, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """No region is below min_contour_area, and they are sorted by their area."""
    current = _prepare(detector, pair[1])
    score = detector.score(_prepare(detector, pair[0]), current)
    areas = [region.area_px for region in score.regions]
    assert areas == sorted(areas, reverse=True)
    assert all(area >= detector.settings.min_contour_area.in_px(current.image.size) for area in areas)


@law
@given(detectors, pairs)
def test_regions_lie_within_the_working_picture(
    detector: Classic, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """Every region's box is inside the picture and holds the region's area."""
    score = detector.score(*_prepared(detector, *pair))
    width, height = score.working_size
    for region in score.regions:
        assert 0 <= region.x < region.x + region.width <= width
        assert 0 <= region.y < region.y + region.height <= height
        assert region.area_px <= region.width * region.height


@law
@given(pairs, blurs)
def test_the_order_of_two_pictures_does_not_matter_to_classic(
    pair: tuple[np.ndarray, np.ndarray], blur: int
) -> None:
    """A car that leaves scores as one that comes."""
    detector = _classic(blur=blur)
    one, other = _prepared(detector, *pair)
    assert detector.score(one, other) == detector.score(other, one)


@law
@given(pairs, st.integers(0, 254), st.integers(0, 254))
def test_a_larger_pixel_threshold_never_marks_more(
    pair: tuple[np.ndarray, np.ndarray], one: int, other: int
) -> None:
    """What changed by more than the larger threshold changed by more than the smaller one."""
    changed = []
    for threshold in sorted([one, other]):
        detector = _classic(pixel_threshold=threshold)
        changed.append(detector.changed_pixels(*_prepared(detector, *pair)) > 0)
    assert not (changed[1] & ~changed[0]).any()


@st.composite
def _cars(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """Draw ground, the ground with a rectangle much lighter on it, and where, well inside the picture."""
    ground = _picture(draw(seeds), 160, 120) // 4
    x, y = draw(st.integers(10, 70)), draw(st.integers(10, 50))
    width, height = draw(st.integers(6, 70)), draw(st.integers(6, 50))
    with_car = ground.copy()
    with_car[y : y + height, x : x + width] = 255
    return ground, with_car, (x, y, width, height)


@law
@given(_cars(), st.integers(0, 4))
def test_a_rectangle_is_found_to_the_pixel(
    scene: tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]], dilate: int
) -> None:
    """Without blur a new rectangle is one region: itself, a pixel larger at every side for each dilation."""
    ground, with_car, (x, y, width, height) = scene
    detector = _classic(blur=0, dilate=dilate)
    (region,) = detector.score(_prepare(detector, ground), _prepare(detector, with_car)).regions
    found = (region.x, region.y, region.width, region.height)
    assert found == (x - dilate, y - dilate, width + 2 * dilate, height + 2 * dilate)
    # A contour runs through the centres of its pixels, so its area is one less each way.
    assert region.area_px == (found[2] - 1) * (found[3] - 1)


@law
@given(_cars())
def test_a_region_of_exactly_the_least_area_counts(
    scene: tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]],
) -> None:
    """A region as large as min_contour_area counts, and one half a pixel smaller does not."""
    ground, with_car, (_, _, width, height) = scene
    area_px = (width + 3) * (height + 3)
    for least_px, found in ((area_px, 1), (area_px + 0.5, 0)):
        detector = _classic(blur=0, min_contour_area=f"{least_px}px")
        score = detector.score(_prepare(detector, ground), _prepare(detector, with_car))
        assert len(score.regions) == found


@law
@given(_cars())
def test_a_blurred_rectangle_is_found_within_the_bounds_of_blur_and_dilation(
    scene: tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]],
) -> None:
    """The kernel of 5 moves an edge by at most 2 pixels, and two dilations by 2 more."""
    ground, with_car, (_, _, width, height) = scene
    detector = _classic()
    (region,) = detector.score(_prepare(detector, ground), _prepare(detector, with_car)).regions
    assert (width - 1) * (height - 1) <= region.area_px <= (width + 7) * (height + 7)


@law
@given(seeds, st.integers(0, 254), blurs)
def test_light_that_changes_by_no_more_than_the_threshold_scores_nothing(
    seed: int, threshold: int, blur: int
) -> None:
    """A step of all brightness up to pixel_threshold is no change, and one gray level more is all of it."""
    detector = _classic(pixel_threshold=threshold, blur=blur)
    night = np.random.default_rng(seed).integers(0, 255 - threshold, (40, 60), np.uint8)
    one, dusk, day = (_prepare(detector, night + np.uint8(step)) for step in (0, threshold, threshold + 1))
    assert detector.score(one, dusk).changed_px == 0
    assert detector.score(one, day).changed_px == 39 * 59


@law
@given(sides, sides, st.integers(1, 7) | st.integers(1, 200))
def test_a_picture_is_shrunk_to_the_working_height_and_never_enlarged(
    width: int, height: int, working_height: int
) -> None:
    """It has working_height rows, or fewer when it has fewer or would be too wide; its aspect is kept."""
    prepared = _prepare(_classic(working_height=working_height), np.zeros((height, width), np.uint8))
    rows, columns = prepared.image.shape
    assert prepared.source_size == (width, height)
    assert columns <= WIDEST_ASPECT * working_height
    if columns < WIDEST_ASPECT * working_height:
        assert rows == min(height, working_height)
        assert abs(columns - width * rows / height) <= 0.5 or columns == 1
    else:
        assert rows <= min(height, working_height)
        assert abs(rows - height * columns / width) <= 0.5 or rows == 1


@law
@given(sides, sides)
def test_without_a_working_height_the_picture_is_as_large_as_it_came(width: int, height: int) -> None:
    """``working_height = 0`` shrinks nothing, however wide it is."""
    prepared = _prepare(_classic(working_height=0), np.zeros((height, width), np.uint8))
    assert prepared.image.shape == (height, width)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4), np.int8),
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 0), np.uint8),
        [[0, 0], [0, 0]],
        b"\xff\xd8",
        None,
    ],
    ids=lambda picture: f"{getattr(picture, 'dtype', picture)}{getattr(picture, 'shape', '')}",
)
def test_only_gray_pictures_of_bytes_are_prepared(picture: object) -> None:
    """Anything but a two-dimensional, filled array of uint8 is a TypeError that says who makes them."""
    with pytest.raises(TypeError, match=r"uint8.*decode\(\)"):
        _classic().reduce(Picture(picture, (4, 4)))  # type: ignore[arg-type]


@law
@given(pairs)
def test_how_a_picture_lies_in_memory_does_not_matter(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A slice, a mirrored view or a picture in column order scores as its plain copy."""
    detector = _classic()
    plain = detector.score(*_prepared(detector, *pair))
    wide = [np.repeat(picture, 2, axis=1)[:, ::2] for picture in pair]
    mirrored = [picture[::-1].copy()[::-1] for picture in pair]
    by_columns = [np.asfortranarray(picture) for picture in pair]
    for views in (wide, mirrored, by_columns):
        assert detector.score(*_prepared(detector, *views)) == plain


def test_an_array_that_is_used_again_changes_no_prepared_picture() -> None:
    """The pixels of a caller who may still write to them are copied; those that decode gives are not."""
    detector, buffer = _classic(), np.zeros((9, 9), np.uint8)
    prepared = _prepare(detector, buffer)
    buffer[:] = 255
    assert not prepared.image.any()
    assert not prepared.image.flags.writeable
    picture = decode(png(buffer), detector.settings)
    assert isinstance(picture, Picture)
    assert detector.reduce(picture).image is picture.pixels


def test_pictures_of_unlike_sizes_cannot_be_compared() -> None:
    """Scoring a frame against a reference of another size is a ValueError that says both sizes."""
    detector = _classic()
    one, other = (_prepare(detector, np.full((rows, 20), rows, np.uint8)) for rows in (10, 12))
    with pytest.raises(ValueError, match=r"\(10, 20\).*\(12, 20\)"):
        detector.score(one, other)


MASKS: dict[str, dict[str, Any]] = {
    "border": {"border_mask": (50, 0, 0, 0)},
    "polygon": {"ignore": [{"name": "street", "polygon": [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]}]},
    "picture": {},
}


@pytest.mark.parametrize("mask", MASKS)
@law
@given(seed=seeds)
def test_what_happens_in_a_masked_place_never_scores(mask: str, seed: int) -> None:
    """Whatever goes on in the masked half scores nothing, and the same in the other half does."""
    picture = np.full((8, 8), 255, np.uint8)
    picture[:, :4] = 0
    detector = Classic(
        DetectionSettings.preset("classic", min_contour_area="0px", score_threshold="0px", **MASKS[mask]),
        mask_picture=picture if mask == "picture" else None,
    )
    ground = np.full((100, 200), 60, np.uint8)
    left, right = ground.copy(), ground.copy()
    # The blur is 5 wide and would carry what touches the mask's edge over it, as in the published program.
    left[:, :96] = np.random.default_rng(seed).integers(0, 256, (100, 96))
    right[:, 104:] = left[:, 95::-1]
    reference = _prepare(detector, ground)
    assert detector.score(reference, _prepare(detector, left)).changed_px == 0
    assert detector.score(reference, _prepare(detector, right)).changed_px > 0


@pytest.mark.parametrize("mask", MASKS)
def test_percent_means_percent_of_what_is_not_masked(mask: str) -> None:
    """The same car is about twice the percentage when half the picture does not count."""
    picture = np.full((8, 8), 255, np.uint8)
    picture[:, :4] = 0
    half = Classic(
        DetectionSettings.preset("classic", min_contour_area="0px", score_threshold="1%", **MASKS[mask]),
        mask_picture=picture if mask == "picture" else None,
    )
    whole = _classic()
    ground = np.zeros((100, 200), np.uint8)
    with_car = ground.copy()
    with_car[30:60, 130:170] = 255
    of_half = half.score(_prepare(half, ground), _prepare(half, with_car))
    of_whole = whole.score(_prepare(whole, ground), _prepare(whole, with_car))
    assert of_half.changed_px == of_whole.changed_px
    # Polygons and borders include their edge, so a column more than half may be masked.
    assert of_half.score == pytest.approx(2 * of_whole.score, rel=0.011)
    assert of_half.score >= 2 * of_whole.score


def test_when_all_is_masked_nothing_scores() -> None:
    """A mask of nothing but black makes every frame unchanged, and no number is broken."""
    detector = Classic(
        DetectionSettings.preset("classic", min_contour_area="0%", score_threshold="0%"),
        mask_picture=np.zeros((2, 2), np.uint8),
    )
    dark, light = (_prepare(detector, np.full((30, 30), level, np.uint8)) for level in (10, 250))
    score = detector.score(dark, light)
    assert (score.changed_px, score.score) == (0, 0)
    assert decide(score).reason is Reason.UNCHANGED


@law
@given(_cars())
def test_a_threshold_in_pixels_is_exact(
    scene: tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]],
) -> None:
    """A score of exactly score_threshold pixels is dropped, and one of half a pixel more is kept."""
    ground, with_car, _ = scene
    probe = _classic()
    score_px = probe.score(_prepare(probe, ground), _prepare(probe, with_car)).changed_px
    reasons = []
    for threshold in (score_px, score_px - 0.5):
        detector = _classic(score_threshold=f"{threshold}px")
        current = _prepare(detector, with_car)
        score = detector.score(_prepare(detector, ground), current)
        reasons.append(decide(score).reason)
    assert reasons == [Reason.UNCHANGED, Reason.CHANGED]
