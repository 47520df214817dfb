"""The thread that takes what happened into the queue, and has a sender for each ``[[notify]]``.

Verdicts are read from the ledger, where they are durable and in order; a mark in the queue says up to which
row. Other events come through the spool; while nothing can be queued, the urgent ones are told from memory.
"""

import heapq
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2s
from itertools import islice
from operator import itemgetter
from pathlib import Path

from framegate.config.telling.notify import NotifySettings
from framegate.deadlines import NEVER_S, retry_delay_s
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.daemon import OutputRestored, OutputUnwritable
from framegate.events.telling import NotifyDropped
from framegate.keep.history.view import History
from framegate.keep.presence import Recorded
from framegate.notify.messages import Document, of_verdict
from framegate.notify.queue import Queue
from framegate.notify.sender import Sender
from framegate.notify.spool import Spool, Spooled
from framegate.notify.ways.bell import Bell

ROWS_AT_ONCE, PAUSE_S = 200, 0.1
"""Verdicts, or events, that are taken in together, and the pause after them: some 10 ms of work."""

LONGEST_KILL_S = 6.0
"""How long a sender that is broken off may take."""


class Clerk:
    """Fills the queue, and owns the senders.

    Args:
        queue: what waits.
        spool: events that are not in the queue yet.
        ledger: its file; the daemon has opened it.
        results: the results folder, for the paths in messages.
        site: the name of the site.
        emit: gets events; called by several threads.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        queue: Queue,
        spool: Spool,
        ledger: Path,
        *,
        results: str,
        site: str,
        emit: Listener,
        clock: Callable[[], float],
    ) -> None:
        self._queue, self._spool, self._ledger = queue, spool, ledger
        self._results, self._site = results, site
        self._emit, self._clock = emit, clock
        self._bell = Bell()
        self._is_finishing = self._is_ledger_new = False
        self._wanted: tuple[tuple[NotifySettings, ...], Mapping[str, int]] | None = None
        self._settings: tuple[NotifySettings, ...] = ()
        self._starts: Mapping[str, int] = {}
        self._senders: dict[str, Sender] = {}
        self._failures = 0
        self._last_read: Recorded | None = None
        self._in_use = queue.path
        """The file that is read or written now: its error, if there is one."""

        self._failing: Path | None = None
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look for what is new."""
        self._bell.ring()

    def use(self, settings: tuple[NotifySettings, ...], starts: Mapping[str, int]) -> None:
        """Use other settings from now on; each is told of the verdicts after its row of the ledger."""
        self._wanted = (settings, starts)
        self._bell.ring()

    def begin_ledger_anew(self) -> None:
        """Read the ledger from its beginning, unless it turns out to be the same file."""
        self._is_ledger_new = True
        self._bell.ring()

    def close(self, grace_s: float) -> None:
        """End. What is in flight has so many seconds; then it is broken off, and told in the next life."""
        self._is_finishing = True
        self._bell.ring()
        if self._thread.ident is not None:
            self._thread.join(LONGEST_KILL_S)
        senders = list(self._senders.values())
        for sender in senders:
            sender.finish()
        end_s = self._clock() + grace_s
        late = [sender for sender in senders if not sender.has_ended(end_s - self._clock())]
        for sender in late:
            sender.abort()
        for sender in late:
            sender.has_ended(LONGEST_KILL_S)
        self._queue.close()

    def _run(self) -> None:
        while not self._is_finishing:
            try:
                has_more = self._work()
            except Exception as error:  # noqa: BLE001 - whatever it is, what happened still waits to be told
                pause_s = retry_delay_s(self._failures)
                self._note_failure(error)
                self._tell_unqueued(self._spool.urgent())
            else:
                self._note_success()
                pause_s = 0.0 if has_more else NEVER_S
            self._bell.wait(pause_s)
            if not self._is_finishing:
                time.sleep(PAUSE_S)
        try:  # what has come last, such as the end itself, is in the spool as well
            self._work()
        except Exception:  # noqa: BLE001 - as above
            self._tell_unqueued(self._spool.urgent())

    def _work(self) -> bool:
        """Take in a portion of what is new; return whether there is more."""
        self._in_use = self._queue.path
        wanted = self._wanted
        if wanted is not None:
            self._employ_senders(wanted[0])
        self._queue.follow()
        if wanted is not None:
            self._begin_books(wanted[1])
            if self._wanted is wanted:
                self._wanted = None
        if self._is_ledger_new:
            if not self._is_ledger_back():
                self._queue.begin_ledger_anew()
                self._starts = dict.fromkeys(self._starts, 0)
            self._is_ledger_new = False
        self._forget_what_was_taken()
        events = list(islice(self._spool.waiting, ROWS_AT_ONCE))  # before the rows: they are older than these
        rows = self._rows()
        if not rows and not events:
            return False
        both = heapq.merge(self._about_verdicts(rows), self._about_events(events), key=itemgetter(0))
        bodies = [(name, body) for _, name, body in both]
        most = {each.name: int(each.most_waiting) for each in self._settings}
        last_row = rows[-1].id if rows else self._queue.last_row
        last_event = events[-1][0] if events else self._queue.last_event
        self._tell_unqueued([])  # before they come out of the queue
        dropped = self._queue.add(bodies, most, last_row, last_event)
        for _ in events:
            self._spool.waiting.popleft()
        for name, messages in dropped.items():
            self._senders[name].note_dropped(messages)
        for name in {name for name, _ in bodies}:
            self._senders[name].wake()
        return len(rows) == ROWS_AT_ONCE or bool(self._spool.waiting)

    def _tell_unqueued(self, events: list[Spooled]) -> None:
        """Have these told from memory, since they cannot be queued now, and no others."""
        for each in self._settings:
            if each.name in self._senders:
                mine = [event for event in events if _is_for(each, event[1])]
                self._senders[each.name].tell_unqueued(mine)

    def _begin_books(self, starts: Mapping[str, int]) -> None:
        for name, messages in self._queue.wants(starts).items():
            self._emit(NotifyDropped(name, "removed", messages))
        self._starts = self._queue.starts_of()

    def _employ_senders(self, settings: tuple[NotifySettings, ...]) -> None:
        """Have a sender for each, and no other; also while the queue cannot be used."""
        named = {each.name: each for each in settings}
        gone = [self._senders.pop(name) for name in self._senders.keys() - named.keys()]
        for sender in gone:
            sender.abort()
        for sender in gone:  # another of this name must not begin before it has ended
            if sender.has_ended(LONGEST_KILL_S):
                sender.close()
        for name, each in named.items():
            if name in self._senders:
                self._senders[name].retune(each)
            else:
                self._senders[name] = self._new_sender(each)
        self._settings = settings

    def _new_sender(self, settings: NotifySettings) -> Sender:
        whose = os.fsencode(f"{self._ledger.absolute()}\0{settings.name}")
        mark = blake2s(whose, digest_size=8).hexdigest()
        sender = Sender(settings, self._queue, site=self._site, mark=mark, emit=self._emit, clock=self._clock)
        sender.start()
        return sender

    def _forget_what_was_taken(self) -> None:
        """Remove the events up to the last that is in the queue: the life before this has left them."""
        waiting, last = self._spool.waiting, self._queue.last_event
        if any(key == last for key, _ in islice(waiting, len(waiting))):
            while waiting.popleft()[0] != last:
                pass

    def _rows(self) -> list[Recorded]:
        if not any(event.startswith("frame.") for each in self._settings for event in each.on):
            return []
        rows = self._rows_after(self._queue.last_row, ROWS_AT_ONCE)
        self._last_read = rows[-1] if rows else self._last_read
        return rows

    def _rows_after(self, row_id: int, most: int) -> list[Recorded]:
        self._in_use = self._ledger
        with History(self._ledger) as history:  # for a moment: else the ledger's own log would grow
            rows = history.finished_after(row_id, most)
        self._in_use = self._queue.path
        return rows

    def _is_ledger_back(self) -> bool:
        """Return whether it was only away, as with its folder: it has the row that was read last."""
        last = self._last_read
        if last is None:
            return False
        same = (last.id, last.entry.key, last.entry.decided_at_ns)
        return same in [
            (row.id, row.entry.key, row.entry.decided_at_ns) for row in self._rows_after(last.id - 1, 1)
        ]

    def _about_verdicts(self, rows: list[Recorded]) -> Iterator[tuple[str, str, str]]:
        """Yield time, name and message of each verdict for each that is told of it."""
        for row in rows:
            entry, message, body = row.entry, {"time": ""}, ""
            event = f"frame.{entry.reason.verdict}"
            for each in self._settings:
                if row.id > self._starts.get(each.name, 0) and each.wants(event, entry.camera):
                    message = message if body else of_verdict(entry, self._site, self._results)
                    body = body or json.dumps(message)
                    yield message["time"], each.name, body

    def _about_events(self, events: list[Spooled]) -> Iterator[tuple[str, str, str]]:
        """Yield the same of each event."""
        for key, message in events:
            body = json.dumps({**message, "id": key})
            for each in self._settings:
                if _is_for(each, message):
                    yield message["time"], each.name, body

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        if self._failing is None:
            self._failing = self._in_use
            why = error.__cause__ or error  # without the path, which a SinkError has
            words = str(why) if isinstance(error, SinkError) else repr(error)
            self._emit(OutputUnwritable(os.fspath(self._failing), words))

    def _note_success(self) -> None:
        self._failures = 0
        if self._failing is not None:
            self._emit(OutputRestored(os.fspath(self._failing)))
            self._failing = None


def _is_for(settings: NotifySettings, message: Document) -> bool:
    """Return whether an event is told; never to the one that it is about: it would go round and round."""
    is_about_it = message["event"].startswith("notify.") and message.get("notify") == settings.name
    return settings.wants(message["event"], message.get("camera")) and not is_about_it
