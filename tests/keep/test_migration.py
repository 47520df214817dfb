import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framegate.errors import SinkError
from framegate.keep import schema, totals
from framegate.keep.database import Database
from framegate.keep.history.view import History
from framegate.keep.ledger import Ledger
from framegate.keep.memories import LaneMemory, Memory
from framegate.model import FileKey, Reason, Verdict

SCHEMA_1 = """
CREATE TABLE frame (
    id INTEGER PRIMARY KEY, name BLOB NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    camera TEXT NOT NULL, captured_at_ns INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'dropped', 'rejected')),
    reason TEXT NOT NULL, detail TEXT NOT NULL, score_percent REAL, threshold_percent REAL, reference BLOB,
    config_revision INTEGER NOT NULL, decided_at_ns INTEGER NOT NULL, sha256 BLOB, result BLOB,
    UNIQUE (name, size_bytes, mtime_ns)
) STRICT;
CREATE INDEX kept ON frame (camera, id) WHERE verdict = 'kept';
CREATE INDEX intended ON frame (id) WHERE verdict = 'kept' AND result IS NULL;
CREATE TABLE camera (
    camera TEXT PRIMARY KEY, previous_name BLOB, previous_size_bytes INTEGER, previous_mtime_ns INTEGER,
    noise BLOB
) STRICT;
PRAGMA user_version = 1;
"""
"""As the first version made it."""

