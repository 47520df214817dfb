import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from framegate.config.quantities import NOT_GIVEN, Area, Duration, Size, Times, comparison
from framegate.config.telling.metrics import MetricsSettings


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("0.2%", 0.2, "%"),
        ("5000px", 5000, "px"),
        (" 5000 px ", 5000, "px"),
        (".5%", 0.5, "%"),
        ("100%", 100, "%"),
        ("0%", 0, "%"),
        ("99.5px", 99.5, "px"),
    ],
)
def test_an_area_is_read_with_its_unit(text: str, value: float, unit: str) -> None:
    """An area is a number with % or px, with or without spaces."""
    area = Area.parse(text)
    assert (area.value, area.unit) == (value, unit)


@pytest.mark.parametrize("number", [0, 5000, 0.2, -1])
def test_a_bare_number_is_told_both_spellings(number: float) -> None:
    """A number without a unit is refused with the two things that it may have meant."""
    with pytest.raises(ValueError, match="add the unit") as refusal:
        Area.parse(number)
    assert f'"{number}%"' in str(refusal.value)
    assert f'"{number}px"' in str(refusal.value)


@pytest.mark.parametrize("text", ["120%", "5000%", "100.1%"])
def test_more_than_the_whole_picture_is_told_what_was_meant(text: str) -> None:
    """A percentage above 100 is refused, and pixels are proposed."""
    with pytest.raises(ValueError, match="more than the whole picture") as refusal:
        Area.parse(text)
    assert f'"{text.removesuffix("%")}px"' in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "px",
        "-1px",
        "1,5%",
        "0.2 percent",
        "5000",
        "5000PX",
        "1e3px",
        "nan%",
        "٣px",
        "1%2%",
        True,
        None,
        [],
    ],
    ids=repr,
)
def test_anything_else_is_no_area(text: object) -> None:
    """What is no area is refused with an example of each unit."""
    with pytest.raises(ValueError, match=r'"0\.2%".*"5000px"'):
        Area.parse(text)


def test_an_area_that_a_preset_requires_says_which() -> None:
    """An area that classic needs and the file does not have is asked for by the preset's name."""
    with pytest.raises(ValueError, match='required by preset = "classic"'):
        Area.parse(NOT_GIVEN)


@given(st.floats(0, 100), st.integers(1, 10**9))
def test_percent_and_pixels_are_two_ways_to_say_one_area(percent: float, picture_px: int) -> None:
    """An area in percent is as large when it is written in the pixels that it comes to."""
    in_percent = Area(percent, "%")
    in_pixels = Area(in_percent.in_px(picture_px), "px")
    assert in_pixels.in_percent(picture_px) == pytest.approx(percent)
    assert in_percent.in_percent(picture_px) == percent
    assert in_pixels.in_px(picture_px) == in_pixels.value


def test_pixels_of_a_picture_that_is_all_masked_are_no_percentage() -> None:
    """Where no pixel counts, an area is 0 percent and no division by zero."""
    assert Area(5000, "px").in_percent(0) == 0


@given(st.sampled_from(["0.2%", "0.05%", "33.3333%", "5000px", "0.5px", "1234567px"]))
def test_an_area_is_written_as_it_is_read(text: str) -> None:
    """The text of an area is the spelling that it was read from."""
    assert str(Area.parse(text)) == text


@given(st.decimals(0, 100, allow_nan=False, places=6), st.sampled_from(["%", "px"]))
@example("0.00001", "%")
def test_every_area_can_be_read_back(number: object, unit: str) -> None:
    """What framegate writes for an area, it reads as the same area."""
    area = Area.parse(f"{number}{unit}")
    assert Area.parse(str(area)) == area


def test_areas_are_equal_by_value_and_unit() -> None:
    """Areas are values: equal when number and unit are."""
    assert Area.parse("5px") == Area(5, "px")
    assert hash(Area.parse("5px")) == hash(Area(5, "px"))
    assert Area(5, "px") != Area(5, "%")
    assert Area(5, "px") != 5


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("4096B", 4096),
        ("64kB", 64_000),
        ("500MB", 500_000_000),
        ("1.5GiB", 1_610_612_736),
        ("2 tb", 2 * 10**12),
        ("1KiB", 1024),
        ("3MiB", 3 * 2**20),
    ],
)
def test_a_size_is_read_with_its_unit(text: str, size_bytes: int) -> None:
    """A size is a number with a decimal or a binary unit, in any case."""
    assert Size.parse(text) == size_bytes


@pytest.mark.parametrize(
    "text", ["", "500", 500, True, "500 megabytes", "-1MB", "iB", "5ib", None, 1.5], ids=repr
)
def test_anything_else_is_no_size(text: object) -> None:
    """What is no size is refused with two examples."""
    with pytest.raises(ValueError, match=r"500MB.*2GiB"):
        Size.parse(text)


