import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from framegate.config.load import load
from framegate.errors import SinkError
from framegate.keep.history.view import ROWS_AT_ONCE, History
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason
from oracle import DETECTION, shot, upload
from running import Site
from stepping import Stepped
from troubles import powerless

MANY = 2 * ROWS_AT_ONCE + 5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], Ledger]]:
    """Opens the ledger to write it, as a daemon does; what a test leaves open is closed at its end."""
    ledgers: list[Ledger] = []

    def open_it() -> Ledger:
        ledgers.append(Ledger(path))
        return ledgers[-1]

    yield open_it
    for ledger in ledgers:
        ledger.close()


def entry(name: str, reason: Reason = Reason.UNCHANGED, camera: str = "c", decided_at_ns: int = 7) -> Entry:
    return Entry(FileKey(name, 1, 2, 3), camera, 0, reason, decided_at_ns, 1, sha256=b"x")


def note(ledger: Ledger, *names: str) -> None:
    for name in names:
        ledger.note(entry(name))
    ledger.flush()


def filled(ledger: Ledger, count: int = MANY) -> list[str]:
    names = [f"{number}.jpg" for number in range(count)]
    note(ledger, *names)
    return names


def names_in(history: History, after_id: int = 0) -> list[str]:
    return [row.entry.key.name for row in history.frames(after_id)]


def test_all_that_was_decided_is_there_in_order(path: Path, opened: Callable[[], Ledger]) -> None:
    """Each row comes with its entry, result, marks and number; reading can begin after any row."""
    ledger = opened()
    first, second = replace(entry("1.jpg", Reason.FIRST), score=2.5), entry("2.jpg")
    ledger.intend(first)
    ledger.finish(first.key, "r.jpg")
    note(ledger, "2.jpg")
    ledger.presence.mark(inputs={1: 55}, results={1: 66})
    with History(path) as history:
        rows = list(history.frames())
        assert [row.entry for row in rows] == [replace(first, result="r.jpg"), second]
        assert [(row.id, row.input_gone_ns, row.result_gone_ns) for row in rows] == [
            (1, 55, 66),
            (2, None, None),
        ]
        assert names_in(history, after_id=1) == ["2.jpg"]


def test_a_decision_is_found_by_any_name_of_the_file(path: Path, opened: Callable[[], Ledger]) -> None:
    """By the name of its input or of its result, UTF-8 or not; so is what it was compared with."""
    ledger = opened()
    odd = os.fsdecode(b"\xff.jpg")
    kept = entry(odd, Reason.FIRST)
    ledger.intend(kept)
    ledger.finish(kept.key, "kept.jpg")
    other = replace(entry("4.jpg"), camera="other", reference=odd)
    for each in (replace(entry("2.jpg"), reference=odd, decided_at_ns=9), entry("3.jpg"), other):
        ledger.note(each)
    ledger.flush()
    with History(path) as history:
        assert [row.entry.key.name for row in history.frames(camera="c", last_id=2)] == [odd, "2.jpg"]
        for name in (odd, "kept.jpg"):
            found = history.last_named({name, "nosuch"}, {name})
            assert found is not None
            assert found.entry == replace(kept, result="kept.jpg")
        assert history.last_named({"nosuch"}, set()) is None
        assert history.last_named({"kept.jpg"}, {odd}) is None
        second, *_ = history.frames(1, camera="c")
        assert history.reference_of(second) == replace(kept, result="kept.jpg")
        (of_other,) = history.frames(camera="other")
        assert history.reference_of(of_other) is None


def test_a_name_without_its_folder_is_found_below(path: Path, opened: Callable[[], Ledger]) -> None:
    """Each file of that name once, whole names alone, also where it is not UTF-8."""
    odd = os.fsdecode(b"\xff.jpg")
    note(opened(), "a/1.jpg", "b/c/1.jpg", "b/11.jpg", "1.jpg", f"a/{odd}")
    with History(path) as history:
        assert history.names_below("1.jpg") == ["a/1.jpg", "b/c/1.jpg"]
        assert history.names_below(odd) == [f"a/{odd}"]
        assert history.names_below("2.jpg") == []


def test_a_reference_is_the_kept_version_of_a_name_that_others_have_had_since(
    path: Path, opened: Callable[[], Ledger]
) -> None:
    """A camera that overwrites one file is compared with what was kept of it, not with what came before."""
    ledger, kept = opened(), entry("latest.jpg", Reason.FIRST)
    ledger.intend(kept)
    for number in (12, 13):
        later = entry("latest.jpg")
        ledger.note(replace(later, key=replace(later.key, mtime_ns=number), reference="latest.jpg"))
    ledger.flush()
    with History(path) as history:
        last = [*history.frames()][-1]
        assert history.reference_of(last) == kept


def test_a_daemon_that_runs_is_not_hindered_and_its_rows_are_seen(
    path: Path, opened: Callable[[], Ledger]
) -> None:
    """In the middle of reading it shortens its log as ever, and what it adds comes at the end."""
    ledger = opened()
    names = filled(ledger)
    with History(path) as history:
        rows = history.frames()
        begun = [next(rows).entry.key.name]
        note(ledger, "later.jpg")
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        assert begun + [row.entry.key.name for row in rows] == [*names, "later.jpg"]


def test_where_no_daemon_runs_nothing_is_written(path: Path, opened: Callable[[], Ledger]) -> None:
    """No file comes to stand beside the ledger: it would belong to the reader, and lock the daemon out."""
    ledger = opened()
    names = filled(ledger, 3)
    ledger.close()
    before = path.read_bytes(), os.listdir(path.parent)
    os.chmod(path.parent, 0o555)
    try:
        with powerless(), History(path) as history:
            assert names_in(history) == names
    finally:
        os.chmod(path.parent, 0o755)
    assert (path.read_bytes(), os.listdir(path.parent)) == before


