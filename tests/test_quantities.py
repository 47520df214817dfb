import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framegate.quantities import NOT_GIVEN, Area, Size


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
    with pytest.raises(ValueError, match="say the unit") as refusal:
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
