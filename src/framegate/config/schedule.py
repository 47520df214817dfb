"""``[[schedule]]``: other detection settings for some hours and weekdays.

The time is that of capture, as this machine's clocks show it; where the camera's clock cannot be true, that
of arrival. An hour that comes twice in autumn counts twice; of hours that begin while an hour is left out in
spring, what is left counts. The first schedule that fits a frame counts, alone; what it sets comes before the
camera's own settings, and those before the general ones.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from framegate.config.detection import (
    DEFAULT_PRESET,
    DetectionSettings,
    Preset,
    classic_only,
    in_units_of,
)
from framegate.config.quantities import as_written
from framegate.config.tables import Table
from framegate.config.values import Text, Whole, one_or_many
from framegate.model import YEAR_1_S, YEAR_9999_S

DAY_S = 86_400

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _weekdays(value: object) -> object:
    """Return weekdays as they are spelt here; also full names and upper case are read.

    Raises:
        ValueError: with all that are no weekdays.
    """
    given = one_or_many(value)
    if not isinstance(given, (list, tuple)):
        return given
    read = [_weekday(each) for each in given]
    if wrong := [as_written(each) for each, day in zip(given, read, strict=True) if day is None]:
        raise ValueError(f"write weekdays as {', '.join(WEEKDAYS)}, not {', '.join(wrong)}")
    return read


def _weekday(given: object) -> Weekday | None:
    low = given.strip().lower() if isinstance(given, str) else ""
    return next((day for day, name in zip(WEEKDAYS, _DAY_NAMES, strict=True) if low in {day, name}), None)


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, written ``20:00-06:00``; it may go on over midnight."""

    begin_s: int
    """In seconds by the clock on the wall."""

    end_s: int
    """The first second that is no part of it; no more than ``begin_s`` if it goes on over midnight."""

    @classmethod
    def parse(cls, text: object) -> "Hours":
        """Return the hours written as ``"20:00-06:00"``; a ValueError shows the spelling."""
        if isinstance(text, Hours):
            return text
        match = _HOURS.fullmatch(text) if isinstance(text, str) else None
        numbers = [] if match is None else [int(number) for number in match.groups()]
        if not numbers or numbers[1] > 59 or numbers[3] > 59:  # noqa: PLR2004 - minutes
            raise ValueError(f'write hours as "20:00-06:00", not {as_written(text)}')
        begin_s, end_s = 3600 * numbers[0] + 60 * numbers[1], 3600 * numbers[2] + 60 * numbers[3]
        if begin_s >= DAY_S or end_s > DAY_S:
            raise ValueError(f"a day has the hours 00:00-24:00, not {as_written(text)}")
        if begin_s == end_s:
            raise ValueError(f"{text} is no time at all; for the whole day leave hours out, and set weekdays")
        return cls(begin_s, end_s % DAY_S)

    def __str__(self) -> str:
        ends = self.begin_s, self.end_s or DAY_S
        return "-".join(f"{second // 3600:02}:{second // 60 % 60:02}" for second in ends)

    def begun_on(self, weekday: int, second: int) -> int | None:
        """Return the weekday on which the hours began that a moment lies in; None if it lies outside.

        Args:
            weekday: 0 is Monday.
            second: of the day, 0 to 86,399.
        """
        if second >= self.begin_s and (second < self.end_s or self.end_s <= self.begin_s):
            return weekday
        return (weekday - 1) % 7 if second < self.end_s <= self.begin_s else None


_HOURS = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", re.ASCII)

WHOLE_DAY = Hours(0, 0)


