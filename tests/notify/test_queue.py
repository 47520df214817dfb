import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.notify.books import Book
from framegate.notify.queue import HOUR_S, Queue


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


Open = Callable[..., Queue]


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Open:
    """Open the queue, as a daemon does at its start; what was open before counts as killed."""

    def begin(first_row: int = 0, events: list[LogEvent] | None = None, **starts: int) -> Queue:
        told = events if events is not None else []
        queue = Queue(tmp_path / "notify.sqlite3", first_row, told.append, clock)
        queue.wants(starts or {"a": 0, "b": 0})
        return queue

    return begin


def is_balanced(book: Book) -> bool:
    return book.queued == book.told + book.given_up + book.dropped + book.limited + book.waiting


def bodies(*names: str) -> list[tuple[str, str]]:
    return [(name, "{}") for name in names]


def test_the_books_balance_whatever_happens(opened: Open, clock: Clock) -> None:
    """After any acts, and a kill after any of them, every message that was queued is in one place."""
    chance = random.Random(13)
    queue, queued = opened(), 0
    for step in range(400):
        act, name = chance.randrange(7), chance.choice("ab")
        if act < 3:
            many = bodies(*(name for _ in range(chance.randrange(6))))
            queue.add(many, {"a": 10, "b": 10}, step, str(step))
            queued += len(many)
        elif act < 5 and (message := queue.next_of(name)) is not None:
            queue.settle(message, chance.choice(["told", "given_up"]))
            queue.settle(message, "told")  # a second time, as after an error: it counts once
        elif act == 5 and chance.random() < 0.2:
            queue.limit(name)
        elif chance.random() < 0.2:
            queue = opened()
        clock.now_s += chance.random()
        assert all(map(is_balanced, queue.books.values()))
        assert sum(book.queued for book in queue.books.values()) == queued
    assert all(getattr(queue.books["a"], part) for part in ("told", "given_up", "dropped", "limited"))
    assert queue.books == opened().books


def test_the_oldest_are_dropped_but_never_the_one_in_flight(opened: Open) -> None:
    """When too many wait the oldest go; the message that is being told stays, and order is kept."""
    queue = opened()
    queue.add([("a", f'{{"n": {n}}}') for n in range(3)], {"a": 3}, 0, "")
    first = queue.next_of("a")
    assert first is not None
    assert queue.add([("a", f'{{"n": {n}}}') for n in range(3, 6)], {"a": 3}, 0, "") == {"a": 3}
    seen = []
    while (message := queue.next_of("a")) is not None:
        seen.append(message.body["n"])
        queue.settle(message, "told")
    assert seen == [0, 4, 5]


def test_an_hour_begins_with_a_message_and_ends_with_a_word(opened: Open, clock: Clock) -> None:
    """The count of an hour survives a restart; at its end what was not told becomes one message."""
    queue = opened()
    assert queue.hour_of("a") is None
    queue.add(bodies("a", "a", "a"), {"a": 9}, 0, "")
    message = queue.next_of("a")
    assert message is not None
    queue.settle(message, "told")
    clock.now_s += 600
    queue.limit("a")
    queue = opened()
    hour = queue.hour_of("a")
    assert hour is not None
    assert (hour.told, hour.limited) == (1, 2)
    assert HOUR_S - 601 < hour.ends_in_s <= HOUR_S
    queue.end_hour("a", '{"event": "notify.limited"}')
    assert queue.hour_of("a") is None
    assert queue.books["a"] == Book(queued=4, told=1, limited=2, waiting=1)


def test_ages_count_while_the_daemon_runs(opened: Open, clock: Clock) -> None:
    """A message ages with the daemon, in all its lives: no wall clock that jumps makes it too old."""
    queue = opened()
    queue.add(bodies("a"), {}, 1, "x")
    clock.now_s += 50
    queue.add([], {}, 2, "y")  # the time is noted with each change
    clock.now_s = 9000.0  # another boot
    queue = opened(first_row=2)
    clock.now_s += 25
    message = queue.next_of("a")
    assert message is not None
    assert 74 < message.age_s < 76
    assert (queue.last_row, queue.last_event) == (2, "y")


def test_a_shorter_ledger_is_read_from_its_end(opened: Open) -> None:
    """After a power cut that took rows of the ledger, or in a new ledger, no later row is passed over."""
    opened().add([], {}, 50, "")
    assert opened(first_row=40).last_row == 40
    assert opened(first_row=60).last_row == 40
    queue = opened(first_row=0, a=0)
    queue.begin_ledger_anew()
    assert (queue.last_row, queue.starts_of()) == (0, {"a": 0})


def test_a_name_that_is_gone_leaves_nothing(opened: Open, tmp_path: Path) -> None:
    """A removed [[notify]] takes messages and counts with it, and their number is told."""
    queue = opened()
    queue.add(bodies("a", "b"), {}, 1, "")
    assert queue.wants({"b": 0, "c": 1}) == {"a": 1}
    assert queue.books == {"b": Book(queued=1, waiting=1), "c": Book()}
    queue.wants({"a": 1, "b": 0})
    assert queue.books == {"a": Book(), "b": Book(queued=1, waiting=1)}
    with sqlite3.connect(tmp_path / "notify.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM message").fetchone() == (1,)
    db.close()


def test_a_damaged_file_is_set_aside(opened: Open, tmp_path: Path) -> None:
    """Damage costs what waited; the ledger is read on from where it was, and that is said once."""
    file, events = tmp_path / "notify.sqlite3", list[LogEvent]()
    queue = opened()
    queue.add(bodies("a"), {}, 7, "e")
    queue.close()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(SinkError):
        Queue(file, 9, events.append, Clock()).wants({"a": 0})
    assert [event.event for event in events] == ["notify.damaged"]
    assert list(tmp_path.glob("*damaged*"))
    queue = opened(first_row=9, a=9)
    assert (queue.last_row, queue.books) == (9, {"a": Book()})


def test_a_file_that_is_removed_is_written_again(opened: Open, tmp_path: Path) -> None:
    """When somebody removes the file under a running daemon, what waits moves into a new one."""
    queue = opened()
    queue.add(bodies("a", "a"), {}, 7, "e")
    for path in tmp_path.glob("notify.sqlite3*"):
        os.unlink(path)
    queue.follow()
    queue.add(bodies("a"), {}, 8, "f")
    after = opened(first_row=8)
    assert (after.last_row, after.books["a"]) == (8, Book(queued=3, waiting=3))
