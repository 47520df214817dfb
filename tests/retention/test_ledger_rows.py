import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.keep.history.revisions import Snapshot
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason
from framegate.retention.ledger_rows import GRACE_NS, LONGEST_S, MOST_A_TURN, PAUSE_S, ROUND_S, LedgerPruner
from framegate.retention.wall_clock import WallClock
from running import Site

NOW_NS = 1_800_000_000 * 10**9
HOUR_NS = 3600 * 10**9


@dataclass
class World:
    """A ledger over real folders, with clocks that the test moves."""

    site: Site
    ledger: Ledger
    now_s: float = 1000.0
    wall_ns: int = NOW_NS
    is_absent: bool = False
    look_takes_s: float = 0.0
    events: list[LogEvent] = field(default_factory=list)

    def begin(self) -> None:
        clock = WallClock(lambda: self.wall_ns, self.ledger.presence.newest_decision_ns, self.events.append)
        settings = load(self.site.config).settings
        self.pruning = LedgerPruner(
            settings,
            self.ledger,
            self.events.append,
            clock=self.clock_s,
            wall_clock=clock,
            is_absent=lambda: self.is_absent,
        )

    def clock_s(self) -> float:
        self.now_s += self.look_takes_s
        return self.now_s

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_ns += int(seconds * 1e9)

    def go_round(self) -> None:
        """Let a whole round be done."""
        self.pass_time(max(0.0, self.pruning.deadline_s() - self.now_s))
        for _ in range(50):
            self.pruning.run_due(self.now_s)
            if self.pruning.deadline_s() - self.now_s > PAUSE_S:
                return
            self.pass_time(PAUSE_S)
        raise AssertionError("the round has no end")

    def judge(
        self,
        name: str,
        reason: Reason = Reason.UNCHANGED,
        *,
        decided_h: float = 0,
        camera: str = "c",
        is_there: bool = False,
        result: bool = False,
    ) -> Entry:
        """Write a row, and the files that it is about."""
        key = FileKey(name, 4, NOW_NS)
        entry = Entry(key, camera, 0, reason, self.wall_ns + int(decided_h * HOUR_NS), 1, sha256=b"x")
        if reason.is_kept:
            self.ledger.intend(entry)
            self.ledger.finish(key, name)
        else:
            self.ledger.note(entry)
        self.ledger.flush()
        for folder, is_in in ((self.site.drop, is_there), (self.site.results, result)):
            if is_in:
                put(folder / name)
        return entry

    def names(self) -> list[str]:
        return [row.entry.key.name for row in self.ledger.presence.after(0, 10_000)]


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"data")
    os.utime(path, ns=(NOW_NS, NOW_NS))


@pytest.fixture
def world(site: Site) -> Iterator[World]:
    ledger = Ledger(site.state / "ledger.sqlite3")
    world = World(site, ledger)
    world.begin()
    yield world
    ledger.close()


def after_the_grace(world: World) -> None:
    """Let a round see what is gone, and another, more than a day later, forget it."""
    world.go_round()
    world.pass_time(GRACE_NS / 1e9 + 60)
    world.go_round()


def test_what_has_left_the_folder_is_forgotten_a_day_later(world: World) -> None:
    """A row whose input is gone is forgotten after a day, and one whose input is there never is."""
    world.judge("gone.jpg")
    world.judge("there.jpg", is_there=True)
    world.judge("gate/bad.jpg", Reason.UNDECODABLE)
    world.judge("last.jpg", is_there=True)
    totals = world.ledger.totals()
    world.go_round()
    world.pass_time(GRACE_NS / 1e9 - ROUND_S)
    world.go_round()
    assert world.names() == ["gone.jpg", "there.jpg", "gate/bad.jpg", "last.jpg"]
    world.pass_time(2 * ROUND_S)
    world.go_round()
    assert world.names() == ["there.jpg", "last.jpg"]
    assert world.ledger.totals() == totals
    assert not world.ledger.knows(FileKey("gone.jpg", 4, NOW_NS))
    assert world.ledger.knows(FileKey("there.jpg", 4, NOW_NS))


