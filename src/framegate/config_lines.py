"""Which line of a TOML file a setting stands on: what an operator needs to mend it."""

import re
import tomllib
from contextlib import suppress
from typing import Any

_TABLE = re.compile(r"\s*(\[{1,2})([^\[\]]+)\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PLACE = re.compile(r"at line (\d+)")

Location = tuple[int | str, ...]


def line_of(text: str, location: Location) -> int | None:
    """Return the line, from 1, of a setting, or of the innermost table around it that stands in the file.

    Args:
        text: the file, which is TOML.
        location: the keys that lead to the setting, with numbers in arrays of tables.
    """
    best, best_depth = None, 0
    for number, place in _places(text):
        is_around = place == location[: len(place)]
        is_inside = location == place[: len(location)]  # a table that is missing keys begins where they do
        depth = len(place) if is_around else len(location) if is_inside else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def folders_in(text: str) -> dict[str, str]:
    """Return ``folder`` of each table, as far as it can be read from a file that is not sound as a whole."""
    folders: dict[str, str] = {}
    lines = text.splitlines()
    for number, place in _places(text):
        if len(place) == 2 and place[1] == "folder":  # noqa: PLR2004 - table and key
            with suppress(tomllib.TOMLDecodeError):
                folders[str(place[0])] = str(tomllib.loads(lines[number - 1]).popitem()[1])
    return folders


def line_of_error(error: str, text: str) -> int:
    """Return the line that a message of tomllib's names; the end of the file when it names that."""
    match = _PLACE.search(error)
    return int(match[1]) if match else text.count("\n") + 1


def _places(text: str) -> list[tuple[int, Location]]:
    places: list[tuple[int, Location]] = []
    table: Location = ()
    counts: dict[Location, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.fullmatch(line):
            table = _path(match[2])
            if match[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            places.append((number, table))
        elif match := _KEY.match(line):
            places.append((number, (*table, *_path(match[1]))))
    return places


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
