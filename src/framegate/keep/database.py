"""One SQLite file that survives errors: full disks, failed fsyncs, damage.

After an error the connection is closed, and the next use opens a new one. The reason: after a failed fsync
the kernel has marked the pages clean, so a second fsync of the same file would falsely succeed (Rebello et
al., USENIX ATC 2020). Closing moves the content of the log to the file itself, and the next connection begins
a new log.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.daemon import LedgerDamaged, LedgerGone

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
IN_MEMORY = ":memory:"

LOCKED_S = 1.0
"""How long to wait for another program, such as an operator's ``sqlite3``, to release the file."""


class Database:
    """A connection to one file, opened when it is needed, used by one thread.

    Args:
        path: the file, created if it is missing; None is a database in memory.
        schema: statements that create the tables.
        version: of the schema, from 1.
        emit: receives an event when a damaged file was set aside.
        migrations: for each older version, statements that turn its tables into those of the next.
        is_read_only: only read; the file exists, and no daemon writes it.
    """

    def __init__(
        self,
        path: Path | None,
        schema: str,
        version: int,
        emit: Listener,
        *,
        migrations: Mapping[int, str] = MappingProxyType({}),
        is_read_only: bool = False,
    ) -> None:
        self._where = IN_MEMORY if path is None else os.fspath(path)
        self._schema = schema
        self._version = version
        self._emit = emit
        self._migrations = migrations
        self._is_read_only = is_read_only
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._looked_at: tuple[int, ...] | None = None
        """How the file stood when it was opened as one that nobody writes; None if it was not."""

        self.set_aside = 0
        """How many files were damaged or removed: what they remembered is forgotten."""

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one piece of work.

        Raises:
            SinkError: in place of every error of SQLite or the disk in the ``with`` block. If the file is
                damaged, it has been set aside then, and the next loan creates a new one.
        """
        with self.as_sink_error():
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except BaseException as error:
                self._give_up()
                if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
                    self._set_aside(error)
                raise

    @contextmanager
    def transaction(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        """Lend the connection for statements that are committed together, or not at all.

        Args:
            synchronous: ``FULL`` survives a power cut; ``NORMAL`` does after the next ``FULL``.

        Raises:
            SinkError: as ``lend``. After a crash a commit that failed may turn out to have succeeded, so
                writing the same again must be harmless.
        """
        with self.lend() as connection:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def prove(self) -> None:
        """Write something that changes nothing, to know that the file can be written.

        Raises:
            SinkError: as ``lend``.
        """
        with self.transaction("FULL") as db:
            db.execute(f"PRAGMA user_version = {self._version}")

    @contextmanager
    def as_sink_error(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the disk into the one that pauses the intake."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SinkError(f"cannot use the ledger {self._where}: {error}") from error

    def read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, from one state of the file, also if a daemon starts meanwhile.

        Raises:
            SinkError: as ``lend``.
        """
        while True:
            try:
                with self.lend() as connection:
                    rows = connection.execute(query, values).fetchall()
            except SinkError:
                if not self._is_outdated():
                    raise
            else:
                if not self._is_outdated():
                    return rows
            self._give_up()

    def follow(self) -> None:
        """Begin a new file if the one in use was removed or replaced, and announce that."""
        if self._connection is None or self._identity is None or self._identity == self._there():
            return
        self._give_up()
        self.set_aside += 1
        self._emit(LedgerGone(self._where))

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def _give_up(self) -> None:
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if self._where != IN_MEMORY:  # that would be gone with its connection
            self._connection = None
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._is_read_only:
            return self._opened_to_look()
        with ExitStack() as undo:
            connection = sqlite3.connect(self._where, isolation_level=None, timeout=LOCKED_S)
            undo.callback(connection.close)
            connection.execute("PRAGMA journal_mode = WAL")
            self._make_schema(connection)
            undo.pop_all()
        self._identity = self._there()
        return connection

    def _there(self) -> tuple[int, int] | None:
        if self._where == IN_MEMORY:
            return None
        try:
            status = os.stat(self._where)
        except OSError:
            return (0, 0)
        return status.st_dev, status.st_ino

    def _opened_to_look(self) -> sqlite3.Connection:
        # Reading a log creates files beside it that would belong to us, and the daemon could not write them.
        # So the log is read only where a daemon, or a crash, has left one, together with those files.
        standing = self._standing()
        self._looked_at = None if self._has_log() else standing
        mode = "mode=ro" if self._looked_at is None else "immutable=1"
        address = f"{Path(self._where).absolute().as_uri()}?{mode}"
        with ExitStack() as undo:
            connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=LOCKED_S)
            undo.callback(connection.close)
            connection.execute("PRAGMA query_only = ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != self._version:
                raise SinkError(
                    f"{self._where} has schema {version}, not {self._version}: start the daemon once"
                )
            undo.pop_all()
        return connection

    def _has_log(self) -> bool:
        return os.path.exists(f"{self._where}-wal")

    def _standing(self) -> tuple[int, ...]:
        status = os.stat(self._where)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _is_outdated(self) -> bool:
        """Return whether a daemon has begun to write a file that was opened as one that nobody writes.

        It begins with the log, and may have ended and removed that again. ``immutable`` locks nothing: pages
        of two states may have been read.
        """
        with self.as_sink_error():
            return self._looked_at is not None and (self._has_log() or self._standing() != self._looked_at)

    def _make_schema(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > self._version:
            raise SinkError(f"{self._where} was written by a newer framegate (schema {version})")
        if not version:
            connection.executescript(f"BEGIN; {self._schema} PRAGMA user_version = {self._version}; COMMIT")
            return
        for older in range(version, self._version):  # a transaction each: a crash leaves a whole version
            statements = f"{self._migrations[older]} PRAGMA user_version = {older + 1};"
            connection.executescript(f"BEGIN; {statements} COMMIT")

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Rename a damaged file: its frames are judged again, and their results are found."""
        if self._is_read_only:
            return
        aside = f"{self._where}.damaged-{time.time_ns()}"
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._where + ending, aside + ending)
        self.set_aside += 1
        self._emit(LedgerDamaged(str(error), aside))


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED
