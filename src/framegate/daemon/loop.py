"""The daemon's loop: one thread that waits, collects frames, judges them, and pauses when the disk is full.

Nothing else waits: retries, sweeps and settle times are deadlines on one monotonic clock.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from framegate.ahead import Ahead
from framegate.config.load import Config
from framegate.config.settings import Settings
from framegate.daemon.crash_guard import CrashGuard
from framegate.daemon.lock import FolderLock
from framegate.daemon.pause import Pause
from framegate.daemon.systemd import Notifier
from framegate.daemon.vitals import start_line, vitals_of
from framegate.deadlines import NEVER_S, next_look_s
from framegate.errors import SinkError
from framegate.events.base import Listener, LogEvent
from framegate.events.daemon import DaemonStopped, IntakePaused, IntakeResumed, LedgerUnsaved
from framegate.events.frames import FrameDecided
from framegate.examining import Examined
from framegate.ingest.intake import Intake
from framegate.ingest.watch.supervisor import CHECK_S
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk
from framegate.keep.ledger import LEDGER_NAME, Ledger
from framegate.model import Unsettled, Verdict
from framegate.notify.notifications import Notifications
from framegate.pipeline import Pipeline
from framegate.reload.reloader import Reloader
from framegate.retention.chores import Chore, deletion_chores
from framegate.telemetry.reporting import Reporting

FLUSH_S = 5.0
"""Pending rows are committed after this long; a crash makes us decide those frames again."""

FRAMES_A_TURN, TURN_S = 16, 0.25
"""Most frames, and longest time, that are spent on judging in one turn. They become durable together."""

COMPARING_S = 0.05
"""Longest time in one turn that is spent on files that were judged before."""

IN_FLIGHT_NAME = "in-flight"


class Daemon:
    """Serves one drop folder until ``stop`` is called.

    Args:
        config: the settings, with absolute folders that exist.
        listener: gets every event.
        clock: monotonic seconds.
        wall_ns: the wall clock in nanoseconds since the epoch, for arrivals and the age of results.
        disk: the file operations for results and ledger.
        notifier: sends messages to systemd.
        chores: further work to do between frames.
        log_lines_lost: returns how many lines the log could not write.

    Raises:
        AlreadyServed: another process serves the drop folder, or uses the state folder.
        SinkError: the ledger cannot be opened.
    """

    def __init__(
        self,
        config: Config,
        listener: Listener,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
        disk: Disk | None = None,
        notifier: Notifier | None = None,
        chores: Iterable[Chore] = (),
        log_lines_lost: Callable[[], int] = lambda: 0,
    ) -> None:
        settings = config.settings
        assert settings.state.folder is not None
        self._clock = clock
        self._notifier = notifier or Notifier({})
        self.tally: Counter[str] = Counter()
        self._audience: list[Listener] = [self._count, listener]
        with ExitStack() as undo:
            self._lock = FolderLock(settings.drop.folder, "drop folder")
            undo.callback(self._lock.release)
            self._state_lock = FolderLock(settings.state.folder, "state folder")
            undo.callback(self._state_lock.release)
            self._ledger = Ledger(Path(settings.state.folder, LEDGER_NAME), disk, self._emit)
            undo.callback(self._ledger.close)
            crash_guard = CrashGuard(Path(settings.state.folder, IN_FLIGHT_NAME))
            undo.callback(crash_guard.close)
            self._intake = Intake(settings.drop, self._ledger, self._emit, clock, wall_ns)
            undo.callback(self._intake.stop)
            self._reloader = Reloader(config, self._intake.inbox, self._emit, self._notifier, self._ledger)
            undo.callback(self._reloader.stop)
            self._results = ResultsFolder(Path(settings.results.folder), settings.results.min_free, disk)
            self._reporting = Reporting(
                settings,
                self._ledger,
                vitals=lambda: vitals_of(
                    self._intake, self._reloader, self.telling, self._chores, log_lines_lost()
                ),
                pending=self._intake.pending,
                show_line=self._notifier.status,
                emit=self._emit,
                clock=clock,
            )
            undo.callback(self._reporting.close)
            self._audience.insert(0, self._reporting)
            self.telling = Notifications(
                settings, self._ledger, config.site, emit=self._emit, wake=self._intake.interrupt, clock=clock
            )
            undo.callback(self.telling.close)
            self._audience.append(self.telling)
            self._held = undo.pop_all()
        self._pipeline = Pipeline(settings, self._results, self._ledger, self._emit, clock=clock)
        self._ahead = Ahead(self._pipeline.examine, settings, guard=crash_guard)
        self._held.callback(self._ahead.close)
        deleting = deletion_chores(
            settings,
            self._ledger,
            self._emit,
            disk or Disk(),
            clock=clock,
            wall_ns=wall_ns,
            is_absent=lambda: self._intake.watch.is_absent,
            is_paused=lambda: self._pause is not None,
        )
        self._chores: list[Chore] = [self._reporting, self.telling, *deleting, *chores]
        self._reloader.retunes = (
            self._pipeline.retune,
            self._ahead.retune,
            self._results.retune,
            self._intake.retune,
            self._retune,
        )
        self._reloader.retunes_after = tuple(chore.retune for chore in self._chores)
        self._is_stopping = self._is_recovered = False
        self._next_flush_s = self._next_follow_s = -NEVER_S
        self._pause: Pause | None = None

    @property
    def in_hand(self) -> int:
        """Number of files that settle or wait to be judged: at most ``backlog.MOST_IN_HAND``."""
        return len(self._intake)

    def stop(self) -> None:
        """Finish the current frame and return from ``run``; may be called from a signal handler."""
        self._is_stopping = True
        self._intake.interrupt()

    def reload(self) -> None:
        """Read the config now, even if it has not changed; may be called from a signal handler."""
        self._reloader.request()

    def run(self) -> None:
        """Serve until ``stop`` is called."""
        self.start()
        try:
            while not self._is_stopping:
                self.turn()
        finally:
            self.close()

    def start(self) -> None:
        """Start to watch, and report that; frames that are there already are judged in the turns."""
        self._intake.start()
        self._reloader.start(self._clock())
        self.telling.start()
        self._emit(start_line(self._reloader.config, self._ledger, self._intake.watch.mode))
        self._notifier.ready()

    def turn(self, most_wait_s: float = NEVER_S) -> None:
        """Wait for something to do, at most ``most_wait_s`` seconds, and do some of it."""
        with self._pausing():
            self._intake.gather(min(self.wait_s(), most_wait_s))
        self._notifier.ping(self._clock())
        self._reloader.poll(self._clock())  # between two frames, so that each is judged by one version
        with self._pausing():
            self._follow_the_folder()
            self._write_what_is_due()
        for chore in self._chores:
            chore.run_due(self._clock())

    def wait_s(self) -> float:
        """Return the seconds until there is something to do."""
        now_s = self._clock()
        deadlines = [self._intake.deadline_s(now_s), self._reloader.deadline_s(), self._notifier.deadline_s()]
        deadlines += [chore.deadline_s() for chore in self._chores]
        if self._pause is not None:
            deadlines.append(self._pause.retry_at_s)
        elif self._intake.has_ready or self._intake.has_touched:
            return 0.0
        elif self._ledger.has_pending:
            deadlines.append(self._next_flush_s)
        return max(0.0, min(deadlines) - now_s)

    def close(self) -> None:
        """Save what is pending and release everything."""
        self._notifier.stopping()
        try:
            self._pipeline.flush()
        except SinkError as error:
            self._emit(LedgerUnsaved(str(error)))
        stopped = DaemonStopped(**{str(verdict): self.tally[verdict] for verdict in Verdict})
        self.telling(stopped)  # it ends with the others, and the log's last line comes after that
        self._held.close()
        self.telling.emit_said()
        self._emit(stopped)

    def _judge_some(self) -> None:
        if self._intake.watch.is_absent:  # frames to recover may be in it
            return
        if not self._is_recovered:
            if self._intake.forget_if_gone():
                return  # a frame whose delivery was cut off may stand in the drop folder alone
            self._results.clear_abandoned()
            self._pipeline.recover()
            self._is_recovered = True
        with self._ahead.batch():
            self._judge_group()

    def _compare_some(self) -> None:
        """Compare judged files to which something was done since, at least one, with what was judged."""
        end_s = self._clock() + COMPARING_S
        while (candidate := self._intake.next_touched()) is not None:
            is_known = self._pipeline.recognise(candidate)
            self._intake.compared(candidate, is_known=is_known)
            if self._is_stopping or self._clock() > end_s:
                break

    def _judge_group(self) -> None:
        """Judge the next frames, until it is time to make them durable; begin with those that follow.

        If their verdicts cannot be recorded now, SinkError leaves them the next ones.
        """
        end_s = self._clock() + TURN_S
        upcoming = self._intake.upcoming(FRAMES_A_TURN + self._ahead.most_frames)
        judged = []
        for number, candidate in enumerate(upcoming[:FRAMES_A_TURN], start=1):
            examined = self._ahead.take(candidate, upcoming[number:])
            if isinstance(examined, Examined) and examined.is_vanished and self._intake.forget_if_gone():
                break
            outcome = self._pipeline.decide(examined) if isinstance(examined, Examined) else examined
            if not isinstance(outcome, Unsettled):
                judged.append(candidate)
            elif self._intake.put_back(outcome):
                break
            if self._is_stopping or self._clock() > end_s or self._pipeline.is_group_due:
                break
        self._pipeline.make_durable()
        for candidate in judged:
            self._intake.done(candidate)

    def _retune(self, _settings: Settings) -> None:
        if self._pause is not None:  # a setting may have been the cause
            self._pause.retry_at_s = -NEVER_S

    def _write_what_is_due(self) -> None:
        """Judge frames and flush the ledger, unless the intake is paused and its next try is not due.

        Raises:
            SinkError: results or ledger cannot be written now.
        """
        now_s = self._clock()
        if self._pause is not None:
            if now_s < self._pause.retry_at_s:
                return
            self._pipeline.make_durable()
            self._flush(now_s)
        self._judge_some()
        if not self._intake.watch.is_absent:
            self._compare_some()
        if self._ledger.is_crowded or now_s >= self._next_flush_s:
            self._flush(now_s)
        if self._pause is not None:
            self._ledger.prove()  # nothing may have been due: the pause ended every 2 s without the folder
            self._emit(IntakeResumed(round(now_s - self._pause.since_s, 1)))
            self._pause = None

    def _flush(self, now_s: float) -> None:
        self._pipeline.flush()
        self._pipeline.checkpoint(self._ledger.checkpoints.save)
        self._next_flush_s = now_s + FLUSH_S

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        try:
            yield
        except SinkError as error:
            self._pause_intake(str(error))

    def _pause_intake(self, why: str) -> None:
        """Stop judging until the next try; log that once."""
        now_s = self._clock()
        if self._pause is None:
            self._pause = Pause(now_s)
            self._emit(IntakePaused(why))
        else:
            self._pause.note_failure(now_s)

    def _follow_the_folder(self) -> None:
        now_s = self._clock()
        if now_s >= self._next_follow_s:
            self._next_follow_s = next_look_s(now_s, CHECK_S)
            self._lock.follow()
            self._state_lock.follow()
            self._ledger.follow()

    def _emit(self, event: LogEvent) -> None:
        for listener in self._audience:
            listener(event)

    def _count(self, event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            self.tally[event.entry.reason.verdict] += 1
