"""Deletes judged frames from the drop folder, as ``after_kept`` and the settings like it say.

The ledger says what has to be deleted, so a crash forgets nothing: a decision is made durable, then its input
is deleted, then the deletion is recorded. After a crash in between, the file is found missing, and that is
recorded. A camera's last frame stays if it was dropped: after a restart learning continues from it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from framegate.config.settings import Settings
from framegate.deadlines import NEVER_S
from framegate.events.base import Listener
from framegate.events.deleting import InputDeleted, InputUndeletable
from framegate.folders import opened_below
from framegate.keep.disk import Disk, TidyStep
from framegate.keep.ledger import Ledger
from framegate.keep.presence import Recorded
from framegate.model import Verdict
from framegate.retention.cleaning import MOST_A_TURN, Cleaner
from framegate.retention.removing import remove_version

PAUSE_S = 0.1
"""Pause between two portions: at most 200 inputs a second."""

AWAY_S = 10.0
"""Pause after an error of the drop folder or the ledger."""


class InputCleaner(Cleaner):
    """Deletes the judged frames of one drop folder, some in each turn.

    Args:
        settings: what is deleted.
        ledger: says which files may be deleted.
        emit: gets an event for each deletion and for each new error.
        wall_ns: the wall clock, nanoseconds since the epoch.
        disk: notified before each deletion; a test passes one that fails.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        emit: Listener,
        wall_ns: Callable[[], int],
        disk: Disk,
    ) -> None:
        super().__init__(ledger, emit, disk, refused=InputUndeletable)
        self._wall_ns = wall_ns
        self._folder = Path(settings.drop.folder)
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on, also for frames that were judged before."""
        self._rules = settings.drop.deletion_rules()
        self._after: dict[Verdict, int] = {}
        """The last row that this pass has handled, by verdict."""

        self._seen_commits = -1
        self._is_under_way = self._is_full = False
        self._next_s = -NEVER_S
        self._full_pass_at_s = NEVER_S
        """When files that could not be deleted are retried."""

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do; infinity while there is nothing to delete."""
        if not self._rules:
            return NEVER_S
        is_new = self._is_under_way or self._ledger.commits != self._seen_commits
        return self._next_s if is_new else max(self._next_s, self._full_pass_at_s)

    def _delete_some(self, now_s: float) -> float:
        if not self._is_under_way:
            self._begin(now_s)
        batch: list[Recorded] = []
        for verdict in self._rules:
            room, after = MOST_A_TURN - len(batch), self._after.get(verdict, 0)
            batch += self._ledger.presence.clearable(verdict, after, room)
        if not batch:
            self._end(now_s)
            return PAUSE_S
        self._ledger.presence.make_durable()
        due = ((row, self._rules[row.entry.reason.verdict]) for row in batch)
        with opened_below(self._folder) as root_fd:
            gone = self._removed(due, partial(self._remove, root_fd))
        self._ledger.presence.mark(inputs=dict.fromkeys(gone, self._wall_ns()))
        self._after |= {row.entry.reason.verdict: row.id for row in batch}
        return PAUSE_S

    def _pause_after_error(self) -> float:
        return AWAY_S

    def _remove(self, root_fd: int, row: Recorded, rule: str) -> None:
        entry = row.entry
        self._disk.reach(TidyStep.REMOVE_INPUT)
        if remove_version(root_fd, entry.key):
            self._emit(InputDeleted(entry.camera, entry.key.name, rule))

    def _begin(self, now_s: float) -> None:
        """Begin a pass: over all rows, unless refused deletions wait for their retry."""
        self._seen_commits = self._ledger.commits
        self._is_under_way = True
        self._is_full = self._full_pass_at_s == NEVER_S or now_s >= self._full_pass_at_s
        if self._is_full:
            self._after = {}

    def _end(self, now_s: float) -> None:
        self._is_under_way = False
        if self._is_full:
            pause_s = self._refusals.end_of_pass()
            self._full_pass_at_s = NEVER_S if pause_s is None else now_s + pause_s
