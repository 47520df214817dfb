"""The daemon's loop: one thread that waits, sweeps, settles, judges, and pauses when the disk is full.

Only this loop waits. Retries, sweeps and settle times are deadlines on one monotonic clock.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from framegate.config import Config
from framegate.errors import SinkError
from framegate.events import Event, FrameDecided, Happening, Listener, announcer, happening
from framegate.ingest.inbox import Inbox
from framegate.ingest.naming import NameRules
from framegate.ingest.reading import look_at, nobody_writes
from framegate.ingest.settling import Settler
from framegate.ingest.sweeping import sweep
from framegate.ingest.watching import Watcher
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.model import Arrival, Candidate, FileKey, Origin, Verdict
from framegate.pipeline import Pipeline, Unsettled

FLUSH_S = 5.0
"""Lazy rows reach the ledger after this long: what a crash makes us decide again."""

FRAMES_A_TURN = 16
"""Frames judged before hints, deadlines and the wish to stop are looked at again."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""A retry waits twice as long as the one before it, between these."""

LEDGER_NAME = "ledger.sqlite3"


class Daemon:
    """Serves one drop folder until it is told to stop.

    Args:
        config: the settings, with absolute folders that exist.
        listener: hears of every verdict and happening.
        clock: monotonic seconds.
        disk: how results are written.
    """

    def __init__(
        self,
        config: Config,
        listener: Listener,
        *,
        clock: Callable[[], float] = time.monotonic,
        disk: Disk | None = None,
    ) -> None:
        settings = config.settings
        assert settings.state.folder is not None
        self._config = config
        self._drop = Path(settings.drop.folder)
        self._clock = clock
        self.tally: Counter[str] = Counter()
        self._announce = announcer([self._count, listener])

        self._rules = NameRules(settings.drop)
        self._inbox = Inbox()
        self._settler = Settler(settings.drop.settle_s, self._rules.candidate)
        self._ready: deque[Candidate] = deque()
        self._queued: set[FileKey] = set()

        results = ResultsFolder(Path(settings.results.folder), settings.results.min_free, disk)
        self._ledger = Ledger(Path(settings.state.folder) / LEDGER_NAME)
        self._pipeline = Pipeline(settings, results, self._ledger, self._announce, read_result=results.read)

        self._is_stopping = self._is_recovered = False
        self._next_sweep_s = self._next_flush_s = -float("inf")
        self._paused_since_s: float | None = None
        self._retry_at_s = 0.0
        self._failures = 0
        self._tries: Counter[str] = Counter()
        self._drop_is_absent = False

    def stop(self) -> None:
        """Finish the frame in hand and return from ``run``; may be called from a signal handler."""
        self._is_stopping = True
        self._inbox.wake()

    def run(self) -> None:
        """Serve until ``stop``."""
        watcher = self._watch()
        self._announce_start(watching=watcher is not None)
        try:
            while not self._is_stopping:
                try:
                    self._turn()
                except SinkError as error:
                    self._pause(str(error))
        finally:
            if watcher is not None:
                watcher.stop()
            self._close()
            self._inbox.close()

    def _turn(self) -> None:
        for arrival in self._inbox.take(self._wait_s()):
            self._hear(arrival)
        now_s = self._clock()
        if self._inbox.take_sweep_wish():
            # 6.0 of watchdog may hear of a new folder before all that came with it: look again soon.
            self._sweep(now_s)
            self._next_sweep_s = min(self._next_sweep_s, now_s + self._settler.settle_s)
        elif now_s >= self._next_sweep_s:
            self._sweep(now_s)
        self._queue(self._settler.ready(self._clock()))
        self._write_what_is_due()

    def _wait_s(self) -> float:
        """Return how long there is nothing to do."""
        now_s = self._clock()
        if self._paused_since_s is not None:
            deadlines = [self._retry_at_s, self._next_sweep_s]
        elif self._ready:
            return 0.0
        else:
            deadlines = [self._next_sweep_s, *([self._next_flush_s] if self._ledger.has_pending else [])]
            if (settled_at_s := self._settler.next_deadline_s(now_s)) is not None:
                deadlines.append(settled_at_s)
        return max(0.0, min(deadlines) - now_s)

    def _hear(self, arrival: Arrival) -> None:
        there = look_at(self._drop, arrival.name)
        if there is None:
            self._settler.vanished(arrival.name)
            return
        origin = arrival.origin
        if origin is Origin.CREATED and nobody_writes(self._drop, arrival.name):
            origin = Origin.MOVED  # from another folder, or linked in: watchdog calls that created, too
        self._observe(there, origin)

    def _observe(self, key: FileKey, origin: Origin) -> None:
        if key not in self._queued and not self._ledger.knows(key):
            self._settler.observe(key, origin, self._clock())

    def _sweep(self, now_s: float) -> None:
        drop = self._config.settings.drop
        self._next_sweep_s = now_s + drop.rescan_s
        seen: set[str] = set()
        try:
            for key in sweep(self._drop, self._rules, recursive=drop.recursive):
                seen.add(key.name)
                self._observe(key, Origin.SWEEP)
        except OSError as error:
            if not self._drop_is_absent:
                self._announce(happening("drop.absent", "warning", folder=drop.folder, error=error.strerror))
            self._drop_is_absent = True
            return
        if self._drop_is_absent:
            self._announce(happening("drop.back", folder=drop.folder))
        self._drop_is_absent = False
        self._settler.forget_all_but(seen)

    def _queue(self, candidates: list[Candidate]) -> None:
        self._ready.extend(candidates)
        self._queued.update(candidate.key for candidate in candidates)

    def _judge_some(self) -> None:
        if not self._is_recovered:
            self._pipeline.recover()
            self._is_recovered = True
        for _ in range(min(FRAMES_A_TURN, len(self._ready))):
            if self._is_stopping:
                return
            candidate = self._ready.popleft()
            self._queued.discard(candidate.key)
            if not self._ledger.knows(candidate.key):
                self._judge(candidate)

    def _judge(self, candidate: Candidate) -> None:
        examined = self._pipeline.examine(candidate)
        if isinstance(examined, Unsettled):
            self._postpone(examined)
            return
        self._tries.pop(candidate.key.name, None)
        self._pipeline.conclude(examined)

    def _postpone(self, unsettled: Unsettled) -> None:
        """Let a file settle anew; one that we may not read, with growing pauses and one warning."""
        key, delay_s = unsettled.key, 0.0
        if not unsettled.may_be_unfinished:
            delay_s = _retry_delay_s(self._tries[key.name])
            self._tries[key.name] += 1
        is_first = self._tries[key.name] == 1
        self._announce(
            happening(
                "frame.postponed",
                "warning" if is_first else "debug",
                frame=key.name,
                reason=str(unsettled.reason or "changed while it was read"),
                detail=unsettled.detail,
            )
        )
        if key.name not in self._settler:
            self._settler.put_back(key, self._clock(), delay_s)

    def _write_what_is_due(self) -> None:
        """Judge and record, unless the intake is paused and its next try is not due.

        Raises:
            SinkError: results or ledger cannot be written now.
        """
        now_s = self._clock()
        if self._paused_since_s is not None:
            if now_s < self._retry_at_s:
                return
            self._pipeline.resume()
            self._flush(now_s)
        self._judge_some()
        if self._ledger.is_crowded or now_s >= self._next_flush_s:
            self._flush(now_s)
        if self._paused_since_s is not None:
            self._announce(happening("intake.resumed", paused_s=round(now_s - self._paused_since_s, 1)))
            self._paused_since_s, self._failures = None, 0

    def _flush(self, now_s: float) -> None:
        self._pipeline.flush()
        self._next_flush_s = now_s + FLUSH_S

    def _pause(self, why: str) -> None:
        """Stop judging until the next try; say so once."""
        now_s = self._clock()
        self._retry_at_s = now_s + _retry_delay_s(self._failures)
        self._failures += 1
        if self._paused_since_s is None:
            self._paused_since_s = now_s
            self._announce(happening("intake.paused", "error", error=why))

    def _watch(self) -> Watcher | None:
        drop = self._config.settings.drop
        if drop.watch == "poll":
            return None
        watcher = Watcher(self._drop, self._rules, self._inbox, recursive=drop.recursive)
        try:
            watcher.start()
        except OSError as error:
            self._announce(happening("watch.failed", "warning", error=str(error), rescan_s=drop.rescan_s))
            return None
        return watcher

    def _close(self) -> None:
        try:
            self._pipeline.flush()
        except SinkError as error:
            self._announce(happening("ledger.unsaved", "error", error=str(error)))
        self._ledger.close()
        verdicts = {str(verdict): self.tally[verdict] for verdict in Verdict}
        self._announce(Happening("daemon.stopped", verdicts))

    def _announce_start(self, *, watching: bool) -> None:
        settings = self._config.settings
        self._announce(
            happening(
                "daemon.started",
                drop=settings.drop.folder,
                results=settings.results.folder,
                state=settings.state.folder,
                watch="inotify" if watching else "poll",
                preset=settings.detection.preset_name,
                config=None if self._config.path is None else os.fspath(self._config.path),
                remembered={str(verdict): count for verdict, count in self._ledger.counts().items()},
                pid=os.getpid(),
            )
        )

    def _count(self, event: Event) -> None:
        if isinstance(event, FrameDecided):
            self.tally[event.entry.reason.verdict] += 1


def _retry_delay_s(tries: int) -> float:
    return min(FIRST_RETRY_S * 2.0 ** min(tries, 10), LAST_RETRY_S)
