"""Reading from a file's name when its frame was taken.

Some cameras write a date (``c21_2021_03_26__16_44_04.png``), some seconds or milliseconds since the epoch
(``c23-1616694872510.png``), and one folder may hold both.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from framegate.model import EPOCH

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

ReadTime = Callable[[str], int | None]
"""From a name to nanoseconds since the epoch, or None when the name does not say."""


def reader_of(pattern: str) -> ReadTime:
    """Return the function that reads times written as ``pattern``.

    Args:
        pattern: ``mtime`` (never in the name), ``epoch_s``, ``epoch_ms``, or a strptime pattern. It may stand
            anywhere in the name; the last place that fits counts. Without ``%z`` it is local time.

    Raises:
        ValueError: for anything else, saying what is wrong.
    """
    if pattern == MTIME:
        return lambda _name: None
    if pattern in _EPOCHS:
        return _epoch_reader(*_EPOCHS[pattern])
    return _strptime_reader(pattern)


def _epoch_reader(spelling: re.Pattern[str], unit_ns: int) -> ReadTime:
    def read(name: str) -> int | None:
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
    spelling = "".join(re.escape(text) if text else _DIRECTIVES[directive] for directive, text in pieces)
    # First where no other digit touches it; then anywhere, as behind a counter: cam12320210326.jpg.
    alone = re.compile(rf"(?<!\d)(?=({spelling})(?!\d))", re.ASCII)
    anywhere = re.compile(rf"(?=({spelling}))", re.ASCII)

    def read(name: str) -> int | None:
        for text in (*reversed(alone.findall(name)), *reversed(anywhere.findall(name))):
            try:
                return _nanoseconds(datetime.strptime(text, pattern))  # noqa: DTZ007 - local unless it says %z
            except (ValueError, OverflowError):  # digits that are no date
                continue
        return None

    return read


def _nanoseconds(moment: datetime) -> int:
    return (moment.astimezone() - EPOCH) // timedelta(microseconds=1) * 1000
