"""From hints and sweeps to the next frame to judge.

Events are hints, the sweep is the truth. A file that a hint or a sweep names comes into hand: it settles, and
is queued. During a backlog a file for which there is no room stays in the folder until a later sweep.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from framegate.config.settings import DropSettings, Settings
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.frames import FramePostponed, FrameSeen, FrameSettled
from framegate.ingest.links import Links
from framegate.ingest.names import Examples, NameRules
from framegate.ingest.pending import Pending
from framegate.ingest.queue.backlog import Backlog
from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.touched import TouchedFiles
from framegate.ingest.queue.uploads import Uploads
from framegate.ingest.reading import has_writer, look_at, was_last_written
from framegate.ingest.sweep_plan import Cause
from framegate.ingest.sweeper import Sweeper
from framegate.ingest.sweeping import Ledger, was_judged_as_large
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.supervisor import Watch
from framegate.model import Arrival, Candidate, FileKey, NotYet, Origin, Unsettled


class Intake:
    """Finds the frames of one drop folder, and hands them out in their order.

    Args:
        drop: its settings.
        ledger: answers which versions of files have their verdict.
        emit: receives the events of each file, and those of the watch.
        clock: monotonic seconds.
        wall_ns: the wall clock, nanoseconds since the epoch.
    """

    def __init__(
        self,
        drop: DropSettings,
        ledger: Ledger,
        emit: Listener,
        clock: Callable[[], float],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._drop = drop
        self._folder = Path(drop.folder)
        self._ledger = ledger
        self._emit = emit
        self._clock, self._wall_ns = clock, wall_ns
        self._rules = NameRules(drop)
        self._links = Links(self._folder, ledger.last_of)
        self.inbox = Inbox()
        self.watch = Watch(drop, self._rules, self.inbox, emit)
        self._touched = TouchedFiles()
        self._sweeper = Sweeper(drop, self._rules, ledger, self.watch, self._touched, emit=emit, clock=clock)
        self._uploads, self._backlog = self._no_uploads(), Backlog()
        self._in_hand_of = self.watch.identity
        """The folder in which the files in hand were found."""

    def __len__(self) -> int:
        """Return how many files are in hand: settling, or queued."""
        return len(self._uploads)

    @property
    def has_touched(self) -> bool:
        """Whether a judged file waits to be compared, and the drop folder is there."""
        return bool(self._touched) and not self.watch.is_absent

    @property
    def has_ready(self) -> bool:
        """Whether a frame may be judged now: one is queued, and the drop folder is there."""
        return self._uploads.has_queued and not self.watch.is_absent

    @property
    def unmatched(self) -> Examples:
        """The files that no pattern of ``include`` takes, as of the last sweep."""
        return self._sweeper.unmatched

    def start(self) -> None:
        """Begin to watch; the first ``gather`` begins the first sweep."""
        self.watch.start(self._clock())
        self._in_hand_of = self.watch.identity

    def stop(self) -> None:
        """Stop watching."""
        self.watch.stop()
        self.inbox.close()

    def retune(self, settings: Settings) -> None:
        """Use new settings, except those that need a restart, and sweep by them.

        When names are read in another way, the files in hand are found again by that sweep.
        """
        before, self._drop = self._drop, settings.drop
        if self._drop == before:
            return
        rules_before, self._rules = self._rules, NameRules(self._drop)
        self.watch.retune(self._drop, self._rules)
        self._uploads.use(self._settling_rules())
        if not self._rules.are_like(rules_before):
            self._start_over()
        self._sweeper.use(self._drop, self._rules)

    def interrupt(self) -> None:
        """Make ``gather`` return soon; may be called from a signal handler."""
        self.inbox.wake()

    def gather(self, wait_s: float) -> None:
        """Wait at most ``wait_s`` for a hint; handle all hints, do what is due, and queue what has settled.

        Raises:
            SinkError: the ledger cannot be read now.
        """
        arrivals = self.inbox.take(wait_s)
        try:
            for arrival in arrivals:
                self._handle_hint(arrival)
            now_s = self._clock()
            self._sweeper.plan.count_hints(len(arrivals), now_s, self._drop.settle_s)
            if now_s >= self.watch.next_check_s:
                self.forget_if_gone()
            if self._sweeper.begin_anew_with_ledger():
                self._start_over()
            self._sweep(now_s)
        except SinkError:  # the hints that were taken are lost
            self._sweeper.plan.request(self._clock() + self._drop.settle_s)
            raise
        if not self.watch.is_absent:
            self._uploads.take_up(self._clock(), most=self._backlog.room(len(self)))
        if self._clock() >= self._sweeper.held_until_s():
            self._queue_settled()

    def upcoming(self, most: int) -> list[Candidate]:
        """Return the next frames without a verdict, at most so many, in the order in which they are judged.

        They are returned again until ``done`` or ``put_back`` is called.

        Raises:
            SinkError: the ledger cannot be read now.
        """
        upcoming = list(islice(self._uploads.upcoming(), most))
        for candidate in (judged := [each for each in upcoming if self._ledger.knows(each.key)]):
            self._uploads.done(candidate)
        return self.upcoming(most) if judged else upcoming

    def next_touched(self) -> Candidate | None:
        """Return the next judged file to which something was done since; None if none waits.

        It is returned again until ``compared`` is called.
        """
        touched = self._touched.next()
        return None if touched is None else self._rules.candidate(touched.key)

    def compared(self, candidate: Candidate, *, is_known: bool) -> None:
        """Forget a touched file; if its bytes are not those that were judged, bring it into hand.

        Args:
            candidate: the file, as ``next_touched`` returned it.
            is_known: whether its bytes were judged.
        """
        name = candidate.key.name
        touched = self._touched.next()
        self._touched.forget(name)
        if is_known:
            self.watch.note_closed(name)
        elif touched is not None and (key := look_at(self._folder, name)) is not None:
            candidate = self._rules.candidate(key)
            if self._backlog.admit(candidate, len(self)):
                self._observe(candidate, touched.origin)

    def done(self, candidate: Candidate) -> None:
        """Forget a frame that has its verdict."""
        self._uploads.done(candidate)

    def put_back(self, unsettled: Unsettled) -> bool:
        """Let a frame settle again, or be put aside if it is unreadable; return whether it keeps its turn."""
        now_s, is_warning = self._clock(), False
        if unsettled.why is NotYet.UNREADABLE:
            is_warning = self._uploads.put_aside(unsettled, now_s)
        else:
            delay_s = self._drop.settle_s if unsettled.why is NotYet.BEING_WRITTEN else 0.0
            is_done = unsettled.why is NotYet.CHANGED and not self._is_being_written(unsettled.key.name)
            self._uploads.put_back(unsettled, now_s, delay_s=delay_s, writer_is_done=is_done)
        name, detail = unsettled.key.name, unsettled.detail or None
        self._emit(FramePostponed(name, unsettled.why, detail, is_warning=is_warning))
        return self._uploads.is_queued_as(unsettled.key)

    def forget_if_gone(self) -> bool:
        """Check the drop folder, and forget the files in hand if it is missing or another stands there.

        They get no verdict; if they come back, a sweep finds them. Return whether it is so.
        """
        self.watch.check(self._clock())
        is_gone = self.watch.is_absent or self.watch.identity != self._in_hand_of
        if is_gone:
            self._in_hand_of = self.watch.identity
            self._start_over()
        return is_gone

    def deadline_s(self, now_s: float) -> float:
        """Return when ``gather`` next has something to do, unless a hint comes before."""
        self._uploads.hurry(self._is_stuck)
        settled_at_s = max(self._sweeper.held_until_s(), self._uploads.settle_deadline_s(now_s))
        deadlines = [self.watch.next_check_s, settled_at_s]
        if not self.watch.is_absent:
            deadlines.append(self._sweeper.deadline_s(now_s))
            if self._backlog.room(len(self)):
                deadlines.append(self._uploads.retry_deadline_s())
        return min(deadlines)

    def pending(self) -> dict[str, Pending]:
        """Return by camera how many frames have no verdict yet, since when, and why."""
        since_s = self._backlog.left_since_s
        left = {camera: Pending(count, since_s) for camera, count in self._backlog.left.items()}
        for camera, unsearchable in self._sweeper.unsearchable.items():
            others = left.get(camera, Pending())
            since_s = min(others.since_s, unsearchable.since_s)
            left[camera] = Pending(others.count + unsearchable.count, since_s, unsearchable.why)
        return self._uploads.pending(left, self._clock())

    def _start_over(self) -> None:
        self._uploads = self._no_uploads()
        self._backlog = Backlog()

    def _no_uploads(self) -> Uploads:
        return Uploads(self._settling_rules(), self._arrived)

    def _arrived(self, key: FileKey) -> Candidate:
        return replace(self._rules.candidate(key), arrived_at_ns=self._wall_ns())

    def _settling_rules(self) -> SettlingRules:
        drop = self._drop
        return SettlingRules(drop.settle_s, drop.give_up_s, self._is_being_written, reorder_s=drop.reorder_s)

    def _handle_hint(self, arrival: Arrival) -> None:
        """Look at the file that a hint names, and bring it into hand if it is new and there is room."""
        if not self._rules.is_frame(arrival.name):  # the hint is from before an edit of the names
            return
        self.watch.note_hint(arrival.name)
        key = look_at(self._folder, arrival.name)
        if key is None or self._links.is_passed_over(arrival.name):
            self._uploads.vanished(arrival.name)
            return
        if self._uploads.is_queued_as(key) or self._is_compared_first(key, arrival.origin):
            return
        candidate = self._rules.candidate(key)
        if self._uploads.is_settling(key.name) or self._backlog.admit(candidate, len(self)):
            self._observe(candidate, arrival.origin)

    def _is_compared_first(self, key: FileKey, origin: Origin) -> bool:
        """Return whether a file need not come into hand yet, because its bytes may have been judged.

        A version that is known is compared, too, if its writer has just closed it: within the 4 ms in which
        the kernel's clock stands still, or on vfat, other bytes may have come with the same status.
        """
        if key.name in self._uploads:
            return self._ledger.knows(key)
        if self._ledger.knows(key):
            if origin.proves_complete:
                self._touched.add(key, origin)
            return True
        if not was_judged_as_large(self._ledger, key):
            return False
        self._touched.add(key, origin)
        return True

    def _observe(self, candidate: Candidate, origin: Origin) -> None:
        key = candidate.key
        # watchdog reports files that are moved in from another folder, or linked, as created, too.
        is_closed = origin is Origin.CREATED and has_writer(self._folder, key.name) is False
        is_done = is_closed or self._links.is_one(key.name)
        if self._uploads.observe(key, origin, self._clock(), writer_is_done=is_done):
            self._emit(FrameSeen(key.name, candidate.camera, origin, key.size_bytes))

    def _sweep(self, now_s: float) -> None:
        """Request the sweeps that are due before the regular one, and advance the one under way."""
        if self.inbox.take_sweep_request():
            self._sweeper.plan.request_twice(now_s)
        if not self._sweeper.is_under_way and self._backlog.wants_refill(len(self)):
            self._sweeper.plan.request(now_s, Cause.REFILL)
        if self.watch.is_absent:
            self._sweeper.give_up()
        else:
            self._sweeper.advance(self._uploads, self._backlog)

    @property
    def _is_stuck(self) -> bool:
        """Whether all files in hand wait, and take the room of frames that were left in the folder."""
        has_room = not self._backlog.is_left or self._backlog.wants_refill(len(self))
        return not self._uploads.has_queued and not has_room

    def _queue_settled(self) -> None:
        now_s = self._clock()
        self._uploads.hurry(self._is_stuck)
        for candidate in self._uploads.settle(now_s):
            if not candidate.is_final and self._is_being_written(candidate.key.name):
                self.put_back(Unsettled(candidate, candidate.key, NotYet.BEING_WRITTEN))
            else:
                unchanged_s = round(now_s - candidate.unchanged_since_s, 3)
                self._emit(FrameSettled(candidate.key.name, candidate.camera, unchanged_s))

    def _is_being_written(self, name: str) -> bool:
        """Return whether a program on this machine is known to have a file open for writing.

        The kernel answers the file's owner, root, and who has CAP_LEASE. For others the events have to do:
        an uploader that sets a picture's size first makes half of it look complete.
        """
        if self.watch.mode != "inotify":  # a network share does not answer
            return False
        has_it_open = has_writer(self._folder, name)
        if has_it_open is None:
            return self.watch.was_written_to(name) and was_last_written(self._folder, name)
        return has_it_open
