"""The types of settings: how a value is read, and the error when it is wrong."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    Strict,
    StringConstraints,
    ValidationInfo,
)

from framegate.config.capture_time import reader_of
from framegate.config.layout import Layout
from framegate.config.quantities import ArchiveAfter, Area, Duration, Size, Times, as_written


def _odd(value: int) -> int:
    if value and value % 2 == 0:
        raise ValueError(f"must be odd: use {value - 1} or {value + 1}, or 0 for no blur")
    return value


def _has_camera_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if "camera" not in groups:
        raise ValueError(r"needs a group named camera, as in '^(?P<camera>c\d+)'")
    return pattern


def _known_version(version: int) -> int:
    if version != 1:
        raise ValueError(f"this framegate reads version 1, not {version}")
    return version


def _readable_times(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        reader_of(pattern)
    return patterns


def _without_slash_at_end(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return patterns for folders as those for files: people write a slash behind folders."""
    return tuple(pattern.rstrip("/") or pattern for pattern in patterns)


def one_or_many(value: object) -> object:
    """Return a list for a single text: people leave out the brackets."""
    return [value] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class ForPreset:
    """A value of the config file, and the preset that decides what it may be."""

    value: object
    preset: str


def _area(given: object) -> Area:
    return Area.parse(given.value if isinstance(given, ForPreset) else given)


def _threshold(given: object) -> Area | Times:
    """Return a threshold in a unit of its preset; without a preset, in any."""
    value, preset = (given.value, given.preset) if isinstance(given, ForPreset) else (given, None)
    own, other = (Times, Area) if preset == "adaptive" else (Area, Times)
    try:
        return own.parse(value)
    except ValueError as error:
        if not _is_read_by(other, value):
            raise
        if preset is None:
            return other.parse(value)
        right = (
            '"2.3x", times the usual change' if own is Times else '"2%" of the unmasked picture, or "50000px"'
        )
        raise ValueError(f'preset = "{preset}" takes {right}, not {as_written(value)}') from error


def _is_read_by(kind: type[Area | Times], value: object) -> bool:
    try:
        kind.parse(value)
    except ValueError:
        return False
    return True


def _after_verdict(value: object) -> object:
    if isinstance(value, Duration) or (isinstance(value, str) and value in {"leave", "delete", "archive"}):
        return value
    action, after, age = value.partition(" after ") if isinstance(value, str) else ("", "", "")
    try:
        if after and action in {"archive", "delete"}:
            duration = Duration.parse(age)
            return ArchiveAfter(duration) if action == "archive" else duration
        return Duration.parse(value)
    except ValueError as error:
        words = 'write "leave", "delete", "7d" (delete after 7 days), "archive" or "archive after 7d"'
        raise ValueError(f"{words}, not {as_written(value)}") from error


def _exactly(count: int, words: str) -> BeforeValidator:
    """Return a validator that requires a list of ``count`` items; ``words`` are for the error."""

    def check(value: object) -> object:
        if not isinstance(value, (list, tuple)) or len(value) != count:
            raise ValueError(f"needs {words}, not {_count_of(value)}")
        return value

    return BeforeValidator(check)


def _three_corners(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"needs a list of corners [x, y], not {_count_of(value)}")  # noqa: TRY004
    if len(value) < 3:  # noqa: PLR2004 - fewer enclose nothing
        raise ValueError(f"needs at least 3 corners, has {len(value)}")
    return value


def _count_of(value: object) -> str:
    return str(len(value)) if isinstance(value, (list, tuple)) else as_written(value)


def _inside_the_picture(value: tuple[float, ...]) -> tuple[float, ...]:
    left, top, right, bottom = value
    if left + right >= 100 or top + bottom >= 100:  # noqa: PLR2004 - a hundred percent
        raise ValueError(f"masks the whole picture: {left:g}% + {right:g}% wide, {top:g}% + {bottom:g}% high")
    return value


def _something(size: Size) -> Size:
    if not size:
        raise ValueError("0 would delete every result; leave the setting out to have no limit")
    return size


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"corners are fractions of the picture, from 0 to 1, not {value:g}")
    return value


