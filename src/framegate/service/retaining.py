"""Deletes results that have had their time, oldest first, some in each turn.

Never a camera's last kept frame, and only what the ledger says framegate put there and what is as it was.
"""

from collections.abc import Callable
from pathlib import Path

from framegate.errors import SinkError
from framegate.events import Listener, happening
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.keep.retention import Limits, Removal, Rule, remove_result
from framegate.keep.whereabouts import Recorded
from framegate.model import iso_utc
from framegate.service.refusals import Refusals
from framegate.service.retrying import NEVER_S
from framegate.service.wall_clock import WallClock
from framegate.settings import Settings

LOOK_S, HURRIED_LOOK_S = 10.0, 1.0
"""Between two looks for what is too old or too much; while the intake is paused, perhaps for want of the room
that old results take, there is more hurry. A look sums up a million results in some 50 ms."""

MOST_A_TURN, PAUSE_S = 20, 0.5
"""At the most 2,400 results a minute, in portions that take some milliseconds."""

_BEFORE_ALL = (-(2**63), 0)


class Retaining:
    """Holds the results to their limits.

    Args:
        settings: the limits.
        ledger: knows what was put where.
        announce: hears of each deletion, and of what prevents them.
        clock: the wall clock, and whether to believe it.
        disk: how a result is removed.
        is_paused: whether the intake waits, perhaps for room.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        announce: Listener,
        clock: WallClock,
        disk: Disk,
        *,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ledger = ledger
        self._announce = announce
        self._clock = clock
        self._disk = disk
        self._is_paused = is_paused
        self._refusals = Refusals("result.undeletable", announce)
        self._has_said_foreign = False
        self._folder = Path(settings.results.folder)
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Take other limits."""
        self._limits = Limits.of(settings.results)
        self._is_under_way = False
        self._next_s = -NEVER_S

    def deadline_s(self) -> float:
        """Return when ``tend`` has something to do; infinity without limits."""
        is_off = self._limits.max_age_ns is None and self._limits.max_bytes is None
        return NEVER_S if is_off else self._next_s

    def tend(self, now_s: float) -> None:
        """Look, or go on with what the last look found, if it is time."""
        if now_s < self.deadline_s():
            return
        try:
            is_done = self._delete_some(now_s)
        except (SinkError, OSError):  # the intake says it
            is_done = True
        look_s = HURRIED_LOOK_S if self._is_paused() else LOOK_S
        self._next_s = now_s + (look_s if is_done else PAUSE_S)
        if is_done:
            self._is_under_way = False
            # A look is rare enough: the refusals' own pauses would only make it rarer.
            self._refusals.end_of_pass()

    def _delete_some(self, now_s: float) -> bool:
        """Delete a portion; return whether no more is to go."""
        if not self._is_under_way:
            self._is_under_way = True
            self._after = _BEFORE_ALL
            has_most = self._limits.max_bytes is not None
            self._total_bytes = self._ledger.whereabouts.results_bytes() if has_most else 0
        now_ns = self._clock.trusted_ns(now_s)
        batch = self._ledger.whereabouts.oldest_results(self._after, MOST_A_TURN)
        gone: list[int] = []
        is_done = not batch
        for row in batch:
            rule = self._limits.rule_for(row.kept_since_ns, self._total_bytes, now_ns)
            if rule is None:
                is_done = True
                break
            self._after = row.kept_since_ns, row.id
            if self._is_rid_of(row, rule):
                gone.append(row.id)
        self._ledger.whereabouts.mark(results=dict.fromkeys(gone, self._clock.now_ns()))
        return is_done

    def _is_rid_of(self, row: Recorded, rule: Rule) -> bool:
        """Delete a result; return whether it needs no more thought."""
        entry = row.entry
        assert entry.result is not None
        try:
            removal = remove_result(self._folder, entry, self._disk)
        except OSError as error:
            self._refusals.note(entry.result, error)
            return False
        self._total_bytes -= entry.key.size_bytes
        if removal is Removal.FOREIGN:
            self._say_foreign(entry.result)
        elif removal is Removal.REMOVED:
            self._announce(
                happening(
                    "result.deleted",
                    camera=entry.camera,
                    frame=entry.key.name,
                    result=entry.result,
                    rule=str(rule),
                    captured_at=iso_utc(entry.captured_at_ns),
                    size_bytes=entry.key.size_bytes,
                )
            )
        return True

    def _say_foreign(self, result: str) -> None:
        if not self._has_said_foreign:
            self._has_said_foreign = True
            self._announce(happening("result.foreign", "warning", result=result))
