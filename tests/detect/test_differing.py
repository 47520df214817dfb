"""``classic`` leaves out what cannot change its score; here it is computed all the same, and compared."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area
from framegate.detect import differing
from framegate.detect.classic import Classic
from framegate.detect.masking import counted_pixels, inside_polygon
from framegate.model import Region
from pictures import Pixels, gray

ONE = 256
"""The fixed-point value of 1."""

KERNELS = range(3, 100, 2)
BLURS = st.sampled_from([0, 1, 3, 5, 7, 21])
CORNERS = st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16))
POLYGONS = st.lists(CORNERS, min_size=3, max_size=5, unique=True)
AREAS = st.sampled_from(["0px", "3px", "40.5px", "0.5%", "4%"])

Outcome = tuple[float, float, float, str | None, tuple[Region, ...]]


def _weights(kernel: int) -> Pixels:
    """Return a Gaussian kernel's weights, in 1/256, from what it makes of one white pixel."""
    row = np.zeros((1, 2 * kernel + 1), np.uint8)
    row[0, kernel] = 255
    blurred = cv2.GaussianBlur(row, (kernel, kernel), 0)  # 255/256 of the weight, rounded: the weight
    return blurred[0, kernel - kernel // 2 : kernel + kernel // 2 + 1].astype(np.uint8)


def _mean(picture: Pixels, weights: Pixels) -> Pixels:
    """Return the weighted mean around each pixel, rounded once, in whole numbers."""
    radius, sums = len(weights) // 2, picture.astype(np.int64)
    for axis in (0, 1):
        sides = [(radius, radius) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(sums, sides, mode="reflect") if sums.shape[axis] > 1 else np.pad(sums, sides, "edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=axis)
        sums = windows @ weights.astype(np.int64)
    return ((sums + ONE * ONE // 2) // (ONE * ONE)).astype(np.uint8)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_blurred_pixel_is_a_mean_rounded_once(kernel: int) -> None:
    """OpenCV's weights sum to 1 exactly, for every kernel that can be set: what the proof stands on."""
    weights = _weights(kernel)
    assert weights.sum() == ONE
    rng = np.random.default_rng(kernel)
    for shape in ((1, 1), (1, 9), (3, 2), (kernel, kernel), (131, 157)):
        for levels in (2, 256):  # black and white, and all grays
            picture = (rng.integers(0, levels, shape) * (255 // (levels - 1))).astype(np.uint8)
            blurred = cv2.GaussianBlur(picture, (kernel, kernel), 0)
            np.testing.assert_array_equal(blurred, _mean(picture, weights))


def _draw_on(picture: Pixels, rng: np.random.Generator, things: int) -> Pixels:
    """Return a picture with blobs and single pixels, many of them cut by its edges and corners."""
    height, width = picture.shape
    drawn = picture.copy()
    for _ in range(things):
        x, y = (int(rng.choice([0, side - 1, rng.integers(0, side)])) for side in (width, height))
        tone, side = int(rng.integers(0, 256)), int(rng.choice([0, 1, 3, 20]))
        if rng.integers(0, 2):
            cv2.rectangle(drawn, (x - side, y - side), (x + side, y + side // 2), tone, -1)
        else:
            cv2.circle(drawn, (x, y), side, tone, -1)
    return drawn


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Pixels, Pixels]:
    """Draw two pictures: of noise weak or strong, a step of light in all or a half, some things or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 150)), draw(st.integers(1, 150))
    ground = cv2.GaussianBlur(rng.integers(0, 256, (height, width), np.uint8), (9, 9), 0)
    noise = draw(st.sampled_from([0, 1, 12, 60, 255]))
    step = np.zeros((height, width), np.int64)
    step[draw(st.integers(0, 150)) :, draw(st.integers(0, 150)) :] = draw(st.integers(-255, 255))
    after = np.clip(ground + step + rng.integers(-noise, noise + 1, step.shape), 0, 255).astype(np.uint8)
    return ground.astype(np.uint8), _draw_on(after, rng, draw(st.integers(0, 5)))


@st.composite
def _settings(draw: st.DrawFn) -> DetectionSettings:
    zones: list[dict[str, Any]] = [
        {"name": f"{number}", "polygon": polygon}
        | draw(st.sampled_from([{}, {"score_threshold": "3px"}, {"min_contour_area": "9px"}]))
        for number, polygon in enumerate(draw(st.lists(POLYGONS, max_size=2)))
    ]
    return DetectionSettings.preset(
        "classic",
        min_contour_area=draw(AREAS),
        score_threshold=draw(AREAS),
        blur=draw(BLURS),
        pixel_threshold=draw(st.integers(0, 254) | st.sampled_from([0, 1, 45, 254])),
        dilate=draw(st.integers(0, 6)),
        border_mask=draw(st.sampled_from([(0, 0, 0, 0), (5, 10, 5, 0), (40, 0, 0, 30)])),
        ignore=[{"name": "x", "polygon": polygon} for polygon in draw(st.lists(POLYGONS, max_size=1))],
        zone=zones,
    )


def _straight(s: DetectionSettings, before: Pixels, after: Pixels) -> tuple[Outcome, Pixels]:
    """Return what the published program makes of two pictures, and where: each step on all of the picture."""
    height, width = before.shape
    counted = counted_pixels(
        width, height, border_mask=s.border_mask, polygons=[area.polygon for area in s.ignore]
    )
    picture_px, rest, places = int(np.count_nonzero(counted)), counted.copy(), []
    for zone in s.zone:
        inside = cv2.bitwise_and(inside_polygon(width, height, zone.polygon), rest)
        rest[inside > 0] = 0
        places.append((zone.name, inside, s.least_area_in(zone), s.threshold_in(zone)))
    outcomes = [
        _straight_at(place, s, before, after, picture_px)
        for place in (*places, (None, rest, s.min_contour_area, s.score_threshold))
    ]
    strongest = max(
        outcomes,
        key=lambda each: (each[0] > each[1], each[0] / each[1] if each[1] else np.inf * (each[0] > 0)),
    )
    return strongest, _straight_changed(s, before, after, counted)


def _straight_changed(s: DetectionSettings, before: Pixels, after: Pixels, counted: Any) -> Pixels:
    one, other = (
        (cv2.GaussianBlur(each, (s.blur, s.blur), 0) if s.blur else each) for each in (before, after)
    )
    delta = cv2.absdiff(one, other)
    changed = cv2.threshold(delta, s.pixel_threshold, 255, cv2.THRESH_BINARY)[1]
    changed = cv2.bitwise_and(changed, counted)
    return cv2.dilate(changed, None, iterations=s.dilate).astype(np.uint8)  # type: ignore[call-overload,no-any-return]


def _straight_at(
    place: tuple[str | None, Any, Area, Any],
    s: DetectionSettings,
    before: Pixels,
    after: Pixels,
    picture_px: int,
) -> Outcome:
    name, counted, least, threshold = place
    changed = _straight_changed(s, before, after, counted)
    contours, _ = cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = [(cv2.contourArea(contour), cv2.boundingRect(contour)) for contour in contours]
    regions = [
        Region(x, y, width, height, area)
        for area, (x, y, width, height) in found
        if area >= least.in_px(picture_px)
    ]
    regions.sort(key=lambda region: (-region.area_px, region.y, region.x))
    changed_px = sum(region.area_px for region in regions)
    score = min(100.0, 100 * changed_px / picture_px) if picture_px else 0.0
    return score, threshold.in_percent(picture_px), changed_px, name, tuple(regions)


@pytest.fixture(params=["as shipped", "narrow"], scope="module")
def strips(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drawn pictures are small: they are one strip, or with narrow strips several."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "narrow":
            patch.setattr(differing, "_LEAST_ROWS", 7)
            patch.setattr(differing, "_LEAST_PX", 1)
        yield


def _compare(s: DetectionSettings, before: Pixels, after: Pixels) -> None:
    detector = Classic(s)
    one, other = (detector.prepare(detector.reduce(gray(pixels))) for pixels in (before, after))
    score = detector.score(one, other)
    straight, changed = _straight(s, before, after)
    assert (score.score, score.threshold, score.changed_px, score.zone, score.regions) == straight
    np.testing.assert_array_equal(detector.changed_pixels(one, other), changed)


@pytest.mark.usefixtures("strips")
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_settings(), _pairs())
def test_what_is_left_out_changes_no_score(s: DetectionSettings, pair: tuple[Pixels, Pixels]) -> None:
    """Score, regions and changed pixels are those of the straight program, whatever is compared, and how."""
    _compare(s, *pair)


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("border", [(0, 0, 0, 0), (5, 0, 0, 0)], ids=["unmasked", "masked"])
def test_what_lies_on_the_edge_of_a_strip_is_found_whole(border: tuple[float, ...]) -> None:
    """Wherever a small thing is in the picture, all that it changes around it counts."""
    areas = {"min_contour_area": "0px", "score_threshold": "0px"}
    s = DetectionSettings.preset("classic", **areas, pixel_threshold=10, dilate=1, border_mask=border)
    for row in range(64):
        after = np.zeros((64, 30), np.uint8)
        after[row : row + 3, 12:18] = 255
        _compare(s, np.zeros((64, 30), np.uint8), after)
