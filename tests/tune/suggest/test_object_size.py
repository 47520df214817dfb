import numpy as np
import pytest

from framegate.config.detection import DetectionSettings, IgnoredArea, Zone
from framegate.config.quantities import Area
from framegate.tune.suggest.object_size import Box, ObjectError, object_advice

PICTURE = (1920, 1080)


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("192,108,96,54", (192, 108, 96, 54)),
        ("0.1,0.1,0.05,0.05", (192, 108, 96, 54)),
        ("96,54", (0, 0, 96, 54)),
        (" 0.05 , 0.05 ", (0, 0, 96, 54)),
    ],
)
def test_an_object_is_given_in_pixels_or_fractions(text: str, pixels: tuple[int, ...]) -> None:
    """Numbers up to 1 are fractions, others pixels of the picture; a size alone will do."""
    box = Box.parse(text, PICTURE)
    found = box.x * 1920, box.y * 1080, box.width * 1920, box.height * 1080
    assert found == pytest.approx(pixels)
    assert box.has_place == (text.count(",") == 3)


@pytest.mark.parametrize("text", ["5", "1,2,3", "a,b,c,d", "1900,0,96,54", "10,10,0,5", "-1,0,5,5", "2,nan"])
def test_what_is_no_box_is_one_sentence(text: str) -> None:
    """The error says how it is written, or that it lies outside."""
    with pytest.raises(ObjectError, match="--object"):
        Box.parse(text, PICTURE)


def test_for_classic_a_threshold_follows_from_the_area() -> None:
    """A quarter of the object's area, in percent of what counts; a region needs a tenth of that."""
    classic = DetectionSettings.preset("classic", score_threshold="5000px", min_contour_area="500px")
    advice = object_advice(Box.parse("0.2,0.1", PICTURE), PICTURE, classic, None)
    assert advice.settings == pytest.approx({"score_threshold": 0.5, "min_contour_area": 0.05})
    half = classic.model_copy(update={"border_mask": (50.0, 0.0, 0.0, 0.0)})
    advice = object_advice(Box.parse("0.2,0.1", PICTURE), PICTURE, half, None)
    assert advice.settings["score_threshold"] == pytest.approx(1.0, rel=0.01)


def test_for_adaptive_a_size_bears_on_the_smallest_area_alone() -> None:
    """A quarter of it may be the smallest area that counts; no threshold follows from a size."""
    advice = object_advice(Box.parse("240,120", PICTURE), PICTURE, DetectionSettings(), None)
    assert advice.working_px == pytest.approx((40, 20))
    assert advice.is_seen
    assert advice.settings == pytest.approx({"min_contour_area": 100 * 40 * 20 / (320 * 180) / 4})


@pytest.mark.parametrize(
    ("text", "is_seen"),
    [("30,60", True), ("60,30", True), ("24,60", False), ("30,54", False), ("12,12", False)],
)
def test_what_is_too_small_is_said_to_be(text: str, is_seen: bool) -> None:
    """Five by ten pixels of 180 rows are needed, either way; a smaller smallest area would change nothing."""
    advice = object_advice(Box.parse(text, PICTURE), PICTURE, DetectionSettings(), None)
    assert advice.is_seen is is_seen
    assert not advice.has_effect


def test_where_the_object_is_counts() -> None:
    """In an ignored part it cannot be seen; in a zone the zone's settings count."""
    gate = Zone(name="gate", polygon=((0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0)))
    street = IgnoredArea(name="street", polygon=((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)))
    settings = DetectionSettings(zone=(gate,), ignore=(street,))
    in_street = object_advice(Box.parse("0.1,0.1,0.2,0.2", PICTURE), PICTURE, settings, None)
    at_gate = object_advice(Box.parse("0.6,0.6,0.2,0.2", PICTURE), PICTURE, settings, None)
    anywhere = object_advice(Box.parse("0.2,0.2", PICTURE), PICTURE, settings, None)
    assert (in_street.ignored, in_street.zone) == (1.0, None)
    assert (at_gate.ignored, at_gate.zone) == (0.0, gate)
    assert (anywhere.ignored, anywhere.zone) == (0.0, None)
    assert at_gate.share > anywhere.share * 0.99
    dark = np.zeros((9, 16), np.uint8)
    assert object_advice(Box.parse("0.6,0.6,0.2,0.2", PICTURE), PICTURE, settings, dark).ignored == 1.0


def test_areas_are_written_as_a_config_has_them() -> None:
    """Two digits are enough for an area, and the parser takes them."""
    assert str(Area.parse(str(Area(float(f"{0.34722:.2g}"), "%")))) == "0.35%"
