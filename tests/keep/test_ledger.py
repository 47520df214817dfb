import errno
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.keep import database
from framegate.keep import ledger as ledger_module
from framegate.keep.disk import Disk, Step, TidyStep
from framegate.keep.ledger import MOST_PENDING_ROWS, Ledger
from framegate.keep.memories import LaneMemory, Memory
from framegate.keep.schema import SCHEMA_VERSION
from framegate.keep.versions import MOST_VALUES
from framegate.model import Entry, FileKey, Reason, Verdict

FULL, NORMAL = 2, 1
"""SQLite's numbers for ``PRAGMA synchronous``."""

NOT_UTF8 = os.fsdecode(b"cam\xff/l\xf6t\n.jpg")


def entry(
    name: str, reason: Reason = Reason.UNCHANGED, size: int = 10, mtime: int = 20, camera: str = "c"
) -> Entry:
    return Entry(
        FileKey(name, size, mtime),
        camera,
        captured_at_ns=30,
        reason=reason,
        decided_at_ns=40,
        config_revision=1,
        sha256=b"fingerprint" if reason.is_kept else None,
    )


def kept(name: str, camera: str = "c") -> Entry:
    return entry(name, Reason.CHANGED, camera=camera)


@pytest.fixture
def reopen(path: Path) -> Iterator[Callable[[], Ledger]]:
    """Open the ledger as the next run would find it."""
    opened: list[Ledger] = []

    def again() -> Ledger:
        opened.append(Ledger(path))
        return opened[-1]

    yield again
    for each in opened:
        each.close()


def rows(path: Path, columns: str) -> list[tuple[Any, ...]]:
    """Read the file as another program would."""
    with sqlite3.connect(path) as db:
        found = db.execute(f"SELECT {columns} FROM frame ORDER BY id").fetchall()
    db.close()
    return found


def test_a_new_ledger_is_empty_and_says_its_schema(ledger: Ledger, path: Path) -> None:
    """A file that is not there is made, with the version of its schema in it."""
    assert ledger.counts() == dict.fromkeys(Verdict, 0)
    assert ledger.unfinished() == []
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_ledger_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path it remembers for a single run, and all works alike."""
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(None)
    ledger.note(entry("a.jpg"))
    ledger.intend(kept("b.jpg"))
    assert ledger.counts() == {Verdict.KEPT: 1, Verdict.DROPPED: 1, Verdict.REJECTED: 0}
    ledger.close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_flushed_is_there_when_opened_again(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    """A restart knows every decision that was flushed, and every detail of it."""
    full = replace(
        kept("b.jpg"), score=2.5, threshold=2.3, unit="x", zone="gate", reference="a.jpg", detail="some words"
    )
    ledger.note(entry("a.jpg", Reason.TRUNCATED))
    ledger.intend(full)
    ledger.finish(full.key, "b_1.jpg")
    ledger.flush()
    ledger.close()
    again = reopen()
    assert again.kept(full.key) == replace(full, result="b_1.jpg")
    assert again.kept(entry("a.jpg").key) is None
    assert again.knows(entry("a.jpg").key)
    assert again.counts() == {Verdict.KEPT: 1, Verdict.DROPPED: 0, Verdict.REJECTED: 1}


def test_lazy_rows_wait_for_the_flush(ledger: Ledger, path: Path) -> None:
    """A dropped frame costs no commit of its own: nothing is written until the flush."""
    assert not ledger.has_pending
    ledger.note(entry("a.jpg"))
    assert ledger.has_pending
    assert rows(path, "name") == []
    ledger.flush()
    assert not ledger.has_pending
    assert rows(path, "name, verdict, reason") == [(b"a.jpg", "dropped", "unchanged")]


def test_an_intent_takes_the_lazy_rows_along_in_their_order(ledger: Ledger, path: Path) -> None:
    """Decisions reach the file in the order in which they fell."""
    for name in ("1.jpg", "2.jpg"):
        ledger.note(entry(name))
    ledger.intend(kept("3.jpg"))
    ledger.note(entry("4.jpg"))
    ledger.flush()
    assert rows(path, "name") == [(b"1.jpg",), (b"2.jpg",), (b"3.jpg",), (b"4.jpg",)]


def test_many_pending_rows_ask_for_a_flush(ledger: Ledger) -> None:
    """Memory does not grow with the number of dropped frames: at some point the ledger is crowded."""
    for number in range(MOST_PENDING_ROWS):
        assert not ledger.is_crowded
        ledger.note(entry(f"{number}.jpg"))
    assert ledger.is_crowded
    ledger.flush()
    assert not ledger.is_crowded


def test_an_intent_is_open_until_it_is_finished(ledger: Ledger) -> None:
    """Recovery is given what was intended and not finished, oldest first, and nothing else."""
    frames = [kept(f"{number}.jpg") for number in (3, 1, 2)]
    ledger.note(entry("dropped.jpg"))
    for frame in frames:
        ledger.intend(frame)
    assert ledger.unfinished() == frames
    ledger.finish(frames[0].key, "3.jpg")
    ledger.flush()
    assert ledger.unfinished() == frames[1:]


def test_an_abandoned_intent_is_a_rejected_frame(ledger: Ledger, path: Path) -> None:
    """An intent whose bytes are gone counts as rejected, says why, and is no one's reference."""
    ledger.intend(kept("a.jpg"))
    ledger.finish(kept("a.jpg").key, "a.jpg")
    ledger.learn("c", lambda: Memory((LaneMemory((8, 6), kept("b.jpg").key),)))
    ledger.intend(replace(kept("b.jpg"), reference="a.jpg"))
    ledger.abandon(kept("b.jpg").key, Reason.VANISHED, "gone")
    ledger.flush()
    assert ledger.unfinished() == []
    assert ledger.kept(kept("b.jpg").key) is None
    assert [lane.reference.name for lane in ledger.memory_of("c").lanes] == ["a.jpg"]
    assert rows(path, "verdict, reason, detail, sha256, result")[1] == (
        "rejected",
        "vanished",
        "gone",
        None,
        None,
    )


