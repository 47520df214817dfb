"""Shows the daemon's state: status file, line in ``systemctl status``, metrics, silent and frozen cameras."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from framegate.config.settings import Settings
from framegate.deadlines import NEVER_S
from framegate.events.base import Listener, LogEvent
from framegate.events.daemon import (
    ConfigMended,
    ConfigReloaded,
    ConfigUnchanged,
    IntakePaused,
    IntakeResumed,
)
from framegate.ingest.pending import Pending
from framegate.keep.ledger import Ledger
from framegate.keep.results.place import ResultsPlace
from framegate.telemetry.counters import counters_of
from framegate.telemetry.current_status import current_status
from framegate.telemetry.freezing import Freezing
from framegate.telemetry.metrics import Metrics
from framegate.telemetry.output_file import StatusFile
from framegate.telemetry.silence import Silence
from framegate.telemetry.status import Status, Vitals, in_one_line
from framegate.telemetry.unread_names import UnreadNames

LEAST_PAUSE_S = 1.0
"""Seconds between two statuses, at least: making one walks over every pending frame."""


class Reporting:
    """Counts events, and shows the counts; a listener of all events, and a chore.

    Args:
        settings: ``state.folder``, ``metrics``, ``drop.silent_after`` and ``drop.frozen_after`` are used.
        ledger: has the counts of earlier runs.
        vitals: returns the state of the daemon's parts; pause, uptime and load time are added here.
        pending: returns the frames without a verdict, by camera.
        show_line: shows a line in ``systemctl status``.
        emit: gets an event for a silent or frozen camera, for results that are replaced, and for a file that
            cannot be written.
        clock: monotonic seconds.

    Raises:
        ConfigError: the metrics cannot be served.
        SinkError: the ledger cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *,
        vitals: Callable[[], Vitals],
        pending: Callable[[], Mapping[str, Pending]],
        show_line: Callable[[str], None],
        emit: Listener,
        clock: Callable[[], float],
    ) -> None:
        self._vitals, self._pending = vitals, pending
        self._show_line = show_line
        self._clock = clock
        self._started_at_s = clock()
        self._paused: str | None = None
        self._loaded_at = time.time()
        self._made_at_s = -NEVER_S
        self._counters = counters_of(ledger, settings)
        self._silence = Silence(settings.drop.silent_after, self._counters.cameras, pending, emit, clock)
        self._unread = UnreadNames(settings.drop, emit)
        self._freezing = Freezing(settings.drop.frozen_after, emit, clock)
        self._results = ResultsPlace(settings.results.folder, self._counters.last_results, emit)
        assert settings.state.folder is not None
        self._status_file = StatusFile(Path(settings.state.folder), emit)
        metrics = settings.metrics
        self._metrics = Metrics(self._counters.durations, metrics.listen, metrics.textfile, emit)

    def __call__(self, event: LogEvent) -> None:
        """Count an event."""
        self._counters(event)
        self._silence(event)
        self._freezing(event)
        self._unread(event)
        if isinstance(event, IntakePaused):
            self._paused = event.error
        elif isinstance(event, IntakeResumed):
            self._paused = None
        elif isinstance(event, ConfigReloaded | ConfigMended | ConfigUnchanged):
            self._loaded_at = time.time()
        self._status_file.note()

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._counters.retune(settings)
        self._unread.retune(settings.drop)
        self._results.retune(settings.results.folder)
        self._silence.retune(settings.drop.silent_after)
        self._freezing.retune(settings.drop.frozen_after)
        self._metrics.retune(settings.metrics.textfile)

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do."""
        return min(self._silence.deadline_s(), self._status_due_s())

    def run_due(self, now_s: float) -> None:
        """Show the status, and warn about silent cameras, if it is time."""
        if now_s >= self._silence.deadline_s():
            self._silence.run_due(now_s)
        if now_s >= self._status_due_s():
            self._results.look()
            status = self.status()
            self._made_at_s = now_s
            self._show_line(in_one_line(status))
            for reader in (self._status_file, self._metrics):
                if now_s >= reader.deadline_s():
                    reader.show(status, now_s)

    def close(self) -> None:
        """Write the last status, and stop serving metrics."""
        self._status_file.show(replace(self.status(), running=False), self._clock())
        self._metrics.close()

    def status(self) -> Status:
        """Return the status of now."""
        now_s = self._clock()
        vitals = replace(
            self._vitals(),
            uptime_s=round(now_s - self._started_at_s, 1),
            paused=self._paused,
            config_loaded_at=self._loaded_at,
            results_replaced_at_s=self._results.replaced_at_s,
            unread_times=self._unread.times.count,
            unread_times_example=self._unread.times.example,
            unread_cameras=self._unread.cameras.count,
            unread_cameras_example=self._unread.cameras.example,
        )
        return current_status(
            self._counters,
            vitals,
            self._pending(),
            now_s,
            frozen_since_s=self._freezing.since_s(),
            silent_since_s=self._silence.since_s(),
        )

    def _status_due_s(self) -> float:
        wanted_s = min(self._status_file.deadline_s(), self._metrics.deadline_s())
        return max(wanted_s, self._made_at_s + LEAST_PAUSE_S)