def test_another_version_at_the_name_is_another_file(world: World) -> None:
    """The row of a version that was overwritten goes; the row of the one that is there stays."""
    world.judge("a.jpg", is_there=True)
    world.judge("b.jpg", is_there=True)
    (world.site.drop / "a.jpg").write_bytes(b"another")
    after_the_grace(world)
    assert world.names() == ["b.jpg"]


def test_a_kept_frame_is_forgotten_when_both_its_files_are_gone(world: World) -> None:
    """As long as its input or its result stands, a kept frame has its row."""
    for number, (is_there, result) in enumerate([(False, False), (True, False), (False, True), (True, True)]):
        world.judge(f"{number}.jpg", Reason.CHANGED, is_there=is_there, result=result)
    world.judge("last.jpg", Reason.CHANGED, decided_h=5, is_there=True, result=True)
    world.go_round()
    after_the_grace(world)
    assert world.names() == ["1.jpg", "2.jpg", "3.jpg", "last.jpg"]


def test_a_kept_frame_has_its_day_after_each_of_its_files(world: World) -> None:
    """The grace begins with the later of the two: a result that was just deleted still has its row."""
    world.judge("a.jpg", Reason.CHANGED, result=True)
    world.judge("last.jpg", Reason.CHANGED, decided_h=5, is_there=True, result=True)
    world.go_round()
    world.pass_time(2 * GRACE_NS / 1e9)
    (world.site.results / "a.jpg").unlink()
    world.ledger.presence.mark(results={1: world.wall_ns})
    world.judge("now.jpg", is_there=True)
    world.pass_time(ROUND_S)
    world.go_round()
    world.go_round()
    assert world.names() == ["a.jpg", "last.jpg", "now.jpg"]
    world.pass_time(GRACE_NS / 1e9)
    world.go_round()
    assert world.names() == ["last.jpg", "now.jpg"]


def test_what_has_no_result_misses_none(world: World) -> None:
    """A dropped frame, and one that is still to be delivered, are not said to have lost a result."""
    world.judge("a.jpg")
    world.judge("b.jpg", Reason.CHANGED, is_there=True, result=True)
    world.ledger.intend(Entry(FileKey("c.jpg", 4, 5), "c", 0, Reason.CHANGED, NOW_NS, 1, sha256=b"x"))
    world.judge("end.jpg", is_there=True)
    world.go_round()
    world.go_round()
    rows = world.ledger.presence.after(0, 9)
    assert [row.input_gone_ns is None for row in rows] == [False, True, False, True]
    assert [row.result_gone_ns for row in rows] == [None] * 4


def test_what_a_camera_rests_on_is_never_forgotten(world: World) -> None:
    """What a camera kept last stays, and in the hour before that, though its clock stands still."""
    world.judge("old.jpg", Reason.CHANGED, decided_h=8.9)
    world.judge("hour.jpg", Reason.CHANGED, decided_h=9.1)
    world.judge("last.jpg", Reason.CHANGED, decided_h=10)
    world.judge("other.jpg", Reason.FIRST, decided_h=20, camera="d", result=True)
    world.judge("end.jpg", is_there=True)
    world.go_round()
    after_the_grace(world)
    assert world.names() == ["hour.jpg", "last.jpg", "other.jpg", "end.jpg"]
    assert len(world.ledger.kept_lately("c", 5)) == 2


def test_an_intent_is_never_forgotten(world: World) -> None:
    """A frame that is to be delivered stays, whatever has become of its files."""
    intent = Entry(FileKey("a.jpg", 4, NOW_NS), "c", 0, Reason.FIRST, NOW_NS, 1, sha256=b"x")
    world.ledger.intend(intent)
    world.judge("end.jpg", is_there=True)
    after_the_grace(world)
    assert world.ledger.unfinished()[0] == intent


