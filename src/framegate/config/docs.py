"""The settings as text: the example files, the README's table, the values in force."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic.fields import FieldInfo

from framegate.config.detection import DEPENDING, DetectionSettings, IgnoredArea, Zone, classic_only
from framegate.config.load import Config
from framegate.config.quantities import Duration, Size, Times
from framegate.config.schedule import Schedule
from framegate.config.settings import Settings
from framegate.config.tables import RestartOnly, Table
from framegate.config.telling.notify import NotifySettings

WIDTH = 98

INSTEAD = ("webhook",)
"""Settings that cannot stand beside another one, which the example has before them."""

HEAD = """\
# framegate: every setting, with its meaning and its default.
# Only version and the two folders are required. A line like "#key = value" shows the default, or an
# example where there is none; remove the # to set another value.
# Check an edit with `framegate check`; see what is in force with `framegate config`.

version = 1
"""

MINIMAL = """\
# framegate: the settings that are required. `framegate config --example` shows all of them.

version = 1
"""

TAIL = """

# Parts of the picture that do not count. The corners are fractions of it: [0, 0] is top left, [1, 1] is
# bottom right.
#[[detection.ignore]]
#name = "clock"
#polygon = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.05], [0.0, 0.05]]


# Parts of the picture with thresholds of their own, in the units of the preset; what a zone does not set is
# as in [detection]. Where zones overlap, the first counts. A verdict names the zone that decided.
#[[detection.zone]]
#name = "gate"
#polygon = [[0.6, 0.4], [0.9, 0.4], [0.9, 0.9], [0.6, 0.9]]
#score_threshold = "1.8x"
#min_contour_area = "0.1%"


# Any setting of [detection], for one camera only, named as camera_pattern finds it.
#[camera.c21.detection]
#score_threshold = "3x"


# Any setting of [detection] but preset and working_height, for some hours and weekdays of capture time. The
# first schedule that fits counts. Without cameras it is for all of them.
#[[schedule]]
#name = "night"
#hours = "20:00-06:00"
#weekdays = ["sat", "sun"]
#cameras = ["c21"]
#[schedule.detection]
#score_threshold = "4x"


# The published algorithm, here for one camera only. Both areas are required; only this preset uses the
# other settings shown. A camera with another preset than [detection] takes no threshold, area or zone
# from there.
#[camera.c22.detection]
#preset = "classic"
#score_threshold = "50000px"
#min_contour_area = "500px"
"""


def tables() -> dict[str, type[Table]]:
    """Return the tables of the config file that have plain values, by name."""
    annotated = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: kind for name, kind in annotated.items() if isinstance(kind, type) and issubclass(kind, Table)
    }


def listed_tables() -> dict[str, type[Table]]:
    """Return the tables that may stand several times, by name, as ``[[notify]]``."""
    return {
        "detection.ignore": IgnoredArea,
        "detection.zone": Zone,
        "schedule": Schedule,
        "notify": NotifySettings,
    }


def settings_of(table: type[Table]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield key and field of each setting that is a plain value."""
    for name, setting in table.model_fields.items():
        key = setting.alias or name
        if key not in {"ignore", "zone"}:  # tables of their own
            yield key, setting