@dataclass(frozen=True, slots=True)
class ForPresets:
    """A schedule's table of settings, and the presets of the cameras that it may be for."""

    table: Mapping[str, Any]
    presets: tuple[Preset, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """A preset that the cameras have; it stands in no schedule."""

    preset: Preset


def _of_the_cameras(value: object) -> object:
    if isinstance(value, _Given):
        return value.preset
    raise ValueError("cannot change by the hour: set it in [detection], or for a camera")


BY_NO_HOUR = BeforeValidator(_of_the_cameras)
"""Marks a setting by which pictures are made ready: those of before could not be compared with others."""


class ScheduledDetection(DetectionSettings):
    """Some settings of ``[detection]``: those that are set, and no others, replace a camera's."""

    preset_name: Annotated[Preset, BY_NO_HOUR] = Field(default=DEFAULT_PRESET, alias="preset")
    working_height: Annotated[Whole, BY_NO_HOUR] = 0

    @model_validator(mode="before")
    @classmethod
    def _name_the_preset(cls, data: Any) -> Any:
        presets: tuple[Preset, ...] = (DEFAULT_PRESET,)
        if isinstance(data, ForPresets):
            data, presets = data.table, data.presets
        if not isinstance(data, dict):
            return data
        if not data:
            raise ValueError("sets nothing: set what is to be different, such as score_threshold")
        if len(presets) > 1 and (unlike := _unlike(data)):
            raise ValueError(
                f"{unlike} means something else to each preset, and the schedule is for cameras of both:"
                " name those of one preset in `cameras`"
            )
        return {"preset": _Given(presets[0]), **in_units_of(data, presets[0])}

    @model_serializer(mode="wrap")
    def _what_is_used(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialized(self).items() if key in self.given}

    @property
    def given(self) -> frozenset[str]:
        """The settings that are set."""
        return frozenset(self.model_fields_set) - {"preset_name"}

    def over(self, settings: DetectionSettings) -> DetectionSettings:
        """Return a camera's settings, with those that are set here instead."""
        return settings.model_copy(update={name: getattr(self, name) for name in self.given})

    def without(self, names: frozenset[str], **instead: object) -> Self:
        """Return what is set here but for some settings; of ``instead`` those that are set here."""
        kept = self.given - names
        update = {name: value for name, value in instead.items() if name in kept}
        changed = self.model_copy(update=update)
        object.__setattr__(changed, "__pydantic_fields_set__", {"preset_name", *kept})
        return changed


def _unlike(table: Mapping[str, Any]) -> str | None:
    """Return the first setting whose value the presets read otherwise; None without one."""
    zones = table.get("zone")
    zones = zones if isinstance(zones, (list, tuple)) else ()
    for name in ("score_threshold", *sorted(classic_only())):
        if name in table:
            return name
    has_threshold = any(isinstance(zone, dict) and zone.get("score_threshold") is not None for zone in zones)
    return "a zone's score_threshold" if has_threshold else None


class Schedule(Table):
    """Other detection settings for some hours and weekdays."""

    name: Text
    """What verdicts and `framegate explain` call it: `night`."""

    hours: Annotated[
        tuple[Annotated[Hours, BeforeValidator(Hours.parse), PlainSerializer(str, return_type=str)], ...],
        BeforeValidator(one_or_many),
        Field(min_length=1),
    ] = (WHOLE_DAY,)
    """From when to when, in local time of capture: `"20:00-06:00"`, or a list of such. They may go on over
    midnight. Default: the whole day."""

    weekdays: Annotated[tuple[Weekday, ...], BeforeValidator(_weekdays), Field(min_length=1)] | None = None
    """Only on these: `["sat", "sun"]`. Hours over midnight belong to the day on which they begin."""

    cameras: Annotated[tuple[Text, ...], BeforeValidator(one_or_many), Field(min_length=1)] | None = None
    """Only for these cameras, named as camera_pattern finds them. Default: for all."""

    detection: ScheduledDetection
    """Any setting of `[detection]` but `preset` and `working_height`."""

    @model_validator(mode="after")
    def _is_limited(self) -> Self:
        if self.hours == (WHOLE_DAY,) and self.weekdays is None:
            raise ValueError(
                "counts at every hour of every day: set weekdays, or hours that are not the whole day;"
                " what always counts belongs in [detection]"
            )
        return self

    def is_for(self, camera: str) -> bool:
        """Return whether it may count for a camera."""
        return self.cameras is None or camera in self.cameras

    def covers(self, weekday: int, second: int) -> bool:
        """Return whether a moment lies in it; see ``Hours.begun_on``."""
        for hours in self.hours:
            begun_on = hours.begun_on(weekday, second)
            if begun_on is not None and (self.weekdays is None or WEEKDAYS[begun_on] in self.weekdays):
                return True
        return False

    @property
    def in_words(self) -> str:
        """When it counts, and for which cameras."""
        days = () if self.weekdays is None else (" ".join(self.weekdays),)
        of = () if self.cameras is None else (f"cameras {' '.join(self.cameras)}",)
        return ", ".join((" ".join(map(str, self.hours)), *days, *of))


def _named_once(schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
    name, count = Counter(each.name for each in schedules).most_common(1)[0] if schedules else ("", 0)
    if count > 1:
        raise ValueError(
            f"{count} schedules are named {name!r}: a verdict could not say which of them counted"
        )
    return schedules


Schedules = Annotated[tuple[Schedule, ...], AfterValidator(_named_once)]


def local_clock(time_ns: int) -> tuple[int, int]:
    """Return the weekday, 0 is Monday, and the second of the day that this machine's clocks show at a time.

    Args:
        time_ns: since the epoch; outside the years 1 to 9999 the nearest of those counts.
    """
    shown = time.localtime(min(max(time_ns // 10**9, YEAR_1_S + DAY_S), YEAR_9999_S - DAY_S))
    return shown.tm_wday, 3600 * shown.tm_hour + 60 * shown.tm_min + min(shown.tm_sec, 59)


def with_presets(tables: Any) -> Any:
    """Return the tables of a config file, with the presets of the cameras that each schedule may be for."""
    schedules = tables.get("schedule") if isinstance(tables, dict) else None
    if not isinstance(schedules, (list, tuple)):
        return tables
    return tables | {"schedule": [_with_presets(each, tables) for each in schedules]}


def _with_presets(schedule: Any, tables: Mapping[str, Any]) -> Any:
    if not isinstance(schedule, dict) or not isinstance(schedule.get("detection"), dict):
        return schedule
    given, general = tables.get("camera"), _preset_of(tables)
    own = {name: _preset_of(table) for name, table in given.items()} if isinstance(given, Mapping) else {}
    names = schedule.get("cameras")
    if isinstance(names := one_or_many(names), (list, tuple)):
        presets = {own.get(name, general) if isinstance(name, str) else general for name in names}
    else:
        presets = {general, *own.values()}
    for_presets = ForPresets(schedule["detection"], tuple(sorted(presets or {general})))
    return schedule | {"detection": for_presets}


def _preset_of(tables: Any) -> Preset:
    detection = tables.get("detection") if isinstance(tables, Mapping) else getattr(tables, "detection", None)
    preset = detection.get("preset") if isinstance(detection, Mapping) else None
    preset = getattr(detection, "preset_name", preset)
    return cast(Preset, preset) if preset in get_args(Preset) else DEFAULT_PRESET
