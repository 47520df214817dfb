"""Finds the line of a setting in a TOML file, for errors."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

_PIECE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # the text of a multi-line string may end in quotes
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
"""Strings, comments, brackets and line ends; the last two show where a statement begins."""

_NAME = r"""(?:[\w-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_DOTTED = rf"[ \t]*({_NAME}(?:[ \t]*\.[ \t]*{_NAME})*)[ \t]*"
_TABLE = re.compile(rf"[ \t]*(\[{{1,2}}){_DOTTED}\]")
_KEY = re.compile(f"{_DOTTED}=")
_PLACE = re.compile(r"at line (\d+)")

Location = tuple[int | str, ...]


def line_of(text: str, location: Location) -> int | None:
    """Return the line, from 1, of a setting, or of the innermost table around it; None if there is neither.

    Args:
        text: the file, valid TOML.
        location: the keys that lead to the setting, with indices in arrays of tables.
    """
    best, best_depth = None, 0
    for number, place in _places(_statements(text)):
        is_around = place == location[: len(place)]
        is_inside = (
            location == place[: len(location)]
        )  # a table without a line of its own begins at its first key
        depth = len(place) if is_around else len(location) if is_inside else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def line_of_error(error: str, text: str) -> int:
    """Return the line in an error of tomllib; without one, the error is at the end of the file."""
    match = _PLACE.search(error)
    return int(match[1]) if match else text.count("\n") + 1


def _places(statements: Iterable[tuple[int, str]]) -> list[tuple[int, Location]]:
    places: list[tuple[int, Location]] = []
    table: Location = ()
    counts: dict[Location, int] = {}
    for number, line in statements:
        if match := _TABLE.match(line):
            table = _numbered(_path(match[2]), counts)
            if match[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            places.append((number, table))
        elif match := _KEY.match(line):
            places.append((number, (*table, *_path(match[1]))))
    return places


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that does not continue the one before."""
    lines = text.split("\n")  # splitlines() would also split at U+2028
    number, depth = 1, 0
    yield 1, lines[0]
    for match in _PIECE.finditer(text):
        piece = match[0]
        number += piece.count("\n")
        depth += (piece in "[{") - (piece in "]}")
        if piece == "\n" and depth <= 0:
            yield number, lines[number - 1]


def _numbered(path: Location, counts: dict[Location, int]) -> Location:
    """Insert, after each array of tables in a path, the index of its last element."""
    table: Location = ()
    for key in path[:-1]:
        table = (*table, key)
        if table in counts:
            table = (*table, counts[table])
    return (*table, *path[-1:])


def _path(keys: str) -> Location:
    """Read ``camera."c 21".detection`` as TOML does."""
    try:
        value: Any = tomllib.loads(f"{keys} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(value, dict):
        ((key, value),) = value.items()
        path.append(key)
    return tuple(path)
