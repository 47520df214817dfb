"""The SQLite file of the queue: opened when needed, set aside when damaged, made anew when it is gone.

A connection that has failed is closed, and the next use opens another, as with the ledger.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.telling import NotifyDamaged

LOCKED_S = 1.0
"""How long to wait for another program, such as an operator's ``sqlite3``, to release the file."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Fill(Protocol):
    """Makes the tables of a file that was just opened; ``is_first``: for the first time in this process."""

    def __call__(self, db: sqlite3.Connection, *, is_first: bool) -> None:
        """Make them, unless they are there."""


class QueueFile:
    """One file, used by one thread at a time.

    Args:
        path: of the file.
        fill: makes its tables.
        emit: gets an event when it was damaged.
    """

    def __init__(self, path: Path, fill: Fill, emit: Listener) -> None:
        self._path = path
        self._fill = fill
        self._emit = emit
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for changes that come true together, or not at all.

        They survive a kill; a power cut may take the last ones back, together.

        Raises:
            SinkError: the file cannot be written now.
        """
        with self.lent() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection.

        Raises:
            SinkError: the file cannot be used now.
        """
        with self._as_sink_error():
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except BaseException as error:
                self.close()
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                    self._set_aside(str(error))
                raise

    def follow(self) -> None:
        """Move into a new file, with all that is in the one in use, if that was removed.

        Raises:
            SinkError: the new one cannot be written now.
        """
        before = self._connection
        if before is None or self._identity == _identity_of(self._path):
            return
        with self._as_sink_error():
            after = sqlite3.connect(
                self._path, timeout=LOCKED_S, check_same_thread=False, isolation_level=None
            )
            before.backup(after)
        self._connection, self._identity = after, _identity_of(self._path)
        before.close()

    def close(self) -> None:
        """Close the file; what was begun and not finished is taken back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _as_sink_error(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SinkError(f"cannot use {self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=LOCKED_S, check_same_thread=False, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            self._fill(db, is_first=self._identity is None)
        except BaseException:
            db.close()
            raise
        self._identity = _identity_of(self._path)
        return db

    def _set_aside(self, error: str) -> None:
        aside = f"{self._path}.damaged-{time.time_ns()}"
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.rename(f"{self._path}{ending}", f"{aside}{ending}")
        self._emit(NotifyDamaged(error, aside))


def _identity_of(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return status.st_dev, status.st_ino