@cache
def meanings_of(table: type[Table]) -> dict[str, str]:
    """Return the meaning of each setting of a table, by key: what stands below it in the source."""
    (source,) = ast.parse(inspect.getsource(table)).body
    assert isinstance(source, ast.ClassDef)
    words = {
        field.target.id: " ".join(str(below.value.value).split())
        for field, below in pairwise(source.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }
    return {setting.alias or name: words.get(name, "") for name, setting in table.model_fields.items()}


def example_file() -> str:
    """Return a commented config file; the repository has it as ``config.example.toml``."""
    parts = [HEAD]
    for name, table in tables().items():
        parts.append(f"\n# {table.__doc__}\n[{name}]")
        parts += [
            _example_setting(table, key, setting)
            for key, setting in settings_of(table)
            if table is not DetectionSettings or key not in classic_only()
        ]
        parts.append("")
    shown = [
        _example_setting(DetectionSettings, key, setting)
        for key, setting in settings_of(DetectionSettings)
        if key in classic_only()
    ]
    others = {name: table for name, table in listed_tables().items() if f"[[{name}]]" not in TAIL}
    listed = [_example_of_listed(name, table) for name, table in others.items()]
    return "\n".join(parts) + TAIL + "\n".join(shown) + "\n" + "".join(listed)


def minimal_file() -> str:
    """Return a config file with only the required settings, to start with."""
    parts = [MINIMAL]
    for name, table in tables().items():
        required = [(key, setting) for key, setting in settings_of(table) if setting.is_required()]
        if required:
            parts.append(f"[{name}]")
            parts += [f"{key} = {toml_value(_sample(setting))}" for key, setting in required]
            parts.append("")
    return "\n".join(parts)


def markdown_table() -> str:
    """Return the README's table of settings."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, table in tables().items():
        for key, setting in settings_of(table):
            meaning = _meaning(table, key, setting).replace("|", "\\|")
            lines.append(f"| `{name}.{key}` | {_default_cell(name, key, setting)} | {meaning} |")
    for name, table in listed_tables().items():
        for key, setting in settings_of(table):
            meaning = _meaning(table, key, setting).replace("|", "\\|")
            lines.append(f"| `[[{name}]] {key}` | {_default_cell(name, key, setting)} | {meaning} |")
    return "\n".join(lines) + "\n"


def effective_values(config: Config) -> list[tuple[str, Any, str]]:
    """Return (dotted key, value, origin) of every setting in force."""
    return [(key, value, config.origin_of(key)) for key, value in _values_by_key(config).items()]


def changes_between(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Return the old and new value of each setting that differs, by dotted key; None if it is not set."""
    before, after = _values_by_key(old), _values_by_key(new)
    changes = {}
    for key in sorted(before.keys() | after.keys()):
        general = f"detection.{key.rpartition('.')[2]}"  # for a camera without its own table
        was = before.get(key, before.get(general) if key.startswith("camera.") else None)
        is_now = after.get(key, after.get(general) if key.startswith("camera.") else None)
        if was != is_now:
            changes[key] = (was, is_now)
    return changes


def settings_that_differ(config: Config) -> dict[str, Any]:
    """Return the settings that differ from their defaults, by dotted key, without the folders."""
    folders = {
        table: {"folder": getattr(config.settings, table).folder} for table in ("drop", "results", "state")
    }
    defaults = Config(Settings.model_validate({"version": 1, **folders}), None)
    now_by_key = {key: now for key, (_, now) in changes_between(defaults, config).items()}
    usual = {key: str(field.default) for key, field in NotifySettings.model_fields.items()}
    return {
        key: now
        for key, now in now_by_key.items()
        if not key.startswith("notify.") or str(now) != usual[key.rpartition(".")[2]]
    }


def restart_only_keys() -> frozenset[str]:
    """Return the dotted keys of the settings that a running daemon cannot change."""
    return frozenset(
        f"{name}.{key}"
        for name, table in tables().items()
        for key, setting in settings_of(table)
        if _is_restart_only(setting)
    )


def toml_value(value: Any) -> str:
    """Return a value as TOML; strings with a backslash as literal strings."""
    if isinstance(value, str) and "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    if isinstance(value, (Size, Times, Duration)):  # numbers that are written as text
        return json.dumps(str(value))
    if isinstance(value, float) and value.is_integer():
        return f"{value:.1f}"
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items() if item is not None)
            + " }"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(str(value))


def _example_setting(table: type[Table], key: str, setting: FieldInfo) -> str:
    meaning = _meaning(table, key, setting)
    lines = textwrap.wrap(meaning, WIDTH, initial_indent="# ", subsequent_indent="# ")
    if key in DEPENDING:
        lines.append("# classic: required")
    if setting.is_required():
        lines.append(f"{key} = {toml_value(_sample(setting))}")
    else:
        if setting.default is None:
            lines.append("# For example:" if "Default:" in meaning else "# Default: none. For example:")
        lines.append(f"#{key} = {toml_value(_sample(setting))}")
    return "\n" + "\n".join(lines)


def _example_of_listed(name: str, table: type[Table]) -> str:
    """Return a whole table whose every line is off, and another with what cannot stand in the same."""
    words = " ".join((table.__doc__ or "").split())
    lines = textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ")
    settings = dict(settings_of(table))
    first = {key: setting for key, setting in settings.items() if key not in INSTEAD}
    second = {key: each for key, each in settings.items() if each.is_required() or key in INSTEAD}
    shown = [f"#[[{name}]]", *_lines_that_are_off(table, first), "", f"#[[{name}]]"]
    samples = {
        key: (each.examples or [_sample(each)])[-1] for key, each in second.items() if key not in INSTEAD
    }
    shown += [f"#{key} = {toml_value(sample)}" for key, sample in samples.items()]
    shown += _lines_that_are_off(table, {key: settings[key] for key in INSTEAD})
    return "\n".join(["\n", *lines, *shown, ""])


def _lines_that_are_off(table: type[Table], settings: Mapping[str, FieldInfo]) -> Iterator[str]:
    for key, setting in settings.items():
        for line in _example_setting(table, key, setting).split("\n"):
            if line:
                yield line if line.startswith("#") else f"#{line}"


def _sample(setting: FieldInfo) -> Any:
    """Return the value in the example file: the default, or an example if there is none."""
    return setting.examples[0] if setting.examples else setting.default


def _meaning(table: type[Table], key: str, setting: FieldInfo) -> str:
    words = meanings_of(table)[key]
    return f"{words} A change needs a restart." if _is_restart_only(setting) else words


def _is_restart_only(setting: FieldInfo) -> bool:
    return any(isinstance(mark, RestartOnly) for mark in setting.metadata)


def _values_by_key(config: Config) -> dict[str, Any]:
    values = config.settings.model_dump(by_alias=True, mode="json")
    for table in ("schedule", "notify"):
        values[table] = {
            each.pop("name"): {key: value for key, value in each.items() if value is not None}
            for each in values[table]
        }
    return dict(_leaves(values))


def _default_cell(table: str, key: str, setting: FieldInfo) -> str:
    if setting.is_required():
        return "required"
    shown = f"`{toml_value(setting.default)}`" if setting.default is not None else "none"
    if table == "detection" and key in DEPENDING:
        shown += "; classic: required"
    if table == "detection" and key in classic_only():
        shown += "; only classic"
    return shown


def _leaves(value: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield from _leaves(item, f"{above}{name}.")
        elif item != {}:
            yield above + name, item