def test_the_last_row_stays_so_that_its_number_is_not_given_again(world: World) -> None:
    """Rows are numbered in the order of decisions, also when the last one is of a file that is gone."""
    for name in ("a.jpg", "b.jpg"):
        world.judge(name)
    after_the_grace(world)
    assert world.names() == ["b.jpg"]


@pytest.mark.parametrize("how", ["removed", "absent"])
def test_while_the_drop_folder_is_away_nothing_counts_as_gone(world: World, how: str) -> None:
    """A folder that is not there, or is known to be another, says nothing about what is in it."""
    world.judge("gate/a.jpg", is_there=True)
    world.judge("b.jpg", is_there=True)
    if how == "removed":
        world.site.drop.rename(world.site.home / "away")
    else:
        world.is_absent = True
        (world.site.drop / "b.jpg").unlink()
    world.pass_time(PAUSE_S)
    for _ in range(3):
        world.pruning.run_due(world.now_s)
        world.pass_time(GRACE_NS / 1e9)
    assert world.names() == ["gate/a.jpg", "b.jpg"]
    assert [row.input_gone_ns for row in world.ledger.presence.after(0, 9)] == [None, None]


def test_what_comes_back_within_a_day_is_not_judged_again(world: World) -> None:
    """A disk that was away for a night has left nothing behind: its rows are as before."""
    world.judge("a.jpg", is_there=True)
    world.judge("end.jpg", is_there=True)
    away = world.site.home / "away"
    world.site.drop.rename(away)
    world.site.drop.mkdir()
    world.go_round()
    world.site.drop.rmdir()
    away.rename(world.site.drop)
    world.pass_time(GRACE_NS / 1e9 + 60)
    world.go_round()
    assert world.names() == ["a.jpg", "end.jpg"]
    assert world.ledger.presence.after(0, 1)[0].input_gone_ns is None


def test_results_that_were_on_another_disk_are_ours_again(world: World) -> None:
    """What is missing for some hours is not given up; what comes back after a day is somebody else's."""
    for number in range(2):
        world.judge(f"{number}.jpg", Reason.CHANGED, decided_h=3 * number, is_there=True, result=True)
    away = world.site.home / "away"
    for hours, are_ours in ((20, True), (25, False)):
        world.site.results.rename(away)
        world.site.results.mkdir()
        world.go_round()
        assert None not in [row.result_gone_ns for row in world.ledger.presence.after(0, 9)]
        world.site.results.rmdir()
        away.rename(world.site.results)
        world.pass_time(hours * 3600)
        world.go_round()
        assert [row.result_gone_ns is None for row in world.ledger.presence.after(0, 9)] == [are_ours] * 2


def test_a_result_that_the_younger_frame_has_does_not_go_back(world: World) -> None:
    """A file that two frames could claim stays with the one that claimed it last."""
    world.judge("a.jpg", Reason.CHANGED, is_there=True, result=True)
    again = Entry(FileKey("a.jpg", 4, NOW_NS + 1), "c", 1, Reason.CHANGED, NOW_NS, 1, sha256=b"x")
    world.ledger.intend(again)
    world.ledger.finish(again.key, "a.jpg")
    world.ledger.flush()
    world.go_round()
    assert [row.result_gone_ns for row in world.ledger.presence.after(0, 9)] == [0, None]


def test_an_input_that_is_sent_again_is_there_again(world: World) -> None:
    """However long a file was gone, its row knows when it has come back."""
    world.judge("a.jpg", Reason.CHANGED, result=True)
    world.go_round()
    world.pass_time(3 * GRACE_NS / 1e9)
    put(world.site.drop / "a.jpg")
    world.go_round()
    assert [row.input_gone_ns for row in world.ledger.presence.after(0, 9)] == [None]


