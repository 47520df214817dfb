"""From hints and sweeps to the frames that may be judged now: what the loop asks for its next frame.

Events are hints, the sweep is the truth; what settles comes into the queue, and what the window over a
backlog has no room for stays in the folder.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from framegate.config.settings import DropSettings, Settings
from framegate.errors import SinkError
from framegate.events import Listener, happening
from framegate.ingest.judged import JudgedFiles
from framegate.ingest.names import NameRules
from framegate.ingest.queue.backlog import Backlog, Selection
from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.ingest.reading import has_writer, look_at, was_last_written
from framegate.ingest.sweep_plan import Cause, SweepPlan
from framegate.ingest.sweeping import Ledger, Sweep, entries_of
from framegate.ingest.unlisted import Unlisted
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.supervisor import Watch
from framegate.model import Arrival, Candidate, FileKey, NotYet, Origin, Pending, Unsettled

SWEEP_SLICE_S = 0.05
"""A sweep advances by so much at a time; hints are taken and frames judged in between."""


class Intake:
    """Finds the frames of one drop folder, and hands them out in their order.

    Args:
        drop: its settings.
        ledger: knows what has its verdict.
        announce: hears of files that cannot be judged yet, and of the watch.
        clock: monotonic seconds.
    """

    def __init__(
        self, drop: DropSettings, ledger: Ledger, announce: Listener, clock: Callable[[], float]
    ) -> None:
        self._drop = drop
        self._folder = Path(drop.folder)
        self._ledger = ledger
        self._announce = announce
        self._clock = clock

        self._rules = NameRules(drop)
        self.inbox = Inbox()
        self.watch = Watch(drop, self._rules, self.inbox, announce)
        self._uploads = Uploads(self._settling_rules(), self._rules.candidate)
        self._backlog = Backlog()

        self._plan = SweepPlan()
        self._judged = JudgedFiles()
        self._unlisted = Unlisted(announce)
        self._sweep: _SweepUnderWay | None = None
        self._unsearchable: dict[str, Pending] = {}
        """Frames that the last sweep could list and nobody may read, by camera."""

    def __len__(self) -> int:
        """Return how many files are in hand: settling, or settled and not yet taken."""
        return len(self._uploads)

    @property
    def has_ready(self) -> bool:
        """Whether a frame may be taken now."""
        return self._uploads.has_queued

    def start(self) -> None:
        """Begin to watch; the first sweep comes with the first ``gather``."""
        self.watch.start(self._clock())

    def stop(self) -> None:
        """Stop watching."""
        self.watch.stop()
        self.inbox.close()

    def retune(self, settings: Settings) -> None:
        """Use new settings, except those that need a restart; what is named otherwise settles again."""
        drop = settings.drop
        before, self._drop = self._drop, drop
        if drop == before:
            return
        self._rules = NameRules(drop)
        self.watch.retune(drop, self._rules)
        self._uploads.use(self._settling_rules())
        self._sweep = None
        if _naming(drop) != _naming(before):
            self._uploads = Uploads(self._settling_rules(), self._rules.candidate)
            self._backlog = Backlog()
        self._plan.request_now(self._clock())

    def interrupt(self) -> None:
        """Let ``gather`` return soon; may be called from a signal handler."""
        self.inbox.wake()

    def gather(self, wait_s: float) -> None:
        """Wait at most ``wait_s`` for a hint; take what came, do what is due, and queue what has settled.

        Raises:
            SinkError: the ledger cannot be asked what is new.
        """
        arrivals = self.inbox.take(wait_s)
        try:
            for arrival in arrivals:
                self._hear(arrival)
            now_s = self._clock()
            self._plan.count_hints(len(arrivals), now_s, self._drop.settle_s)
            if now_s >= self.watch.next_check_s:
                self.watch.check(now_s)
            self._request_sweeps(now_s)
            self._sweep_on()
        except SinkError:  # those hints are gone
            self._plan.request(self._clock() + self._drop.settle_s)
            raise
        if not self.watch.is_absent:
            self._uploads.take_up(self._clock(), most=self._backlog.room(len(self)))
        if self._clock() >= self._held_until_s:
            self._queue_settled()

    def next(self) -> Candidate | None:
        """Return the next frame that has no verdict yet; it stays next until ``done`` or ``put_back``."""
        while (candidate := self._uploads.next()) is not None:
            if not self._ledger.knows(candidate.key):
                return candidate
            self._uploads.done(candidate)
        return None

    def done(self, candidate: Candidate) -> None:
        """Forget a frame that has its verdict."""
        self._uploads.done(candidate)

    def put_back(self, unsettled: Unsettled) -> None:
        """Let a frame settle again, or put it aside when it is framegate that may not read it."""
        now_s = self._clock()
        if unsettled.why is NotYet.UNREADABLE:
            is_first = self._uploads.put_aside(unsettled, now_s)
            self._announce_postponed(unsettled, is_warning=is_first)
            return
        is_written = unsettled.why is NotYet.BEING_WRITTEN
        self._uploads.put_back(unsettled, now_s, delay_s=self._drop.settle_s if is_written else 0.0)
        self._announce_postponed(unsettled)

    def deadline_s(self, now_s: float) -> float:
        """Return when ``gather`` has something to do, if no hint comes before."""
        self._uploads.hurry(self._is_stuck)
        deadlines = [self.watch.next_check_s]
        if not self.watch.is_absent:
            deadlines.append(self._plan.deadline_s() if self._sweep is None else now_s)
            if self._backlog.room(len(self)):
                deadlines.append(self._uploads.retry_deadline_s())
        deadlines.append(max(self._held_until_s, self._uploads.settle_deadline_s(now_s)))
        return min(deadlines)

    def pending(self) -> dict[str, Pending]:
        """Return how many frames have no verdict yet, since when, and why, by camera."""
        left = {
            camera: Pending(count, self._backlog.left_since_s) for camera, count in self._backlog.left.items()
        }
        for camera, unsearchable in self._unsearchable.items():
            others = left.get(camera, Pending())
            since_s = min(others.since_s, unsearchable.since_s)
            left[camera] = Pending(others.count + unsearchable.count, since_s, unsearchable.why)
        return self._uploads.pending(left)

    def _settling_rules(self) -> SettlingRules:
        return SettlingRules(self._drop.settle_s, self._drop.give_up_s, self._is_being_written)

    def _hear(self, arrival: Arrival) -> None:
        self.watch.heard(arrival.name)
        there = look_at(self._folder, arrival.name)
        if there is None:
            self._uploads.vanished(arrival.name)
            return
        if not self._is_new(there):
            return
        if self._uploads.is_settling(there.name) or self._backlog.admit(
            self._rules.candidate(there), len(self)
        ):
            # What is moved in from another folder, or linked in, watchdog calls created, too.
            is_done = arrival.origin is Origin.CREATED and has_writer(self._folder, there.name) is False
            self._uploads.observe(there, arrival.origin, self._clock(), writer_is_done=is_done)

    def _is_new(self, key: FileKey) -> bool:
        return not self._uploads.is_queued_as(key) and not self._ledger.knows(key)

    def _request_sweeps(self, now_s: float) -> None:
        """Plan the sweeps that do not wait until one comes round."""
        if self.inbox.take_sweep_request():
            self._plan.request_twice(now_s)
        if self._sweep is None and self._backlog.wants_refill(len(self)):
            self._plan.request(now_s, Cause.REFILL)

    def _sweep_on(self) -> None:
        """Begin a sweep if one is due, and advance the one that is under way."""
        now_s = self._clock()
        if self.watch.is_absent:
            self._sweep = None
            return
        if self._sweep is None and now_s >= self._plan.deadline_s():
            self._sweep = self._begun(self._plan.begin(now_s), now_s)
        if self._sweep is not None:
            self._advance(self._sweep)

    def _begun(self, cause: Cause, now_s: float) -> "_SweepUnderWay":
        looks_at_all = cause >= Cause.EVENTS_LOST or self.watch.mode == "poll"
        self._judged.begin_sweep(looks_at_all=looks_at_all)
        entries = entries_of(
            self._folder, self._rules, recursive=self._drop.recursive, skipped=self._unlisted.note
        )
        sweep = Sweep(entries, self._rules, self._judged, self._ledger, self._unlisted.note)
        is_round = cause is Cause.ROUND and not self._backlog.is_left
        return _SweepUnderWay(sweep, cause, now_s, self._backlog.selection(len(self)), is_round=is_round)

    def _advance(self, under_way: "_SweepUnderWay") -> None:
        """List some more; at the end of the folder bring what is new into hand."""
        started_s = time.perf_counter()
        is_over = True
        try:
            is_over = self._offer_some(under_way, started_s + SWEEP_SLICE_S)
            if is_over:
                self._end_sweep(under_way)
        except OSError:
            self.watch.check(self._clock())  # it says what is wrong with the folder
        finally:
            under_way.took_s += time.perf_counter() - started_s
            if is_over:
                self._sweep = None
                interval_s = self.watch.sweep_interval_s(under_way.took_s)
                self._plan.end(
                    self._clock(),
                    under_way.cause,
                    under_way.took_s,
                    interval_s=interval_s,
                    settle_s=self._drop.settle_s,
                )

    def _offer_some(self, under_way: "_SweepUnderWay", end_s: float) -> bool:
        """Offer what is new to the backlog's selection until ``end_s``; return whether that was all."""
        while (new := under_way.sweep.advance()) is not None:
            now_s = self._clock()
            for key in new:
                if key.name in self._uploads:
                    under_way.still_there.add(key.name)
                if self._uploads.is_settling(key.name):
                    self._uploads.observe(key, Origin.SWEEP, now_s)
                elif not self._uploads.is_waiting_as(key):
                    under_way.selection.offer(self._rules.candidate(key))
            if time.perf_counter() >= end_s:
                return False
        return True

    def _end_sweep(self, under_way: "_SweepUnderWay") -> None:
        now_s = self._clock()
        for name in self._uploads.unseen(under_way.still_there, under_way.began_s):
            if look_at(self._folder, name) is None:
                self._uploads.vanished(name)
        found = self._backlog.settle_on(under_way.selection, len(self), now_s)
        # Between its listing and now a file may have been heard of, and even judged.
        new = set(self._ledger.unknown([candidate.key for candidate in found]))
        for candidate in found:
            # Never at once, though a lease may tell that it is whole: a listing takes time, and may show a
            # frame without the older one that was renamed in behind its back (3 of 1,500 in the wrong order).
            if candidate.key in new and not self._uploads.is_queued_as(candidate.key):
                self._uploads.observe(candidate.key, Origin.SWEEP, now_s)
        self._count_unsearchable(under_way.sweep.unsearchable, now_s)
        self._note_what_was_missed([candidate.key.name for candidate in found], under_way, now_s)

    def _count_unsearchable(self, names: list[str], now_s: float) -> None:
        cameras = Counter(self._rules.camera_of(name) for name in names)
        why = f"{NotYet.UNREADABLE}: the folder may be listed, but not searched"
        self._unsearchable = {
            camera: Pending(count, self._unsearchable.get(camera, Pending(since_s=now_s)).since_s, why)
            for camera, count in cameras.items()
        }

    def _note_what_was_missed(self, found: list[str], under_way: "_SweepUnderWay", now_s: float) -> None:
        if self._unlisted.end_of_sweep():
            self.watch.renew("a folder may be listed now", now_s)
        elif under_way.is_round:
            # A new time on a file that is known (FTP's MFMT) makes no event that we listen to.
            known = self._ledger.knows_names(found)
            self.watch.note_unannounced((name for name in found if name not in known), now_s)

    @property
    def _held_until_s(self) -> float:
        """Until when nothing is queued: a sweep that may find older frames is under way."""
        if self._sweep is None:
            return -math.inf
        patience_s = {Cause.FIRST: math.inf, Cause.EVENTS_LOST: self._drop.settle_s}
        return self._sweep.began_s + patience_s.get(self._sweep.cause, -math.inf)

    @property
    def _is_stuck(self) -> bool:
        """Whether all that is in hand waits, and frames in the folder cannot come in because of it."""
        return (
            not self._uploads.has_queued
            and self._backlog.is_left
            and not self._backlog.wants_refill(len(self))
        )

    def _queue_settled(self) -> None:
        self._uploads.hurry(self._is_stuck)
        for candidate in self._uploads.settle(self._clock()):
            if not candidate.is_final and self._is_being_written(candidate.key.name):
                self.put_back(Unsettled(candidate, candidate.key, NotYet.BEING_WRITTEN))

    def _is_being_written(self, name: str) -> bool:
        """Tell whether a writer on this machine is known to be at a file.

        The kernel tells the file's owner, and root. For others there is what was heard: in the usual service
        the uploader owns the files, and half of a picture whose size was set first has an end.
        """
        if self.watch.mode != "inotify":  # a share refuses the question
            return False
        has_it_open = has_writer(self._folder, name)
        if has_it_open is None:
            return self.watch.was_written_to(name) and was_last_written(self._folder, name)
        return has_it_open

    def _announce_postponed(self, unsettled: Unsettled, *, is_warning: bool = False) -> None:
        level = "warning" if is_warning else "debug"
        fields = {"frame": unsettled.key.name, "reason": str(unsettled.why)}
        if unsettled.detail:
            fields["detail"] = unsettled.detail
        self._announce(happening("frame.postponed", level, **fields))


class _SweepUnderWay:
    """A sweep, and what it has come to so far."""

    def __init__(
        self, sweep: Sweep, cause: Cause, began_s: float, selection: Selection, *, is_round: bool
    ) -> None:
        self.sweep = sweep
        self.cause = cause
        self.began_s = began_s
        self.selection = selection
        self.is_round = is_round
        """It lists what events should have announced: what it finds was not heard."""

        self.still_there: set[str] = set()
        """Files known before that it has listed."""

        self.took_s = 0.0


def _naming(drop: DropSettings) -> tuple[object, ...]:
    return drop.include, drop.camera_pattern, drop.capture_time
