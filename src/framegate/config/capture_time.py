"""Reading from a file's name when its frame was taken.

Some cameras write a date (``c21_2021_03_26__16_44_04.png``), some seconds or milliseconds since the epoch
(``c23-1616694872510.png``), and one folder may hold both.
"""

import re
from collections.abc import Callable
from datetime import datetime

MTIME = "mtime"
_EPOCHS = {
    "epoch_s": (re.compile(r"(?<!\d)\d{9,10}(?!\d)", re.ASCII), 1_000_000_000),
    "epoch_ms": (re.compile(r"(?<!\d)\d{12,13}(?!\d)", re.ASCII), 1_000_000),
}
_DIRECTIVES = {
    "Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}", "j": r"\d{3}",
    "H": r"\d{2}", "I": r"\d{2}", "M": r"\d{2}", "S": r"\d{2}", "f": r"\d{1,6}",
    "p": r"[AaPp][Mm]", "b": r"[^\W\d_]+", "B": r"[^\W\d_]+", "a": r"[^\W\d_]+", "A": r"[^\W\d_]+",
    "z": r"(?:Z|[+-]\d{2}:?\d{2})", "%": "%",
}  # fmt: skip
_DATE = {"year": ("Y", "y"), "month": ("m", "b", "B"), "day": ("d",)}
"""The directives that give each part of a date; %j, the day of the year, gives month and day."""

ReadTime = Callable[[str, int], int | None]
"""From a name and the mtime in nanoseconds to nanoseconds since the epoch; None when no time is in it.
The mtime tells apart the two hours that clocks show alike when they are set back in autumn."""


def reader_of(pattern: str) -> ReadTime:
    """Return the function that reads times written as ``pattern``.

    Args:
        pattern: ``mtime`` (never in the name), ``epoch_s``, ``epoch_ms``, or a strptime pattern. It may stand
            anywhere in the name; the last place that fits counts. Without ``%z`` it is local time. A pattern
            has to have a full date; the time of day may be missing (it is 0:00 then), as where each day has a
            folder and the frames in it are numbered.

    Raises:
        ValueError: for anything else, saying what is wrong.
    """
    if pattern == MTIME:
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
            f'{pattern!r} is neither "mtime", "epoch_s", "epoch_ms" nor a strptime pattern of {known}'
        )
    if len(set(directives)) < len(directives):
        raise ValueError(f"{pattern!r} names a part of the time twice")
    _require_full_date(pattern, set(directives))
    spelling = "".join(re.escape(text) if text else _DIRECTIVES[directive] for directive, text in pieces)
    # First where no other digit touches it; then anywhere, as behind a counter: cam12320210326.jpg.
    alone = re.compile(rf"(?<!\d)(?=({spelling})(?!\d))", re.ASCII)
    anywhere = re.compile(rf"(?=({spelling}))", re.ASCII)

    def read(name: str, mtime_ns: int) -> int | None:
        for text in (*reversed(alone.findall(name)), *reversed(anywhere.findall(name))):
            try:
                return _nanoseconds(datetime.strptime(text, pattern), mtime_ns)  # noqa: DTZ007 - see there
            except (ValueError, OverflowError):  # digits that are no date
                continue
        return None

    return read


def _require_full_date(pattern: str, directives: set[str]) -> None:
    """Refuse a pattern by which every frame would be of the year 1900, or of the first of a month."""
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


def _nanoseconds(moment: datetime, mtime_ns: int) -> int:
    """Return the nanoseconds since the epoch of a time that was read; without a zone it is local.

    When clocks are set back in autumn they show an hour twice: of the two moments the one nearer to the mtime
    counts, since a file is written when its frame was taken or soon after. The hour that clocks leave out in
    spring is shown by a camera that has not been set forward yet: it is read as winter time.
    """
    if moment.tzinfo:
        return _since_epoch_ns(moment)
    first, second = (_since_epoch_ns(moment.replace(fold=fold)) for fold in (0, 1))
    if second <= first:  # the same, or in spring, when fold=0 is winter time
        return first
    return min(first, second, key=lambda ns: abs(ns - mtime_ns))


def _since_epoch_ns(moment: datetime) -> int:
    # Not astimezone(): of an hour that never comes it takes the offset that holds after the change.
    whole_s = int(moment.replace(microsecond=0).timestamp())  # exact: a float holds every second to year 9999
    return whole_s * 1_000_000_000 + moment.microsecond * 1000
