"""How it goes, as one document: what ``framegate status`` prints, the metrics count, and systemd shows."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from framegate.model import Entry, Verdict, iso_utc
from framegate.service.books import Books, Page
from framegate.service.retrying import NEVER_S
from framegate.service.waiting import Pending

SCHEMA = 1
FILE_NAME = "status.json"

WRITE_S, AT_LEAST_S = 1.0, 10.0
"""The file is written so often while frames come, and at least so often. It is small, and never synced."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a daemon knows of itself beside its books."""

    pid: int | None = None
    uptime_s: float = 0.0
    paused: str | None = None
    """Why the intake is paused."""

    is_absent: bool = False
    """The drop folder is gone."""

    watch: str | None = None
    watch_rebuilds: int = 0
    watch_overflows: int = 0
    found_by_sweep: int = 0
    config_file: str | None = None
    config_revision: int | None = None
    config_refused: tuple[str, ...] = ()
    config_loaded_at: float = 0.0
    """Seconds since the epoch."""

    results_free_bytes: int | None = None
    min_free_bytes: int = 0
    pending: Mapping[str, Pending] = field(default_factory=dict)


def document(books: Books, vitals: Vitals, now_s: float) -> dict[str, Any]:
    """Return the state of a daemon, or of what it has left, as JSON has it.

    Args:
        books: the counts.
        vitals: the rest.
        now_s: monotonic seconds, of the clock that ``vitals.pending`` goes by.
    """
    cameras = {}
    names = [*books.pages, *sorted(vitals.pending.keys() - books.pages.keys())]
    for name in names:
        page, pending = books.pages.get(name, Page()), vitals.pending.get(name, Pending())
        cameras[name] = _camera(page, pending, now_s)
    facts = asdict(vitals)
    del facts["pending"]
    return {
        "schema": SCHEMA,
        "at": iso_utc(time.time_ns()),
        "at_s": time.time(),
        "running": vitals.pid is not None,
        **facts,
        "totals": {key: sum(page[key] for page in cameras.values()) for key in _COUNTS},
        "oldest_pending_s": max((page["oldest_pending_s"] or 0 for page in cameras.values()), default=0),
        "cameras": cameras,
    }


_COUNTS = ("seen", "kept", "dropped", "rejected", "pending")


def _camera(page: Page, pending: Pending, now_s: float) -> dict[str, Any]:
    counts = {str(verdict): page.count(verdict) for verdict in Verdict}
    return {
        "seen": sum(counts.values()) + pending.count,
        **counts,
        "pending": pending.count,
        "oldest_pending_s": round(now_s - pending.since_s, 1) if pending.count else None,
        "reasons": {str(reason): count for reason, count in sorted(page.reasons.items()) if count},
        "last_frame": None if page.last is None else _frame(page.last),
        "last_kept": None if page.last_kept is None else _frame(page.last_kept),
        "scores": [round(score, 4) for score in page.scores],
    }


def _frame(entry: Entry) -> dict[str, Any]:
    return {
        "frame": entry.key.name,
        "captured_at": iso_utc(entry.captured_at_ns),
        "decided_at": iso_utc(entry.decided_at_ns),
        "decided_at_s": entry.decided_at_ns / 1e9,
        "reason": str(entry.reason),
        "score_percent": entry.score_percent,
        "result": entry.result,
    }


def in_one_line(status: Mapping[str, Any]) -> str:
    """Return what ``systemctl status`` shows: what is wrong first, then the counts."""
    totals = status["totals"]
    counts = ", ".join(f"{totals[key]} {key}" for key in _COUNTS[1:])
    trouble = [f"PAUSED: {status['paused']}"] if status["paused"] else []
    trouble += ["DROP FOLDER ABSENT"] if status["is_absent"] else []
    trouble += [f"CONFIG REFUSED: {status['config_refused'][0]}"] if status["config_refused"] else []
    return "; ".join([*trouble, counts, f"config revision {status['config_revision']}"])


class StatusFile:
    """Keeps the document in the state folder, for ``framegate status``.

    Args:
        folder: the state folder.
        describe: makes the document.
    """

    def __init__(self, folder: Path, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._path = folder / FILE_NAME
        self._describe = describe
        self._is_stale = True
        self._written_at_s = -NEVER_S

    def note(self) -> None:
        """Take in that something has changed."""
        self._is_stale = True

    def deadline_s(self) -> float:
        """Return when it is to be written next."""
        return self._written_at_s + (WRITE_S if self._is_stale else AT_LEAST_S)

    def run_due(self, now_s: float) -> None:
        """Write it; a disk that fails has other ways to be heard."""
        self._written_at_s, self._is_stale = now_s, False
        replace_file(self._path, json.dumps(self._describe()))


def replace_file(path: Path, text: str) -> None:
    """Put a text in place of a file: a reader sees the old or the new. It is not durable, and no promise."""
    temporary = path.with_name(f".{path.name}.tmp")
    with suppress(OSError):
        temporary.write_text(text, "utf-8", errors="backslashreplace")
        os.replace(temporary, path)