def read_address(text: str, *, example: str = '"127.0.0.1:9188" or ":9188"') -> str:
    """Return an address and a port, as ``127.0.0.1:9188`` or ``[::1]:9188``; ``:9188`` is all of IPv4."""
    address = re.fullmatch(r"([^/]*):([0-9]{1,5})", text)
    if address is None or not 0 < int(address[2]) < 65_536:  # noqa: PLR2004
        raise ValueError(f"write an address and a port, as {example}, not {text!r}")
    return text if address[1] else f"0.0.0.0{text}"  # noqa: S104 - only when asked for


def _anchored(value: object, info: ValidationInfo) -> object:
    """Make a path in the config file absolute; a relative one starts in the file's folder.

    A ``Path`` comes from the command line, where the shell has expanded it. Without the file's folder in the
    context, a text comes from settings that were read before.
    """
    if isinstance(value, Path):
        return os.fspath(value)
    folder = (info.context or {}).get(CONFIG_FOLDER)
    if not isinstance(value, str) or not value or folder is None:
        return value
    if "\0" in value:
        raise ValueError("a path cannot contain a NUL character")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        raise ValueError(
            f"{value} is a URL: write the path of a folder or file of this machine; only frames may be at a"
            " URL, and only for `framegate scan URL OUT --workers 2`"
        )
    if variable := re.search(r"\$\{?[A-Za-z_]\w*\}?", value):
        raise ValueError(f"{variable[0]} is not expanded here: write the path itself (~ is your home folder)")
    expanded = os.path.expanduser(value)
    if expanded.startswith("~"):
        raise ValueError(f"{value.partition('/')[0]} has no home folder: write the path itself")
    return os.path.normpath(os.path.join(folder, expanded))


def _ends_in_prom(path: str) -> str:
    if not path.endswith(".prom"):
        raise ValueError(f"node_exporter reads only names that end in .prom, not {os.path.basename(path)!r}")
    return path


CONFIG_FOLDER = "config_folder"
"""Key of the validation context: the folder in which relative paths start."""

_as_text = PlainSerializer(str, return_type=str)

Text = Annotated[str, Strict(), StringConstraints(min_length=1)]
FilePath = Annotated[Text, BeforeValidator(_anchored)]
"""A file or a folder: ``~`` is expanded, a relative path starts in the config file's folder."""

PromFile = Annotated[FilePath, AfterValidator(_ends_in_prom)]
Listen = Annotated[str, Strict(), AfterValidator(read_address)]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
AreaValue = Annotated[Area, BeforeValidator(_area), _as_text]
ThresholdValue = Annotated[Area | Times, BeforeValidator(_threshold), _as_text]
SizeValue = Annotated[Size, BeforeValidator(Size.parse), _as_text]
SomeSize = Annotated[SizeValue, AfterValidator(_something)]
DurationValue = Annotated[Duration, BeforeValidator(Duration.parse), _as_text]
AfterVerdict = Annotated[
    Literal["leave", "delete", "archive"] | Duration, BeforeValidator(_after_verdict), _as_text
]
LayoutValue = Annotated[Layout, BeforeValidator(Layout.parse), _as_text]
Percent = Annotated[Number, Field(ge=0, lt=100)]
Fraction = Annotated[Number, AfterValidator(_fraction)]
Point = Annotated[tuple[Fraction, Fraction], _exactly(2, "two numbers [x, y]")]
Polygon = Annotated[tuple[Point, ...], BeforeValidator(_three_corners)]
Borders = Annotated[
    tuple[Percent, Percent, Percent, Percent],
    _exactly(4, "four numbers [left, top, right, bottom]"),
    AfterValidator(_inside_the_picture),
]
OddSide = Annotated[Whole, Field(ge=0, le=99), AfterValidator(_odd)]
Version = Annotated[Whole, AfterValidator(_known_version)]
CameraPattern = Annotated[Text, AfterValidator(_has_camera_group)]
Patterns = Annotated[tuple[Text, ...], BeforeValidator(one_or_many), Field(min_length=1)]
Exclusions = Annotated[tuple[Text, ...], BeforeValidator(one_or_many), AfterValidator(_without_slash_at_end)]
CaptureTimes = Annotated[Patterns, AfterValidator(_readable_times)]
