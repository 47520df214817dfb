"""Forgets frames of which nothing is left, so that the ledger is no larger than what it is about.

Row by row it looks whether the files are still there, and notes since when they are not. What has been gone
for a day is looked for once more, and forgotten. A drop folder that is away, or another disk in its place,
is nobody's leaving: within a day it may come back, and nothing in it is judged again.
"""

from collections.abc import Callable
from pathlib import Path

from framegate.errors import SinkError
from framegate.folders import opened_below
from framegate.ingest.removing import stands
from framegate.keep.ledger import Ledger
from framegate.keep.retention import is_standing
from framegate.keep.whereabouts import Recorded
from framegate.model import Verdict
from framegate.service.wall_clock import WallClock
from framegate.settings import Settings

GRACE_NS = 86_400 * 10**9
"""How long a file has been gone when it is forgotten."""

MOST_A_TURN, PAUSE_S = 500, 10.0
"""Rows looked at, and as many forgotten: some 10 ms. A million rows take five and a half hours."""

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
            with opened_below(self._drop) as root_fd:
                is_round_over = self._look_at_some(root_fd, now_ns)
                self._forget_some(root_fd, now_ns)
        except (SinkError, OSError):  # the intake and the watch say it
            return
        if is_round_over:
            self._after_id = 0
            self._next_round_s = self._next_s = max(self._next_round_s + ROUND_S, self._next_s)

    def _look_at_some(self, root_fd: int, now_ns: int) -> bool:
        """Note which files are gone; return whether that was the last row."""
        end_s = self._clock() + LONGEST_S
        inputs: dict[int, int | None] = {}
        results: dict[int, int | None] = {}
        rows = self._ledger.whereabouts.after(self._after_id, MOST_A_TURN)
        for row in rows:
            input_gone_ns = _marked(row.input_gone_ns, self._has_input(root_fd, row), now_ns)
            if input_gone_ns != row.input_gone_ns:
                inputs[row.id] = input_gone_ns
            result_gone_ns = _marked(row.result_gone_ns, self._has_result(row, now_ns), now_ns)
            if result_gone_ns != row.result_gone_ns:
                results[row.id] = result_gone_ns
            self._after_id = row.id
            if self._clock() > end_s:
                break
        self._ledger.whereabouts.mark(inputs, results)
        return not rows or (len(rows) < MOST_A_TURN and self._after_id == rows[-1].id)

    def _forget_some(self, root_fd: int, now_ns: int) -> None:
        """Forget what is gone for good; it is looked for once more, since the last look may be long ago."""
        gone = self._ledger.whereabouts.gone(now_ns - GRACE_NS, MOST_A_TURN)
        is_there = {row.id: self._has_input(root_fd, row) for row in gone}
        self._ledger.whereabouts.mark(inputs={row.id: None for row in gone if is_there[row.id]})
        self._ledger.prune([row for row in gone if is_there[row.id] is False])

    def _has_input(self, root_fd: int, row: Recorded) -> bool | None:
        """Tell whether an input is there; None if that cannot be told."""
        try:
            return stands(root_fd, row.entry.key)
        except OSError:
            return None

    def _has_result(self, row: Recorded, now_ns: int) -> bool | None:
        """Tell whether a result is there; None if there never was, that cannot be told, or it is long gone.

        Another disk may be in the place of the results for some hours; but what comes a day after a result
        was deleted, or given up, is not framegate's.
        """
        if row.entry.reason.verdict is not Verdict.KEPT or row.entry.result is None:
            return None
        if row.result_gone_ns is not None and row.result_gone_ns <= now_ns - GRACE_NS:
            return None
        try:
            return is_standing(self._results, row.entry)
        except OSError:
            return None


def _marked(gone_ns: int | None, is_there: bool | None, now_ns: int) -> int | None:  # noqa: FBT001
    """Return since when a file is known to be gone, now that it was looked for."""
    if is_there is None:
        return gone_ns
    if is_there:
        return None
    is_possible = gone_ns is not None and gone_ns <= now_ns + GRACE_NS  # else a wrong clock made it up
    return gone_ns if is_possible else now_ns
