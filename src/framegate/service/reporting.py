"""Who hears how it goes: the books; from them the status file, systemd's line, the metrics, the silence."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from framegate import folders
from framegate.config import Config
from framegate.events import Event, Happening, Listener, happening
from framegate.keep.ledger import Ledger
from framegate.reference import settings_that_differ
from framegate.service.books import MOST_PAGES, SCORES, Books
from framegate.service.intake import Intake
from framegate.service.metrics import Metrics
from framegate.service.notify import Notifier
from framegate.service.reloading import Reloader
from framegate.service.silence import Silence
from framegate.service.status import StatusFile, Vitals, document, in_one_line
from framegate.settings import Settings


class Reporting:
    """A listener of all events, tended by the loop.

    Args:
        intake: knows what waits, and how it is watched.
        reloader: knows the config in force.
        ledger: has what was decided before.
        notifier: shows a line in ``systemctl status``.
        announce: hears of silent cameras.
        clock: monotonic seconds.

    Raises:
        ConfigError: the metrics cannot be served.
        SinkError: the ledger cannot be read.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        reloader: Reloader,
        ledger: Ledger,
        notifier: Notifier,
        announce: Listener,
        clock: Callable[[], float],
    ) -> None:
        self._intake, self._reloader = intake, reloader
        self._notifier = notifier
        self._clock = clock
        self._started_at_s = clock()
        self._paused: str | None = None
        self._loaded_at = time.time()
        self._books = books_of(ledger)
        settings = reloader.config.settings
        self._silence = Silence(
            settings.drop.silent_after, self._books.pages, self._cameras_that_wait, announce, clock
        )
        assert settings.state.folder is not None
        self._status_file = StatusFile(Path(settings.state.folder), self._describe_and_show)
        metrics = settings.metrics
        self._metrics = Metrics(self._describe, self._books.durations, metrics.listen, metrics.textfile)
        self._chores = (self._silence, self._status_file, self._metrics)

    def __call__(self, event: Event) -> None:
        """Take in what has happened."""
        self._books(event)
        self._silence(event)
        if event.event == "intake.paused":
            self._paused = str(event.fields["error"])
        elif event.event == "intake.resumed":
            self._paused = None
        elif event.event in {"config.reloaded", "config.mended", "config.unchanged"}:
            self._loaded_at = time.time()
        self._status_file.note()

    def retune(self, settings: Settings) -> None:
        """Take other settings."""
        self._silence.retune(settings.drop.silent_after)
        self._metrics.retune(settings.metrics.textfile)

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do."""
        return min(chore.deadline_s() for chore in self._chores)

    def run_due(self, now_s: float) -> None:
        """Do what is due."""
        for chore in self._chores:
            if now_s >= chore.deadline_s():
                chore.run_due(now_s)

    def close(self) -> None:
        """Write down how it was at the end, and serve no longer."""
        self._status_file.run_due(self._clock())
        self._metrics.close()

    def _cameras_that_wait(self) -> set[str]:
        return set(self._intake.pending())

    def _describe(self) -> dict[str, Any]:
        return document(self._books, self._vitals(), self._clock())

    def _describe_and_show(self) -> dict[str, Any]:
        status = self._describe()
        self._notifier.status(in_one_line(status))
        return status

    def _vitals(self) -> Vitals:
        config, watch = self._reloader.config, self._intake.watch
        return Vitals(
            pid=os.getpid(),
            uptime_s=round(self._clock() - self._started_at_s, 1),
            paused=self._paused,
            is_absent=watch.is_absent,
            watch=watch.mode,
            watch_rebuilds=watch.rebuilds,
            watch_overflows=watch.overflows,
            found_by_sweep=watch.found_by_sweep,
            config_file=None if config.path is None else os.path.abspath(config.path),
            config_revision=self._reloader.revision,
            config_refused=self._reloader.refused,
            config_loaded_at=self._loaded_at,
            results_free_bytes=free_bytes(Path(config.settings.results.folder)),
            min_free_bytes=config.settings.results.min_free,
            pending=self._intake.pending(),
        )


def books_of(ledger: Ledger) -> Books:
    """Open the books with what the ledger knows.

    Raises:
        SinkError: it cannot be read.
    """
    return Books(ledger.totals(), ledger.latest(MOST_PAGES * SCORES))


def free_bytes(folder: Path) -> int | None:
    """Return the free space where a folder is; None when it is gone."""
    try:
        return folders.free_bytes(folder)
    except OSError:
        return None


def start_line(config: Config, ledger: Ledger, watch: str) -> Happening:
    """Return the one line of a start: the folders, and the settings that differ from the defaults."""
    settings = config.settings
    return happening(
        "daemon.started",
        drop=settings.drop.folder,
        results=settings.results.folder,
        state=settings.state.folder,
        watch=watch,
        preset=settings.detection.preset_name,
        config=None if config.path is None else os.path.abspath(config.path),
        settings=settings_that_differ(config),
        remembered={str(verdict): count for verdict, count in ledger.counts().items()},
        pid=os.getpid(),
    )
