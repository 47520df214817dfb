"""What a replay is asked for, and what it has found."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from framegate.commands.cluster.workers import Workers
from framegate.tune.counts import Counts, counts_of
from framegate.tune.differences import Difference, Side
from framegate.tune.labels import Failure, Label
from framegate.tune.replay.outcomes import Frame


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be replayed, and shown."""

    folder: Path | None
    """None: what the daemon of the config has judged."""

    camera: str | None = None
    from_ns: int | None = None
    until_ns: int | None = None
    """Frames taken from ``from_ns`` on and before ``until_ns`` are shown; nanoseconds since the epoch."""

    labels: Path | None = None
    is_list: bool = False
    as_json: bool = False
    is_cached: bool = True
    workers: Workers | None = None
    """None, or none chosen: this process."""

    def is_shown(self, frame: Frame) -> bool:
        """Return whether a frame lies in the range of time."""
        taken_ns = frame.candidate.captured_at_ns
        is_late = self.until_ns is not None and taken_ns >= self.until_ns
        return not is_late and (self.from_ns is None or taken_ns >= self.from_ns)


@dataclass(frozen=True, slots=True)
class Check:
    """What the labels say of a replay."""

    labels: Path
    passed: int
    failed: list[Failure]
    unknown: list[Label]
    """Those that name no frame that is shown."""

    @property
    def is_passed(self) -> bool:
        """Whether all is as the labels say; where none names a frame, nothing was checked."""
        return not self.failed and self.passed > 0


@dataclass(frozen=True, slots=True)
class Found:
    """All that is shown."""

    before: Side | None
    after: Side
    changes: list[Difference]
    check: Check | None


def time_ns_of(text: str, *, is_end: bool = False) -> int:
    """Return a time as nanoseconds since the epoch.

    Args:
        text: a date, or date and time, as ISO 8601 has it; local time unless it says its offset from UTC.
        is_end: of a date return its end, and not its beginning.

    Raises:
        ValueError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
        if is_end and _is_date(text):
            moment += timedelta(days=1)
        return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000
    except (ValueError, OverflowError) as error:
        raise ValueError(f"write a time as 2026-11-19 or 2026-11-19T06:30, not {text!r}") from error


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def counts_of_side(side: Side) -> dict[str, Counts]:
    """Return what a side keeps of the frames that are shown, by camera."""
    return counts_of(side.replay.frames, side.outcome, side.numbers)
