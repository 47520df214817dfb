"""What a setting's value may be: its type, how it is read, and what is said when it cannot be."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Strict, StringConstraints

from framegate.capture_time import reader_of
from framegate.quantities import Area, Duration, Size


def _odd(value: int) -> int:
    if value and value % 2 == 0:
        raise ValueError(f"the kernel of a Gaussian is odd: use {value - 1} or {value + 1}, or 0 for none")
    return value


def _has_camera_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from error
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


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _inside_the_picture(value: tuple[float, ...]) -> tuple[float, ...]:
    left, top, right, bottom = value
    if left + right >= 100 or top + bottom >= 100:  # noqa: PLR2004 - a hundred percent
        raise ValueError(f"masks the whole picture: {left:g}% + {right:g}% wide, {top:g}% + {bottom:g}% high")
    return value


def _something(size: Size) -> Size:
    if not size:
        raise ValueError("0 would leave nothing; leave the setting out to be without a limit")
    return size


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"corners are fractions of the picture, from 0 to 1, not {value:g}")
    return value


def _address(text: str) -> str:
    """Check a host and a port, as ``127.0.0.1:9188`` or ``[::1]:9188``."""
    address = re.fullmatch(r".+:([0-9]{1,5})", text)
    if address is None or not 0 < int(address[1]) < 65_536:  # noqa: PLR2004
        raise ValueError(f'write an address and a port, as "127.0.0.1:9188", not {text!r}')
    return text


_as_text = PlainSerializer(str, return_type=str)

Text = Annotated[str, Strict(), StringConstraints(min_length=1)]
Folder = Annotated[str, Strict(), StringConstraints(min_length=1)]
Listen = Annotated[str, Strict(), AfterValidator(_address)]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
AreaValue = Annotated[Area, BeforeValidator(Area.parse), _as_text]
SizeValue = Annotated[Size, BeforeValidator(Size.parse), _as_text]
SomeSize = Annotated[SizeValue, AfterValidator(_something)]
DurationValue = Annotated[Duration, BeforeValidator(Duration.parse), _as_text]
Percent = Annotated[Number, Field(ge=0, lt=100)]
Fraction = Annotated[Number, AfterValidator(_fraction)]
Point = tuple[Fraction, Fraction]
Borders = Annotated[tuple[Percent, Percent, Percent, Percent], AfterValidator(_inside_the_picture)]
OddSide = Annotated[Whole, Field(ge=0, le=99), AfterValidator(_odd)]
Version = Annotated[Whole, AfterValidator(_known_version)]
CameraPattern = Annotated[Text, AfterValidator(_has_camera_group)]
Patterns = Annotated[tuple[Text, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
CaptureTimes = Annotated[Patterns, AfterValidator(_readable_times)]
