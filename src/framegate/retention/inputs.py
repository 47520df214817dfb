"""Deletes inputs that are judged from the drop folder, where the settings say so.

The ledger is the list of what is to go, so that a crash forgets nothing: first a decision is made durable,
then its input is deleted, then that is recorded. After a crash in between, the file is found missing, and
that is recorded. A camera's last frame stays when it was dropped: its noise map goes on from it after a
restart.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from framegate.config.settings import DropSettings, Settings
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
"""Between two portions: at the most 200 inputs a second."""

AWAY_S = 10.0
"""How long to wait for a drop folder, or a ledger, that is away."""


def rules_of(drop: DropSettings) -> dict[Verdict, str]:
    """Return the settings that ask for deletion, by verdict."""
    rules = {
        Verdict.KEPT: ("after_kept", drop.after_kept),
        Verdict.DROPPED: ("after_dropped", drop.after_dropped),
        Verdict.REJECTED: ("after_rejected", drop.after_rejected),
    }
    return {verdict: name for verdict, (name, value) in rules.items() if value == "delete"}


class InputCleaner(Cleaner):
    """Deletes the inputs of one drop folder, some in each turn.

    Args:
        settings: say what is to go.
        ledger: knows what may go.
        emit: receives an event for each deletion, and for what prevents them.
        wall_ns: the wall clock, for the record.
        disk: told of each deletion.
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
        """Take other settings, also for frames that were judged before."""
        self._rules = rules_of(settings.drop)
        self._after: dict[Verdict, int] = {}
        """The rows that this pass has come to."""

        self._seen_commits = -1
        self._is_under_way = self._is_full = False
        self._next_s = -NEVER_S
        self._full_pass_at_s = NEVER_S
        """When those that were refused are tried again."""

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do; infinity while nothing is new."""
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
        """Begin a pass: over all, unless some were refused and their time has not come."""
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
