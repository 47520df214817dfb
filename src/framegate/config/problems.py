"""The errors of a config in our own words: pydantic's are about Python, not about the file."""

import difflib
import tomllib
from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from framegate.config.lines import line_of
from framegate.config.quantities import as_written
from framegate.config.settings import Settings
from framegate.config.tables import Table
from framegate.errors import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

RENAMED = {"rescan_s": "sweep_s"}
"""New names of settings, by the names in older versions."""

GONE = {
    "lighting": "is gone: adaptive tells light from objects by itself; remove the line",
    "noise_gain": "is gone: adaptive compares each place with what is usual there; remove the line",
}
"""What to do about settings of older versions that exist no more."""

WORDS = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "missing": "is required",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "finite_number": "write a finite number",
    "bool_type": "write true or false, without quotes",
    "string_type": "write a text in quotes",
    "tuple_type": "write a list in brackets",
}
"""Our words for pydantic's types of errors, with its bounds in braces."""

WITHOUT_VALUE = frozenset({"too_short", "string_too_short", "missing"})
"""Errors to which the wrong value is not added."""


def problems_of(error: ValidationError, text: str, *, without_line: Container[str]) -> tuple[Problem, ...]:
    """Return every problem of a config once, in the order of lines.

    Args:
        error: what pydantic found.
        text: the config file.
        without_line: dotted keys whose values do not come from the file.
    """
    problems = dict.fromkeys(_each_problem(error, text, without_line))  # text is valid TOML by now
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def _each_problem(error: ValidationError, text: str, without_line: Container[str]) -> Iterator[Problem]:
    faults, document = error.errors(include_url=False), tomllib.loads(text)
    general = {(fault["loc"][1:], fault["msg"]) for fault in faults if fault["loc"][:1] == ("detection",)}
    for fault in faults:
        location = fault["loc"]
        if fault["type"] == "too_short" and any(_is_inside(other["loc"], location) for other in faults):
            continue  # its items are wrong and therefore not counted: they are reported
        if location[:1] == ("camera",) and (location[3:], fault["msg"]) in general:
            continue  # inherited from the general table, where it is reported
        key = _shown_key(location, document)
        yield Problem(key, _message(fault), None if key in without_line else line_of(text, location))


def _shown_key(location: tuple[int | str, ...], document: Any) -> str:
    """Return a dotted key; tables that may stand several times by their name, if they have one."""
    steps = []
    for step in location:
        try:
            document = document[step]
        except (LookupError, TypeError):
            document = None
        name = document.get("name") if isinstance(step, int) and isinstance(document, dict) else None
        steps.append(name if isinstance(name, str) and name and name.isprintable() else str(step))
    return ".".join(steps)


def _is_inside(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return location != outer and location[: len(outer)] == outer


def _message(fault: "ErrorDetails") -> str:
    kind, location, value, bounds = fault["type"], fault["loc"], fault["input"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind == "value_error":
        return fault["msg"].removeprefix("Value error, ")
    if kind in {"float_type", "int_type"} and isinstance(value, str):
        return f"write a number, without quotes or unit, not {value!r}"
    if kind in WITHOUT_VALUE:
        return WORDS[kind]
    if kind == "tuple_type" and isinstance(value, dict):
        return f"may stand several times: write [[{_dotted(location)}]]"
    if kind == "literal_error":
        words = "write " + bounds["expected"].replace("'", '"')
    elif kind in {"model_type", "model_attributes_type", "dict_type", "mapping_type"}:
        words = f"is a table: write {_title(location)} on a line of its own"
    else:
        words = WORDS.get(kind, "write a value of another kind").format(**bounds)
    return f"{words}, not {as_written(value)}"


def _unknown_key(location: tuple[int | str, ...]) -> str:
    *path, name = location
    if path and path[-1] == "detection" and name in GONE:
        return GONE[str(name)]
    table = _table_at(path)
    below = (
        [inner for inner in table.model_fields if _has_key(_table_at([*path, inner]), name)] if table else []
    )
    if path and len(below) == 1:
        return f"belongs below {_title((*path, below[0]))}: move it there"
    keys = [known.alias or key for key, known in table.model_fields.items()] if table else []
    close = [key for key in keys if key == RENAMED.get(str(name))] or difflib.get_close_matches(
        str(name), keys, n=1
    )
    if close:
        return f"unknown key (did you mean {close[0]}?)"
    return f"unknown key; {_title(path)} has {', '.join(keys)}" if path else "unknown key"


def _has_key(table: type[BaseModel] | None, key: int | str) -> bool:
    return table is not None and any(key in {name, each.alias} for name, each in table.model_fields.items())


def _title(path: Sequence[int | str]) -> str:
    """Return the line that begins a table, as it stands in the file: without the places in lists."""
    return f"[[{_dotted(path)}]]" if isinstance(path[-1], int) else f"[{_dotted(path)}]"


def _dotted(path: Sequence[int | str]) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _table_at(path: list[int | str]) -> type[BaseModel] | None:
    """Return the model of the table at a path of keys, through lists and per-camera tables."""
    kind: Any = Settings
    for step in path:
        if isinstance(kind, type) and issubclass(kind, Table):
            known = kind.model_fields.get(str(step))
            kind = None if known is None else known.annotation
        else:  # dict[str, Table] or tuple[Table, ...]
            kind = next(
                (arg for arg in get_args(kind) if isinstance(arg, type) and issubclass(arg, Table)), None
            )
    return kind if isinstance(kind, type) and issubclass(kind, Table) else None
