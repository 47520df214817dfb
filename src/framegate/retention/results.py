"""Deletes the oldest results, as ``max_age`` and ``max_size`` say.

Never a camera's last kept frame, and only files that framegate wrote and nobody has changed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from framegate.config.settings import Settings
from framegate.deadlines import NEVER_S
from framegate.detect.judging.capture_clock import SET_SINCE_NS
from framegate.events.base import Listener
from framegate.events.deleting import ResultDeleted, ResultForeign, ResultUndeletable
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.keep.presence import Recorded
from framegate.model import iso_utc
from framegate.retention.ages import DecidedSince
from framegate.retention.cleaning import MOST_A_TURN, Cleaner
from framegate.retention.limits import Limits, Removal, remove_result
from framegate.retention.wall_clock import WallClock

LOOK_S, HURRIED_LOOK_S = 10.0, 1.0
"""Seconds between two checks of the limits; the shorter one while the intake is paused, perhaps for lack of
the space that old results take. A check adds up the sizes of a million results in some 50 ms."""

PAUSE_S = 0.5
"""Pause between two portions: at most 2,400 results a minute."""


class ResultCleaner(Cleaner):
    """Deletes results that exceed the limits, some in each turn.

    Args:
        settings: the folder and its limits.
        ledger: has every result.
        emit: gets an event for each deletion and for each new error.
        clock: the wall clock, unless it has just jumped.
        disk: the file operations.
        is_paused: whether the intake is paused, perhaps for lack of space.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        emit: Listener,
        clock: WallClock,
        disk: Disk,
        *,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(ledger, emit, disk, refused=ResultUndeletable)
        self._clock = clock
        self._is_paused = is_paused
        self._has_reported_foreign = False
        self._folder = Path(settings.results.folder)
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other limits from now on."""
        self._limits = Limits.of(settings.results)
        self._is_under_way = False
        self._next_s = -NEVER_S

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do; infinity without limits."""
        if not self._limits:
            return NEVER_S
        return self._next_s

    def _delete_some(self, now_s: float) -> float:
        now_ns = self._clock.trusted_ns(now_s)
        if not self._is_under_way:
            self._begin(now_ns)
        batch = self._ledger.presence.oldest_results(self._after_id, MOST_A_TURN)
        gone = self._removed(self._over_the_limits(batch, now_ns), self._remove)
        self._ledger.presence.mark(results=dict.fromkeys(gone, self._clock.now_ns()))
        if batch and self._after_id == batch[-1].id:
            return PAUSE_S
        return self._end()

    def _begin(self, now_ns: int | None) -> None:
        self._is_under_way = True
        self._after_id = 0
        presence = self._ledger.presence
        first_ns = None if now_ns is None else presence.first_decided_ns(SET_SINCE_NS, now_ns)
        self._kept_since = DecidedSince(first_ns)
        has_most = self._limits.max_bytes is not None
        self._total_bytes = presence.results_bytes() if has_most else 0

    def _end(self) -> float:
        """End a pass; return the pause before the next, in seconds."""
        self._is_under_way = False
        # The pause that this returns is for faster passes: LOOK_S is rare enough for retries.
        self._refusals.end_of_pass()
        return HURRIED_LOOK_S if self._is_paused() else LOOK_S

    def _pause_after_error(self) -> float:
        return self._end()

    def _over_the_limits(self, batch: list[Recorded], now_ns: int | None) -> Iterator[tuple[Recorded, str]]:
        """Yield what has to be deleted, oldest first; each is decided after those before it are deleted."""
        for row in batch:
            kept_since_ns = self._kept_since.of(row.entry.decided_at_ns, now_ns)
            rule = self._limits.rule_for(kept_since_ns, self._total_bytes, now_ns)
            if rule is None:
                return
            self._after_id = row.id
            yield row, rule

    def _remove(self, row: Recorded, rule: str) -> None:
        entry = row.entry
        assert entry.result is not None
        removal = remove_result(self._folder, entry, self._disk)
        self._total_bytes -= entry.key.size_bytes
        if removal is Removal.FOREIGN:
            self._report_foreign(entry.result)
        elif removal is Removal.REMOVED:
            self._emit(
                ResultDeleted(
                    camera=entry.camera,
                    frame=entry.key.name,
                    result=entry.result,
                    rule=str(rule),
                    captured_at=iso_utc(entry.captured_at_ns),
                    size_bytes=entry.key.size_bytes,
                )
            )

    def _report_foreign(self, result: str) -> None:
        if not self._has_reported_foreign:
            self._has_reported_foreign = True
            self._emit(ResultForeign(result))