OLD_COLUMNS = (
    "id, name, size_bytes, mtime_ns, camera, captured_at_ns, verdict, reason, detail, score_percent,"
    " threshold_percent, reference, decided_at_ns, sha256, result"
)
NOW_NAMED = OLD_COLUMNS.replace("_percent", "")
FRAMES = [
    (b"1.jpg", "a", "kept", "first", b"1.jpg"),
    (b"2.jpg", "a", "dropped", "unchanged", None),
    (b"3.jpg", "b", "kept", "first", b"3.jpg"),
    (b"4.jpg", "a", "dropped", "unchanged", None),
    (b"5.jpg", "b", "rejected", "truncated", None),
    (b"6.jpg", "b", "kept", "changed", None),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger that the first version wrote, with an intent at its end."""
    path = tmp_path / "ledger.sqlite3"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA_1)
    db.executemany(
        "INSERT INTO frame VALUES (NULL, ?, 10, 20, ?, 30, ?, ?, '', 1.5, 0.2, NULL, 1, 40, x'00', ?)", FRAMES
    )
    db.execute("INSERT INTO camera VALUES ('a', ?, 10, 20, x'beef')", (b"4.jpg",))
    db.commit()
    db.close()
    return path


def queried(path: Path, query: str) -> list[Any]:
    db = sqlite3.connect(path)
    found = db.execute(query).fetchall()
    db.close()
    return found


def test_what_the_first_version_wrote_is_all_there(path: Path) -> None:
    """After the migration every row, intent and reference is as it was; scores are in percent."""
    before = queried(path, f"SELECT {OLD_COLUMNS} FROM frame")
    ledger = Ledger(path)
    assert [entry.key.name for entry in ledger.unfinished()] == ["6.jpg"]
    (lane,) = ledger.memory_of("a").lanes
    assert lane == LaneMemory((0, 0), FileKey("1.jpg", 10, 20), FileKey("4.jpg", 10, 20))
    last = ledger.kept(lane.reference)
    assert last is not None
    assert (last.score, last.threshold, last.unit) == (1.5, 0.2, "%")
    assert ledger.knows(FileKey("4.jpg", 10, 20))
    ledger.close()
    assert queried(path, f"SELECT {NOW_NAMED} FROM frame") == before
    assert queried(path, "SELECT DISTINCT input_gone_ns, result_gone_ns FROM frame") == [(None, None)]
    assert queried(path, "SELECT DISTINCT config_revision FROM frame") == [(0,)]
    assert queried(path, "PRAGMA user_version") == [(schema.SCHEMA_VERSION,)]


def test_an_old_ledger_gets_every_column_of_a_new_one(path: Path, tmp_path: Path) -> None:
    """After the migration each table has the columns that a new ledger has, of the same types."""
    Ledger(path).close()
    Ledger(tmp_path / "new.sqlite3").close()
    columns = (
        "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table' ORDER BY t.name, c.name"
    )
    assert queried(path, columns) == queried(tmp_path / "new.sqlite3", columns)


def test_what_the_first_version_decided_is_counted(path: Path) -> None:
    """The totals begin with the rows that are there, and go on from them."""
    ledger = Ledger(path)
    assert ledger.totals() == {
        ("a", Reason.FIRST): 1,
        ("a", Reason.UNCHANGED): 2,
        ("b", Reason.FIRST): 1,
        ("b", Reason.TRUNCATED): 1,
        ("b", Reason.CHANGED): 1,
    }
    ledger.abandon(FileKey("6.jpg", 10, 20), Reason.VANISHED, "gone")
    ledger.flush()
    assert ledger.counts() == {Verdict.KEPT: 2, Verdict.DROPPED: 2, Verdict.REJECTED: 2}
    ledger.close()


@pytest.mark.parametrize("version", ["path", "second", "third"])
def test_an_old_file_becomes_like_a_new_one(
    version: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Columns, indexes and triggers do not tell which version made the file."""
    path, new = request.getfixturevalue(version), tmp_path / "new.sqlite3"
    for each in (path, new):
        Ledger(each).close()
    for query in (
        "SELECT type, name, tbl_name FROM sqlite_schema WHERE name <> 'frame' ORDER BY name",
        "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') ORDER BY name",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('frame')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('camera')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('lane')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('total')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('config')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('pruned')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('checkpoint')",
    ):
        assert queried(path, query) == queried(new, query)


def laid_down(path: Path, dump: str) -> Path:
    """Return a ledger made from a dump: one row pruned, an intent at its end, two cameras counted by name."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(Path(__file__).with_name(dump).read_text("utf-8"))
    db.close()
    return path


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return laid_down(tmp_path / "second.sqlite3", "schema_2.sql")


@pytest.fixture
def third(tmp_path: Path) -> Path:
    return laid_down(tmp_path / "third.sqlite3", "schema_3.sql")


TOTALS_OF_BOTH = {
    ("a", Reason.FIRST): 1,
    ("a", Reason.UNCHANGED): 2,
    ("b", Reason.FIRST): 1,
    ("b", Reason.CHANGED): 1,
    ("*", Reason.TRUNCATED): 1,
}


OLD = (
    "SELECT id, name, camera, reason, detail, score{0}, threshold{0}, reference, result, input_gone_ns,"
    " result_gone_ns FROM frame"
)


@pytest.mark.parametrize("version", ["second", "third"])
def test_what_later_versions_wrote_is_all_there(version: str, request: pytest.FixtureRequest) -> None:
    """After the migration every row, mark, total, intent, reference and storm is as it was."""
    path = request.getfixturevalue(version)
    before = [
        queried(path, OLD.format("_percent")),
        queried(path, "SELECT camera, reason, frames FROM total"),
    ]
    ledger = Ledger(path)
    assert ledger.totals() == TOTALS_OF_BOTH
    assert [entry.key.name for entry in ledger.unfinished()] == ["5.jpg"]
    memory = ledger.memory_of("a")
    assert (memory.storm, [lane.previous for lane in memory.lanes]) == ((3, 500), [FileKey("2.jpg", 10, 20)])
    ledger.close()
    assert [
        queried(path, OLD.format("")),
        queried(path, "SELECT camera, reason, frames FROM total"),
    ] == before
    assert queried(path, "PRAGMA user_version") == [(schema.SCHEMA_VERSION,)]


@pytest.mark.parametrize(
    ("version", "pruned"), [("path", {}), ("second", {"a": 3, "c": 5}), ("third", {"a": 2, "c": 5})]
)
def test_where_rows_are_missing_is_known(
    version: str, pruned: dict[str, int], request: pytest.FixtureRequest
) -> None:
    """The totals count what was pruned before that was recorded: such a camera's past counts as cut off."""
    path = request.getfixturevalue(version)
    Ledger(path).close()
    with History(path) as history:
        assert history.pruned() == pruned


def test_old_scores_are_percents_and_old_noise_maps_are_forgotten(third: Path) -> None:
    """A score without a unit was in percent; what an earlier detector learnt means nothing to this one."""
    Ledger(third).close()
    assert queried(third, "SELECT DISTINCT score IS NULL, unit, zone FROM frame ORDER BY 1") == [
        (0, "%", None),
        (1, None, None),
    ]
    assert queried(third, "SELECT DISTINCT learnt, previous_sha256 FROM lane") == [(None, None)]


def test_what_the_fourth_version_learnt_carries_over(third: Path) -> None:
    """Its cameras had one reference and knew no sizes: all of it becomes that of a size not known yet."""
    database = Database(third, schema.SCHEMA, 4, lambda _event: None, migrations=schema.MIGRATIONS)
    with database.lend() as db:
        db.execute("UPDATE camera SET learnt = x'beef', previous_sha256 = x'01' WHERE camera = 'a'")
    database.close()
    reference = queried(third, "SELECT max(id) FROM frame WHERE camera = 'a' AND verdict = 'kept'")
    ledger = Ledger(third)
    memory = ledger.memory_of("a")
    assert memory == Memory(
        (LaneMemory((0, 0), FileKey("1.jpg", 10, 20), FileKey("2.jpg", 10, 20), b"\xbe\xef", b"\x01"),),
        (3, 500),
    )
    ledger.close()
    assert queried(third, "SELECT reference FROM lane WHERE camera = 'a'") == reference


@pytest.mark.parametrize("version", ["second", "third"])
def test_the_totals_of_later_versions_go_on(
    version: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames decided again, given up, new or of cameras beyond the bound change what had been counted."""
    monkeypatch.setattr(totals, "MOST_COUNTED_CAMERAS", 2)
    ledger = Ledger(request.getfixturevalue(version))
    again = ledger.presence.after(0, 9)[1].entry
    ledger.note(replace(again, reason=Reason.EMPTY))
    ledger.note(replace(again, key=FileKey("6.jpg", 10, 20)))
    ledger.note(replace(again, key=FileKey("4.jpg", 10, 20), camera="c", reason=Reason.EMPTY))
    ledger.abandon(FileKey("5.jpg", 10, 20), Reason.VANISHED, "gone")
    ledger.flush()
    assert ledger.totals() == {
        ("a", Reason.FIRST): 1,
        ("a", Reason.UNCHANGED): 2,
        ("a", Reason.EMPTY): 1,
        ("b", Reason.FIRST): 1,
        ("b", Reason.VANISHED): 1,
        ("*", Reason.EMPTY): 1,
    }
    ledger.close()


def test_many_cameras_of_old_are_counted_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras beyond the first so many fold into one, also when they came before the totals."""
    few = schema.MIGRATIONS[1].replace(f"LIMIT {schema.MOST_COUNTED_CAMERAS}", "LIMIT 1")
    monkeypatch.setitem(schema.MIGRATIONS, 1, few)
    ledger = Ledger(path)
    assert {camera: frames for (camera, _), frames in ledger.totals().items() if camera != "a"} == {"*": 1}
    assert sum(ledger.totals().values()) == len(FRAMES)
    ledger.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    """Half a migration is none: the next start finds the version before, and tries again."""
    before = queried(path, "SELECT sql FROM sqlite_schema")
    broken = {1: schema.MIGRATIONS[1] + "SELECT no_such_function();"}
    database = Database(path, schema.SCHEMA, 2, lambda _event: None, migrations=broken)
    with pytest.raises(SinkError, match="no_such_function"), database.lend():
        pass
    assert queried(path, "SELECT sql FROM sqlite_schema") == before
    assert queried(path, "PRAGMA user_version") == [(1,)]
    Ledger(path).close()
    assert queried(path, "PRAGMA user_version") == [(schema.SCHEMA_VERSION,)]


def test_who_only_looks_migrates_nothing(path: Path) -> None:
    """A ledger of the version before is not changed by a look, and the words say what to do."""
    before = path.read_bytes()
    with pytest.raises(SinkError, match=f"has schema 1, not {schema.SCHEMA_VERSION}: start the daemon once"):
        Ledger(path, is_read_only=True)
    assert path.read_bytes() == before


def test_migrations_are_made_one_after_the_other(tmp_path: Path) -> None:
    """A file that is two versions old goes through both steps."""
    path = tmp_path / "some.sqlite3"
    database = Database(path, "CREATE TABLE t (a);", 1, lambda _event: None)
    with database.lend():
        pass
    database.close()
    steps = {1: "ALTER TABLE t ADD COLUMN b;", 2: "ALTER TABLE t ADD COLUMN c;"}
    database = Database(path, "CREATE TABLE t (a, b, c);", 3, lambda _event: None, migrations=steps)
    with database.lend() as db:
        assert [name for _, name, *_ in db.execute("PRAGMA table_info(t)")] == ["a", "b", "c"]
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
    database.close()
