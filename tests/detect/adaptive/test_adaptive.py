"""What adaptive promises of whole pictures: zones, ignored places, sizes, light and colour."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.adaptive.walk import Pixels, drawn, hashed
from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.adaptive.working import WorkingPicture
from framegate.detect.deciding import decide
from framegate.model import ChangeScore, Picture, Reason
from pictures import decoded, png

law = settings(deadline=None, max_examples=20)
seeds = st.integers(0, 2**32 - 1)

SHAPE = (120, 160)
LEFT = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]
RIGHT = [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]
MIDDLE = [(0.25, 0), (0.75, 0), (0.75, 1), (0.25, 1)]
EVERYWHERE = [(0, 0), (1, 0), (1, 1), (0, 1)]


def _adaptive(mask_picture: Pixels | None = None, **overrides: Any) -> Adaptive:
    return Adaptive(DetectionSettings.preset("adaptive", **overrides), mask_picture)


def _prepared(detector: Adaptive, pixels: Pixels) -> WorkingPicture:
    return detector.prepare(detector.reduce(Picture(pixels, pixels.shape[1::-1])))


def _score(detector: Adaptive, before: Pixels, after: Pixels) -> ChangeScore:
    return detector.score(_prepared(detector, before), _prepared(detector, after))


def _with_car(pixels: Pixels, left: int, *, top: int = 40, width: int = 40, height: int = 32) -> Pixels:
    shown = pixels.copy()
    shown[top : top + height, left : left + width] = (30, 40, 220)
    return shown


@law
@given(seeds, st.integers(0, 255), st.booleans(), st.integers(0, 4))
def test_a_picture_against_itself_is_at_most_as_usual(seed: int, low: int, gray: bool, frames: int) -> None:
    """It scores at most 1x: nothing that the network can add makes a change of none."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(low, 256, (60, 80) if gray else (60, 80, 3), np.uint8)
    detector = _adaptive()
    picture = _prepared(detector, pixels)
    for _ in range(frames):
        detector.learn(picture, _prepared(detector, chance.integers(0, 256, (60, 80, 3), np.uint8)))
    score = detector.score(picture, picture)
    assert 0 < score.score <= 1
    assert score.regions == ()


