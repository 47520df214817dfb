"""The table that ``scan --stats`` writes: a CSV row for every frame, kept or not, for choosing thresholds."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
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


class StatsFile:
    """A listener that writes a row for each verdict.

    Args:
        path: the CSV file, which is replaced.

    Raises:
        StatsError: the file cannot be written; on entering, on leaving, or between two candidates.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            raise self._as_stats_error(error) from error
        self._writer = csv.writer(self._file)
        self._writer.writerow(STATS_COLUMNS)
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        self._raise_error()

    def __call__(self, event: LogEvent) -> None:
        """Write a verdict's row."""
        if isinstance(event, FrameDecided):
            try:
                self._writer.writerow(stats_row(event))
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