def test_settings_go_with_the_last_row_that_was_decided_by_them(world: World) -> None:
    """A whole round has seen which revisions the rows name; those in force since it began stay anyway."""
    settings = load(world.site.config).settings
    for number in (1, 2, 3):
        world.ledger.put_in_force(Snapshot(settings, {}, {"classic": number}, 0))
    first = world.judge("0.jpg")  # by revision 1, as the others: there is a portion of the round for each
    for number in range(2 * MOST_A_TURN):
        world.ledger.note(replace(first, key=FileKey(f"{number}.jpg", 4, NOW_NS)))
    world.go_round()
    assert revisions(world) == [1, 3]
    world.ledger.note(replace(first, key=FileKey("last.jpg", 4, NOW_NS), config_revision=3))
    world.ledger.flush()
    world.ledger.put_in_force(Snapshot(settings, {}, {"classic": 4}, 0))
    world.ledger.presence.prune(world.ledger.presence.after(0, 9_999)[:-1])
    world.go_round()
    assert revisions(world) == [3, 4]


def revisions(world: World) -> list[int]:
    db = sqlite3.connect(world.site.state / "ledger.sqlite3")
    found = db.execute("SELECT revision FROM config ORDER BY revision").fetchall()
    db.close()
    return [revision for (revision,) in found]


def test_a_clock_in_doubt_forgets_nothing(world: World) -> None:
    """A clock that jumps ahead does not end the grace."""
    world.judge("a.jpg")
    world.judge("end.jpg")
    world.go_round()
    world.wall_ns += 100 * GRACE_NS
    world.pass_time(ROUND_S)
    world.pruning.run_due(world.now_s)
    assert world.names() == ["a.jpg", "end.jpg"]
    assert [event.event for event in world.events] == ["clock.jumped"]


def test_a_large_ledger_is_gone_through_in_portions(world: World) -> None:
    """A turn looks at so many rows and no more, and a round comes to all of them."""
    count = 2 * MOST_A_TURN + 10
    for number in range(count):
        world.ledger.note(Entry(FileKey(f"{number}.jpg", 4, 5), "c", 0, Reason.UNCHANGED, NOW_NS, 1))
    world.ledger.flush()
    world.pass_time(PAUSE_S)
    seen = []
    for _ in range(3):
        world.pruning.run_due(world.now_s)
        rows = world.ledger.presence.after(0, 10_000)
        seen.append(sum(row.input_gone_ns is not None for row in rows))
        world.pass_time(PAUSE_S)
    assert seen == [MOST_A_TURN, 2 * MOST_A_TURN, count]
    assert world.pruning.deadline_s() - world.now_s > ROUND_S / 2
    world.pass_time(GRACE_NS / 1e9 + 60)
    world.go_round()
    assert world.names() == [f"{count - 1}.jpg"]


def test_on_a_slow_share_a_turn_is_short(world: World) -> None:
    """However long each look takes, a turn ends soon, and the next one goes on from there."""
    for number in range(20):
        world.judge(f"{number}.jpg")
    world.pass_time(PAUSE_S)
    world.look_takes_s = LONGEST_S / 4
    for turn in (1, 2):
        world.pruning.run_due(world.now_s)
        rows = world.ledger.presence.after(0, 100)
        assert 3 * turn <= sum(row.input_gone_ns is not None for row in rows) <= 5 * turn
        world.pass_time(PAUSE_S)


def test_what_came_back_since_the_last_look_is_not_forgotten(world: World) -> None:
    """Before a row is forgotten its file is looked for once more, out of its turn."""
    for number in range(MOST_A_TURN):
        world.ledger.note(Entry(FileKey(f"{number}.jpg", 4, 5), "c", 0, Reason.UNCHANGED, NOW_NS, 1))
    world.judge("back.jpg", is_there=True)
    world.judge("end.jpg", is_there=True)
    world.ledger.presence.mark(inputs={MOST_A_TURN + 1: NOW_NS - 2 * GRACE_NS})
    world.pass_time(PAUSE_S)
    world.pruning.run_due(world.now_s)
    assert world.names()[-2:] == ["back.jpg", "end.jpg"]


