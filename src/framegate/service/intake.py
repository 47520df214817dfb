"""From hints and sweeps to the frames that may be judged now: what the loop asks for its next frame.

Events are hints, the sweep is the truth; what settles comes into the queue, and what the window over a
backlog has no room for stays in the folder.
"""

import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from framegate.errors import SinkError
from framegate.events import Listener, happening
from framegate.ingest.backlog import Backlog, InTurn
from framegate.ingest.inbox import Inbox
from framegate.ingest.naming import NameRules
from framegate.ingest.reading import has_writer, look_at, was_last_written
from framegate.ingest.settling import Settler
from framegate.ingest.sweeping import sweep
from framegate.keep.ledger import Ledger
from framegate.model import Arrival, Candidate, FileKey, Origin
from framegate.pipeline import NotYet, Unsettled
from framegate.service.sweep_plan import SweepPlan
from framegate.service.unreadable import Unlisted, Unreadable
from framegate.service.waiting import Pending, Waiting
from framegate.service.watch import Watch
from framegate.settings import DropSettings, Settings


class Intake:
    """Finds the frames of one drop folder, and hands them out in their order.

    Args:
        drop: its settings.
        ledger: knows what has its verdict.
        announce: hears of files that cannot be judged yet, and of the watch.
        clock: monotonic seconds.
        beat: called during long work.
    """

    def __init__(
        self,
        drop: DropSettings,
        ledger: Ledger,
        announce: Listener,
        clock: Callable[[], float],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._drop = drop
        self._folder = Path(drop.folder)
        self._ledger = ledger
        self._announce = announce
        self._clock = clock
        self._beat = beat

        self._rules = NameRules(drop)
        self.inbox = Inbox()
        self.watch = Watch(drop, self._rules, self.inbox, announce)
        self._settler = Settler(drop.settle_s, drop.give_up_s, self._rules.candidate)
        self._backlog = Backlog()
        self._queue = InTurn()

        self._unreadable = Unreadable()
        self._unlisted = Unlisted(announce)
        self._plan = SweepPlan()
        self._waiting = Waiting()
        self._is_stopping = False

    def __len__(self) -> int:
        """Return how many files are in hand: settling, or settled and not yet taken."""
        return len(self._settler) + len(self._queue)

    @property
    def has_ready(self) -> bool:
        """Whether a frame may be taken now."""
        return bool(self._queue)

    def start(self) -> None:
        """Begin to watch; the first sweep comes with the first ``gather``."""
        self.watch.start(self._clock())

    def stop(self) -> None:
        """Stop watching; a sweep under way ends."""
        self.watch.stop()
        self.inbox.close()

    def retune(self, settings: Settings) -> None:
        """Take new settings, but for those that need a restart; what is named anew settles anew."""
        drop = settings.drop
        before, self._drop = self._drop, drop
        if drop == before:
            return
        self._rules = NameRules(drop)
        self.watch.retune(drop, self._rules)
        self._settler.retune(drop.settle_s, drop.give_up_s)
        if _naming(drop) != _naming(before):
            self._settler = Settler(drop.settle_s, drop.give_up_s, self._rules.candidate)
            self._backlog, self._queue = Backlog(), InTurn()
        self._plan.ask_now(self._clock())

    def interrupt(self) -> None:
        """Let ``gather`` return soon; may be called from a signal handler."""
        self._is_stopping = True
        self.inbox.wake()

    def gather(self, wait_s: float) -> None:
        """Wait for a hint, at most so long; take in what came, what is due, and what has settled."""
        arrivals = self.inbox.take(wait_s)
        try:
            for arrival in arrivals:
                self._hear(arrival)
            now_s = self._clock()
            self._plan.take_hints(len(arrivals), now_s, self._settler.settle_s)
            if now_s >= self.watch.next_check_s:
                self.watch.check(now_s)
            self._note_wishes(now_s)
            self._sweep_if_due(now_s)
        except SinkError:  # the ledger cannot tell what is new: those hints are gone
            self._plan.ask(self._clock() + self._settler.settle_s)
            raise
        self._try_again()
        self._queue_settled()

    def next(self) -> Candidate | None:
        """Return the next frame that has no verdict yet; it stays next until ``done`` or ``put_back``."""
        while self._queue:
            candidate = self._queue.peek()
            if not self._ledger.knows(candidate.key):
                return candidate
            self._queue.drop()
        return None

    def done(self) -> None:
        """Take in that the next frame has its verdict."""
        self._forget(self._queue.peek().key.name)
        self._queue.drop()

    def put_back(self, unsettled: Unsettled) -> None:
        """Let the next frame settle anew, or wait for its next try when we may not read it."""
        self._queue.drop()
        name = unsettled.key.name
        is_known = name in self._unreadable  # one warning is enough
        is_unreadable = unsettled.why is NotYet.UNREADABLE
        self._announce_postponed(
            name, unsettled.why, unsettled.detail, is_warning=is_unreadable and not is_known
        )
        delay_s = self._unreadable.note_try(name) if is_unreadable else 0.0
        if is_unreadable and name not in self._settler and self._unreadable.admits():
            self._unreadable.wait(unsettled.candidate, delay_s, self._clock())
            return
        lacks_its_end = unsettled.why is NotYet.UNFINISHED
        self._settler.put_back(
            unsettled.candidate, unsettled.key, self._clock(), delay_s=delay_s, lacks_its_end=lacks_its_end
        )

    def deadline_s(self, now_s: float) -> float:
        """Return when ``gather`` has something to do, if no hint comes before."""
        deadlines = [self.watch.next_check_s]
        if not self.watch.is_absent:
            deadlines.append(self._plan.deadline_s())
            if self._backlog.room(len(self)):
                deadlines.append(self._unreadable.next_deadline_s())
        self._settler.is_hurried = self._is_stuck
        if (settled_at_s := self._settler.next_deadline_s(now_s)) is not None:
            deadlines.append(settled_at_s)
        return min(deadlines)

    def pending(self) -> dict[str, Pending]:
        """Return how many frames have no verdict yet, and since when, by camera."""
        return self._waiting.pending(self._in_hand(), self._clock())

    def _in_hand(self) -> Iterator[Candidate]:
        return chain(self._settler.candidates(), self._queue, self._unreadable.candidates())

    def _forget(self, name: str) -> None:
        self._unreadable.forget(name)
        self._waiting.gone(name)

    def _hear(self, arrival: Arrival) -> None:
        self.watch.heard(arrival.name)
        there = look_at(self._folder, arrival.name)
        if there is None:
            self._settler.vanished(arrival.name)
            self._forget(arrival.name)
            return
        if not self._is_new(there):
            return
        if there.name in self._settler or self._backlog.admits(self._rules.candidate(there), len(self)):
            # What is moved in from another folder, or linked in, watchdog calls created, too.
            is_done = arrival.origin is Origin.CREATED and has_writer(self._folder, there.name) is False
            self._settler.observe(there, arrival.origin, self._clock(), writer_is_done=is_done)
            self._waiting.met(there.name, self._clock())

    def _is_new(self, key: FileKey) -> bool:
        return key not in self._queue and not self._ledger.knows(key)

    def _note_wishes(self, now_s: float) -> None:
        """Plan the sweeps that do not wait until one comes round."""
        if self.inbox.take_sweep_wish():
            self._plan.ask_twice(now_s)
        if self._backlog.wants_refill(len(self)):
            self._plan.ask(now_s)

    def _sweep_if_due(self, now_s: float) -> None:
        if self.watch.is_absent or now_s < self._plan.deadline_s():
            return
        has_seen_all = not (self._plan.is_asked_for(now_s) or self._backlog.is_left)
        started_s = time.perf_counter()
        self._plan.begin()
        try:
            if (found := self._sweep()) is not None:
                self._note_what_was_missed(found, has_seen_all=has_seen_all)
        finally:
            took_s = time.perf_counter() - started_s
            interval_s = self.watch.sweep_interval_s(took_s)
            self._plan.end(self._clock(), took_s, interval_s=interval_s, settle_s=self._settler.settle_s)

    def _note_what_was_missed(self, found: list[str], *, has_seen_all: bool) -> None:
        if self._unlisted.end_of_sweep():
            self.watch.renew("a folder may be listed now", self._clock())
        elif has_seen_all:
            # A new time on a file that is known (FTP's MFMT) makes no event that we listen to.
            news = (name for name in found if not self._ledger.knows_name(name))
            self.watch.swept(news, self._clock())

    def _sweep(self) -> list[str] | None:
        """Take in the whole folder; what is new and has no room in hand stays there.

        Returns:
            The names that came into hand, and that no event had named so far; None when it was not ended.
        """
        selection = self._backlog.selection(len(self))
        still_there: set[str] = set()
        try:
            skipped = self._unlisted.note
            for key in sweep(self._folder, self._rules, recursive=self._drop.recursive, skipped=skipped):
                if self._is_stopping:
                    return None
                self._beat()
                if key.name in self._settler or key.name in self._unreadable:
                    still_there.add(key.name)
                if not self._is_new(key) or self._unreadable.is_waiting(key):
                    continue
                if key.name in self._settler:
                    self._settler.observe(key, Origin.SWEEP, self._clock())
                else:
                    selection.offer(self._rules.candidate(key))
        except OSError:
            self.watch.check(self._clock())  # it says what is wrong with the folder
            return None
        self._settler.forget_all_but(still_there)
        self._unreadable.forget_all_but(still_there)
        found = self._backlog.settle_on(selection)
        for candidate in found:
            # Never at once, though a lease may tell that it is whole: a listing takes time, and may show a
            # frame without the older one that was renamed in behind its back (3 of 1,500 in the wrong order).
            self._settler.observe(candidate.key, Origin.SWEEP, self._clock())
            self._waiting.met(candidate.key.name, self._clock())
        in_hand = {candidate.key.name for candidate in self._in_hand()}
        self._waiting.swept(in_hand, self._backlog.left, self._clock())
        return [candidate.key.name for candidate in found]

    def _try_again(self) -> None:
        if self.watch.is_absent:
            return
        now_s = self._clock()
        for candidate in self._unreadable.take_due(now_s, most=self._backlog.room(len(self))):
            self._settler.put_back(candidate, candidate.key, now_s)

    @property
    def _is_stuck(self) -> bool:
        """Whether all that is in hand waits, and frames in the folder cannot come in because of it."""
        return (
            not self._queue and self._backlog.is_left and not self._backlog.wants_refill(len(self._settler))
        )

    def _queue_settled(self) -> None:
        self._settler.is_hurried = self._is_stuck
        for candidate in self._settler.ready(self._clock()):
            if not candidate.is_final and self._is_being_written(candidate):
                self._announce_postponed(candidate.key.name, "being_written")
                self._settler.put_back(
                    candidate, candidate.key, self._clock(), delay_s=self._settler.settle_s
                )
            else:
                self._queue.append(candidate)

    def _is_being_written(self, candidate: Candidate) -> bool:
        """Tell whether a writer on this machine is known to be at it.

        The kernel tells the file's owner, and root. For others there is what was heard: in the usual service
        the uploader owns the files, and half of a picture whose size was set first has an end.
        """
        if self.watch.mode != "inotify":  # a share refuses the question
            return False
        name = candidate.key.name
        has_it_open = has_writer(self._folder, name)
        if has_it_open is None:
            return self.watch.was_written_to(name) and was_last_written(self._folder, name)
        return has_it_open

    def _announce_postponed(self, name: str, why: str, detail: str = "", *, is_warning: bool = False) -> None:
        level = "warning" if is_warning else "debug"
        fields = {"frame": name, "reason": str(why), **({"detail": detail} if detail else {})}
        self._announce(happening("frame.postponed", level, **fields))


def _naming(drop: DropSettings) -> tuple[object, ...]:
    return drop.include, drop.camera_pattern, drop.capture_time
