"""From hints and sweeps to the frames that may be judged now: what the loop asks for its next frame.

Events are hints, the sweep is the truth; what settles comes into the queue, and what has no room in hand
during a backlog stays in the folder.
"""

from collections.abc import Callable
from pathlib import Path

from framegate.config.settings import DropSettings, Settings
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.frames import FramePostponed, FrameSeen, FrameSettled
from framegate.ingest.names import NameRules
from framegate.ingest.queue.backlog import Backlog
from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.ingest.reading import has_writer, look_at, was_last_written
from framegate.ingest.sweep_plan import Cause
from framegate.ingest.sweeper import Sweeper
from framegate.ingest.sweeping import Ledger
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.supervisor import Watch
from framegate.model import Arrival, Candidate, NotYet, Origin, Pending, Unsettled


class Intake:
    """Finds the frames of one drop folder, and hands them out in their order.

    Args:
        drop: its settings.
        ledger: knows what has its verdict.
        emit: receives the way of each file, and the events of the watch.
        clock: monotonic seconds.
    """

    def __init__(
        self, drop: DropSettings, ledger: Ledger, emit: Listener, clock: Callable[[], float]
    ) -> None:
        self._drop = drop
        self._folder = Path(drop.folder)
        self._ledger = ledger
        self._emit = emit
        self._clock = clock

        self._rules = NameRules(drop)
        self.inbox = Inbox()
        self.watch = Watch(drop, self._rules, self.inbox, emit)
        self._sweeper = Sweeper(drop, self._rules, ledger, self.watch, emit=emit, clock=clock)
        self._uploads = Uploads(self._settling_rules(), self._rules.candidate)
        self._backlog = Backlog()
        self._in_hand_of = self.watch.identity
        """The folder in which the files in hand were found."""

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
        self._in_hand_of = self.watch.identity

    def stop(self) -> None:
        """Stop watching."""
        self.watch.stop()
        self.inbox.close()

    def retune(self, settings: Settings) -> None:
        """Use new settings, except those that need a restart; what is named otherwise settles again."""
        before, self._drop = self._drop, settings.drop
        if self._drop == before:
            return
        self._rules = NameRules(self._drop)
        self.watch.retune(self._drop, self._rules)
        self._uploads.use(self._settling_rules())
        if _naming(self._drop) != _naming(before):
            self._start_over()
        self._sweeper.use(self._drop, self._rules)

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
                self._handle_hint(arrival)
            now_s = self._clock()
            self._sweeper.plan.count_hints(len(arrivals), now_s, self._drop.settle_s)
            if now_s >= self.watch.next_check_s:
                self.is_folder_gone()
            self._sweep(now_s)
        except SinkError:  # those hints are gone
            self._sweeper.plan.request(self._clock() + self._drop.settle_s)
            raise
        if not self.watch.is_absent:
            self._uploads.take_up(self._clock(), most=self._backlog.room(len(self)))
        if self._clock() >= self._sweeper.held_until_s():
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
        is_warning = False
        if unsettled.why is NotYet.UNREADABLE:
            is_warning = self._uploads.put_aside(unsettled, now_s)
        else:
            delay_s = self._drop.settle_s if unsettled.why is NotYet.BEING_WRITTEN else 0.0
            self._uploads.put_back(unsettled, now_s, delay_s=delay_s)
        detail = unsettled.detail or None
        self._emit(FramePostponed(unsettled.key.name, unsettled.why, detail, is_warning=is_warning))

    def is_folder_gone(self) -> bool:
        """Check the drop folder; return whether it is missing, or another stands there than before.

        What is in hand is forgotten then, without a verdict: if it comes back, a sweep finds it.
        """
        self.watch.check(self._clock())
        is_gone = self.watch.is_absent or self.watch.identity != self._in_hand_of
        if is_gone:
            self._in_hand_of = self.watch.identity
            self._start_over()
        return is_gone

    def deadline_s(self, now_s: float) -> float:
        """Return when ``gather`` has something to do, if no hint comes before."""
        self._uploads.hurry(self._is_stuck)
        settled_at_s = max(self._sweeper.held_until_s(), self._uploads.settle_deadline_s(now_s))
        deadlines = [self.watch.next_check_s, settled_at_s]
        if not self.watch.is_absent:
            deadlines.append(self._sweeper.deadline_s(now_s))
            if self._backlog.room(len(self)):
                deadlines.append(self._uploads.retry_deadline_s())
        return min(deadlines)

    def pending(self) -> dict[str, Pending]:
        """Return how many frames have no verdict yet, since when, and why, by camera."""
        since_s = self._backlog.left_since_s
        left = {camera: Pending(count, since_s) for camera, count in self._backlog.left.items()}
        for camera, unsearchable in self._sweeper.unsearchable.items():
            others = left.get(camera, Pending())
            since_s = min(others.since_s, unsearchable.since_s)
            left[camera] = Pending(others.count + unsearchable.count, since_s, unsearchable.why)
        return self._uploads.pending(left)

    def _start_over(self) -> None:
        self._uploads = Uploads(self._settling_rules(), self._rules.candidate)
        self._backlog = Backlog()

    def _settling_rules(self) -> SettlingRules:
        return SettlingRules(self._drop.settle_s, self._drop.give_up_s, self._is_being_written)

    def _handle_hint(self, arrival: Arrival) -> None:
        """Look at the file that a hint names, and bring it into hand if it is new and there is room."""
        if not self._rules.is_frame(arrival.name):  # the hint is from before an edit of the names
            return
        self.watch.heard(arrival.name)
        if not self._rules.is_frame(arrival.name):  # the settings were edited since
            return
        key = look_at(self._folder, arrival.name)
        if key is None:
            self._uploads.vanished(arrival.name)
            return
        if self._uploads.is_queued_as(key) or self._ledger.knows(key):
            return
        candidate = self._rules.candidate(key)
        if self._uploads.is_settling(key.name) or self._backlog.admit(candidate, len(self)):
            self._observe(candidate, arrival.origin)

    def _observe(self, candidate: Candidate, origin: Origin) -> None:
        key = candidate.key
        # What is moved in from another folder, or linked in, watchdog calls created, too.
        is_done = origin is Origin.CREATED and has_writer(self._folder, key.name) is False
        if self._uploads.observe(key, origin, self._clock(), writer_is_done=is_done):
            self._emit(FrameSeen(key.name, candidate.camera, origin, key.size_bytes))

    def _sweep(self, now_s: float) -> None:
        """Request the sweeps that do not wait until one comes round, and advance the one under way."""
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
        """Whether all that is in hand waits, and frames in the folder cannot come in because of it."""
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
        """Whether a writer on this machine is known to have a file open.

        The kernel tells the file's owner, and root. For others there is what events said: in the usual
        service the uploader owns the files, and half of a picture whose size was set first has an end.
        """
        if self.watch.mode != "inotify":  # a share refuses the question
            return False
        has_it_open = has_writer(self._folder, name)
        if has_it_open is None:
            return self.watch.was_written_to(name) and was_last_written(self._folder, name)
        return has_it_open


def _naming(drop: DropSettings) -> tuple[object, ...]:
    return drop.include, drop.camera_pattern, drop.capture_time
