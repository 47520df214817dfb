"""Forgets frames of which nothing is left, so that the ledger is no larger than what it is about.

Row by row it looks whether the files are still there, and notes since when they are not. What has been gone
for a day is looked for once more, and forgotten. A drop folder that is away, or another disk in its place,
is nobody's leaving: within a day it may come back, and nothing in it is judged again.
"""

from collections.abc import Callable
from pathlib import Path

from framegate.errors import SinkError
from framegate.ingest.removing import opened, stands
from framegate.keep.ledger import Ledger
from framegate.keep.retention import is_standing
from framegate.keep.whereabouts import Recorded
from framegate.model import Verdict
from framegate.service.wall_clock import WallClock
from framegate.settings import Settings

GRACE_NS = 86_400 * 10**9
"""How long a file has been gone when it is forgotten."""

MOST_A_TURN, PAUSE_S = 500, 10.0
"""Rows looked at, and as many forgotten: some 5 ms. A million rows take five and a half hours."""

LONGEST_S = 0.05
"""On a slow share a turn ends after so long, with fewer rows."""

ROUND_S = 3600.0
"""Between the beginnings of two rounds, at the least."""


class Pruning:
    """Goes round the ledger's rows.

    Args:
        settings: name the folders.
        ledger: is pruned.
        clock: monotonic seconds.
        wall_clock: the wall clock, and whether to believe it.
        is_absent: whether the drop folder is away.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clock: Callable[[], float],
        wall_clock: WallClock,
        is_absent: Callable[[], bool],
    ) -> None:
        self._drop, self._results = Path(settings.drop.folder), Path(settings.results.folder)
        self._ledger = ledger
        self._clock = clock
        self._wall_clock = wall_clock
        self._is_absent = is_absent
        self._after_id = 0
        self._next_round_s = self._next_s = clock() + PAUSE_S

    def retune(self, settings: Settings) -> None:
        """Take other settings: there are none for this."""

    def deadline_s(self) -> float:
        """Return when ``tend`` has something to do."""
        return self._next_s

    def tend(self, now_s: float) -> None:
        """Look at some rows, and forget some, if it is time."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + PAUSE_S
        try:
            now_ns = self._wall_clock.trusted_ns(now_s)
            if now_ns is None or self._is_absent():
                return
            with opened(self._drop) as root_fd:
                is_round_over = self._look_at_some(root_fd, now_ns)
                has_more = self._forget_some(root_fd, now_ns)
        except (SinkError, OSError):  # the intake and the watch say it
            return
        if is_round_over:
            self._after_id = 0
            self._next_round_s = max(self._next_round_s + ROUND_S, self._next_s)
            if not has_more:
                self._next_s = self._next_round_s

    def _look_at_some(self, root_fd: int, now_ns: int) -> bool:
        """Note which files are gone; return whether that was the last row."""
        end_s = self._clock() + LONGEST_S
        inputs: dict[int, int | None] = {}
        results: dict[int, int | None] = {}
        rows = self._ledger.whereabouts.after(self._after_id, MOST_A_TURN)
        for row in rows:
            if _is_unknown(row.input_gone_ns, now_ns):
                if not self._has_input(root_fd, row):
                    inputs[row.id] = now_ns
            elif _is_unknown(row.result_gone_ns, now_ns) and not self._has_result(row):
                results[row.id] = now_ns
            self._after_id = row.id
            if self._clock() > end_s:
                break
        if results and not self._has_newest_result():
            results = {}
        self._ledger.whereabouts.mark(inputs, results)
        return not rows or (len(rows) < MOST_A_TURN and self._after_id == rows[-1].id)

    def _forget_some(self, root_fd: int, now_ns: int) -> bool:
        """Forget what is gone for good; return whether there is more of it."""
        gone = self._ledger.whereabouts.gone(now_ns - GRACE_NS, MOST_A_TURN)
        back = {row.id for row in gone if self._has_input(root_fd, row)}
        self._ledger.whereabouts.mark(inputs=dict.fromkeys(back))
        self._ledger.prune([row for row in gone if row.id not in back])
        return len(gone) == MOST_A_TURN

    def _has_input(self, root_fd: int, row: Recorded) -> bool:
        try:
            return stands(root_fd, row.entry.key)
        except OSError:  # it cannot be told
            return True

    def _has_result(self, row: Recorded) -> bool:
        entry = row.entry
        if entry.reason.verdict is not Verdict.KEPT or entry.result is None:
            return True  # there is none to miss
        try:
            return is_standing(self._results, entry)
        except OSError:
            return True

    def _has_newest_result(self) -> bool:
        """Tell whether the results folder is the one that we know, and not an empty one in its place."""
        newest = self._ledger.whereabouts.newest_result()
        return newest is not None and self._has_result(newest)


def _is_unknown(gone_ns: int | None, now_ns: int) -> bool:
    """Tell whether it is to be looked at: it was there, or is gone since a day that a wrong clock made up."""
    return gone_ns is None or gone_ns > now_ns + GRACE_NS
