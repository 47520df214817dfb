import pytest

from framegate.config.layout import Field, Layout
from framegate.config.load import load
from running import Site

WRONG = [
    ("", ["write a layout", "{camera}/{name}"]),
    (5, ["write a layout", "not 5"]),
    ("/srv/{name}", ["below the results folder", "'srv/{name}'"]),
    ("{nam}", ["unknown field {nam}", "did you mean {name}?"]),
    ("{NAME}", ["unknown field {NAME}", "did you mean {name}?"]),
    ("{xyz}/{name}", ["unknown field {xyz}", "there are {camera}, {name}"]),
    ("{name:x}", ["{name:x}", "only {captured} and {captured_utc}"]),
    ("{captured}/{name}", ["{captured:%Y-%m-%d}"]),
    ("{captured:day}/{name}", ["no part of a time", "{captured:%Y-%m-%d}"]),
    ("{captured:%Q}/{name}", ["%Q is not known", "there are %% %A %a %B %b %d %f %G %H %I %j %M %m"]),
    ("{captured:%c}/{name}", ["%c is not known"]),
    ("{captured:%-d}/{name}", ["%- is not known"]),
    ("{captured:%Y%}/{name}", ["% is not known"]),
    ("a//{name}", ["nothing between two slashes"]),
    ("{name}/", ["nothing", "behind the last one"]),
    ("{captured:%Y//%m}/{name}", ["nothing between two slashes"]),
    ("../{name}", [". and .. cannot be used", "'..'"]),
    ("{captured:%Y/../%m}/{name}", ["cannot be used", "'..'"]),
    ("./{name}", ["cannot be used", "'.'"]),
    (".kept/{name}", ["hides", "'.kept'"]),
    ("a\x01/{name}", ["cannot be printed"]),
    ("{captured:%Y\0}/{name}", ["cannot be printed"]),
    ("{camera}/{captured:%Y-%m-%d}", ["one name", "{name}, {stem} or {path}"]),
    ("{name}/{folder}", ["ends with a folder"]),
    ("{camera}_{path}", ["{path} may be several folders"]),
    ("{folder}x/{name}", ["{folder} may be several folders"]),
    ("{name", ["a brace without its partner"]),
    ("{{x}}/{name}", ["no brace can be part of a name"]),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[repr(text) for text, _ in WRONG])
def test_a_layout_that_is_wrong_is_told_why(text: object, words: list[str]) -> None:
    """Each mistake has one sentence that says what was wrong and what to write."""
    with pytest.raises(ValueError) as caught:
        Layout.parse(text)
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_slash_within_a_time_makes_folders() -> None:
    """The format of a time may name several folders, as any other part of the layout."""
    layout = Layout.parse("{camera}/{captured:%Y/%m/day}/x_{stem}{suffix}")
    assert layout.parts == (
        (Field("camera"),),
        (Field("captured", "%Y"),),
        (Field("captured", "%m"),),
        ("day",),
        ("x_", Field("stem"), Field("suffix")),
    )


def test_a_layout_is_read_from_the_config_and_written_as_it_was(site: Site) -> None:
    """It is an ordinary setting: with a default, and its text in what is in force."""
    assert load(site.config).settings.results.layout == Layout.parse("{path}")
    text = "{camera}/{captured:%Y-%m-%d}/{name}"
    site.configure(results=f'layout = "{text}"')
    results = load(site.config).settings.results
    assert str(results.layout) == results.model_dump(mode="json")["layout"] == text