@given(st.one_of(st.integers(0, 2**53), st.integers(0, 2**23).map(lambda n: n * 10**9)))
def test_every_size_can_be_read_back(size_bytes: int) -> None:
    """What framegate writes for a size, it reads as the same size."""
    assert Size.parse(str(Size(size_bytes))) == size_bytes


def test_a_size_beyond_all_numbers_is_refused_like_any_other() -> None:
    """A size with 400 digits is a ValueError too."""
    with pytest.raises(ValueError, match="500MB"):
        Size.parse("9" * 400 + "B")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1.5h", 5400),
        ("30d", 2_592_000),
        (" 2 H ", 7200),
        ("0.5s", 0.5),
        ("1D", 86_400),
    ],
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    """A duration is a number with s, m, h or d, in either case."""
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        90,
        1.5,
        True,
        None,
        "90 seconds",
        "-1h",
        "0s",
        "0.0m",
        "1h30m",
        "1e3s",
        "1w",
        "٣h",
        "1,5h",
        ".5h",
        [],
    ],
    ids=repr,
)
def test_anything_else_is_no_duration(text: object) -> None:
    """What is no duration, or none at all, is refused with an example of each unit."""
    with pytest.raises(ValueError, match=r'"90s", "15m", "1h" or "30d"'):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "written"), [("60m", "1h"), ("24h", "1d"), ("90s", "90s"), ("1.5h", "90m"), ("0.25s", "0.25s")]
)
def test_a_duration_is_written_in_its_largest_whole_unit(text: str, written: str) -> None:
    """Two ways to write one duration are one text, so that an edit from one to the other changes nothing."""
    assert str(Duration.parse(text)) == written


@given(st.decimals("0.000001", "999999.999999", allow_nan=False, places=6), st.sampled_from("smhd"))
@example("999999999.999999", "d")
@example("999999999", "d")
@example("36500.000001", "d")
def test_every_duration_can_be_read_back(number: object, unit: str) -> None:
    """What framegate writes for a duration, it reads as the same duration, to the microsecond."""
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == pytest.approx(duration, rel=1e-15, abs=1e-6)


@pytest.mark.parametrize("text", ["127.0.0.1:9188", "[::1]:9188", "localhost:1", "0.0.0.0:65535", ":::80"])
def test_an_address_has_a_host_and_a_port(text: str) -> None:
    """metrics.listen is a host and a port from 1 to 65535."""
    assert MetricsSettings.model_validate({"listen": text}).listen == text


@pytest.mark.parametrize(
    "text",
    ["", "9188", ":0", "host", "host:", "host:0", "a:65536", "a:-1", "a:٣", "a:80x", "a: 80",
     "a:" + "9" * 5000, 9188, True],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
def test_anything_else_is_no_address(text: object) -> None:
    """What is no address is refused, and a text is told how one is written."""
    with pytest.raises(ValidationError) as refusal:
        MetricsSettings.model_validate({"listen": text})
    assert not isinstance(text, str) or '"127.0.0.1:9188"' in str(refusal.value)


@given(st.decimals("0.001", 1000, allow_nan=False, places=6))
def test_times_are_written_as_they_are_read(number: object) -> None:
    """What framegate writes for a threshold in times the usual, it reads as the same one."""
    times = Times.parse(f"{number}x")
    assert Times.parse(str(times)) == times
    assert Times.parse(f" {number} X ") == times


@pytest.mark.parametrize(
    "text", ["x", "-1x", "0x", "1000.1x", "1e2x", "2,3x", "2.3", "nanx", "2.3%", None, [], True]
)
def test_anything_else_is_no_times(text: object) -> None:
    """What is not more than 0x and at most 1000x is refused."""
    with pytest.raises(ValueError, match=r"2\.3x|at most 1000x"):
        Times.parse(text)


@pytest.mark.parametrize(
    ("score", "threshold", "unit", "shown"),
    [
        (3.1, 2.3, "x", "3.1x > 2.3x"),
        (0.41, 2, "%", "0.41% <= 2%"),
        (2.3, 2.3, "x", "2.3x <= 2.3x"),
        (2.3000001, 2.3, "x", "2.3000001x > 2.3x"),
        (0, 0.2, "%", "0% <= 0.2%"),
        (0.001234, 0.2, "%", "0.0012% <= 0.2%"),
        (100, 99.999, "%", "100% > 99.999%"),
    ],
)
def test_two_numbers_are_shown_with_as_many_decimals_as_tell_them_apart(
    score: float, threshold: float, unit: str, shown: str
) -> None:
    """A reader sees why a frame was kept or dropped: equal numbers look equal, unequal ones do not."""
    assert " ".join(comparison(score, threshold, unit)) == shown
