"""The sweeps of one drop folder: begun when they are due, advanced a slice at a time.

While a sweep may find older frames, live frames wait for it: after a start until the first sweep has ended,
after lost events for at most ``settle_s``.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from framegate.config.settings import DropSettings
from framegate.events.base import Listener
from framegate.events.frames import FrameSeen
from framegate.events.watch import FilesUnmatched, SweepEnded
from framegate.ingest.judged import JudgedFiles
from framegate.ingest.links import Links
from framegate.ingest.names import Examples, NameRules
from framegate.ingest.pending import Pending
from framegate.ingest.queue.backlog import Backlog, Selection
from framegate.ingest.queue.touched import TouchedFiles
from framegate.ingest.queue.uploads import Uploads
from framegate.ingest.reading import look_at
from framegate.ingest.sweep_plan import Cause, SweepPlan
from framegate.ingest.sweeping import Ledger, Sweep, entries_of, was_judged_as_large
from framegate.ingest.unlisted import Unlisted
from framegate.ingest.watch.supervisor import Watch
from framegate.model import Candidate, FileKey, NotYet, Origin

SLICE_S = 0.05
"""How long a sweep runs at a time; hints are handled and frames judged in between."""


@dataclass(slots=True)
class _UnderWay:
    """A sweep, and what it has found so far."""

    sweep: Sweep
    cause: Cause
    began_s: float
    selection: Selection
    is_round: bool
    """It is a regular one, without a backlog: what it finds, events should have announced."""

    is_of_backlog: bool
    """What it finds may have been in the folder for any time."""

    new: Iterator[FileKey] = field(default_factory=lambda: iter(()))
    """What was listed last, and is not offered to the selection yet."""

    still_there: set[str] = field(default_factory=set)
    """Files that were in hand before, and that it has listed."""

    took_s: float = 0.0


class Sweeper:
    """Compares the drop folder with the ledger, and puts what is new into ``uploads``.

    Args:
        drop: its settings.
        rules: which names are frames.
        ledger: answers which versions of files have their verdict.
        watch: notified of what events missed.
        touched: gets the judged files to which something was done since.
        emit: receives what the sweeps find.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        drop: DropSettings,
        rules: NameRules,
        ledger: Ledger,
        watch: Watch,
        touched: TouchedFiles,
        *,
        emit: Listener,
        clock: Callable[[], float],
    ) -> None:
        self._drop, self._rules = drop, rules
        self._folder = Path(drop.folder)
        self._ledger = ledger
        self._watch = watch
        self._touched = touched
        self._emit = emit
        self._clock = clock
        self.plan = SweepPlan()
        self._links = Links(self._folder, ledger.last_of)
        self._judged, self._judged_by = JudgedFiles(), ledger.set_aside
        self._unlisted = Unlisted(emit)
        self._under_way: _UnderWay | None = None
        self._has_reported_unmatched = False
        self.unmatched = Examples()
        """Files that no pattern of ``include`` takes, as of the last sweep."""

        self.unsearchable: dict[str, Pending] = {}
        """Frames in folders that the last sweep could list but not search, by camera."""

    @property
    def is_under_way(self) -> bool:
        """Whether the folder is being listed."""
        return self._under_way is not None

    def deadline_s(self, now_s: float) -> float:
        """Return when ``advance`` has something to do: ``now_s`` while a sweep is under way."""
        return self.plan.deadline_s() if self._under_way is None else now_s

    def held_until_s(self) -> float:
        """Return until when no settled file is queued because a sweep may find older ones.

        Minus infinity when nothing is held.
        """
        if self._under_way is None:
            return math.inf if self.plan.wants_first else -math.inf
        patience_s = {Cause.FIRST: math.inf, Cause.EVENTS_LOST: self._drop.settle_s}
        return self._under_way.began_s + patience_s.get(self._under_way.cause, -math.inf)

    def use(self, drop: DropSettings, rules: NameRules) -> None:
        """Use other settings, and sweep by them at once."""
        self._drop, self._rules = drop, rules
        self._has_reported_unmatched = False
        self.give_up()
        self.plan.request_now(self._clock())

    def give_up(self) -> None:
        """End the sweep that is under way, if there is one, and request another for the same cause."""
        if self._under_way is not None:
            self.plan.request(self._clock(), self._under_way.cause)
            self._under_way = None

    def begin_anew_with_ledger(self) -> bool:
        """Forget what was judged if the ledger was begun anew, and request a sweep as after a start.

        All files count as a backlog then: they are judged in their order, and came at an unknown time.
        Return whether it is so.
        """
        if self._judged_by == self._ledger.set_aside:
            return False
        self._judged, self._judged_by = JudgedFiles(), self._ledger.set_aside
        self._under_way = None
        self.plan.request(self._clock(), Cause.FIRST)
        return True

    def advance(self, uploads: Uploads, backlog: Backlog) -> None:
        """Begin a sweep if one is due, and advance the one that is under way by a slice.

        Raises:
            SinkError: the ledger cannot be read now; the sweep is ended, and requested again.
        """
        now_s = self._clock()
        if self._under_way is None and now_s >= self.plan.deadline_s():
            self._under_way = self._begun(backlog, len(uploads), now_s)
        if self._under_way is not None:
            self._advance(self._under_way, uploads, backlog)

    def _begun(self, backlog: Backlog, in_hand: int, now_s: float) -> _UnderWay:
        cause = self.plan.begin(now_s)
        looks_at_all = cause >= Cause.EVENTS_LOST or self._watch.mode == "poll"
        self._judged.begin_sweep(looks_at_all=looks_at_all)
        skipped = self._unlisted.note
        entries = entries_of(self._folder, self._rules, recursive=self._drop.recursive, skipped=skipped)
        sweep = Sweep(entries, self._rules, self._judged, self._ledger, skipped, self._links)
        is_round = cause is Cause.ROUND and not backlog.is_left
        is_of_backlog = cause is Cause.FIRST or backlog.is_left
        return _UnderWay(sweep, cause, now_s, backlog.selection(in_hand), is_round, is_of_backlog)

    def _advance(self, under_way: _UnderWay, uploads: Uploads, backlog: Backlog) -> None:
        """List some more; at the end bring what is new into hand."""
        started_s = time.perf_counter()
        is_over = has_failed = True
        try:
            is_over = self._offer_some(under_way, uploads, started_s + SLICE_S)
            if is_over:
                self._end(under_way, uploads, backlog)
            has_failed = False
        except OSError:
            self._watch.check(self._clock())  # it announces what is wrong with the folder
        finally:
            under_way.took_s += time.perf_counter() - started_s
            if is_over:
                self._under_way = None
                interval_s = self._watch.sweep_interval_s(under_way.took_s)
                settle_s, now_s = self._drop.settle_s, self._clock()
                self.plan.end(now_s, under_way.took_s, interval_s=interval_s, settle_s=settle_s)
                if has_failed:
                    self.plan.request(now_s + settle_s, under_way.cause)

    def _offer_some(self, under_way: _UnderWay, uploads: Uploads, end_s: float) -> bool:
        """Offer new files to the selection until ``end_s``; return whether the sweep has ended."""
        while True:
            for key in under_way.new:
                under_way.selection.offer(self._rules.candidate(key))
                if time.perf_counter() >= end_s:
                    return False
            listed = under_way.sweep.advance()
            if listed is None:
                return True
            others = self._not_in_hand(self._without_touched(listed, uploads), under_way, uploads)
            under_way.new = iter(others)
            if time.perf_counter() >= end_s:
                return False

    def _not_in_hand(self, keys: list[FileKey], under_way: _UnderWay, uploads: Uploads) -> list[FileKey]:
        """Observe the files that are in hand; return the others, and new versions of queued ones."""
        now_s = self._clock()
        others = []
        for key in keys:
            if key.name in uploads:
                under_way.still_there.add(key.name)
            if uploads.is_settling(key.name):
                uploads.observe(key, Origin.SWEEP, now_s)
            elif not uploads.is_waiting_as(key):
                others.append(key)
        return others

    def _without_touched(self, keys: list[FileKey], uploads: Uploads) -> list[FileKey]:
        """Return the files whose content cannot have been judged; the others are to be compared."""
        judged = self._ledger.known_names([key.name for key in keys if key.name not in uploads])
        touched = {key for key in keys if key.name in judged and was_judged_as_large(self._ledger, key)}
        for key in touched:
            self._touched.add(key, Origin.SWEEP)
        return [key for key in keys if key not in touched]

    def _end(self, under_way: _UnderWay, uploads: Uploads, backlog: Backlog) -> None:
        now_s = self._clock()
        for name in uploads.unseen(under_way.still_there, under_way.began_s):
            if look_at(self._folder, name) is None:
                uploads.vanished(name)
        is_backlog = under_way.is_of_backlog or backlog.is_left
        found = backlog.settle_on(under_way.selection, len(uploads), now_s)
        self._return_to_folder(uploads, backlog)
        new = self._add_to(uploads, found, now_s, is_backlog=is_backlog)
        self._count_unsearchable(under_way.sweep.unsearchable, now_s)
        self._report_to_watch(under_way, new, now_s)
        self._report_unmatched(under_way.sweep.unmatched)
        left = sum(backlog.left.values())
        took_s = round(under_way.took_s, 3)
        self._emit(SweepEnded(under_way.cause.name.lower(), len(found) + left, left, took_s))

    def _return_to_folder(self, uploads: Uploads, backlog: Backlog) -> None:
        """Forget live frames that were taken in hand before the sweep left older ones of their camera.

        They stay in the folder as well; a later sweep finds them after those.
        """
        for candidate in uploads.untried():
            if backlog.is_after_the_left(candidate):
                backlog.leave(candidate)
                uploads.forget(candidate.key.name)

    def _add_to(
        self, uploads: Uploads, found: list[Candidate], now_s: float, *, is_backlog: bool
    ) -> list[str]:
        """Let what a sweep found settle; return the names that were not in hand before.

        The sweep may have listed a file seconds ago: each is looked at again, for events may have named a
        later version meanwhile, and that may be judged by now.

        None is tried at once, even when a lease shows that it is complete: a frame may be listed without an
        older one that was renamed into a place already passed (3 of 1,500 in the wrong order).
        """
        looks = (look_at(self._folder, candidate.key.name) for candidate in found)
        new = []
        for key in self._ledger.unknown([key for key in looks if key is not None]):
            is_link = self._links.is_one(key.name)
            if uploads.is_waiting_as(key):
                continue
            if uploads.observe(key, Origin.SWEEP, now_s, writer_is_done=is_link, is_backlog=is_backlog):
                new.append(key.name)
                camera = self._rules.camera_of(key.name)
                self._emit(FrameSeen(key.name, camera, Origin.SWEEP, key.size_bytes))
        return new

    def _count_unsearchable(self, cameras: Counter[str], now_s: float) -> None:
        why = f"{NotYet.UNREADABLE}: the folder may be listed, but not searched"
        self.unsearchable = {
            camera: Pending(count, self.unsearchable.get(camera, Pending(since_s=now_s)).since_s, why)
            for camera, count in cameras.items()
        }

    def _report_unmatched(self, unmatched: Examples) -> None:
        """Log once, and again after an edit of the settings, that files are ignored for their names."""
        self.unmatched = unmatched
        if unmatched.example is not None and not self._has_reported_unmatched:
            self._has_reported_unmatched = True
            self._emit(FilesUnmatched(unmatched.count, unmatched.example))

    def _report_to_watch(self, under_way: _UnderWay, new: list[str], now_s: float) -> None:
        if self._unlisted.end_of_sweep():
            self._watch.renew("a folder may be listed now", now_s)
        elif under_way.is_round:
            # What is done to a known file need not have made an event that we watch for.
            known = self._ledger.known_names(new)
            self._watch.note_unannounced((name for name in new if name not in known), now_s)
