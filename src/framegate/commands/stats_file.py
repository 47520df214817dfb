"""The table that ``scan --stats`` writes: a row for every frame, kept or not, for choosing thresholds."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from framegate.errors import FramegateError
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.model import Candidate, iso_utc

STATS_COLUMNS = (
    "frame", "camera", "captured_at", "reference", "score", "threshold", "verdict", "reason",
    "unit", "zone", "changed_px", "region_count", "result", "detail", "schedule",
)  # fmt: skip


class StatsError(FramegateError):
    """The table cannot be written."""


Rows = Callable[[Iterable[object]], object]
"""Takes a row of the table: a value for each of ``STATS_COLUMNS``."""


@contextmanager
def _csv(path: Path) -> Iterator[Rows]:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(STATS_COLUMNS)
        yield writer.writerow


class StatsFile:
    """A listener that writes a row for each verdict.

    Args:
        path: the file, which is replaced.
        opened: opens it, and takes the rows; default: a CSV file.

    Raises:
        StatsError: the file cannot be written; on entering, on leaving, or between two candidates.
    """

    def __init__(self, path: Path, opened: Callable[[Path], AbstractContextManager[Rows]] = _csv) -> None:
        self._path = path
        self._opened = opened
        self._stack = ExitStack()
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        try:
            self._write = self._stack.enter_context(self._opened(self._path))
        except OSError as error:
            raise self._as_stats_error(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, trace)
        except OSError as own:
            self._error = self._error or own
        self._raise_error()

    def __call__(self, event: LogEvent) -> None:
        """Write a verdict's row."""
        if isinstance(event, FrameDecided):
            try:
                self._write(stats_row(event))
            except OSError as error:  # not raised here: the frame that is being recorded is not to blame
                self._error = error

    def while_written(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield candidates until the table cannot be written."""
        for candidate in candidates:
            self._raise_error()
            yield candidate

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._as_stats_error(self._error)

    def _as_stats_error(self, error: OSError) -> StatsError:
        return StatsError(f"{self._path}: {error.strerror}")


def stats_row(event: FrameDecided) -> tuple[object, ...]:
    """Return the row of a verdict: a value for each of ``STATS_COLUMNS``."""
    entry, score = event.entry, event.score
    return (
        entry.key.name,
        entry.camera,
        iso_utc(entry.captured_at_ns),
        entry.reference,
        _number(entry.score),
        _number(entry.threshold),
        entry.reason.verdict,
        entry.reason,
        entry.unit,
        entry.zone,
        None if score is None else score.changed_px,
        None if score is None else len(score.regions),
        entry.result,
        entry.detail,
        event.schedule,
    )


def _number(value: float | None) -> float | None:
    """Round to a fiftieth of a pixel of a 4K picture."""
    return None if value is None else round(value, 9)