def test_a_time_that_a_wrong_clock_made_up_is_set_right(world: World) -> None:
    """A file that has been gone since a time to come is gone since now."""
    world.judge("a.jpg")
    world.judge("end.jpg")
    world.ledger.presence.mark(inputs={1: NOW_NS + 5000 * GRACE_NS})
    after_the_grace(world)
    assert world.names() == ["end.jpg"]


def test_an_idle_daemon_is_woken_once_an_hour(world: World) -> None:
    """When all rows were looked at, the next round is an hour away, and nothing is written for it."""
    world.judge("a.jpg", is_there=True)
    world.go_round()
    assert ROUND_S - 2 * PAUSE_S < world.pruning.deadline_s() - world.now_s <= ROUND_S
    before = (world.site.state / "ledger.sqlite3-wal").stat().st_mtime_ns
    for _ in range(5):
        world.go_round()
    assert (world.site.state / "ledger.sqlite3-wal").stat().st_mtime_ns == before


DELETES = 'after_kept = "delete"\nafter_dropped = "delete"'


def told_to_delete(world: World, drop: str = DELETES, results: str = 'max_age = "30d"') -> None:
    """Switch deletion on in a running daemon."""
    world.site.configure(drop=drop)
    text = world.site.config.read_text("utf-8")
    world.site.config.write_text(text.replace("[state]", f"{results}\n[state]"), "utf-8")
    world.pruning.retune(load(world.site.config).settings)


def make_folder(folder: Path, *, days_old: float = 30) -> Path:
    """Make a folder in which nothing has changed for some days, by the test's clock."""
    folder.mkdir(parents=True, exist_ok=True)
    changed_ns = NOW_NS - int(days_old * GRACE_NS)
    os.utime(folder, ns=(changed_ns, changed_ns))
    return folder


def folders_removed(world: World) -> list[str]:
    events = [event for event in world.events if event.event == "folder.removed"]
    assert {event.level for event in events} <= {"debug"}
    return [os.path.relpath(event.fields["folder"], world.site.home) for event in events]


def in_a_day(world: World) -> None:
    """Let a day pass after the files of the rows were found missing, and go round twice."""
    after_the_grace(world)
    world.pass_time(ROUND_S)
    world.go_round()


def test_the_folder_of_a_past_day_goes_with_its_last_frame(world: World) -> None:
    """Of drop and results the empty folders that are named by a date go, and those above in the date."""
    told_to_delete(world)
    world.judge("gate/2026/11/26/a.jpg", Reason.CHANGED)
    world.judge("gate/2026/11/26/b.jpg")
    world.judge("last.jpg", Reason.CHANGED, decided_h=5, is_there=True, result=True)
    for root in (world.site.drop, world.site.results):
        make_folder(root / "gate/2026/11/26")
    in_a_day(world)
    removed = [f"gate/2026{inner}" for inner in ("/11/26", "/11", "")]
    assert sorted(folders_removed(world)) == sorted(
        f"{root}/{folder}" for root in ("drop", "results") for folder in removed
    )
    assert (world.site.drop / "gate").is_dir()
    assert (world.site.results / "gate").is_dir()


def test_a_day_folder_goes_though_the_results_of_its_frames_stay(world: World) -> None:
    """Rows whose results stand are not forgotten, and lead to the folder as well, after a restart too."""
    told_to_delete(world, results="")
    world.judge("2026-11-26/a.jpg", Reason.CHANGED, result=True)
    world.judge("end.jpg", is_there=True)
    make_folder(world.site.drop / "2026-11-26")
    world.go_round()
    world.begin()
    in_a_day(world)
    assert folders_removed(world) == ["drop/2026-11-26"]
    assert (world.site.results / "2026-11-26/a.jpg").exists()


