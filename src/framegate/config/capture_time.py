"""Reads the capture time of a frame from its file's name, and makes nanoseconds of dates.

Some cameras write a date (``c21_2021_03_26__16_44_04.png``), some seconds or milliseconds since the epoch
(``c23-1616694872510.png``), and one folder may have both.
"""

import re
from collections.abc import Callable
from datetime import datetime

MTIME, EXIF = "mtime", "exif"
_EPOCHS = {
    "epoch_s": (re.compile(r"(?<!\d)\d{9,10}(?!\d)", re.ASCII), 1_000_000_000),
    "epoch_ms": (re.compile(r"(?<!\d)\d{12,13}(?!\d)", re.ASCII), 1_000_000),
    "epoch_us": (re.compile(r"(?<!\d)\d{15,16}(?!\d)", re.ASCII), 1_000),
    "epoch_ns": (re.compile(r"(?<!\d)\d{18,19}(?!\d)", re.ASCII), 1),
}
_DIRECTIVES = {
    "Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}", "j": r"\d{3}",
    "H": r"\d{2}", "I": r"\d{2}", "M": r"\d{2}", "S": r"\d{2}", "f": r"\d{1,6}",
    "p": r"[AaPp][Mm]", "b": r"[^\W\d_]+", "B": r"[^\W\d_]+", "a": r"[^\W\d_]+", "A": r"[^\W\d_]+",
    "z": r"(?:Z|[+-]\d{2}:?\d{2})", "%": "%",
}  # fmt: skip
_DATE = {"year": ("Y", "y"), "month": ("m", "b", "B"), "day": ("d",)}
"""The directives for each part of a date; %j, the day of the year, is month and day."""

AHEAD_NS = 15 * 60 * 10**9
"""A camera's clock may be so far ahead of the one that wrote the mtime."""

ReadTime = Callable[[str, int], int | None]
"""Takes a name and an mtime in nanoseconds; returns the time in nanoseconds since the epoch, or None if the
name has none. The mtime decides which of two hours is meant when clocks are set back in autumn."""


def reader_of(pattern: str) -> ReadTime:
    """Return the function that reads times written as ``pattern``.

    Args:
        pattern: ``mtime`` or ``exif`` (never in the name), ``epoch_s``, ``epoch_ms``, ``epoch_us``,
            ``epoch_ns``, or a strptime pattern. It may match anywhere in the name; the last match counts.
            Without ``%z`` it is local time. The date has to be complete; without a time of day it is 0:00,
            as where each day has a folder of numbered frames.

    Raises:
        ValueError: the pattern is wrong.
    """
    if pattern in {MTIME, EXIF}:
        return lambda _name, _mtime_ns: None
    if pattern in _EPOCHS:
        return _epoch_reader(*_EPOCHS[pattern])
    return _strptime_reader(pattern)


def _epoch_reader(spelling: re.Pattern[str], unit_ns: int) -> ReadTime:
    def read(name: str, _mtime_ns: int) -> int | None:
        found = spelling.findall(name)
        return int(found[-1]) * unit_ns if found else None

    return read


def _strptime_reader(pattern: str) -> ReadTime:
    pieces = re.findall(r"%(.?)|([^%]+)", pattern, re.DOTALL)
    directives = [directive for directive, literal in pieces if not literal and directive != "%"]
    if not directives or any(directive not in _DIRECTIVES for directive in directives):
        known = " ".join(f"%{directive}" for directive in _DIRECTIVES)
        raise ValueError(
            f'{pattern!r} is no "exif", "mtime", "epoch_s", "epoch_ms", "epoch_us" or "epoch_ns", and no'
            f" strptime pattern of {known}"
        )
    if len(set(directives)) < len(directives):
        raise ValueError(f"{pattern!r} names a part of the time twice")
    _require_full_date(pattern, set(directives))
    spelling = "".join(re.escape(text) if text else _DIRECTIVES[directive] for directive, text in pieces)
    # First without a digit next to it; then anywhere, as after a counter: cam12320210326.jpg.
    alone = re.compile(rf"(?<!\d)(?=({spelling})(?!\d))", re.ASCII)
    anywhere = re.compile(rf"(?=({spelling}))", re.ASCII)

    def read(name: str, mtime_ns: int) -> int | None:
        for text in (*reversed(alone.findall(name)), *reversed(anywhere.findall(name))):
            try:
                return nanoseconds_of(datetime.strptime(text, pattern), mtime_ns)  # noqa: DTZ007 - see there
            except (ValueError, OverflowError):  # digits that are not a date
                continue
        return None

    return read


def _require_full_date(pattern: str, directives: set[str]) -> None:
    """Raise ValueError for a pattern that puts every frame in the year 1900, or on the first of a month."""
    needed = ("year",) if "j" in directives else ("year", "month", "day")
    missing = [
        f"no {part} ({' or '.join(f'%{directive}' for directive in _DATE[part])})"
        for part in needed
        if directives.isdisjoint(_DATE[part])
    ]
    if missing:
        raise ValueError(
            f"{pattern!r} has {' and '.join(missing)}: write the full date, as in %Y-%m-%d or %Y-%j;"
            ' where the names have none, "mtime"'
        )


def nanoseconds_of(moment: datetime, mtime_ns: int) -> int:
    """Return nanoseconds since the epoch; a time without a zone is local.

    When clocks are set back in autumn an hour comes twice (half an hour on Lord Howe). A file is written
    after its frame was taken: the second of the two counts if the file is of that time or later.
    A time in the hour that is left out in spring is of a camera whose clock has not been set forward yet: it
    is read as winter time.
    """
    if moment.tzinfo:
        return _since_epoch_ns(moment)
    first, second = (_since_epoch_ns(moment.replace(fold=fold)) for fold in (0, 1))
    if second <= first:  # the same, or in spring, when fold=0 is winter time
        return first
    return second if second <= mtime_ns + AHEAD_NS else first


def _since_epoch_ns(moment: datetime) -> int:
    # Not astimezone(): of an hour that never comes it takes the offset that holds after the change.
    whole_s = int(moment.replace(microsecond=0).timestamp())  # exact: a float holds every second to year 9999
    return whole_s * 1_000_000_000 + moment.microsecond * 1000