def test_of_two_abandoned_intents_neither_is_a_reference(ledger: Ledger) -> None:
    """A whole group whose bytes are gone leaves the frame as reference that was kept before it."""
    ledger.intend(kept("a.jpg"))
    ledger.finish(kept("a.jpg").key, "a.jpg")
    group = [replace(kept("b.jpg"), reference="a.jpg"), replace(kept("c.jpg"), reference="b.jpg")]
    ledger.learn("c", lambda: Memory((LaneMemory((8, 6), group[-1].key),)))
    ledger.intend(*group)
    for each in group:
        ledger.abandon(each.key, Reason.VANISHED, "gone")
        ledger.flush()
    assert [lane.reference.name for lane in ledger.memory_of("c").lanes] == ["a.jpg"]


def test_what_was_intended_together_is_found_together(ledger: Ledger) -> None:
    """After a crash a group's unfinished frames are there in order, with the dropped ones after the first."""
    early, late = entry("1.jpg", Reason.UNCHANGED), entry("4.jpg", Reason.UNCHANGED)
    ledger.note(early)
    group = [kept("2.jpg"), kept("3.jpg"), late, kept("5.jpg")]
    ledger.intend(*group)
    assert ledger.unfinished() == group
    ledger.finish(group[0].key, "2.jpg")
    ledger.flush()
    assert ledger.unfinished() == group[1:]
    for frame in (group[1], group[3]):
        ledger.finish(frame.key, frame.key.name)
    ledger.flush()
    assert ledger.unfinished() == []


@pytest.mark.parametrize("is_flushed", [True, False], ids=["flushed", "pending"])
def test_a_version_is_known_from_the_moment_it_is_noted(ledger: Ledger, *, is_flushed: bool) -> None:
    """The latest version of a file is known; another size or time is another version."""
    ledger.note(entry("a.jpg"))
    if is_flushed:
        ledger.flush()
    assert ledger.knows(FileKey("a.jpg", 10, 20))
    assert not ledger.knows(FileKey("a.jpg", 11, 20))
    assert not ledger.knows(FileKey("a.jpg", 10, 21))
    assert not ledger.knows(FileKey("b.jpg", 10, 20))


@pytest.mark.parametrize(
    "is_flushed",
    [pytest.param(True, id="flushed"), pytest.param(False, id="pending")],
)
def test_an_older_version_stays_known(ledger: Ledger, *, is_flushed: bool) -> None:
    """A file that is set back to an earlier version is not judged a second time."""
    ledger.note(entry("a.jpg", mtime=1))
    ledger.note(entry("a.jpg", mtime=2))
    if is_flushed:
        ledger.flush()
    assert ledger.knows(FileKey("a.jpg", 10, 1))
    assert ledger.knows(FileKey("a.jpg", 10, 2))
    assert not ledger.knows(FileKey("a.jpg", 10, 3))


