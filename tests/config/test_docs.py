import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framegate.config.detection import DetectionSettings, IgnoredArea, Zone, classic_only
from framegate.config.docs import (
    effective_values,
    example_file,
    meanings_of,
    minimal_file,
    settings_of,
    tables,
    toml_value,
)
from framegate.config.load import load
from framegate.config.settings import (
    CameraSettings,
    DropSettings,
    ResultsSettings,
    Settings,
    StateSettings,
)
from framegate.config.tables import Table
from framegate.config.telling.log import LogSettings
from framegate.config.telling.notify import NotifySettings
from framegate.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
OFF = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
OFF_TABLES = re.compile(r"^#(?=\[|[a-z_]+ = )", re.MULTILINE)

TABLES = (
    DropSettings,
    ResultsSettings,
    StateSettings,
    DetectionSettings,
    IgnoredArea,
    Zone,
    CameraSettings,
    NotifySettings,
)


def _lines_that_are_off() -> list[str]:
    head, _, _ = example_file().partition("#[[")
    return [line for line in head.splitlines() if OFF.match(line)]


def _load(folder: Path, text: str) -> Settings:
    file = folder / "framegate.toml"
    file.write_text(text)
    return load(file).settings


def test_the_example_in_the_repository_is_the_one_that_is_written() -> None:
    """config.example.toml is what framegate writes today."""
    assert (REPOSITORY / "config.example.toml").read_text() == example_file()


def test_the_example_is_valid(tmp_path: Path) -> None:
    """The example can be used as it stands."""
    assert _load(tmp_path, example_file()).version == 1


def test_the_minimal_example_is_valid_and_has_nothing_to_leave_out(tmp_path: Path) -> None:
    """The minimal config is valid, and without any one of its settings it is not."""
    lines = minimal_file().splitlines(keepends=True)
    assert _load(tmp_path, "".join(lines)).drop.folder == "/srv/cameras/lot1/drop"
    settings = [number for number, line in enumerate(lines) if " = " in line]
    assert len(settings) == 3
    for number in settings:
        with pytest.raises(ConfigError):
            _load(tmp_path, "".join(lines[:number] + lines[number + 1 :]))


def test_the_example_shows_every_setting() -> None:
    """No setting of any table is missing from the example."""
    shown = set(re.findall(r"^#?([a-z_]+) = ", example_file(), re.MULTILINE))
    known = {
        setting.alias or name
        for table in TABLES
        if table is not CameraSettings
        for name, setting in table.model_fields.items()
    }
    assert known - {"ignore", "zone"} <= shown
    assert {"[[detection.ignore]]", "[[detection.zone]]"} <= set(re.findall(r"\[\[.*\]\]", example_file()))


@pytest.mark.parametrize("line", _lines_that_are_off())
def test_every_line_that_is_off_can_be_switched_on(tmp_path: Path, line: str) -> None:
    """Taking the # away from one line leaves a valid file."""
    text = example_file().replace(f"\n{line}\n", f"\n{line[1:]}\n")
    assert text != example_file()
    _load(tmp_path, text)


def test_all_lines_that_are_off_can_be_switched_on_together(tmp_path: Path) -> None:
    """With every # taken away, tables included, the file is valid and the tables are there."""
    settings = _load(tmp_path, OFF_TABLES.sub("", example_file()))
    assert [area.name for area in settings.detection.ignore] == ["clock"]
    assert [zone.name for zone in settings.detection.zone] == ["gate"]
    assert str(settings.detection_of("c21").score_threshold) == "3x"
    assert settings.detection_of("c22").preset_name == "classic"
    assert [("frame.kept" in each.on, "intake.paused" in each.on) for each in settings.notify] == [
        (True, False),
        (False, True),
    ]
    assert [(each.name, each.webhook is None) for each in settings.notify] == [
        ("phone", True),
        ("alarms", False),
    ]


def test_a_line_that_is_off_shows_its_default(tmp_path: Path) -> None:
    """Switching on the lines that show a default changes no setting."""
    head, mark, _ = example_file().partition("#[[")
    switched_on = _load(tmp_path, OFF.sub("", head)).model_dump()
    as_it_stands = _load(tmp_path, head + mark[:1]).model_dump()
    shown_by_example = [
        (table, key)
        for table, model in tables().items()
        for key, setting in settings_of(model)
        if setting.examples  # there is no default to show
    ]
    for table, key in shown_by_example:
        del switched_on[table][key], as_it_stands[table][key]
    assert switched_on == as_it_stands


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_is_documented(table: type[Table]) -> None:
    """Each setting says in sentences what it is for."""
    meanings = meanings_of(table)
    assert len(meanings) == len(table.model_fields)
    assert [key for key, words in meanings.items() if not words.endswith((".", "`"))] == []


def test_effective_values_are_complete_and_can_be_written_as_json(tmp_path: Path) -> None:
    """Every setting in force is listed once, with its origin, in words that JSON knows."""
    file = tmp_path / "framegate.toml"
    file.write_text(example_file())
    values = effective_values(load(file))
    keys = [key for key, _, _ in values]
    assert len(keys) == len(set(keys))
    for model, table in ((DropSettings, "drop"), (DetectionSettings, "detection"), (LogSettings, "log")):
        fields = {field.alias or name for name, field in model.model_fields.items()} - classic_only()
        assert {f"{table}.{name}" for name in fields} <= set(keys)
    assert {origin for key, _, origin in values if key == "drop.folder"} == {"file"}
    assert json.loads(json.dumps(values))


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))
numbers = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
toml_tables = st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), words | numbers, max_size=3)


@given(st.one_of(words, numbers, st.lists(words | numbers, max_size=4), toml_tables))
def test_a_value_written_as_toml_is_read_back(value: object) -> None:
    """What is written as TOML is the same value, of the same type, to a TOML reader."""
    back = tomllib.loads(f"value = {toml_value(value)}")["value"]
    assert (back, type(back)) == (value, type(value))


@given(st.text(st.characters(categories=["Cc"]) | st.sampled_from("\\a")))
@example("\x7f")
@example("a\\\nb")
def test_control_characters_written_as_toml_are_read_back(value: str) -> None:
    """A text with control characters is written as TOML too."""
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value
