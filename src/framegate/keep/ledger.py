"""The ledger: a SQLite file that remembers decisions, unfinished deliveries, and what cameras have learnt.

A frame to be kept is first written to the ledger as an intent (``intend``, durable), then delivered, then
marked as done (``finish``). A crash in between leaves the intent, and recovery delivers the frame again under
the same name. Several frames may be intended in one commit, with those that were dropped between them.
Everything else waits in memory for the next commit. After a crash those frames are decided again, with what
was learnt up to the last commit, and so with the same verdict.

Intents are committed with synchronous=FULL, the rest with NORMAL: at power cuts WAL with FULL lost 0 of 4,417
acknowledged commits, NORMAL 1,389 of 5,241 (research/reliability.md, 5).
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.keep import memories
from framegate.keep.database import Database
from framegate.keep.disk import Disk, Step
from framegate.keep.history.checkpoints import Checkpoints
from framegate.keep.history.revisions import Revisions, Snapshot
from framegate.keep.memories import Memory
from framegate.keep.presence import FilePresence
from framegate.keep.schema import (
    ABANDON,
    COLUMNS,
    COUNTED_AS,
    FINISH,
    INSERT,
    IS_KEY,
    IS_LATEST,
    IS_UNFINISHED,
    MIGRATIONS,
    REFERENCE_BEFORE,
    RENEW,
    SCHEMA,
    SCHEMA_VERSION,
    TAKE_RESULT_FROM_OTHERS,
    Statement,
    entry_columns,
    entry_of,
    key_columns,
    renewed_columns,
)
from framegate.keep.totals import Totals
from framegate.keep.versions import Versions
from framegate.model import Entry, FileKey, Moment, Reason, Verdict

LEDGER_NAME = "ledger.sqlite3"
"""Its file in the state folder."""

MOST_PENDING_ROWS = 500
"""Changes that wait in memory before they should be committed."""

ROWS_READ_AT_START = 10_000
"""The latest rows are read when the ledger is opened, in about 5 ms: damage in what the start needs is found
then, when a new file can still be begun without a pause."""

Change = tuple[FileKey | None, list[Statement]]
"""What is to be written about one frame; None where that changes no count."""


class Ledger:
    """One connection, used by one thread.

    Args:
        path: the file, created if it is missing; None keeps everything in memory.
        disk: notified before each step; a test passes one that fails.
        emit: receives an event when a damaged ledger was set aside.
        is_read_only: only read; no daemon may be writing the file.

    Raises:
        SinkError: when the file cannot be read or written now. Nothing is lost: what was pending stays
            pending, and the next call opens a new connection.
    """

    def __init__(
        self,
        path: Path | None,
        disk: Disk | None = None,
        emit: Listener = lambda _event: None,
        *,
        is_read_only: bool = False,
    ) -> None:
        self._database = Database(
            path, SCHEMA, SCHEMA_VERSION, emit, migrations=MIGRATIONS, is_read_only=is_read_only
        )
        self._disk = disk or Disk()
        self.presence = FilePresence(self._database, self._disk)
        self.checkpoints = Checkpoints(self._database)
        self.commits = 0
        """Number of commits so far: a reader needs to look again only when it has changed."""

        self._totals = Totals()
        self._revisions = Revisions()
        self._pending: list[Change] = []
        self._versions = Versions(self._database)
        self._memories: dict[str, Callable[[], Memory]] = {}
        try:
            self._read_latest()
        except SinkError:  # a damaged ledger is set aside by then
            self._read_latest()

    @property
    def has_pending(self) -> bool:
        """Whether anything waits for ``flush``."""
        return bool(self._pending or self._memories)

    @property
    def config_revision(self) -> int:
        """Number of the settings in force."""
        return self._revisions.number

    @property
    def set_aside(self) -> int:
        """How many files were damaged or removed: their frames are to be judged again."""
        return self._database.set_aside

    @property
    def is_crowded(self) -> bool:
        """Whether so much is pending that it should be flushed now."""
        return len(self._pending) >= MOST_PENDING_ROWS

    def put_in_force(self, snapshot: Snapshot) -> None:
        """Number what frames are judged by from now on. If that cannot be recorded, it is with the next."""
        if self._revisions.put_in_force(snapshot):  # at once, since the number is logged
            with suppress(SinkError), self._database.transaction("FULL") as db:
                self._revisions.save(db)

    def knows(self, key: FileKey) -> bool:
        """Return whether this version of a file has a verdict, committed or not."""
        return self._versions.knows(key)

    def unknown(self, keys: Sequence[FileKey]) -> list[FileKey]:
        """Return the keys of which ``knows`` would return False, in their order."""
        return self._versions.unknown(keys)

    def known_names(self, names: Sequence[str]) -> set[str]:
        """Return the names of which any version has a verdict, committed or not."""
        return self._versions.known_names(names)

    def last_of(self, name: str) -> Entry | None:
        """Return the decision about the latest version of the file at a name; None if there is none."""
        return self._versions.last_of(name)

    def of_content(self, mtime_ns: int, sha256: bytes) -> list[Entry]:
        """Return the latest decisions about files of a time and content, newest first."""
        return self._versions.of_content(mtime_ns, sha256)

    def note(self, entry: Entry) -> None:
        """Record a dropped or rejected frame at the next commit."""
        self._append(entry.key, (INSERT, entry_columns(entry)))
        self._versions.note(entry)

    def renew(self, old: Entry, new: Entry) -> None:
        """Record, at the next commit, that a judged file has another version, time, name or result now.

        Args:
            old: as it was recorded last.
            new: with the key, capture time, SHA-256 and result that it has now; the rest stays.
        """
        self._append(None, (RENEW, renewed_columns(old.key, new)))
        self._versions.renew(old, new)

    def learn(self, camera: str, memory: Callable[[], Memory]) -> None:
        """Record what a camera has learnt: ``memory`` is called at the next commit."""
        self._memories[camera] = memory

    def intend(self, *entries: Entry) -> None:
        """Record durably which frames are to be kept, before they are delivered.

        Args:
            entries: those frames, and the dropped and rejected ones between and after them, in the order of
                the decisions. They are recorded together, and with what was learnt from them, or not at all.
        """
        changes: list[Change] = [(entry.key, [(INSERT, entry_columns(entry))]) for entry in entries]
        self._commit([*self._pending, *changes], Step.INTEND)

    def finish(self, key: FileKey, result: str) -> None:
        """Record, at the next commit, that an intended frame is in the results folder under this name."""
        with self._database.as_sink_error():
            self._disk.reach(Step.FINISH)
        values = (os.fsencode(result), *key_columns(key))
        self._append(key, (TAKE_RESULT_FROM_OTHERS, values), (FINISH, values))
        if (entry := self._versions.last_of(key.name)) is not None and entry.key == key:
            self._versions.note(replace(entry, result=result))

    def abandon(self, key: FileKey, reason: Reason, detail: str) -> None:
        """Turn an intent whose bytes are gone into a rejected frame, at the next commit."""
        values = key_columns(key)
        abandoned = (ABANDON, (reason.verdict, reason, detail, *values))
        self._append(key, (REFERENCE_BEFORE, values * 2), abandoned)
        self._versions.forget(key)  # it vanished, and is judged if it comes back

    def flush(self) -> None:
        """Commit what is pending. It survives a crash from now on, and a power cut after the next intent."""
        if self.has_pending:
            self._commit(self._pending, Step.FLUSH)

    def prove(self) -> None:
        """Write to the file although nothing is pending, to know that this can be done."""
        self._database.prove()

    def unfinished(self) -> list[Entry]:
        """Return the frames to be kept whose delivery was not finished, and what was decided after them.

        All in the order of the decisions. What was dropped or rejected after the first of them was recorded
        together with it, and may not have been told.
        """
        return self._entries(f"{IS_UNFINISHED} ORDER BY id")

    def kept(self, key: FileKey) -> Entry | None:
        """Return the decision to keep a version of a file; None if it was not kept."""
        found = self._entries(f"{IS_KEY} AND verdict = 'kept'", *key_columns(key))
        return found[0] if found else None

    def kept_lately(self, camera: str, most: int) -> list[Moment]:
        """Return when a camera's latest kept frames were taken and arrived: ``most``, oldest first."""
        where = "verdict = 'kept' AND camera = ? ORDER BY id DESC LIMIT ?"
        with self._database.lend() as db:
            query = f"SELECT captured_at_ns, arrived_at_ns FROM frame WHERE {where}"
            return [Moment(*row) for row in reversed(db.execute(query, (camera, most)).fetchall())]

    def clock_faults(self) -> dict[str, str]:
        """Return why the capture times of some cameras cannot be true, by camera."""
        with self._database.lend() as db:
            return memories.clock_faults(db)

    def memory_of(self, camera: str) -> Memory:
        """Return what a camera had learnt at the last commit."""
        with self._database.lend() as db:
            return memories.saved(db, camera)

    def counts(self) -> dict[Verdict, int]:
        """Return how many frames got each verdict, as of the last commit."""
        counts = dict.fromkeys(Verdict, 0)
        for (_, reason), frames in self.totals().items():
            counts[reason.verdict] += frames
        return counts

    def totals(self) -> dict[tuple[str, Reason], int]:
        """Return how many frames of each camera were decided for each reason, as of the last commit.

        Frames whose rows have been pruned are included. Cameras beyond the first 10,000 are counted
        together, as ``*``.
        """
        with self._database.lend() as db:
            rows = db.execute("SELECT camera, reason, frames FROM total WHERE frames > 0")
            return {(camera, Reason(reason)): frames for camera, reason, frames in rows}

    def late(self) -> dict[str, int]:
        """Return how many of the frames in ``totals`` were late, by camera; only cameras that had some."""
        query = "SELECT camera, sum(late) FROM total GROUP BY camera HAVING sum(late) > 0"
        with self._database.lend() as db:
            return dict(db.execute(query))

    def follow(self) -> None:
        """Begin a new file if ours was removed. Its frames are judged again; their results are found."""
        self._database.follow()

    def newest_id(self) -> int:
        """Return the number of the last row, with those that wait for the next commit; 0 without rows."""
        inserted = (INSERT in dict(statements) for _, statements in self._pending)
        return self.presence.newest_id() + sum(inserted)

    def latest(self, most: int, most_kept: int = 1) -> list[Entry]:
        """Return the last ``most`` decisions and each camera's last ``most_kept`` kept ones, oldest first."""
        return self._entries(f"{IS_LATEST} ORDER BY id", most, most_kept)

    def close(self) -> None:
        """Close the file. Frames that are pending and were not flushed will be decided again."""
        self._database.close()

    def _read_latest(self) -> None:
        query = "SELECT max(decided_at_ns) FROM (SELECT decided_at_ns FROM frame ORDER BY id DESC LIMIT ?)"
        with self._database.lend() as db:
            db.execute(query, (ROWS_READ_AT_START,)).fetchone()
            self._revisions.read(db)

    def _entries(self, where: str, *values: str | bytes | int) -> list[Entry]:
        with self._database.lend() as db:
            return [entry_of(row) for row in db.execute(f"SELECT {COLUMNS} FROM frame WHERE {where}", values)]

    def _append(self, key: FileKey | None, *statements: Statement) -> None:
        self._pending.append((key, [*statements]))

    def _commit(self, changes: list[Change], step: Step) -> None:
        with self._database.as_sink_error():
            self._disk.reach(step)
        self.presence.is_durable = False  # a commit that fails may have come true all the same
        learnt = [(camera, memory()) for camera, memory in self._memories.items()]
        with self._database.transaction("FULL" if step is Step.INTEND else "NORMAL") as db:
            self._revisions.save(db)
            self._write(db, changes)
            for camera, memory in learnt:
                memories.save(db, camera, memory)
        self._pending, self._memories = [], {}
        self._versions.committed()
        self._revisions.committed()
        self.commits += 1
        self.presence.is_durable = step is Step.INTEND

    def _write(self, db: sqlite3.Connection, changes: list[Change]) -> None:
        """Execute the statements, and count by each frame's row before and after them."""
        totals: Counter[tuple[str, str, int]] = Counter()
        for key, statements in changes:
            before = [] if key is None else db.execute(COUNTED_AS, key_columns(key)).fetchall()
            for statement, values in statements:
                db.execute(statement, values)
            after = [] if key is None else db.execute(COUNTED_AS, key_columns(key)).fetchall()
            if before != after:
                totals.subtract(before)
                totals.update(after)
        self._totals.add(db, totals)