def test_older_versions_are_known_after_a_restart(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    """What a camera overwrote long ago is recognized when a backup brings it back."""
    for mtime in (1, 2, 3):
        ledger.note(entry("a.jpg", mtime=mtime))
    ledger.flush()
    again = reopen()
    assert [again.knows(FileKey("a.jpg", 10, mtime)) for mtime in (1, 2, 3, 4)] == [True, True, True, False]


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)], ids=["oldest-first", "newest-first"])
def test_a_version_that_is_not_pruned_stays_known(ledger: Ledger, versions: tuple[int, int]) -> None:
    """When the version of a file that was decided last is pruned, the one before it is still known."""
    for mtime in versions:
        ledger.note(entry("a.jpg", mtime=mtime))
    ledger.flush()
    before, last = ledger.presence.after(0, 2)
    ledger.presence.prune([last])
    assert ledger.knows(before.entry.key)
    assert ledger.unknown([last.entry.key, before.entry.key]) == [last.entry.key]
    assert ledger.known_names(["a.jpg"]) == {"a.jpg"}


def test_names_are_known_by_any_of_their_versions(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    """A name is known if a version of it has a verdict, pending or flushed, of this run or an earlier one."""
    names = ["b.jpg", NOT_UTF8, "c.jpg", NOT_UTF8]
    ledger.note(entry(NOT_UTF8))
    assert ledger.known_names(names) == {NOT_UTF8}
    ledger.flush()
    assert reopen().known_names(names) == {NOT_UTF8}
    assert ledger.known_names([]) == set()


def test_what_is_unknown_comes_back_in_the_order_of_the_question(ledger: Ledger) -> None:
    """Any number of keys is answered, known, pending, unknown or named twice, in the caller's order."""
    known = [entry(f"{number}.jpg").key for number in range(0, 3 * MOST_VALUES, 2)]
    for key in known:
        ledger.note(entry(key.name))
    ledger.flush()
    pending = entry("pending.jpg")
    ledger.note(pending)
    asked = [entry(f"{number}.jpg").key for number in reversed(range(3 * MOST_VALUES + 7))]
    asked += [pending.key, entry(NOT_UTF8).key, asked[0], replace(known[0], mtime_ns=21)]
    assert ledger.unknown(asked) == [key for key in asked if key not in {*known, pending.key}]
    assert ledger.unknown([]) == []


@pytest.mark.parametrize("count", [1, MOST_VALUES - 1, MOST_VALUES, MOST_VALUES + 1])
def test_each_number_of_keys_is_answered(ledger: Ledger, count: int) -> None:
    """Keys are asked for in groups: neither the last of one group nor the first of the next is forgotten."""
    keys = [entry(f"{number:05d}.jpg").key for number in range(count)]
    assert ledger.unknown(keys) == keys
    for key in keys:
        ledger.note(entry(key.name))
    ledger.flush()
    assert ledger.unknown(keys) == []


def test_questions_about_keys_need_no_right_to_write(ledger: Ledger, path: Path) -> None:
    """A ledger that is opened to read only, as by status, answers all questions about keys and names."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    ledger.close()
    reader = Ledger(path, is_read_only=True)
    keys = [entry("a.jpg").key, entry("b.jpg").key]
    assert [reader.knows(key) for key in keys] == [True, False]
    assert reader.unknown(keys) == [entry("b.jpg").key]
    assert reader.known_names(["a.jpg", "b.jpg"]) == {"a.jpg"}
    reader.close()


@pytest.mark.usefixtures("impatient")
def test_questions_about_keys_do_not_wait_for_another_writer(ledger: Ledger, path: Path) -> None:
    """While another program holds the write lock, the ledger still says what is unknown."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert ledger.unknown([entry("a.jpg").key, entry("b.jpg").key]) == [entry("b.jpg").key]
    writer.close()


VERSIONS = st.builds(FileKey, st.sampled_from(["a", "b", "c", "d", "e"]), st.just(1), st.integers(1, 3))
CALLS = st.lists(
    st.tuples(st.sampled_from(["note", "intend", "flush", "restart", "prune", "look"]), VERSIONS), max_size=40
)
ALL_VERSIONS = [FileKey(name, 1, mtime) for name in "abcde" for mtime in (1, 2, 3)]


@given(calls=CALLS)
@settings(max_examples=40, database=None, deadline=None)
def test_what_is_known_is_what_was_decided_and_not_pruned(calls: list[tuple[str, FileKey]]) -> None:
    """Whatever happens, the three questions about keys and names agree with a model in memory."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder, "ledger"))
        known: set[FileKey] = set()
        for call, key in calls:
            noted = replace(
                entry(key.name, Reason.CHANGED if call == "intend" else Reason.UNCHANGED), key=key
            )
            if call in {"note", "intend"} and key not in known:
                getattr(ledger, call)(noted)
                known.add(key)
            elif call in {"flush", "restart", "prune"}:
                ledger.flush()
            if call == "prune":
                ledger.presence.prune([row for row in ledger.presence.after(0, 100) if row.entry.key == key])
                known.discard(key)
            if call == "restart":
                ledger.close()
                ledger = Ledger(Path(folder, "ledger"))
            assert {each for each in ALL_VERSIONS if ledger.knows(each)} == known
            assert ledger.unknown(ALL_VERSIONS) == [each for each in ALL_VERSIONS if each not in known]
            assert ledger.known_names("abcde") == {each.name for each in known}
        ledger.close()


def test_what_a_camera_learnt_is_asked_for_at_the_commit(
    ledger: Ledger, reopen: Callable[[], Ledger]
) -> None:
    """The memory that is saved is the one of the commit, so that it fits the rows saved with it."""
    full = Memory(
        (LaneMemory((8, 6), kept(NOT_UTF8).key, entry("a.jpg").key, b"learnt", b"hash", [1, 2, -3, 0]),),
        (3, 500),
    )
    learnt = [Memory(), full]
    ledger.note(entry("a.jpg"))
    ledger.learn("c", learnt.pop)
    assert ledger.has_pending
    assert ledger.memory_of("c") == Memory()
    ledger.intend(kept(NOT_UTF8))
    assert reopen().memory_of("c") == full
    ledger.learn("c", learnt.pop)
    ledger.intend(kept("b.jpg"))
    assert reopen().memory_of("c") == Memory()
    assert ledger.memory_of("unknown") == Memory()


SIZES = [(1920, 1080), (320, 180), (1080, 1920)]


def lanes(*numbered: tuple[int, int]) -> Memory:
    """Return a memory of some sizes by number, each with its previous frame, and a.jpg for a reference."""
    return Memory(
        tuple(
            LaneMemory(SIZES[size], kept("a.jpg").key, entry(f"{frame}.jpg").key, bytes([frame]), b"hash")
            for size, frame in numbered
        )
    )


def test_the_sizes_of_a_camera_are_saved_in_their_order(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    """Each picture size comes back with what was learnt last; one that the camera has forgotten does not."""
    ledger.intend(kept("a.jpg"))
    for frame in range(5):
        ledger.note(entry(f"{frame}.jpg"))
    for memory in (lanes((0, 0)), lanes((0, 1), (1, 0)), lanes((1, 0), (0, 2)), lanes((0, 2), (2, 3), (1, 4)),
                   lanes((2, 3), (1, 4)), lanes((1, 4), (2, 3)), Memory(), lanes((2, 0))):  # fmt: skip
        ledger.learn("c", lambda memory=memory: memory)  # type: ignore[misc]
        ledger.learn("d", lambda: lanes((1, 2)))
        ledger.flush()
        assert ledger.memory_of("c") == memory
        assert reopen().memory_of("c") == memory
        assert reopen().memory_of("d") == lanes((1, 2))


def test_a_size_of_which_no_frame_came_is_not_written_again(ledger: Ledger) -> None:
    """A camera that sends one of its sizes only now and then does not wear out the memory card."""
    ledger.intend(kept("a.jpg"))
    for frame in range(5):
        ledger.note(entry(f"{frame}.jpg"))
    ledger.learn("c", lambda: lanes((0, 1), (1, 2)))
    ledger.flush()
    with ledger._database.lend() as db:
        db.execute("CREATE TEMP TABLE written (width)")
        db.execute(
            "CREATE TEMP TRIGGER w AFTER UPDATE ON lane BEGIN INSERT INTO written VALUES (new.width); END"
        )
        ledger.learn("c", lambda: lanes((0, 1), (1, 3)))
        ledger.flush()
        assert db.execute("SELECT width FROM written").fetchall() == [(SIZES[1][0],)]


def test_a_frame_that_is_touched_or_moved_is_still_the_reference(ledger: Ledger) -> None:
    """What a camera has learnt goes by the rows of its frames: they may get other keys and names."""
    for each in (kept("a.jpg"), kept("b.jpg")):
        ledger.intend(each)
        ledger.finish(each.key, each.key.name)
    ledger.learn("c", lambda: Memory((LaneMemory((8, 6), kept("b.jpg").key, kept("b.jpg").key),)))
    ledger.flush()
    new = replace(kept("b.jpg"), key=FileKey("day/b.jpg", 10, 21, 9), result="b.jpg")
    ledger.renew(kept("b.jpg"), new)
    ledger.flush()
    assert ledger.memory_of("c") == Memory((LaneMemory((8, 6), new.key, new.key),))
    assert ledger.kept(new.key) == new


def test_names_of_any_bytes_come_back_as_they_were(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    """A name that is no UTF-8 stands in every column of names, and is known after a restart."""
    odd = replace(kept(NOT_UTF8), reference=NOT_UTF8)
    ledger.intend(odd)
    ledger.finish(odd.key, NOT_UTF8)
    ledger.flush()
    again = reopen()
    assert again.knows(odd.key)
    assert again.kept(odd.key) == replace(odd, result=NOT_UTF8)


@pytest.mark.parametrize("number", [0, -1, -(2**63), 2**63 - 1])
def test_times_at_the_edge_of_what_a_file_may_have_are_kept_exactly(ledger: Ledger, number: int) -> None:
    """A modification time before 1970, or at the end of time, is a version like any other."""
    odd = entry("a.jpg", mtime=number)
    ledger.note(odd)
    ledger.flush()
    assert ledger.knows(odd.key)
    assert not ledger.knows(replace(odd.key, mtime_ns=5))


KILLED = """
import os, signal, sys
from pathlib import Path
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason

def entry(name, reason):
    return Entry(FileKey(name, 10, 20), "c", 30, reason, 40, 1)

ledger = Ledger(Path(sys.argv[1]))
ledger.note(entry("flushed.jpg", Reason.UNCHANGED))
ledger.flush()
ledger.note(entry("carried.jpg", Reason.UNCHANGED))
ledger.intend(entry("intended.jpg", Reason.CHANGED))
ledger.finish(FileKey("intended.jpg", 10, 20), "intended.jpg")
ledger.note(entry("lazy.jpg", Reason.UNCHANGED))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_its_intents_and_forgets_only_lazy_rows(
    path: Path, run_python: Callable[..., Any], reopen: Callable[[], Ledger]
) -> None:
    """What was flushed or intended is there after SIGKILL; what was lazy is decided again."""
    assert run_python(KILLED, path).returncode == -signal.SIGKILL
    again = reopen()
    known = {
        name: again.knows(entry(name).key)
        for name in ("flushed.jpg", "carried.jpg", "intended.jpg", "lazy.jpg")
    }
    assert known == {"flushed.jpg": True, "carried.jpg": True, "intended.jpg": True, "lazy.jpg": False}
    assert [left.key.name for left in again.unfinished()] == ["intended.jpg"]
    again.note(entry("lazy.jpg"))
    again.flush()
    assert rows(path, "count(*)") == [(4,)]


def trace(ledger: Ledger, seen: list[str]) -> None:
    with ledger._database.lend() as db:
        db.set_trace_callback(seen.append)


def synchronous(ledger: Ledger) -> int:
    with ledger._database.lend() as db:
        (level,) = db.execute("PRAGMA synchronous").fetchone()
    return int(level)


def test_intents_are_synced_and_lazy_rows_are_not(ledger: Ledger) -> None:
    """An intent commits with synchronous=FULL, a flush with NORMAL, set before the transaction begins."""
    seen: list[str] = []
    trace(ledger, seen)
    ledger.intend(kept("a.jpg"))
    assert synchronous(ledger) == FULL
    assert seen.index("PRAGMA synchronous = FULL") < seen.index("BEGIN IMMEDIATE") < seen.index("COMMIT")
    seen.clear()
    ledger.note(entry("b.jpg"))
    ledger.flush()
    assert synchronous(ledger) == NORMAL
    assert seen.index("PRAGMA synchronous = NORMAL") < seen.index("BEGIN IMMEDIATE") < seen.index("COMMIT")
    ledger.intend(kept("c.jpg"))
    assert synchronous(ledger) == FULL


def test_a_flush_of_nothing_writes_nothing(ledger: Ledger) -> None:
    """An idle night does not wear out the memory card."""
    seen: list[str] = []
    trace(ledger, seen)
    ledger.flush()
    assert seen == []


def survives_failure(ledger: Ledger, fail: Callable[[], Any], path: Path) -> None:
    """Let a flush and an intent fail, then succeed; nothing may be lost or stand twice."""
    memory = Memory((LaneMemory((8, 6), kept("b.jpg").key, entry("a.jpg").key, b"learnt" * 200_000),))
    ledger.note(entry("a.jpg"))
    ledger.learn("c", lambda: memory)
    with fail():
        with pytest.raises(SinkError, match=r"^cannot use the ledger "):
            ledger.flush()
        assert ledger.has_pending
        with pytest.raises(SinkError, match=r"^cannot use the ledger "):
            ledger.intend(kept("b.jpg"))
        assert not ledger.knows(kept("b.jpg").key)
        ledger.note(entry("c.jpg"))
    ledger.flush()
    ledger.learn("c", lambda: memory)
    ledger.intend(kept("b.jpg"))
    assert rows(path, "name") == [(b"a.jpg",), (b"c.jpg",), (b"b.jpg",)]
    assert ledger.memory_of("c") == memory
    assert not ledger.has_pending


def test_pending_rows_survive_a_disk_that_fills_up(
    ledger: Ledger, path: Path, largest_file: Callable[[int], Any]
) -> None:
    """When the kernel refuses to let the file grow, what was pending is written by the next flush."""
    survives_failure(ledger, lambda: largest_file(200_000), path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for another program to let go of the file, but not for long."""
    monkeypatch.setattr(database, "LOCKED_S", 0.02)


@pytest.mark.usefixtures("impatient")
def test_pending_rows_survive_a_locked_file(path: Path) -> None:
    """When another program holds the ledger, what was pending is written after it let go."""
    ledger = Ledger(path)

    class Locked:
        def __enter__(self) -> None:
            self.db = sqlite3.connect(path, isolation_level=None)
            self.db.execute("BEGIN EXCLUSIVE")

        def __exit__(self, *_: object) -> None:
            self.db.close()

    survives_failure(ledger, Locked, path)
    ledger.close()


def test_pending_rows_survive_a_full_file_system(small_disk: Path) -> None:
    """On a disk that is really full the ledger says so, and writes when somebody made room."""
    path = small_disk / "ledger.sqlite3"
    ledger = Ledger(path)
    (small_disk / "theirs").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    for number in range(80):
        ledger.note(replace(entry(f"{number}.jpg"), detail="x" * 1000))
    with pytest.raises(SinkError, match="cannot use the ledger"):
        ledger.flush()
    (small_disk / "theirs").unlink()
    ledger.flush()
    assert rows(path, "count(*)") == [(80,)]
    ledger.close()


def test_questions_about_keys_need_no_room_on_the_disk(small_disk: Path) -> None:
    """On a full disk the ledger still says which of many files are new: the question writes nothing."""
    ledger = Ledger(small_disk / "ledger.sqlite3")
    ledger.note(entry("0.jpg"))
    ledger.flush()
    (small_disk / "theirs").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    keys = [entry(f"{number}.jpg").key for number in range(4 * MOST_VALUES)]
    assert ledger.unknown(keys) == keys[1:]
    ledger.close()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.mkdir(), id="folder"),
        pytest.param(lambda path: path.symlink_to("/nowhere/at/all"), id="link-into-nowhere"),
    ],
)
def test_a_file_that_cannot_be_opened_is_a_sink_error(path: Path, make: Callable[[Path], Any]) -> None:
    """What cannot be opened is said in one sentence with the file's name."""
    make(path)
    with pytest.raises(SinkError, match=str(path)):
        Ledger(path)


def test_a_missing_folder_is_a_sink_error(tmp_path: Path) -> None:
    """The state folder is not made up: a disk that is not mounted is said to be missing."""
    with pytest.raises(SinkError, match="unable to open database file"):
        Ledger(tmp_path / "gone" / "ledger.sqlite3")
    assert list(tmp_path.iterdir()) == []


def damage(path: Path) -> bytes:
    """Overwrite a part of a ledger, as a failing memory card does; return what is left of it."""
    damaged = bytearray(path.read_bytes())
    damaged[20 * 4096 : 40 * 4096] = b"\xff" * 20 * 4096
    path.write_bytes(damaged)
    return bytes(damaged)


def filled(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(2000):
        ledger.note(entry(f"{number}.jpg"))
    ledger.flush()
    ledger.close()


def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(path: Path) -> None:
    """Damage found at the start is announced and kept for the operator, and no reason not to start."""
    filled(path)
    left = damage(path)
    heard: list[LogEvent] = []
    ledger = Ledger(path, emit=heard.append)
    (event,) = heard
    assert isinstance(event, LogEvent)
    assert (event.event, event.level) == ("ledger.damaged", "error")
    assert "malformed" in event.fields["error"]
    assert Path(event.fields["set_aside"]).read_bytes() == left
    assert Path(event.fields["set_aside"]).parent == path.parent
    assert ledger.counts() == dict.fromkeys(Verdict, 0)
    ledger.intend(kept("a.jpg"))
    assert rows(path, "name") == [(b"a.jpg",)]
    ledger.close()


def test_a_file_that_is_no_ledger_is_set_aside_too(path: Path) -> None:
    """Whatever stands at the ledger's name is kept under another one, with its log beside it."""
    path.write_bytes(b"no database " * 100)
    heard: list[LogEvent] = []
    ledger = Ledger(path, emit=heard.append)
    ledger.intend(kept("a.jpg"))
    (event,) = heard
    assert isinstance(event, LogEvent)
    assert Path(event.fields["set_aside"]).read_bytes() == b"no database " * 100
    ledger.close()


def test_damage_met_on_the_way_pauses_once_and_loses_no_pending_row(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage that shows in the middle of a run is one SinkError; the next try writes to a new ledger."""
    monkeypatch.setattr(ledger_module, "ROWS_READ_AT_START", 5)  # so that the start does not read it all
    filled(path)
    damage(path)
    heard: list[LogEvent] = []
    ledger = Ledger(path, emit=heard.append)
    ledger.note(entry("new.jpg"))
    assert not heard
    with pytest.raises(SinkError, match="malformed"):
        ledger.presence.after(0, 2000)
    assert [event.event for event in heard] == ["ledger.damaged"]
    ledger.intend(kept("b.jpg"))
    assert rows(path, "name") == [(b"new.jpg",), (b"b.jpg",)]
    assert not ledger.knows(entry("1999.jpg").key), "what only the damaged file knew is judged again"
    ledger.close()


@pytest.mark.usefixtures("impatient")
def test_a_ledger_that_is_only_locked_is_not_set_aside(path: Path) -> None:
    """What passes by itself is no damage: the file stays where it is."""
    Ledger(path).close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SinkError, match="locked"):
        Ledger(path)
    db.close()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


READ_ONLY = """
import os, sys
from pathlib import Path
from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.keep.ledger import Ledger

if not os.geteuid():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    Ledger(Path(sys.argv[1])).close()
except SinkError as error:
    print(error)
"""


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own may be entered by us alone."""
    folder = Path(tempfile.mkdtemp(prefix="framegate-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_ledger_that_may_not_be_written_is_a_sink_error(
    public_folder: Path, run_python: Callable[..., Any]
) -> None:
    """A state folder of another user is said in one sentence, at once."""
    path = public_folder / "ledger.sqlite3"
    Ledger(path).close()
    path.chmod(0o444)
    public_folder.chmod(0o555)
    said = run_python(READ_ONLY, path)
    assert said.returncode == 0, said.stderr.decode()
    assert said.stdout.decode().startswith(f"cannot use the ledger {path}: ")


def test_a_ledger_of_a_newer_framegate_is_left_alone(ledger: Ledger, path: Path) -> None:
    """After a downgrade the file is refused, with the reason, and not changed."""
    ledger.close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(
        SinkError, match=f"was written by a newer framegate \\(schema {SCHEMA_VERSION + 1}\\)"
    ):
        Ledger(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    db.close()


def test_a_crash_while_the_schema_is_made_leaves_an_empty_file_that_opens(path: Path) -> None:
    """An empty file, as a power cut may leave it, becomes a ledger."""
    path.touch()
    ledger = Ledger(path)
    assert ledger.counts() == dict.fromkeys(Verdict, 0)
    ledger.close()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE frame SET verdict = 'perhaps'", id="unknown-verdict"),
        pytest.param("UPDATE frame SET size_bytes = 'large'", id="text-for-a-number"),
        pytest.param("UPDATE frame SET name = 'text'", id="text-for-bytes"),
        pytest.param("UPDATE frame SET camera = NULL", id="no-camera"),
        pytest.param("INSERT INTO frame SELECT NULL, * FROM (SELECT name, size_bytes, mtime_ns, ctime_ns,"
                     " camera, captured_at_ns, NULL, verdict, reason, detail, score, threshold, reference,"
                     " config_revision, decided_at_ns, sha256, result, NULL, NULL, unit, zone, late, planned,"
                     " archived FROM frame)",
                     id="a-version-twice"),
    ],
)  # fmt: skip
def test_the_file_itself_refuses_what_makes_no_sense(ledger: Ledger, path: Path, change: str) -> None:
    """Whoever writes to the file, the schema keeps types, verdicts and one row a version."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(change)
    db.close()


@pytest.mark.usefixtures("impatient")
def test_reading_the_ledger_does_not_hinder_its_writer(ledger: Ledger, path: Path) -> None:
    """An operator with the sqlite3 shell open does not stop the daemon."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM frame").fetchone() == (1,)
    ledger.intend(kept("b.jpg"))
    assert reader.execute("SELECT count(*) FROM frame").fetchone() == (1,)
    reader.close()
    assert rows(path, "count(*)") == [(2,)]


def test_a_commit_that_failed_and_came_true_may_be_repeated(ledger: Ledger, path: Path) -> None:
    """After a failed fsync nobody knows what reached the disk: what is written again stands there once."""
    first = entry("a.jpg", Reason.UNCHANGED)
    came_true = Ledger(path)
    came_true.note(first)
    came_true.intend(kept("b.jpg"))
    came_true.close()
    ledger.note(replace(first, detail="again"))
    ledger.intend(kept("b.jpg"))
    assert rows(path, "name, detail") == [(b"a.jpg", "again"), (b"b.jpg", "")]


class FailingDisk(Disk):
    """A disk whose one step fails, every time."""

    def __init__(self, step: Step) -> None:
        self.step: Step | None = step

    def reach(self, step: Step | TidyStep) -> None:
        if step is self.step:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


CALL_OF_STEP: dict[Step, Callable[[Ledger], None]] = {
    Step.INTEND: lambda ledger: ledger.intend(kept("b.jpg")),
    Step.FINISH: lambda ledger: ledger.finish(kept("a.jpg").key, "a.jpg"),
    Step.FLUSH: lambda ledger: ledger.flush(),
}


@pytest.mark.parametrize("step", CALL_OF_STEP)
def test_each_step_of_the_ledger_may_fail_and_be_tried_again(path: Path, step: Step) -> None:
    """A step that fails is a SinkError that names the file; nothing of it is remembered until it succeeds."""
    disk = FailingDisk(step)
    ledger = Ledger(path, disk)
    call = CALL_OF_STEP[step]
    if step is not Step.INTEND:
        ledger.intend(kept("a.jpg"))
    ledger.note(entry("c.jpg"))
    before = rows(path, "name, result")
    with pytest.raises(SinkError, match=f"^cannot use the ledger {path}: .*{os.strerror(errno.EIO)}"):
        call(ledger)
    assert rows(path, "name, result") == before
    assert not ledger.knows(kept("b.jpg").key)
    disk.step = None
    call(ledger)
    ledger.flush()
    after = {
        Step.INTEND: [(b"c.jpg", None), (b"b.jpg", None)],
        Step.FINISH: [(b"a.jpg", b"a.jpg"), (b"c.jpg", None)],
    }
    assert rows(path, "name, result") == after.get(step, [(b"a.jpg", None), (b"c.jpg", None)])
    ledger.close()


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_frame_that_vanished_is_not_known(tmp_path: Path, *, is_committed: bool) -> None:
    """A frame that vanished is judged when it comes back, before the next commit as after it."""
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    key = FileKey("a.jpg", 1, 2)
    ledger.note(Entry(key, "cam", 3, Reason.VANISHED, 4, 1, "gone \udcff"))
    if is_committed:
        ledger.flush()
    assert not ledger.knows(key)
    assert ledger.unknown([key]) == [key]
    ledger.close()
