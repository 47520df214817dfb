"""Which inputs and results are still there according to the ledger, and since when the others are gone.

A mark is the time since which a file is known to be gone, or its name in the archive. It is written after
the file was deleted or moved. A crash in between leaves a row whose file is missing: the next look finds
that, and marks it.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from framegate.keep.database import Database
from framegate.keep.disk import Disk, TidyStep
from framegate.keep.history.revisions import forget_unused
from framegate.keep.schema import COLUMNS, Statement, entry_of
from framegate.model import HOUR_NS, Entry, Reason, Verdict

_LAST_KEPT = "(SELECT max(id) FROM frame WHERE verdict = 'kept' AND camera = f.camera AND result IS NOT NULL)"
_IS_PREVIOUS = "EXISTS (SELECT 1 FROM lane WHERE lane.camera = f.camera AND lane.previous = f.id)"
_IS_REFERENCE = "EXISTS (SELECT 1 FROM lane WHERE lane.camera = f.camera AND lane.reference = f.id)"
_IS_DELIVERED = "verdict = 'kept' AND result IS NOT NULL AND result_gone_ns IS NULL"
_IS_GONE = "input_gone_ns IS NOT NULL AND (verdict <> 'kept' OR result_gone_ns IS NOT NULL)"

_CLEARABLE = (
    "verdict = ? AND input_gone_ns IS NULL AND archived IS NULL AND id > ?"
    " AND reason NOT IN ('not_a_regular_file', 'vanished') AND (verdict <> 'kept' OR result IS NOT NULL)"
    f" AND NOT (verdict = 'dropped' AND {_IS_PREVIOUS}) ORDER BY id LIMIT ?"
)
_OLDEST_RESULTS = (
    f"{_IS_DELIVERED} AND id > ? AND id <> {_LAST_KEPT} AND NOT {_IS_REFERENCE}"
    " AND coalesce(planned, name) NOT IN"
    " (SELECT coalesce(planned, name) FROM frame WHERE verdict = 'kept' AND result IS NULL)"
    # Should an intent's bytes be gone, the frame that it was compared with is the reference again.
    " AND name NOT IN (SELECT coalesce(reference, x'') FROM frame WHERE verdict = 'kept' AND result IS NULL)"
    " ORDER BY id LIMIT ?"
)
_FIRST_DECIDED = (
    f"SELECT decided_at_ns FROM frame INDEXED BY delivered WHERE {_IS_DELIVERED}"
    " AND decided_at_ns BETWEEN ? AND ? ORDER BY id LIMIT 1"
)
_FIRST_STANDING = (
    "SELECT decided_at_ns FROM frame WHERE verdict = ? AND input_gone_ns IS NULL AND archived IS NULL"
    " AND decided_at_ns BETWEEN ? AND ? ORDER BY id LIMIT 1"
)
_RESULTS_BYTES = f"SELECT coalesce(sum(size_bytes), 0) FROM frame INDEXED BY delivered WHERE {_IS_DELIVERED}"
# What was kept within an hour before the last stays: a storm is counted by it. Not an hour by capture times:
# with a camera whose clock stands still all rows would stay for ever.
_GONE_SINCE = (
    f"{_IS_GONE} AND input_gone_ns < ? AND id < (SELECT max(id) FROM frame) AND NOT {_IS_REFERENCE}"
    " AND (verdict <> 'kept' OR result_gone_ns < ? AND decided_at_ns <="
    f" (SELECT decided_at_ns FROM frame WHERE id = {_LAST_KEPT}) - {HOUR_NS})"
    " ORDER BY input_gone_ns LIMIT ?"
)
_NOTE_PRUNED = (
    "INSERT INTO pruned (camera, frame) VALUES (?, ?)"
    " ON CONFLICT (camera) DO UPDATE SET frame = max(frame, excluded.frame)"
)
_FORGET_CHECKPOINTS = "DELETE FROM checkpoint WHERE camera = ? AND frame < ?"
"""Those from which the way leads over a row that is deleted."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the ledger, and since when its files are gone; None: they are there, as far as is known."""

    id: int
    entry: Entry
    input_gone_ns: int | None
    result_gone_ns: int | None


RECORDED_COLUMNS = f"id, input_gone_ns, result_gone_ns, {COLUMNS}"


def recorded_of(row: tuple[Any, ...]) -> Recorded:
    """Return what is in a row of ``RECORDED_COLUMNS``."""
    return Recorded(row[0], entry_of(row[3:]), row[1], row[2])


