"""The ledger: a SQLite file that remembers every decision, what was learnt, and what is under way.

Kept frames are announced to it first (``intend``, durable), delivered, then ``finish``ed; a crash between
leaves an intent, which recovery delivers again under the same name. All else is lazy: rows wait in memory
for the next commit, and a crash decides those frames again, from the noise map of the same commit and so
with the same outcome. WAL with synchronous=FULL lost 0 of 4,417 acknowledged commits at power cuts, NORMAL
1,389 of 5,241 (research/reliability.md, 5); so intents commit with FULL, and lazy rows with NORMAL.
"""

import os
import sqlite3
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from framegate.errors import SinkError
from framegate.events import Listener
from framegate.keep.database import Database
from framegate.keep.disk import Disk, Step
from framegate.keep.rows import (
    ADMIT,
    COLUMNS,
    HAND_OVER,
    INSERT,
    MEMORY_COLUMNS,
    MIGRATIONS,
    MOST_COUNTED_CAMERAS,
    REPLACE_MEMORY,
    SCHEMA,
    SCHEMA_VERSION,
    Memory,
    entry_columns,
    entry_of,
    key_columns,
    memory_columns,
)
from framegate.keep.whereabouts import FilePresence, Recorded
from framegate.model import Entry, FileKey, Reason, Verdict

MOST_PENDING_ROWS = 500
"""Lazy rows are committed when they are this many, at the latest."""

MOST_CACHED_NAMES = 100_000
"""Names whose last version is known without asking SQLite: about 25 MB, loaded in some 0.2 s. A year of a
camera is millions of names; what is not here is looked up, in about 15 microseconds."""