def test_what_a_crash_left_in_the_log_is_seen(
    path: Path, tmp_path: Path, opened: Callable[[], Ledger]
) -> None:
    """Without the log the last rows would be missing, and nobody would know."""
    ledger = opened()
    names = filled(ledger, 3)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{path}{ending}", crashed)
    with History(crashed / path.name) as history:
        assert names_in(history) == names


@pytest.mark.parametrize("ends", [False, True], ids=["runs on", "ends again"])
def test_a_daemon_that_starts_meanwhile_spoils_nothing(
    path: Path, opened: Callable[[], Ledger], ends: bool
) -> None:
    """A file that was opened as one that nobody writes is opened again: every row comes once."""
    ledger = opened()
    names = filled(ledger)
    ledger.close()
    with History(path) as history:
        rows = history.frames()
        begun = [next(rows).entry.key.name]
        later = opened()
        later.presence.mark(results=dict.fromkeys(range(1, MANY + 1), 5))  # writes to every page
        note(later, "later.jpg")
        if ends:
            later.close()
        rest = list(rows)
        assert begun + [row.entry.key.name for row in rest] == [*names, "later.jpg"]
        assert {row.result_gone_ns for row in rest[ROWS_AT_ONCE:-1]} == {5}


def test_a_daemon_that_ends_meanwhile_spoils_nothing(path: Path, opened: Callable[[], Ledger]) -> None:
    """The log is read to its end, also when its writer has gone."""
    ledger = opened()
    names = filled(ledger)
    with History(path) as history:
        rows = history.frames()
        begun = [next(rows).entry.key.name]
        ledger.close()
        assert begun + [row.entry.key.name for row in rows] == names
    again = opened()
    note(again, "later.jpg")
    again.close()
    with History(path) as history:
        assert names_in(history) == [*names, "later.jpg"]


@pytest.mark.parametrize("is_damaged", [False, True], ids=["missing", "damaged"])
def test_a_ledger_that_cannot_be_read_is_an_error(path: Path, is_damaged: bool) -> None:
    """The words name the file, and nothing is made, nor moved out of the way."""
    if is_damaged:
        path.write_bytes(b"not a ledger" * 1000)
    before = os.listdir(path.parent)
    with pytest.raises(SinkError, match=str(path)), History(path) as history:
        names_in(history)
    assert os.listdir(path.parent) == before


def prune(ledger: Ledger, *ids: int) -> None:
    ledger.presence.prune([row for row in ledger.presence.after(0, 99) if row.id in ids])


def test_a_camera_whose_rows_are_all_there_is_whole(path: Path, opened: Callable[[], Ledger]) -> None:
    """It is whole since its first decision until one of its frames is forgotten, not one of another's."""
    ledger = opened()
    for number, camera in enumerate("aabbaa", 1):
        reason = Reason.FIRST if number in {1, 3} else Reason.UNCHANGED
        ledger.note(entry(f"{number}.jpg", reason, camera, decided_at_ns=number))
    ledger.flush()
    with History(path) as history:
        assert history.pruned() == {}
        assert [history.whole_since_ns(camera) for camera in "abx"] == [1, 3, None]
        prune(ledger, 2)
        prune(ledger, 5)
        prune(ledger, 1)
        assert history.pruned() == {"a": 5}
        assert [history.whole_since_ns(camera) for camera in "ab"] == [None, 3]


@pytest.mark.parametrize(
    ("reason", "is_whole"), [(Reason.TRUNCATED, True), (Reason.VANISHED, True), (Reason.TORN, False)]
)
def test_a_rejected_frame_may_be_missing_unless_it_counts(
    path: Path, opened: Callable[[], Ledger], reason: Reason, is_whole: bool
) -> None:
    """No later frame depends on what was not even decoded; torn frames are counted by the judge."""
    ledger = opened()
    for each in (
        entry("0.jpg", reason),
        entry("1.jpg", Reason.FIRST),
        entry("2.jpg", reason),
        entry("3.jpg"),
    ):
        ledger.note(each)
    ledger.flush()
    prune(ledger, 3)
    with History(path) as history:
        expected = 7 if is_whole else None
        assert history.whole_since_ns("c") == expected


def test_a_ledger_that_began_under_a_running_daemon_is_not_whole(site: Site) -> None:
    """The cameras go on from what they know, and the new file has only what came after."""
    site.configure(drop='watch = "poll"\nsettle_s = 0.5', detection=DETECTION)
    daemon, path = Stepped(site), site.state / "ledger.sqlite3"
    upload(shot(1, 0), site.drop)
    daemon.start()
    daemon.go(9)
    with History(path) as history:
        (first,) = history.frames()
        assert history.whole_since_ns("default") == first.entry.decided_at_ns
        assert history.revisions()[1].settings() == load(site.config).settings
    for ending in ("", "-wal", "-shm"):
        os.unlink(f"{path}{ending}")
    daemon.go(30)  # the frames that are there are recognised by their results, or judged again
    upload(shot(2, 0), site.drop)
    daemon.go(9)
    daemon.stop()
    with History(path) as history:
        assert len(list(history.frames())) > 0
        assert history.whole_since_ns("default") is None


def test_masks_are_there(path: Path, opened: Callable[[], Ledger]) -> None:
    """By its digest a mask file is found, if it was small enough to be kept."""
    with closing(opened()) as ledger, ledger._database.transaction("FULL") as db:
        db.execute("INSERT INTO mask VALUES (x'0a', x'beef')")
    with History(path) as history:
        assert (history.mask_file("0a"), history.mask_file("0b")) == (b"\xbe\xef", None)