class FilePresence:
    """Finds which files may be deleted, and records which are gone; it sees only committed rows.

    Args:
        database: the ledger's.
        disk: notified before each step.

    Raises:
        SinkError: when the file cannot be read or written now.
    """

    def __init__(self, database: Database, disk: Disk) -> None:
        self._database = database
        self._disk = disk
        self.is_durable = False
        """Whether every committed decision survives a power cut."""

    def make_durable(self) -> None:
        """Make all committed decisions survive a power cut, before files are deleted because of them."""
        if self.is_durable:
            return
        # Any write will do: a commit with FULL takes the whole log before it to the medium.
        touch = "UPDATE frame SET config_revision = config_revision WHERE id = (SELECT max(id) FROM frame)"
        self._write(TidyStep.MAKE_DURABLE, [(touch, ())], synchronous="FULL")
        self.is_durable = True

    def clearable(self, verdict: Verdict, after_id: int, most: int) -> list[Recorded]:
        """Return at most ``most`` frames of a verdict whose input may be deleted, after a row, in row order.

        Never one whose result is not recorded yet. Never the last frame of a picture size if it was dropped:
        the noise map continues from it after a restart. (A kept one is read from the results.) Never what is
        not a regular file, or vanished before it could be read.
        """
        return self._recorded(_CLEARABLE, verdict, after_id, most)

    def results_bytes(self) -> int:
        """Return the sum of the sizes of our results; a million of them take some 50 ms."""
        with self._database.lend() as db:
            (total,) = db.execute(_RESULTS_BYTES).fetchone()
        return int(total)

    def oldest_results(self, after_id: int, most: int) -> list[Recorded]:
        """Return at most ``most`` frames whose result may be deleted, after a row, in the order of decisions.

        Never a camera's last kept frame, nor the reference of any of its picture sizes. Never one of the same
        name as an unfinished intent: if that is delivered again, the same names must be taken.

        Args:
            after_id: the row before the first.
            most: frames to return.
        """
        return self._recorded(_OLDEST_RESULTS, after_id, most, index="INDEXED BY delivered")

    def first_decided_ns(self, from_ns: int, to_ns: int) -> int | None:
        """Return when the oldest of our results that was decided between two times was decided."""
        with self._database.lend() as db:
            row = db.execute(_FIRST_DECIDED, (from_ns, to_ns)).fetchone()
        return None if row is None else int(row[0])

    def first_standing_ns(self, verdict: Verdict, from_ns: int, to_ns: int) -> int | None:
        """Return when the oldest input of a verdict that was decided between two times was decided."""
        with self._database.lend() as db:
            row = db.execute(_FIRST_STANDING, (verdict, from_ns, to_ns)).fetchone()
        return None if row is None else int(row[0])

    def newest_decision_ns(self) -> int | None:
        """Return when the last decision was made, by the wall clock at that time; None without decisions."""
        with self._database.lend() as db:
            row = db.execute("SELECT decided_at_ns FROM frame ORDER BY id DESC LIMIT 1").fetchone()
        return None if row is None else int(row[0])

    def newest_id(self) -> int:
        """Return the number of the last row; 0 without rows."""
        with self._database.lend() as db:
            (row_id,) = db.execute("SELECT coalesce(max(id), 0) FROM frame").fetchone()
        return int(row_id)

    def after(self, row_id: int, most: int) -> list[Recorded]:
        """Return the frames after a row, in the order of decisions."""
        return self._recorded("id > ? ORDER BY id LIMIT ?", row_id, most)

    def gone(self, before_ns: int, most: int) -> list[Recorded]:
        """Return at most ``most`` frames whose files were gone before a time, and that are needed no more.

        Never what a camera kept last, or within the hour before that, nor a reference. Never the last row:
        SQLite would use its number again.
        """
        return self._recorded(_GONE_SINCE, before_ns, before_ns, most)

    def mark(
        self,
        inputs: Mapping[int, int | None] | None = None,
        results: Mapping[int, int | None] | None = None,
        archived: Mapping[int, str | None] | None = None,
    ) -> None:
        """Record since when files are gone, by row; None means that the file is there after all.

        An input that was moved to the archive is not gone: ``archived`` has its name there.
        """
        names = {row: None if name is None else os.fsencode(name) for row, name in (archived or {}).items()}
        columns = (
            ("input_gone_ns", inputs or {}), ("result_gone_ns", results or {}), ("archived", names),
        )  # fmt: skip
        statements: list[Statement] = [
            (f"UPDATE frame SET {column} = ? WHERE id = ?", (value, row_id))
            for column, marks in columns
            for row_id, value in marks.items()
        ]
        if statements:
            self._write(TidyStep.MARK, statements)

    def prune(self, recorded: Collection[Recorded]) -> None:
        """Forget frames of which no file is left; the totals still count them.

        If one comes again, it is judged again.
        """
        statements: list[Statement] = [("DELETE FROM frame WHERE id = ?", (row.id,)) for row in recorded]
        judged = [row for row in recorded if _is_learnt_from(row.entry.reason)]
        statements += [(_NOTE_PRUNED, (row.entry.camera, row.id)) for row in judged]
        statements += [(_FORGET_CHECKPOINTS, (row.entry.camera, row.id)) for row in judged]
        if recorded:
            self._write(TidyStep.PRUNE, statements)

    def forget_revisions(self, used: Collection[int], *, before: int) -> None:
        """Forget the settings below a revision that no frame was judged by; see ``forget_unused``."""
        with self._database.as_sink_error():
            self._disk.reach(TidyStep.PRUNE)
        with self._database.transaction("NORMAL") as db:
            forget_unused(db, used, before)

    def _recorded(self, where: str, *values: str | int, index: str = "") -> list[Recorded]:
        query = f"SELECT {RECORDED_COLUMNS} FROM frame AS f {index} WHERE {where}"
        with self._database.lend() as db:
            return [recorded_of(row) for row in db.execute(query, values)]

    def _write(self, step: TidyStep, statements: list[Statement], synchronous: str = "NORMAL") -> None:
        with self._database.as_sink_error():
            self._disk.reach(step)
        with self._database.transaction(synchronous) as db:
            for statement, values in statements:
                db.execute(statement, values)


def _is_learnt_from(reason: Reason) -> bool:
    """Return whether a camera's later frames may depend on one with this reason."""
    return reason.verdict is not Verdict.REJECTED or reason is Reason.TORN