class Ledger:
    """One connection, used by one thread.

    Args:
        path: the file, made if need be; None is one in memory, for a single run.
        disk: told of each step; a test gives one that fails.
        announce: hears when a damaged ledger was set aside.
        is_read_only: look, and touch nothing; no daemon may be writing it.

    Raises:
        SinkError: when the file cannot be read or written now. Nothing is lost: what was pending stays so,
            and the next call goes on with a new connection.
    """

    def __init__(
        self,
        path: Path | None,
        disk: Disk | None = None,
        announce: Listener = lambda _event: None,
        *,
        is_read_only: bool = False,
    ) -> None:
        self._database = Database(
            path, SCHEMA, SCHEMA_VERSION, announce, migrations=MIGRATIONS, is_read_only=is_read_only
        )
        self._disk = disk or Disk()
        self.whereabouts = FilePresence(self._database, self._disk)
        self.commits = 0
        """Counts the commits, so that others may look only when there is something new."""

        self._counted: set[str] | None = None
        """Cameras that are counted by their names; None: not read yet."""

        self._uncounted: set[tuple[str, Reason]] = set()
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self._memories: dict[str, Callable[[], Memory]] = {}
        self._unsaved: set[FileKey] = set()
        self._latest: dict[str, tuple[int, int]] = {}
        """A version of a file that is decided, by name: the latest, as a rule."""

        try:
            rows = self._last_rows()
        except SinkError:  # a damaged ledger is set aside by then
            rows = self._last_rows()
        for name, size_bytes, mtime_ns in reversed(rows):
            self._latest[os.fsdecode(name)] = (size_bytes, mtime_ns)
        self._has_all_names = len(rows) < MOST_CACHED_NAMES

    @property
    def has_pending(self) -> bool:
        """Whether lazy rows wait for ``flush``."""
        return bool(self._pending or self._memories)

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait that they should not wait longer."""
        return len(self._pending) >= MOST_PENDING_ROWS

    def knows(self, key: FileKey) -> bool:
        """Tell whether this version of the file has its verdict, or is about to get it."""
        latest = self._latest.get(key.name)
        if latest is None and self._has_all_names:
            return False
        if latest == (key.size_bytes, key.mtime_ns) or key in self._unsaved:
            return True
        query = "SELECT 1 FROM frame WHERE name = ? AND size_bytes = ? AND mtime_ns = ?"
        with self._database.lend() as db:
            is_known = db.execute(query, key_columns(key)).fetchone() is not None
        if is_known:
            self._cache(key)
        return is_known

    def knows_name(self, name: str) -> bool:
        """Tell whether any version of a file has its verdict."""
        if name in self._latest or self._has_all_names:
            return name in self._latest
        with self._database.lend() as db:
            query = "SELECT 1 FROM frame WHERE name = ? LIMIT 1"
            return db.execute(query, (os.fsencode(name),)).fetchone() is not None

    def note(self, entry: Entry) -> None:
        """Remember a dropped or rejected frame, lazily."""
        self._pending.append((INSERT, entry_columns(entry)))
        self._uncounted.add((entry.camera, entry.reason))
        self._unsaved.add(entry.key)
        self._cache(entry.key)

    def learn(self, camera: str, memory: Callable[[], Memory]) -> None:
        """Remember what a camera has learnt: it is asked at the next commit."""
        self._memories[camera] = memory

    def intend(self, entry: Entry) -> None:
        """Remember durably that a frame is to be kept, before it is delivered."""
        self._uncounted.add((entry.camera, entry.reason))
        self._commit([*self._pending, (INSERT, entry_columns(entry))], Step.INTEND)
        self._cache(entry.key)

    def finish(self, key: FileKey, result: str) -> None:
        """Remember, lazily, that an intended frame stands in the results folder."""
        with self._database.as_sink_error():
            self._disk.reach(Step.FINISH)
        statement = "UPDATE frame SET result = ? WHERE name = ? AND size_bytes = ? AND mtime_ns = ?"
        values = (os.fsencode(result), *key_columns(key))
        self._pending += [(HAND_OVER, values), (statement, values)]

    def abandon(self, key: FileKey, reason: Reason, detail: str) -> None:
        """Turn an intent whose bytes are gone into a rejected frame."""
        statement = (
            "UPDATE frame SET verdict = ?, reason = ?, detail = ?, sha256 = NULL"
            " WHERE name = ? AND size_bytes = ? AND mtime_ns = ?"
        )
        self._pending.append((statement, (reason.verdict, reason, detail, *key_columns(key))))

    def flush(self) -> None:
        """Commit what is pending; it survives a crash at once, and a power cut after the next intent."""
        if self.has_pending:
            self._commit(self._pending, Step.FLUSH)

    def intended(self) -> list[Entry]:
        """Return the frames that were to be kept when the last run ended, oldest first."""
        return self._entries("verdict = 'kept' AND result IS NULL ORDER BY id")

    def last_kept(self, camera: str) -> Entry | None:
        """Return a camera's latest kept frame: its reference."""
        return next(
            iter(self._entries("verdict = 'kept' AND camera = ? ORDER BY id DESC LIMIT 1", camera)), None
        )

    def kept_at_ns(self, camera: str, most: int) -> list[int]:
        """Return when a camera's latest kept frames were captured, oldest first, at the most so many."""
        where = "verdict = 'kept' AND camera = ? ORDER BY id DESC LIMIT ?"
        with self._database.lend() as db:
            rows = db.execute(f"SELECT captured_at_ns FROM frame WHERE {where}", (camera, most))  # noqa: S608 - ours
            return [moment for (moment,) in reversed(rows.fetchall())]

    def memory_of(self, camera: str) -> Memory:
        """Return what a camera had learnt at the last commit."""
        query = f"SELECT {MEMORY_COLUMNS} FROM camera WHERE camera = ?"  # noqa: S608 - our own names
        with self._database.lend() as db:
            row = db.execute(query, (camera,)).fetchone()
        if row is None:
            return Memory(None, None)
        name, size_bytes, mtime_ns, noise, kept, dropped = row
        previous = None if name is None else FileKey(os.fsdecode(name), size_bytes, mtime_ns)
        return Memory(previous, noise, None if kept is None else (kept, dropped))

    def counts(self) -> dict[Verdict, int]:
        """Return how many frames got each verdict, as of the last commit."""
        counts = dict.fromkeys(Verdict, 0)
        for (_, reason), frames in self.totals().items():
            counts[reason.verdict] += frames
        return counts

    def totals(self) -> dict[tuple[str, Reason], int]:
        """Return how many frames of each camera were decided for each reason, as of the last commit.

        Also those whose rows were pruned since. Cameras beyond the first 10,000 are one, named ``*``.
        """
        with self._database.lend() as db:
            rows = db.execute("SELECT camera, reason, frames FROM total WHERE frames > 0").fetchall()
        return {(camera, Reason(reason)): frames for camera, reason, frames in rows}

    def prune(self, recorded: Collection[Recorded]) -> None:
        """Forget frames of which nothing is left; should one come again, it is judged again.

        Raises:
            SinkError: the ledger cannot be written now.
        """
        self.whereabouts.prune(recorded)
        for key in (row.entry.key for row in recorded):
            if self._latest.get(key.name) == (key.size_bytes, key.mtime_ns):
                del self._latest[key.name]

    def follow(self) -> None:
        """Notice when the file was removed: what it knew is judged again, and finds its results."""
        self._database.follow()

    def latest(self, most: int) -> list[Entry]:
        """Return the last decisions, and each camera's last kept frame, oldest first."""
        last = "SELECT id FROM frame ORDER BY id DESC LIMIT ?"
        kept = "SELECT max(id) FROM frame WHERE verdict = 'kept' GROUP BY camera"
        return self._entries(f"id IN (SELECT id FROM ({last})) OR id IN ({kept}) ORDER BY id", most)  # noqa: S608

    def close(self) -> None:
        """Close the file. What is pending and was not flushed will be decided again."""
        self._database.close()

    def _last_rows(self) -> list[tuple[bytes, int, int]]:
        with self._database.lend() as db:
            query = "SELECT name, size_bytes, mtime_ns FROM frame ORDER BY id DESC LIMIT ?"
            return db.execute(query, (MOST_CACHED_NAMES,)).fetchall()

    def _entries(self, where: str, *values: str | int) -> list[Entry]:
        with self._database.lend() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM frame WHERE {where}", values)  # noqa: S608 - ours
            return [entry_of(row) for row in rows]

    def _admitted(self, db: sqlite3.Connection) -> list[tuple[str, Reason]]:
        """Return what may be counted by its camera's name: there is room for so many names."""
        if self._counted is None:
            self._counted = {camera for (camera,) in db.execute("SELECT DISTINCT camera FROM total")}
        admitted = []
        for camera, reason in self._uncounted:
            if camera in self._counted or len(self._counted) < MOST_COUNTED_CAMERAS:
                self._counted.add(camera)
                admitted.append((camera, reason))  # also known ones: the file may be a new one
        return admitted

    def _cache(self, key: FileKey) -> None:
        self._latest[key.name] = (key.size_bytes, key.mtime_ns)
        if len(self._latest) > MOST_CACHED_NAMES:
            del self._latest[next(iter(self._latest))]
            self._has_all_names = False

    def _commit(self, statements: list[tuple[str, tuple[Any, ...]]], step: Step) -> None:
        with self._database.as_sink_error():
            self._disk.reach(step)
        self.whereabouts.is_durable = False  # a commit that fails may have come true all the same
        with self._database.transaction("FULL" if step is Step.INTEND else "NORMAL") as db:
            db.executemany(ADMIT, self._admitted(db))
            for statement, values in statements:
                db.execute(statement, values)
            db.executemany(
                REPLACE_MEMORY,
                [(camera, *memory_columns(learnt())) for camera, learnt in self._memories.items()],
            )
        self._pending, self._memories, self._unsaved, self._uncounted = [], {}, set(), set()
        self.commits += 1
        self.whereabouts.is_durable = step is Step.INTEND
