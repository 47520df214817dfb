"""Deletes the rows of frames whose files are all gone, so that the ledger does not grow for ever.

Rounds go through all rows, look whether the files still exist, and record since when they do not. A day later
a row is deleted, after one more look. The day is for a drop folder that is unmounted, or has another disk
mounted in its place: if it is back within a day, nothing in it is judged again. An archived input is not gone
as long as the archive has it. The same rounds remove the folders of past days that deletion has left empty,
and the settings by which no row was decided.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from framegate.config.settings import Settings
from framegate.deadlines import next_look_s
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.deleting import FolderRemoved
from framegate.folders import opened_below
from framegate.keep.ledger import Ledger
from framegate.keep.presence import Recorded
from framegate.model import Verdict
from framegate.retention.archive.looking import ArchiveLook
from framegate.retention.day_folders import remove_empty_folders
from framegate.retention.limits import Limits, result_exists
from framegate.retention.removing import version_exists
from framegate.retention.wall_clock import WallClock

GRACE_NS = 86_400 * 10**9
"""How long a file has been gone when its row is deleted, and its empty folder removed."""

MOST_A_TURN, PAUSE_S = 500, 10.0
"""Rows checked in a turn, and as many deleted: some 10 ms. A million rows take five and a half hours."""

LONGEST_S = 0.05
"""A turn ends after this, with fewer rows, as on a slow share."""

ROUND_S = 3600.0
"""Seconds between the starts of two rounds, at least."""


class LedgerPruner:
    """Deletes rows of the ledger, and empty day folders.

    Args:
        settings: the folders, and whether files in them are deleted.
        ledger: its rows are deleted.
        emit: gets an event for each removed folder.
        clock: monotonic seconds.
        wall_clock: the wall clock, unless it has just jumped.
        is_absent: whether the drop folder is missing.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        emit: Listener,
        *,
        clock: Callable[[], float],
        wall_clock: WallClock,
        is_absent: Callable[[], bool],
    ) -> None:
        self._drop, self._results = Path(settings.drop.folder), Path(settings.results.folder)
        self._look = ArchiveLook(None if settings.drop.archive is None else Path(settings.drop.archive))
        self._ledger = ledger
        self._emit = emit
        self._clock = clock
        self._wall_clock = wall_clock
        self._is_absent = is_absent
        self._after_id = 0
        self._revisions: set[int] = set()
        """Those of the rows that this round has seen."""

        self._in_force = 0
        """The revision that was in force when the round began: rows to come have no older one."""

        self._next_round_s = self._next_s = next_look_s(clock(), PAUSE_S)
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other settings: folders are removed only where files are deleted."""
        self._rules = settings.drop.input_rules()
        self._limits = Limits.of(settings.results)

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do."""
        return self._next_s

    def run_due(self, now_s: float) -> None:
        """Check some rows, and delete some, if it is time."""
        if now_s < self._next_s:
            return
        self._next_s = next_look_s(now_s, PAUSE_S)
        try:
            now_ns = self._wall_clock.trusted_ns(now_s)
            if now_ns is None or self._is_absent():
                return
            with opened_below(self._drop) as root_fd:
                is_round_over = self._check_some(root_fd, now_ns)
                self._delete_some(root_fd, now_ns)
            if is_round_over:
                self._ledger.presence.forget_revisions(self._revisions, before=self._in_force)
        except (SinkError, OSError):  # the intake, or the watch, reports it
            return
        if is_round_over:
            self._after_id = 0
            self._next_round_s = self._next_s = max(self._next_round_s + ROUND_S, self._next_s)

    def _check_some(self, root_fd: int, now_ns: int) -> bool:
        """Record which files are gone; return whether that was the last row."""
        end_s = self._clock() + LONGEST_S
        if not self._after_id:
            self._revisions, self._in_force = set(), self._ledger.config_revision
        inputs: dict[int, int | None] = {}
        results: dict[int, int | None] = {}
        archived: list[Recorded] = []
        back: dict[int, None] = {}
        rows = self._ledger.presence.after(self._after_id, MOST_A_TURN)
        for row in rows:
            has_input = self._has_input(root_fd, row)
            if row.entry.archived is not None and not has_input:
                has_input = None
                archived.append(row)
            elif row.entry.archived is not None:
                back[row.id] = None
            input_gone_ns = _marked(row.input_gone_ns, has_input, now_ns)
            if input_gone_ns != row.input_gone_ns:
                inputs[row.id] = input_gone_ns
            result_gone_ns = _marked(row.result_gone_ns, self._has_result(row, now_ns), now_ns)
            if result_gone_ns != row.result_gone_ns:
                results[row.id] = result_gone_ns
            self._after_id = row.id
            self._revisions.add(row.entry.config_revision)
            if self._clock() > end_s:
                break
        for row, is_there in self._look.take():
            if (gone_ns := _marked(row.input_gone_ns, is_there, now_ns)) != row.input_gone_ns:
                inputs[row.id] = gone_ns
        self._look.begin(archived)
        self._ledger.presence.mark(inputs, results, back)
        self._remove_folders_of(rows, root_fd, now_ns)
        return not rows or (len(rows) < MOST_A_TURN and self._after_id == rows[-1].id)

    def _delete_some(self, root_fd: int, now_ns: int) -> None:
        """Delete the rows of files that are gone for good, after one more look: the last may be long ago."""
        gone = self._ledger.presence.gone(now_ns - GRACE_NS, MOST_A_TURN)
        is_there = {row.id: self._has_input(root_fd, row) for row in gone}
        self._ledger.presence.mark(inputs={row.id: None for row in gone if is_there[row.id]})
        pruned = [row for row in gone if is_there[row.id] is False]
        self._ledger.presence.prune(pruned)
        self._remove_folders_of(pruned, root_fd, now_ns)

    def _remove_folders_of(self, rows: Iterable[Recorded], root_fd: int, now_ns: int) -> None:
        """Remove the empty day folders of deleted files that have been gone for long."""
        before_ns = now_ns - GRACE_NS
        inputs: set[str] = set()
        results: set[str] = set()
        planned: set[str] = set()
        for row in rows:
            entry = row.entry
            is_past = entry.archived is not None or _is_before(row.input_gone_ns, before_ns)
            if entry.reason.verdict in self._rules and is_past:
                inputs.add(os.path.dirname(entry.key.name))
            if self._limits and entry.result is not None and _is_before(row.result_gone_ns, before_ns):
                (results if entry.planned is None else planned).add(os.path.dirname(entry.result))
        self._remove_folders(inputs, self._drop, root_fd, before_ns)
        if results or planned:
            with suppress(OSError), opened_below(self._results) as results_fd:
                self._remove_folders(results, self._results, results_fd, before_ns)
                self._remove_folders(planned, self._results, results_fd, before_ns, only_dates=False)

    def _remove_folders(
        self, paths: Iterable[str], root: Path, root_fd: int, before_ns: int, *, only_dates: bool = True
    ) -> None:
        for path in sorted(paths):
            for removed in remove_empty_folders(root_fd, path, before_ns, only_dates=only_dates):
                self._emit(FolderRemoved(os.fspath(root / removed)))

    def _has_input(self, root_fd: int, row: Recorded) -> bool | None:
        """Return whether an input is in the drop folder; None if that cannot be found out."""
        try:
            return version_exists(root_fd, row.entry.key)
        except OSError:
            return None

    def _has_result(self, row: Recorded, now_ns: int) -> bool | None:
        """Return whether a result exists; None if there never was one, or that cannot be found out.

        Also None a day after it was found missing: what has its name then is not framegate's. (Within that
        day, another disk may have been mounted in place of the results.)
        """
        if row.entry.reason.verdict is not Verdict.KEPT or row.entry.result is None:
            return None
        if row.result_gone_ns is not None and row.result_gone_ns <= now_ns - GRACE_NS:
            return None
        try:
            return result_exists(self._results, row.entry)
        except OSError:
            return None


def _is_before(gone_ns: int | None, before_ns: int) -> bool:
    return gone_ns is not None and gone_ns < before_ns


def _marked(gone_ns: int | None, is_there: bool | None, now_ns: int) -> int | None:  # noqa: FBT001
    """Return since when a file is gone, after a look; None if it is not.

    Args:
        gone_ns: since when it was gone before the look.
        is_there: what the look found; None if it failed.
        now_ns: the wall clock.
    """
    if is_there is None:
        return gone_ns
    if is_there:
        return None
    is_possible = gone_ns is not None and gone_ns <= now_ns + GRACE_NS  # else a wrong clock recorded it
    return gone_ns if is_possible else now_ns
