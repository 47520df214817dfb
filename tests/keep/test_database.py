import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.keep.database import Database

SCHEMA = "CREATE TABLE t (x INTEGER UNIQUE) STRICT;"


class Opened:
    """Databases for a test, closed at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[LogEvent] = []
        self.all: list[Database] = []

    def __call__(self, path: Path | None, version: int = 1) -> Database:
        self.all.append(Database(path, SCHEMA, version, self.heard.append))
        return self.all[-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.sqlite3"


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    opened = Opened(path)
    yield opened
    for each in opened.all:
        each.close()


def put(database: Database, *numbers: int, synchronous: str = "NORMAL") -> None:
    with database.transaction(synchronous) as db:
        db.executemany("INSERT INTO t VALUES (?)", [(number,) for number in numbers])


def numbers_in(database: Database) -> list[int]:
    with database.lend() as db:
        return [number for (number,) in db.execute("SELECT x FROM t ORDER BY x")]


def connection_of(database: Database) -> sqlite3.Connection:
    with database.lend() as db:
        return db


def test_a_file_is_made_when_it_is_needed(opened: Opened, path: Path) -> None:
    """Nothing is touched before the first loan; one connection serves all that follow."""
    database = opened(path)
    assert not path.exists()
    assert connection_of(database) is connection_of(database)
    assert path.exists()


@pytest.mark.parametrize("where", ["in a file", "in memory"])
def test_a_transaction_is_all_or_nothing(opened: Opened, path: Path, where: str) -> None:
    """A statement that fails takes those before it along, and what was committed earlier stays."""
    database = opened(path if where == "in a file" else None)
    put(database, 1, 2)
    with pytest.raises(SinkError, match="UNIQUE"):
        put(database, 3, 4, 1)
    assert numbers_in(database) == [1, 2]
    put(database, 3)
    assert numbers_in(database) == [1, 2, 3]


@pytest.mark.parametrize("where", ["in a file", "in memory"])
@pytest.mark.parametrize("error", [ValueError("ours"), MemoryError(), KeyboardInterrupt()])
def test_an_error_of_our_own_undoes_the_transaction_and_is_told_as_it_is(
    opened: Opened, path: Path, where: str, error: BaseException
) -> None:
    """What is no error of the disk's is not called one; half a transaction does not stay either way."""
    database = opened(path if where == "in a file" else None)
    put(database, 1)

    def fail() -> None:
        with database.transaction("FULL") as db:
            db.execute("INSERT INTO t VALUES (2)")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert numbers_in(database) == [1]
    put(database, 2)
    assert numbers_in(database) == [1, 2]


def test_a_connection_that_met_an_error_is_never_used_again(opened: Opened, path: Path) -> None:
    """After a failed fsync a second one lies: so after any error the next loan is of a new connection."""
    database = opened(path)
    put(database, 1)
    before = connection_of(database)
    with pytest.raises(SinkError):
        put(database, 1)
    assert numbers_in(database) == [1]
    assert connection_of(database) is not before
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        before.execute("SELECT 1")


def test_a_log_that_met_an_error_is_never_gone_on_with(
    opened: Opened, path: Path, largest_file: Callable[[int], Any]
) -> None:
    """What the log held is moved to the file itself, and the next commit begins a new log."""
    database = opened(path)
    put(database, *range(100), synchronous="FULL")
    log = Path(f"{path}-wal")
    inode = log.stat().st_ino
    with largest_file(log.stat().st_size), pytest.raises(SinkError):
        put(database, *range(100, 20_000), synchronous="FULL")
    assert not log.exists()
    put(database, 100)
    assert numbers_in(database) == list(range(101))
    assert log.stat().st_ino != inode or log.stat().st_size < 10_000


def test_errors_leak_no_descriptor(opened: Opened, path: Path) -> None:
    """A disk that fails for a week does not use up our descriptors."""
    database = opened(path)
    put(database, 1)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(SinkError):
            put(database, 1)
        numbers_in(database)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("level", ["FULL", "NORMAL"])
def test_a_transaction_is_as_durable_as_was_asked(opened: Opened, path: Path, level: str) -> None:
    """The level is set anew for each transaction, whatever the one before asked for."""
    database = opened(path)
    put(database, 1, synchronous="NORMAL" if level == "FULL" else "FULL")
    with database.transaction(level) as db:
        assert db.execute("PRAGMA synchronous").fetchone() == ({"FULL": 2, "NORMAL": 1}[level],)


def test_a_file_of_a_newer_schema_is_refused_and_left_alone(opened: Opened, path: Path) -> None:
    """After a downgrade the file is not touched, not set aside, and its connection is given back."""
    put(opened(path, version=2), 1)
    opened.all[0].close()
    before = path.read_bytes()
    old = opened(path, version=1)
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(SinkError, match=r"was written by a newer framegate \(schema 2\)$"):
            numbers_in(old)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert path.read_bytes() == before
    assert not opened.heard


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damage_is_set_aside_and_the_next_loan_is_of_a_new_file(
    opened: Opened, path: Path, content: bytes
) -> None:
    """One SinkError, one announcement; the damaged file stays beside the new one."""
    path.write_bytes(content)
    database = opened(path)
    with pytest.raises(SinkError, match=str(path)):
        numbers_in(database)
    (event,) = opened.heard
    assert isinstance(event, LogEvent)
    aside = Path(event.fields["set_aside"])
    assert aside.read_bytes() == content
    put(database, 1)
    assert numbers_in(database) == [1]
    assert len(opened.heard) == 1


def test_two_damaged_files_do_not_replace_each_other(opened: Opened, path: Path) -> None:
    """Whatever was set aside stays, however often it happens."""
    for number in (1, 2):
        path.write_bytes(b"no database %d " % number * 100)
        with pytest.raises(SinkError):
            numbers_in(opened(path))
    assert len(list(path.parent.glob("*.damaged-*"))) == 2


def test_a_database_that_was_closed_may_be_closed_again(opened: Opened, path: Path) -> None:
    """Closing twice, or what was never opened, is no error."""
    database = opened(path)
    database.close()
    put(database, 1)
    database.close()
    database.close()
