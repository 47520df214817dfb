"""Deletes judged frames from the drop folder, as ``after_kept`` and the settings like it say.

The ledger says what has to be deleted, so a crash forgets nothing: a decision is made durable, then its input
is deleted, then the deletion is recorded. After a crash in between, the file is found missing, and that is
recorded. A camera's last frame stays if it was dropped: after a restart learning continues from it.

With a time in the setting, an input goes that long after its decision, in the order of the decisions:
the first one that is too young ends a pass over those of its verdict.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from framegate.config.settings import InputRule, Settings
from framegate.deadlines import NEVER_S
from framegate.detect.judging.capture_clock import SET_SINCE_NS
from framegate.events.base import Listener
from framegate.events.deleting import InputDeleted, InputUndeletable
from framegate.folders import opened_below
from framegate.keep.disk import Disk, TidyStep
from framegate.keep.ledger import Ledger
from framegate.keep.presence import Recorded
from framegate.model import Verdict
from framegate.retention.ages import DecidedSince
from framegate.retention.cleaning import MOST_A_TURN, Cleaner
from framegate.retention.refusals import Warned
from framegate.retention.removing import remove_version
from framegate.retention.wall_clock import WallClock

PAUSE_S = 0.1
"""Pause between two portions: at most 200 inputs a second."""

LOOK_S = 600.0
"""Longest pause before the next look for inputs that have become old enough: the wall clock may be set."""

AWAY_S = 10.0
"""Pause after an error of the drop folder or the ledger."""


class InputCleaner(Cleaner):
    """Deletes the judged frames of one drop folder, some in each turn.

    ``archive.archiver`` has a kind that moves them instead.

    Args:
        settings: what is deleted.
        ledger: says which files may be deleted.
        emit: gets an event for each deletion and for each new error.
        clock: the wall clock, unless it has just jumped.
        disk: notified before each deletion; a test passes one that fails.
    """

    ARCHIVES = False
    """Whether it is for the verdicts whose inputs are archived, and not for those that are deleted."""

    REFUSED: Warned = InputUndeletable
    """The event for a file that cannot be deleted."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        emit: Listener,
        clock: WallClock,
        disk: Disk,
    ) -> None:
        super().__init__(ledger, emit, disk, refused=self.REFUSED)
        self._clock = clock
        self._folder = Path(settings.drop.folder)
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on, also for frames that were judged before."""
        rules = settings.drop.input_rules()
        self._rules = {verdict: rule for verdict, rule in rules.items() if rule.archives is self.ARCHIVES}
        self._after: dict[Verdict, int] = {}
        """The last row that this pass has handled, by verdict."""

        self._seen_commits = -1
        self._is_under_way = self._is_full = False
        self._next_s = -NEVER_S
        self._full_pass_at_s = NEVER_S
        """When files that could not be deleted are retried."""

        self._decided_since: dict[Verdict, DecidedSince] = {}
        """Of the verdicts whose inputs are deleted by their age, in this pass."""

        self._next_old_s = NEVER_S
        """When the next input is old enough, as far as this pass has seen."""

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do; infinity while there is nothing to delete."""
        if not self._rules:
            return NEVER_S
        is_new = self._is_under_way or self._ledger.commits != self._seen_commits
        return self._next_s if is_new else max(self._next_s, min(self._full_pass_at_s, self._next_old_s))

    def _next_batch(self, now_s: float) -> list[Recorded]:
        """Return the next inputs that have to go; none at the end of a pass."""
        has_ages = any(rule.age_ns for rule in self._rules.values())
        now_ns = self._clock.trusted_ns(now_s) if has_ages else None
        if not self._is_under_way:
            self._begin(now_s, now_ns)
        self._next_old_s = now_s + LOOK_S if has_ages else NEVER_S
        batch: list[Recorded] = []
        for verdict, rule in self._rules.items():
            room, after = MOST_A_TURN - len(batch), self._after.get(verdict, 0)
            standing = self._ledger.presence.clearable(verdict, after, room)
            batch += self._old_enough(standing, rule, now_s, now_ns) if rule.age_ns else standing
        if batch:
            self._ledger.presence.make_durable()
        else:
            self._end(now_s)
        return batch

    def _delete_some(self, now_s: float) -> float:
        if not (batch := self._next_batch(now_s)):
            return PAUSE_S
        due = ((row, self._rules[row.entry.reason.verdict].name) for row in batch)
        with opened_below(self._folder) as root_fd:
            gone = self._removed(due, partial(self._remove, root_fd))
        self._ledger.presence.mark(inputs=dict.fromkeys(gone, self._clock.now_ns()))
        self._after |= {row.entry.reason.verdict: row.id for row in batch}
        return PAUSE_S

    def _old_enough(
        self, standing: list[Recorded], rule: InputRule, now_s: float, now_ns: int | None
    ) -> Iterator[Recorded]:
        """Yield the rows up to the first whose input has to stay for a while; note when it has to go."""
        for row in standing:
            since = self._decided_since[row.entry.reason.verdict]
            since_ns = since.of(row.entry.decided_at_ns, now_ns)
            if since_ns is None or now_ns is None:
                return
            if (left_ns := since_ns + rule.age_ns - now_ns) > 0:
                self._next_old_s = min(self._next_old_s, now_s + left_ns / 1e9)
                return
            yield row

    def _pause_after_error(self) -> float:
        return AWAY_S

    def _remove(self, root_fd: int, row: Recorded, rule: str) -> None:
        entry = row.entry
        self._disk.reach(TidyStep.REMOVE_INPUT)
        if remove_version(root_fd, entry.key):
            self._emit(InputDeleted(entry.camera, entry.key.name, rule))

    def _begin(self, now_s: float, now_ns: int | None) -> None:
        """Begin a pass: over all rows, unless refused deletions wait for their retry."""
        self._seen_commits = self._ledger.commits
        self._is_under_way = True
        self._is_full = self._full_pass_at_s == NEVER_S or now_s >= self._full_pass_at_s
        if self._is_full:
            self._after = {}
            self._refusals.begin_pass()
        first_ns = self._ledger.presence.first_standing_ns
        self._decided_since = {
            verdict: DecidedSince(None if now_ns is None else first_ns(verdict, SET_SINCE_NS, now_ns))
            for verdict, rule in self._rules.items()
            if rule.age_ns
        }

    def _end(self, now_s: float) -> None:
        self._is_under_way = False
        if self._is_full:
            pause_s = self._refusals.end_of_pass()
            self._full_pass_at_s = NEVER_S if pause_s is None else now_s + pause_s
