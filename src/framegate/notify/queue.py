"""The messages that wait to be told, and the books about them: a SQLite file in the state folder.

A message enters together with the mark of how far the ledger was read, and leaves together with its entry in
the books. So the books balance, and nothing enters twice, wherever a kill comes.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2s
from pathlib import Path
from typing import Any

from framegate.events.base import Listener
from framegate.notify.books import OUTCOMES, Book
from framegate.notify.queue_file import QueueFile

QUEUE_NAME = "notify.sqlite3"
HOUR_S = 3600.0
NOT_QUEUED = 0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS notify (
    name TEXT PRIMARY KEY,
    after_id INTEGER NOT NULL,         -- it is told of the verdicts after this row of the ledger
    queued INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 0,
    given_up INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    limited INTEGER NOT NULL DEFAULT 0,
    hour_s REAL,                       -- when its hour began, by the clock of the messages; NULL: in none
    told_in_hour INTEGER NOT NULL DEFAULT 0,
    limited_in_hour INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    queued_s REAL NOT NULL,            -- seconds that the daemon has run, in all its lives
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS waiting ON message (name, id);
CREATE TABLE IF NOT EXISTS state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last_row INTEGER NOT NULL,         -- of the ledger, up to which it was read
    last_event TEXT NOT NULL,          -- key of the last event that was taken in
    running_s REAL NOT NULL            -- how long the daemon has run, in all its lives
) STRICT;
"""
_OLDEST = "SELECT id FROM message WHERE name = ? AND id <> ? ORDER BY id LIMIT ?"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits."""

    id: int
    """In the queue; ``NOT_QUEUED`` of one that could not be written to it."""

    key: str
    """The same whenever this message is told, and of no other. Of a verdict, also when it comes in again."""

    name: str
    age_s: float
    """For how long the daemon has run since it was queued."""

    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hour:
    """How many messages were told, and not told for the limit, in the hour that runs."""

    ends_in_s: float
    told: int = 0
    limited: int = 0


class Queue:
    """The file, opened when it is needed; safe to use from several threads.

    Args:
        path: of the file.
        first_row: the ledger's last row when the daemon was started: the first use begins there, and a
            ledger that a power cut has shortened, or that is a new one, is read from there.
        emit: gets an event when the file was damaged; called by any thread.
        clock: monotonic seconds.

    Raises:
        SinkError: the file cannot be read or written now; nothing has changed.
    """

    def __init__(self, path: Path, first_row: int, emit: Listener, clock: Callable[[], float]) -> None:
        self.path = path
        self._file = QueueFile(path, self._fill, emit)
        self._first_row = first_row
        self._clock, self._started_s = clock, clock()
        self._ran_before_s = 0.0
        self._using = threading.RLock()
        self._wanted: dict[str, int] = {}
        self._in_flight: dict[str, int] = {}
        self.last_row, self.last_event = first_row, ""
        self.books: Mapping[str, Book] = {}
        """The books of now; another mapping after each change."""

    def wants(self, names: Mapping[str, int]) -> dict[str, int]:
        """Keep the books of these names and no others; a new one is told of what follows its ledger row.

        Returns:
            How many messages waited for each name that is wanted no more, without those that had none.
        """
        with self._using:
            self._wanted = dict(names)
            with self._file.changing() as db:
                there = [name for (name,) in db.execute("SELECT name FROM notify")]
                gone = set(there) - names.keys()
                counts = dict(db.execute("SELECT name, count(*) FROM message GROUP BY name").fetchall())
                for name in gone:
                    db.execute("DELETE FROM notify WHERE name = ?", (name,))
                    db.execute("DELETE FROM message WHERE name = ?", (name,))
                for name in names.keys() - set(there):
                    db.execute("INSERT INTO notify (name, after_id) VALUES (?, ?)", (name, names[name]))
            self.books = {name: self.books.get(name, Book()) for name in names}
        return {name: counts[name] for name in sorted(gone & counts.keys())}

    def starts_of(self) -> dict[str, int]:
        """Return the ledger row after which each is told of verdicts, by name."""
        with self._using, self._file.lent() as db:
            return dict(db.execute("SELECT name, after_id FROM notify").fetchall())

    def begin_ledger_anew(self) -> None:
        """Read the ledger from its beginning: it is a new file."""
        with self._using:
            with self._file.changing() as db:
                db.execute("UPDATE state SET last_row = 0")
                db.execute("UPDATE notify SET after_id = 0")
            self.last_row = 0

    def add(
        self,
        bodies: Iterable[tuple[str, str]],
        most_waiting: Mapping[str, int],
        last_row: int,
        last_event: str,
    ) -> dict[str, int]:
        """Take messages in, by name, and note how far ledger and events were read.

        Returns:
            How many were dropped, since too many wait, by name; without those that lost none.
        """
        with self._using:
            books, dropped = dict(self.books), {}
            with self._file.changing() as db:
                for name, body in bodies:
                    values = (name, self._running_s(), body)
                    db.execute("INSERT INTO message (name, queued_s, body) VALUES (?, ?, ?)", values)
                    books[name] = _plus(books[name], "queued", 1)
                for name, most in most_waiting.items():
                    excess = books[name].waiting - most
                    if excess > 0:
                        oldest = (name, self._in_flight.get(name, 0), excess)
                        gone = db.execute(f"DELETE FROM message WHERE id IN ({_OLDEST})", oldest).rowcount  # noqa: S608
                        books[name] = _plus(books[name], "dropped", gone)
                        dropped[name] = gone
                _write_books(db, books)
                state = (last_row, last_event, self._running_s())
                db.execute("UPDATE state SET last_row = ?, last_event = ?, running_s = ?", state)
            self.books, self.last_row, self.last_event = books, last_row, last_event
            return dropped

    def next_of(self, name: str) -> Waiting | None:
        """Return the oldest message for a name, which is in flight from now on; None without one."""
        with self._using, self._file.lent() as db:
            query = "SELECT id, queued_s, body FROM message WHERE name = ? ORDER BY id LIMIT 1"
            row = db.execute(query, (name,)).fetchone()
            if row is None:
                return None
            self._in_flight[name] = row[0]
            body = json.loads(row[2])
            what = body.pop("id", None) or f"{row[0]} {row[1]} {row[2]}"
            return Waiting(row[0], message_key(name, what), name, self._running_s() - row[1], body)

    def settle(self, message: Waiting, outcome: str) -> None:
        """Remove a message, ``told`` or ``given_up``, and count it."""
        with self._using:
            books = dict(self.books)
            with self._file.changing() as db:
                gone = db.execute("DELETE FROM message WHERE id = ?", (message.id,)).rowcount
                if gone and message.name in books:
                    books[message.name] = _plus(books[message.name], outcome, 1)
                    _write_books(db, books)
                if outcome == "told":
                    hour = "hour_s = coalesce(hour_s, ?), told_in_hour = told_in_hour + 1"
                    db.execute(
                        f"UPDATE notify SET {hour} WHERE name = ?",  # noqa: S608 - our own words
                        (self._running_s(), message.name),
                    )
            self.books = books

    def hour_of(self, name: str) -> Hour | None:
        """Return what the hour that runs has brought; None before a message that was told has begun one."""
        with self._using, self._file.lent() as db:
            query = "SELECT hour_s, told_in_hour, limited_in_hour FROM notify WHERE name = ?"
            row = db.execute(query, (name,)).fetchone()
        return None if row is None or row[0] is None else Hour(row[0] + HOUR_S - self._running_s(), *row[1:])

    def limit(self, name: str) -> None:
        """Remove all that waits for a name whose hour is full, and count it."""
        with self._using:
            books = dict(self.books)
            if name not in books:  # it was removed from the config meanwhile
                return
            with self._file.changing() as db:
                gone = db.execute("DELETE FROM message WHERE name = ?", (name,)).rowcount
                books[name] = _plus(books[name], "limited", gone)
                add = "UPDATE notify SET limited_in_hour = limited_in_hour + ? WHERE name = ?"
                db.execute(add, (gone, name))
                _write_books(db, books)
            self.books = books

    def end_hour(self, name: str, summary: str | None) -> None:
        """End the hour that runs; ``summary`` is a message about those that were not told in it."""
        with self._using:
            books = dict(self.books)
            with self._file.changing() as db:
                cleared = "hour_s = NULL, told_in_hour = 0, limited_in_hour = 0"
                db.execute(f"UPDATE notify SET {cleared} WHERE name = ?", (name,))  # noqa: S608 - our own words
                if summary is not None and name in books:
                    values = (name, self._running_s(), summary)
                    db.execute("INSERT INTO message (name, queued_s, body) VALUES (?, ?, ?)", values)
                    books[name] = _plus(books[name], "queued", 1)
                    _write_books(db, books)
            self.books = books

    def note_failing(self, name: str, error: str | None) -> None:
        """Remember why the last try has failed, for the status; None: it has not."""
        with self._using:
            if name in self.books and self.books[name].failing != error:
                self.books = {**self.books, name: replace(self.books[name], failing=error)}

    def follow(self) -> None:
        """Move into a new file if ours was removed, with all that waits."""
        with self._using:
            self._file.follow()

    def close(self) -> None:
        """Close the file."""
        with self._using:
            self._file.close()

    def _running_s(self) -> float:
        return self._ran_before_s + self._clock() - self._started_s

    def _fill(self, db: sqlite3.Connection, *, is_first: bool) -> None:
        """Make the tables, and go on where the last life has ended, whenever the file is opened."""
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT")
        start = (self.last_row, self.last_event, self._running_s())
        db.execute("INSERT OR IGNORE INTO state VALUES (1, ?, ?, ?)", start)
        if is_first:
            self._take_over(db)
        for name, row in self._wanted.items():
            db.execute("INSERT OR IGNORE INTO notify (name, after_id) VALUES (?, ?)", (name, row))
        self.books = _read_books(db, self.books)

    def _take_over(self, db: sqlite3.Connection) -> None:
        """Go on where the last life has ended."""
        row, self.last_event, self._ran_before_s = db.execute(
            "SELECT last_row, last_event, running_s FROM state"
        ).fetchone()
        self.last_row = min(row, self._first_row)
        db.execute("UPDATE state SET last_row = ?", (self.last_row,))
        db.execute("UPDATE notify SET after_id = min(after_id, ?)", (self._first_row,))


def message_key(name: str, what: str) -> str:
    """Return the key of a message for a name; ``what`` is the message's own, the same for every name."""
    return blake2s(f"{name} {what}".encode(), digest_size=8).hexdigest()


def _plus(book: Book, count: str, number: int) -> Book:
    waiting = book.waiting + (number if count == "queued" else -number)
    return replace(book, waiting=waiting, **{count: getattr(book, count) + number})


def _write_books(db: sqlite3.Connection, books: Mapping[str, Book]) -> None:
    for name, book in books.items():
        counts = (book.queued, *(getattr(book, outcome) for outcome in OUTCOMES), name)
        columns = ", ".join(f"{column} = ?" for column in ("queued", *OUTCOMES))
        db.execute(f"UPDATE notify SET {columns} WHERE name = ?", counts)  # noqa: S608 - our own words


def _read_books(db: sqlite3.Connection, before: Mapping[str, Book]) -> dict[str, Book]:
    waiting = dict(db.execute("SELECT name, count(*) FROM message GROUP BY name").fetchall())
    rows = db.execute(f"SELECT name, queued, {', '.join(OUTCOMES)} FROM notify")  # noqa: S608 - our own words
    books = {}
    for name, queued, *ended in rows:
        counts = dict(zip(OUTCOMES, ended, strict=True))
        failing = before[name].failing if name in before else None
        books[name] = Book(queued=queued, waiting=waiting.get(name, 0), failing=failing, **counts)
    return books