@pytest.mark.parametrize("why", ["not empty", "young", "linked", "no date", "leave", "root", "dated camera"])
def test_any_other_folder_stays(world: World, why: str) -> None:
    """A folder that is in use, new, a link, named otherwise, or where nothing is deleted is not removed."""
    told_to_delete(world, "" if why == "leave" else DELETES, "")
    name = {"no date": "cam1", "dated camera": "lot-2026/cam1", "root": ""}.get(why, "cam1/20261126")
    world.judge(os.path.join(name, "a.jpg"))
    world.judge("end.jpg", is_there=why != "root")
    folder = make_folder(world.site.drop / name, days_old=-2 if why == "young" else 30)
    if why == "not empty":
        put(folder / "notes.txt")
    elif why == "linked":
        folder.rename(world.site.home / "elsewhere")
        folder.symlink_to(world.site.home / "elsewhere")
    in_a_day(world)
    assert folder.is_dir()
    assert folders_removed(world) == []


@pytest.mark.parametrize(
    "name", ["2026-11-26", "20261126", "26.11.2026", "2026/11/26", "cam_2026_11_26", "2026-11-26/07"]
)
def test_a_folder_is_named_by_a_date_in_many_spellings(world: World, name: str) -> None:
    """Year, month and day, together or in folders of each other, with whatever is between them."""
    told_to_delete(world)
    world.judge(f"{name}/a.jpg")
    world.judge("end.jpg", is_there=True)
    make_folder(world.site.drop / name)
    in_a_day(world)
    assert set(os.listdir(world.site.drop)) == {"end.jpg"}


def test_a_folder_above_goes_also_when_somebody_else_removed_the_lower(world: World) -> None:
    """What is missing is passed over, and what it leaves empty above it is old enough by itself."""
    told_to_delete(world)
    world.judge("2026/11/26/a.jpg")
    world.judge("end.jpg", is_there=True)
    make_folder(world.site.drop / "2026")
    in_a_day(world)
    assert folders_removed(world) == ["drop/2026"]


def test_rows_that_are_forgotten_out_of_turn_lead_to_their_folder_too(world: World) -> None:
    """In a large ledger a row may be forgotten before the round comes to it: its folder goes with it."""
    told_to_delete(world)
    for number in range(MOST_A_TURN):
        world.ledger.note(Entry(FileKey(f"{number}.jpg", 4, 5), "c", 0, Reason.UNCHANGED, NOW_NS, 1))
    world.judge("2026-11-26/a.jpg")
    world.judge("end.jpg", is_there=True)
    world.ledger.presence.mark(inputs={MOST_A_TURN + 1: NOW_NS - 2 * GRACE_NS})
    make_folder(world.site.drop / "2026-11-26")
    world.pass_time(PAUSE_S)
    world.pruning.run_due(world.now_s)
    assert folders_removed(world) == ["drop/2026-11-26"]


def test_the_folders_that_a_layout_names_go_with_their_last_result(world: World) -> None:
    """Whatever they are called: framegate makes them anew; those of the frames' own paths stay."""
    told_to_delete(world)
    planned = {"a.jpg": "c/week 48/a.jpg", "gate/b.jpg": None}
    for name, result in planned.items():
        entry = Entry(FileKey(name, 4, NOW_NS), "c", 0, Reason.CHANGED, NOW_NS, 1, planned=result)
        world.ledger.intend(entry)
        world.ledger.finish(entry.key, result or name)
        make_folder(world.site.results / (result or name)).rmdir()
    world.judge("last.jpg", Reason.CHANGED, decided_h=5, is_there=True, result=True)
    for folder in ("c/week 48", "c", "gate"):
        make_folder(world.site.results / folder)
    in_a_day(world)
    assert folders_removed(world) == ["results/c/week 48", "results/c"]
    assert (world.site.results / "gate").is_dir()