@pytest.mark.parametrize("quality", [95, 60])
@pytest.mark.parametrize("box", [(150, 190, 200, 260), (120, 240, 200, 380), (40, 320, 60, 500)])
def test_red_on_gray_is_a_change_of_any_size(box: tuple[int, int, int, int], quality: int) -> None:
    """Colour alone counts, however small or large the car is, and after JPEG."""
    top, bottom, left, right = box
    ground = (73 + hashed((360, 640), 5, 7)[..., :1].repeat(3, axis=2)).astype(np.uint8)
    red = ground.copy()
    red[top:bottom, left:right] = (0, 0, 255)
    frames = [
        np.asarray(
            cv2.imdecode(
                cv2.imencode(".jpg", each, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
            ),
            np.uint8,
        )
        for each in (ground, red)
    ]
    assert decide(_score(_adaptive(), *frames)).reason is Reason.CHANGED


def test_red_on_gray_of_equal_luma_is_a_change() -> None:
    """A pure red car on asphalt of the same luma is a change, where the car is."""
    ground = (73 + hashed((360, 640), 5, 7)[..., :1].repeat(3, axis=2)).astype(np.uint8)
    red = ground.copy()
    red[120:240, 200:380] = (0, 0, 255)
    score = _score(_adaptive(), ground, red)
    assert decide(score).reason is Reason.CHANGED
    for region in score.regions:
        assert 92 <= region.x < region.x + region.width <= 198
        assert 52 <= region.y < region.y + region.height <= 128


@pytest.mark.parametrize("gain", [0.7, 0.8, 0.9, 1.1, 1.25, 1.4])
@pytest.mark.parametrize("is_gray", [False, True])
def test_other_light_on_the_same_things_is_no_change(gain: float, is_gray: bool) -> None:
    """A textured picture that becomes darker or brighter everywhere by a factor stays below 2.3x."""
    for seed in (1, 2, 3):
        ground = 30 + hashed((180, 320), seed, 100, cell_px=6) + hashed((180, 320), seed + 9, 25, cell_px=2)
        if is_gray:
            ground[...] = ground[..., :1]
        lit = (ground * gain).astype(np.uint8)
        assert _score(_adaptive(), ground.astype(np.uint8), lit).score < 2.3


def test_a_car_is_a_change_and_stays_one_in_other_light() -> None:
    """A car is found where it stands, also when the light changed by a third at the same time."""
    ground = drawn((180, 320), 0)
    car = _with_car(ground, 100)
    for frame in (car, (car * 0.75).astype(np.uint8)):
        score = _score(_adaptive(), ground, frame)
        assert decide(score).reason is Reason.CHANGED
        largest = score.regions[0]
        assert 88 <= largest.x <= 112
        assert 30 <= largest.y <= 52
        assert 20 * 32 < largest.area_px < 2 * 40 * 32


# --- what is ignored


def _learnt_and_scored(detector: Adaptive, frames: list[Pixels]) -> tuple[list[ChangeScore], bytes | None]:
    prepared = [_prepared(detector, pixels) for pixels in frames]
    scores = []
    for previous, current in pairwise(prepared):
        scores.append(detector.score(prepared[0], current))
        detector.learn(previous, current)
    return scores, detector.learnt()


@st.composite
def _masks(draw: st.DrawFn) -> tuple[dict[str, Any], Pixels | None]:
    """Return settings, or a mask picture, that ignore something."""
    kind = draw(st.sampled_from(["polygon", "border", "picture"]))
    fractions = st.integers(0, 100).map(lambda percent: percent / 100)
    if kind == "polygon":
        corners = draw(st.lists(st.tuples(fractions, fractions), min_size=3, max_size=6, unique=True))
        return {"ignore": [{"name": "road", "polygon": corners}]}, None
    if kind == "border":
        return {"border_mask": tuple(draw(st.integers(0, 45)) for _ in range(4))}, None
    chance = np.random.default_rng(draw(seeds))
    shape = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    return {}, (255 * chance.integers(0, 2, shape)).astype(np.uint8)


@law
@given(_masks(), st.integers(1, 60), st.integers(1, 60), seeds)
def test_what_happens_where_it_is_ignored_changes_nothing(
    mask: tuple[dict[str, Any], Pixels | None], rows: int, columns: int, seed: int
) -> None:
    """Whatever ignored pixels show, in any frame, no score, no region and no learnt byte is another."""
    overrides, mask_picture = mask
    chance = np.random.default_rng(seed)
    frames = [chance.integers(0, 256, (rows, columns, 3), np.uint8) for _ in range(3)]
    counted = _prepared(_adaptive(mask_picture, **overrides), frames[0]).counted
    if counted is None:
        return
    ignored = counted[:rows, :columns] == 0
    others = [frame.copy() for frame in frames]
    for other in others:
        other[ignored] = chance.integers(0, 256, 3)
    once, again = (
        _learnt_and_scored(_adaptive(mask_picture, **overrides), each) for each in (frames, others)
    )
    assert once == again


@pytest.mark.parametrize("shape", [(5, 7), (93, 154), (30, 33), (120, 162)], ids=str)
def test_what_is_ignored_is_that_share_of_the_picture(shape: tuple[int, int]) -> None:
    """A polygon, a border or a mask refers to the picture, not to the whole blocks that it is padded to."""
    rows, columns = shape
    half = np.repeat([[0, 255]], 4, axis=1).astype(np.uint8)
    for detector in (
        _adaptive(ignore=[{"name": "left", "polygon": LEFT}]),
        _adaptive(border_mask=(50, 0, 0, 0)),
        _adaptive(half),
    ):
        counted = _prepared(detector, drawn(shape, 0)).counted
        assert counted is not None
        ignored = int((counted[0, :columns] == 0).sum())
        assert columns / 2 - 1 <= ignored <= columns / 2 + 1
        assert (counted[rows:] == counted[rows - 1]).all()
        assert (counted[:, columns:] == 255).all()


def test_a_car_in_an_ignored_place_is_no_change_at_full_size() -> None:
    """Also where frames are shrunk, a car well inside of the ignored half changes no score and no byte."""
    ground = drawn((450, 800), 0)
    detector = _adaptive(ignore=[{"name": "left", "polygon": LEFT}])
    car = _with_car(ground, 100, width=296)
    quiet, loud = (
        _learnt_and_scored(_adaptive(ignore=[{"name": "left", "polygon": LEFT}]), [ground, frame, ground])
        for frame in (ground, car)
    )
    assert quiet == loud
    assert decide(_score(detector, ground, _with_car(ground, 500, width=150))).reason is Reason.CHANGED


def test_what_the_whole_picture_usually_shows_is_asked_of_what_counts() -> None:
    """The medians, by which a change of all of it is forgiven, leave out the ignored blocks."""
    detector = _adaptive(ignore=[{"name": "left", "polygon": LEFT}])
    before, after = (_prepared(detector, drawn(SHAPE, number)) for number in (0, 3))
    strong, _ = detector.seen(before, after)
    for median, measure in zip(strong.medians, strong.measures, strict=True):
        counted = np.sort(measure[:, 20:], axis=None)  # of 40 columns the 20 on the right count
        assert median == counted[counted.size // 2]
        assert median != np.sort(measure, axis=None)[measure.size // 2]


# --- zones


def _zone(name: str, polygon: Any, **overrides: Any) -> dict[str, Any]:
    return {"name": name, "polygon": polygon} | overrides


def _case(*zones: dict[str, Any], left: int, **overrides: Any) -> ChangeScore:
    ground = drawn(SHAPE, 0)
    return _score(_adaptive(zone=list(zones), **overrides), ground, _with_car(ground, left))


def test_a_zone_has_a_threshold_of_its_own() -> None:
    """A car is a change by the general threshold and none in a zone that asks for more; or reversed."""
    deaf = _zone("road", LEFT, score_threshold="900x")
    assert decide(_case(deaf, left=100)).reason is Reason.CHANGED
    assert _case(deaf, left=100).zone is None
    quiet = _case(deaf, left=20)
    assert decide(quiet).reason is Reason.UNCHANGED
    assert quiet.regions == ()
    keen = _case(_zone("gate", LEFT, score_threshold="1.5x"), left=20, score_threshold="900x")
    assert decide(keen).reason is Reason.CHANGED
    assert (keen.zone, keen.threshold) == ("gate", 1.5)


def test_where_zones_overlap_the_first_counts() -> None:
    """In the part that two zones share, the threshold of the one that is written first holds."""
    deaf, keen = _zone("road", LEFT, score_threshold="900x"), _zone("gate", MIDDLE, score_threshold="1.5x")
    assert decide(_case(deaf, keen, left=38, score_threshold="900x")).reason is Reason.UNCHANGED
    first = _case(keen, deaf, left=38, score_threshold="900x")
    assert decide(first).reason is Reason.CHANGED
    assert first.zone == "gate"


def test_a_zone_has_a_least_area_of_its_own() -> None:
    """A car smaller than the zone's least area is no change there; without a zone, it is one."""
    large_only = _zone("road", LEFT, min_contour_area="60%")
    assert decide(_case(large_only, left=20)).reason is Reason.UNCHANGED
    assert decide(_case(large_only, left=100)).reason is Reason.CHANGED
    small_too = _zone("gate", LEFT, min_contour_area="0px")
    assert _case(small_too, left=20, min_contour_area="60%").zone == "gate"


def test_of_several_zones_the_one_most_above_its_threshold_decides() -> None:
    """A car in each of two zones: the verdict names the one where the ratio to the threshold is larger."""
    ground = drawn(SHAPE, 0)
    both = _with_car(_with_car(ground, 20), 100)
    for left, right in (("1.5x", "3x"), ("3x", "1.5x")):
        detector = _adaptive(
            zone=[_zone("left", LEFT, score_threshold=left), _zone("right", RIGHT, score_threshold=right)]
        )
        assert _score(detector, ground, both).zone == ("left" if left == "1.5x" else "right")


def test_zones_of_the_general_threshold_change_no_score() -> None:
    """A zone over everything, with nothing of its own, scores what no zone scores, under its name."""
    plain, named = _case(left=60), _case(_zone("all", EVERYWHERE), left=60)
    assert (named.zone, plain.zone) == ("all", None)
    assert (named.score, named.threshold, named.regions) == (plain.score, plain.threshold, plain.regions)


# --- pictures of every kind

KINDS = {
    "gray": drawn((100, 140), 0)[..., 0],
    "colour": drawn((100, 140), 0),
    "alpha": np.dstack([drawn((100, 140), 0), np.full((100, 140), 90, np.uint8)]),
    "16-bit": drawn((100, 140), 0).astype(np.uint16) * 257,
    "16-bit gray": drawn((100, 140), 0)[..., 0].astype(np.uint16) * 257,
}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_every_kind_have_a_score(kind: str) -> None:
    """Gray, with transparency or of 16 bits: decoded, a car is a change, and the same frame is none."""
    ground = KINDS[kind]
    car = ground.copy()
    car[40:70, 40:80] = car.max() if car.ndim == 2 else [20, 20, car.max(), car.max()][: car.shape[2]]
    detector = _adaptive()
    before, after = (
        detector.prepare(detector.reduce(decoded(png(pixels), detector.settings))) for pixels in (ground, car)
    )
    assert before.has_colour == ("gray" not in kind)
    assert decide(detector.score(before, before)).reason is Reason.UNCHANGED
    assert decide(detector.score(before, after)).reason is Reason.CHANGED


def _large(shape: tuple[int, int], number: int) -> Pixels:
    """Return a drawn frame, whose pixels are doubled until it is large enough."""
    if max(shape) < 400:
        return drawn(shape, number)
    half = _large((-(-shape[0] // 2), -(-shape[1] // 2)), number)
    return half.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]


@pytest.mark.parametrize(
    "shape",
    [
        *((side, side) for side in range(1, 9)),
        (1, 8),
        (8, 1),
        (93, 154),
        (120, 360),
        (200, 700),
        (1920, 1080),
    ],
    ids=str,
)
def test_pictures_of_every_size_have_a_score(shape: tuple[int, int]) -> None:
    """From one pixel to a portrait of full size: a finite score each, learnt or not, and nothing warns."""
    detector = _adaptive()
    one, other = (_prepared(detector, _large(shape, number)) for number in (0, 3))
    for _ in range(3):
        assert 0 < detector.score(one, one).score <= 1
        assert 0 < detector.score(one, other).score < 1e6
        detector.learn(one, other)
    assert detector.learnt() is not None


@pytest.mark.parametrize("pixels", ["floats", "two channels", "flat", "empty", "list"])
def test_what_is_no_picture_is_a_type_error(pixels: str) -> None:
    """Other numbers, other channels or nothing at all are refused before anything is computed."""
    wrong: Any = {
        "floats": np.zeros((4, 4), np.float32),
        "two channels": np.zeros((4, 4, 2), np.uint8),
        "flat": np.zeros(4, np.uint8),
        "empty": np.zeros((0, 4), np.uint8),
        "list": [[0]],
    }[pixels]
    with pytest.raises(TypeError, match="adaptive compares pictures in colour"):
        _adaptive().reduce(Picture(wrong, (4, 4)))


def test_a_jpeg_and_its_pixels_are_nearly_the_same() -> None:
    """Compressed and decoded at half its size, a frame is no change from itself."""
    ground = drawn((400, 560), 0)
    detector = _adaptive()
    jpeg = cv2.imencode(".jpg", ground)[1].tobytes()
    small = detector.prepare(detector.reduce(decoded(jpeg, detector.settings)))
    assert small.source_size == (560, 400)
    assert detector.score(detector.prepare(detector.reduce(Picture(ground, (560, 400)))), small).score < 2.3
