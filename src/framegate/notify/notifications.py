"""What the loop has to do with telling somebody: it hands events over, and never waits for it."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from framegate.config.settings import Settings
from framegate.config.telling.notify import NotifySettings
from framegate.deadlines import NEVER_S
from framegate.errors import SinkError
from framegate.events.base import Listener, LogEvent
from framegate.events.daemon import LedgerDamaged, LedgerGone
from framegate.events.frames import FrameDecided
from framegate.keep.ledger import LEDGER_NAME, Ledger
from framegate.notify.books import Book
from framegate.notify.clerk import Clerk
from framegate.notify.messages import of_event
from framegate.notify.queue import QUEUE_NAME, Queue
from framegate.notify.spool import SPOOL_NAME, Spool, Spooled

GRACE_S = 2.0
"""How long what is in flight, and the word that the daemon has ended, may take at the daemon's end."""

IN_ORDER_S = 6.0
"""How long an event waits for verdicts before it: they are committed within 5 s unless the disk is full."""

MOST_HELD = 1000


class Notifications:
    """A listener of all events, and a chore of the loop; everything else is done by threads of its own.

    Args:
        settings: ``notify``, and the folders.
        ledger: has the verdicts.
        site: the name of the site, for the messages.
        emit: gets events about what could not be told.
        wake: makes the loop take a turn; called by any thread.
        clock: monotonic seconds.
        wall_ns: the wall clock, nanoseconds since the epoch.

    Raises:
        SinkError: the ledger cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        site: str,
        *,
        emit: Listener,
        wake: Callable[[], None],
        clock: Callable[[], float],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        assert settings.state.folder is not None
        self._state, self._results = Path(settings.state.folder), settings.results.folder
        self._ledger, self._site = ledger, site
        self._emit, self._wake = emit, wake
        self._clock, self._wall_ns = clock, wall_ns
        self._settings: tuple[NotifySettings, ...] = ()
        self._wanted: frozenset[str] = frozenset()
        self._starts: dict[str, int] = {}
        self._said: deque[LogEvent] = deque()
        """Events of other threads, which the loop emits."""

        self._held: deque[tuple[float, Spooled]] = deque()
        """Events that wait for the verdicts before them, and until when."""

        self._commits = 0
        self._queue: Queue | None = None
        self._spool: Spool | None = None
        self._clerk: Clerk | None = None
        self._is_closed = False
        if settings.notify:
            self._begin(settings.notify)
        else:
            self._forget()

    @property
    def books(self) -> Mapping[str, Book]:
        """What has become of the messages, by name, in the order of the config."""
        books = {} if self._queue is None else self._queue.books
        return {each.name: books[each.name] for each in self._settings if each.name in books}

    @property
    def lost(self) -> int:
        """Events since the start for which there was neither disk nor memory."""
        return 0 if self._spool is None else self._spool.lost

    def start(self) -> None:
        """Begin to tell."""
        if self._clerk is not None:
            self._clerk.start()

    def __call__(self, event: LogEvent) -> None:
        """Hand an event over."""
        if isinstance(event, LedgerGone | LedgerDamaged) and self._clerk is not None:
            self._clerk.begin_ledger_anew()
        if event.event not in self._wanted or isinstance(event, FrameDecided) or self._is_closed:
            return
        assert self._spool is not None
        spooled = self._spool.write(of_event(event, self._site, self._wall_ns()))
        self._held.append((self._clock() + IN_ORDER_S, spooled))
        if not self._ledger.has_pending or len(self._held) > MOST_HELD:
            self._release()

    def say(self, event: LogEvent) -> None:
        """Have the loop emit an event; may be called by any thread."""
        self._said.append(event)
        self._wake()

    def emit_said(self) -> None:
        """Emit what other threads have said."""
        while self._said:
            self._emit(self._said.popleft())

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do."""
        return -NEVER_S if self._said else self._held[0][0] if self._held else NEVER_S

    def run_due(self, now_s: float) -> None:
        """Hand over what may go, and emit what other threads have to say."""
        self.emit_said()
        if self._spool is None or self._clerk is None:
            return
        if self._held and (now_s >= self._held[0][0] or not self._ledger.has_pending):
            self._release()
        if self._commits != self._ledger.commits:
            self._commits = self._ledger.commits
            if any(name.startswith("frame.") for name in self._wanted):
                self._clerk.wake()
        if not self._held:
            self._spool.tidy()

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on; a new ``[[notify]]`` is told of what happens from now on."""
        if settings.notify == self._settings:
            return
        if self._clerk is None:
            self._begin(settings.notify)
            self.start()
        else:
            self._use(settings.notify)

    def close(self) -> None:
        """End; what is not told within ``GRACE_S`` seconds is broken off, and told in the next life."""
        self._is_closed = True
        if self._clerk is not None and self._spool is not None:
            self._release()
            self._clerk.close(GRACE_S)
            self._spool.close()
        self.emit_said()

    def _begin(self, notifies: tuple[NotifySettings, ...]) -> None:
        path = self._state / LEDGER_NAME
        first_row = self._ledger.presence.newest_id()
        self._queue = Queue(self._state / QUEUE_NAME, first_row, self.say, self._clock)
        self._spool = Spool(self._state / SPOOL_NAME, self.say)
        self._clerk = Clerk(
            self._queue,
            self._spool,
            path,
            results=self._results,
            site=self._site,
            emit=self.say,
            clock=self._clock,
        )
        self._use(notifies)

    def _use(self, notifies: tuple[NotifySettings, ...]) -> None:
        assert self._clerk is not None
        self._settings = notifies
        self._wanted = frozenset(name for each in notifies for name in each.on)
        names = {each.name for each in notifies}
        self._starts = {name: row for name, row in self._starts.items() if name in names}
        if new := names - self._starts.keys():
            with suppress(SinkError):  # then it is told of all that the queue has not read yet
                self._starts |= dict.fromkeys(new, self._ledger.newest_id())
            self._starts |= dict.fromkeys(new - self._starts.keys(), 0)
        self._clerk.use(notifies, dict(self._starts))

    def _release(self) -> None:
        assert self._spool is not None
        assert self._clerk is not None
        while self._held:
            self._spool.release(self._held.popleft()[1])
        self._clerk.wake()

    def _forget(self) -> None:
        """Remove what former settings have left: who is to be told later is told from then on."""
        for name in (QUEUE_NAME, f"{QUEUE_NAME}-wal", f"{QUEUE_NAME}-shm", SPOOL_NAME):
            with suppress(OSError):
                (self._state / name).unlink(missing_ok=True)
