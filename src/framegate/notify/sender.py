"""One thread for each ``[[notify]]``: it tells one message after the other, and is the only one that does.

What is urgent and cannot be queued is told from memory. When it comes out of the queue later, it counts as
told, and is not told again.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable

from framegate.config.telling.notify import NotifySettings
from framegate.deadlines import NEVER_S, retry_delay_s
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.daemon import DaemonStopped
from framegate.events.telling import NotifyDropped, NotifyFailed, NotifyRecovered
from framegate.notify.books import Book
from framegate.notify.queue import HOUR_S, NOT_QUEUED, Hour, Queue, Waiting, message_key
from framegate.notify.spool import MOST_WAITING, Spooled
from framegate.notify.telling import Try, limited_body
from framegate.notify.ways.bell import Bell
from framegate.notify.ways.leftovers import kill_marked
from framegate.notify.ways.outcome import Outcome

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 300.0
PAUSE_S = 0.02
"""Between two messages: to start a program stops all our threads for some half a millisecond."""

FAILED_AGAIN_S, DROPPED_AGAIN_S = 3600.0, 60.0
"""Seconds until the same trouble is logged again."""


class Sender:
    """Tells what waits in the queue for one name.

    Args:
        settings: how; ``retune`` replaces them.
        queue: has the messages and the books.
        site: the name of the site, for the message about those that were not told.
        mark: of the processes that it starts, the same in each life of the daemon.
        emit: gets events; called by this thread.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: NotifySettings,
        queue: Queue,
        *,
        site: str,
        mark: str,
        emit: Listener,
        clock: Callable[[], float],
    ) -> None:
        self.name = settings.name
        self._settings, self._queue, self._site, self._mark = settings, queue, site, mark
        self._emit, self._clock = emit, clock
        self._bell = Bell()
        self._is_finishing = self._is_emptying = False
        self._in_flight: Try | None = None
        self._settled: tuple[Waiting, str] | None = None
        """What is told, or given up, and not in the books yet, since these could not be written."""

        self._unqueued: list[Spooled] = []
        """What is to be told from memory, oldest first; some of it may be told."""

        self._told_unqueued: dict[str, float] = {}
        """Keys of the messages that were told from memory and did not come out of the queue yet, and when."""

        self._tries, self._failing_since_s, self._logged_s = 0, 0.0, -NEVER_S
        self._retry_at_s = -NEVER_S
        self._dropped: Counter[str] = Counter()
        self._drop_logged_s = -NEVER_S
        self._noting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"notify {self.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue: something has been added."""
        self._bell.ring()

    def retune(self, settings: NotifySettings) -> None:
        """Use other settings from the next try on, which is made at once."""
        if settings != self._settings:
            self._settings, self._retry_at_s = settings, -NEVER_S
        self._bell.ring()

    def tell_unqueued(self, events: list[Spooled]) -> None:
        """Try to tell these from memory, oldest first; they replace those that were given before."""
        self._unqueued = events
        if events:
            self._bell.ring()

    def note_dropped(self, messages: int) -> None:
        """Log that messages were dropped, since too many wait."""
        with self._noting:
            self._dropped["full"] += messages
        self._bell.ring()

    def finish(self) -> None:
        """Begin no other message; what is urgent, and the daemon's end, are told if they can be at once."""
        self._is_emptying = DaemonStopped.name in self._settings.on or bool(self._unqueued)
        self._is_finishing = not self._is_emptying
        self._bell.ring()

    def abort(self) -> None:
        """Break off what is in flight; it will be told again."""
        self._is_finishing = True
        if self._in_flight is not None:
            self._in_flight.abort()
        self._bell.ring()

    def has_ended(self, within_s: float) -> bool:
        """Wait for the end, and return whether it has come."""
        self._thread.join(max(0.0, within_s))
        return not self._thread.is_alive()

    def close(self) -> None:
        """Give back what it has held; it has ended, and nobody wakes it any more."""
        self._bell.close()

    def _run(self) -> None:
        kill_marked(self._mark)  # what a life before this one was killed over
        while not self._is_finishing:
            is_emptying = self._is_emptying
            try:
                pause_s = self._turn()
            except SinkError:  # who adds to the queue reports it
                pause_s = FIRST_RETRY_S
            except Exception as error:  # noqa: BLE001 - a mistake of ours; the message is tried again, and given up
                pause_s = FIRST_RETRY_S
                self._note_failure(Outcome(is_told=False, words=repr(error)))
            if is_emptying and pause_s > PAUSE_S:
                break
            self._bell.wait(min(pause_s, self._report_dropped()))

    def _turn(self) -> float:
        """Tell one message, if it is time; return the seconds until there is more to do."""
        if (urgent := self._urgent()) is not None:
            return max(0.0, self._retry_at_s - self._clock()) or self._tell(urgent)
        if self._settled is not None:
            self._queue.settle(*self._settled)
            self._settled = None
        return self._tell_queued(self._hour())

    def _tell_queued(self, hour: Hour | None) -> float:
        if self._told_unqueued and self._is_next_told():
            return 0.0
        if hour is not None and hour.told >= self._settings.most_per_hour:
            if self._queue.books.get(self.name, Book()).waiting:
                self._queue.limit(self.name)
            return hour.ends_in_s
        if (pause_s := self._retry_at_s - self._clock()) > 0:
            return pause_s
        message = self._queue.next_of(self.name)
        if message is None:
            return hour.ends_in_s if hour is not None and hour.limited else NEVER_S
        if message.age_s > self._settings.give_up_after:
            self._settled = (message, "given_up")
            with self._noting:
                self._dropped["given_up"] += 1
            return 0.0
        return self._tell(message)

    def _is_next_told(self) -> bool:
        """Return whether what comes out of the queue next was told from memory; then it is to be settled."""
        message = self._queue.next_of(self.name)
        if message is None or self._told_unqueued.pop(message.key, None) is None:
            return False
        self._settled = (message, "told")
        return True

    def _urgent(self) -> Waiting | None:
        """Return what is to be told from memory now, if the hour is not full as far as is known."""
        keyed = ((message_key(self.name, key), message) for key, message in self._unqueued)
        first = next((each for each in keyed if each[0] not in self._told_unqueued), None)
        if first is None:
            return None
        try:
            hour = self._queue.hour_of(self.name)
        except SinkError:
            hour = None
        told = hour.told if hour is not None and hour.ends_in_s > 0 else 0
        told += sum(at_s > self._clock() - HOUR_S for at_s in self._told_unqueued.values())
        if told >= self._settings.most_per_hour:
            return None
        return Waiting(NOT_QUEUED, first[0], self.name, 0.0, first[1])

    def _note_told_unqueued(self, key: str) -> None:
        self._told_unqueued[key] = self._clock()
        if len(self._told_unqueued) > MOST_WAITING:  # the oldest was dropped from the queue, or limited
            del self._told_unqueued[next(iter(self._told_unqueued))]

    def _hour(self) -> Hour | None:
        """Return the hour that runs, if one does; when it is over, what was left out is told."""
        hour = self._queue.hour_of(self.name)
        if hour is None or hour.ends_in_s > 0:
            return hour
        summary = limited_body(self._site, hour.limited, self._settings) if hour.limited else None
        self._queue.end_hour(self.name, summary)
        return None

    def _tell(self, message: Waiting) -> float:
        settings = self._settings
        self._in_flight = Try(settings, message.body, mark=self._mark, message_id=message.key)
        if self._is_finishing:
            return 0.0
        outcome = self._in_flight.outcome(self._bell, self._clock)
        self._in_flight = None
        if outcome.is_told and message.id == NOT_QUEUED:
            self._note_told_unqueued(message.key)
            self._note_told(message)
            return PAUSE_S
        if outcome.is_told:
            self._settled = (message, "told")
            self._note_told(message)
            self._queue.settle(*self._settled)
            self._settled = None
            return PAUSE_S
        if not outcome.is_broken_off:
            self._note_failure(outcome)
        if self._settings is not settings:  # edited meanwhile: what has failed was the old way
            self._retry_at_s = -NEVER_S
        return 0.0

    def _note_told(self, message: Waiting) -> None:
        if self._tries and self._logged_s > -NEVER_S:
            failed_s = round(self._clock() - self._failing_since_s, 1)
            waiting = self._queue.books.get(self.name, Book()).waiting - (message.id != NOT_QUEUED)
            self._emit(NotifyRecovered(self.name, self._tries, failed_s, waiting))
        self._tries, self._logged_s = 0, -NEVER_S
        self._queue.note_failing(self.name, None)

    def _note_failure(self, outcome: Outcome) -> None:
        now_s = self._clock()
        self._failing_since_s = self._failing_since_s if self._tries else now_s
        pause_s = retry_delay_s(self._tries, FIRST_RETRY_S, LAST_RETRY_S) * random.uniform(0.5, 1)  # noqa: S311
        self._retry_at_s = now_s + max(pause_s, outcome.retry_after_s)
        self._tries += 1
        self._queue.note_failing(self.name, outcome.words)
        if now_s >= self._logged_s + FAILED_AGAIN_S:
            self._logged_s = now_s
            waiting = self._queue.books.get(self.name, Book()).waiting
            self._emit(NotifyFailed(self.name, outcome.words, self._tries, waiting))

    def _report_dropped(self) -> float:
        """Log what was dropped, at most once a minute; return the seconds until that has to be done."""
        if not self._dropped:
            return NEVER_S
        if (pause_s := self._drop_logged_s + DROPPED_AGAIN_S - self._clock()) > 0:
            return pause_s
        self._drop_logged_s = self._clock()
        with self._noting:
            dropped, self._dropped = self._dropped, Counter()
        for why, messages in dropped.items():
            self._emit(NotifyDropped(self.name, why, messages))
        return NEVER_S
