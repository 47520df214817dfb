import errno
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from framegate.commands.source import frames_to_replay
from framegate.config.load import load
from framegate.daemon.troubles import troubles_of
from framegate.events.base import LogEvent
from framegate.keep.disk import Step, TidyStep
from framegate.retention.archive import archiver
from framegate.retention.ledger_rows import GRACE_NS
from framegate.telemetry.status import FILE_NAME, Status, from_json
from framegate.tune.replay.engine import replay
from framegate.tune.replay.outcomes import Line
from invariants import acknowledged_are_there, lines_of
from oracle import DETECTION, Shot, shot, upload
from running import Site, contents
from stepping import Crash, FaultyDisk, Stepped

SCENES = (0, 0, None, 1, 1, 2, 0, 0)
"""Kept, dropped, rejected, kept, dropped, kept, kept, dropped."""

KEPT, DROPPED, REJECTED = (0, 3, 5, 6), (1, 4), (2,)
"""By their place; the last stays in the drop folder, since learning goes on from it."""

ALL = 'after_kept = "archive"\nafter_dropped = "archive"\nafter_rejected = "archive"'


class OtherDisk(FaultyDisk):
    """The real disk, with an archive on another file system as far as a move can tell."""

    is_other = False
    full = ""
    """A folder whose file system has next to no space left; every look finds another number of bytes."""

    looks = 0

    def free_bytes(self, folder: str) -> int:
        self.looks += 1
        return self.looks % 50 if folder == self.full else super().free_bytes(folder)

    def move(self, name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> None:
        if self.is_other:
            self.reach(TidyStep.MOVE_INPUT)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        super().move(name, folder_fd, new_name, new_folder_fd)


@pytest.fixture
def disk() -> OtherDisk:
    return OtherDisk()


@pytest.fixture(autouse=True)
def _in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loop wait for what it has begun: the clock of these tests stands still meanwhile."""
    monkeypatch.setattr(archiver, "WAIT_S", 60.0)


def configure(site: Site, rules: str = ALL, *, archive: bool = True, detection: str = DETECTION) -> None:
    folder = site.home / "archive"
    if archive:
        folder.mkdir(exist_ok=True)
    lines = f'watch = "poll"\nsettle_s = 0.5\narchive = "{folder}"\n{rules}'
    site.configure(drop=lines, detection=detection, min_free="0B")


def archive_of(site: Site) -> Path:
    return site.home / "archive"


@pytest.fixture
def shots(site: Site) -> list[Shot]:
    """Eight frames in a sub-folder."""
    taken = [shot(number, scene, folder="gate") for number, scene in enumerate(SCENES, 1)]
    for each in taken:
        upload(each, site.drop)
    return taken


def events_of(daemon: Stepped, name: str) -> list[LogEvent]:
    return [event for event in daemon.events if event.event == name]


def named(shots: list[Shot], *places: int) -> dict[str, bytes]:
    return {shots[place].name: shots[place].data for place in places}


def rows(site: Site, column: str) -> dict[str, object]:
    db = sqlite3.connect(site.state / "ledger.sqlite3")
    found = db.execute(f"SELECT name, {column} FROM frame").fetchall()
    db.close()
    return {os.fsdecode(name): value for name, value in found}


def status_of(site: Site) -> Status:
    return from_json((site.state / FILE_NAME).read_bytes())


def check_all_archived(site: Site, daemon: Stepped, shots: list[Shot]) -> None:
    """Check that each input but the last is in the archive, once, and in the ledger by its name there."""
    there = {taken.name: taken.data for taken in shots[:-1]}
    assert contents(archive_of(site)) == there
    assert contents(site.drop) == named(shots, 7)
    archived = rows(site, "archived")
    assert archived == {name: name.encode() for name in there} | {shots[-1].name: None}
    assert set(rows(site, "input_gone_ns").values()) == {None}
    assert not [*acknowledged_are_there(contents(site.results), lines_of(daemon.events), shots)]
    assert len({event.entry.key.name for event in daemon.verdicts()}) == len(shots)


@pytest.mark.parametrize("is_other", [False, True], ids=["one disk", "two disks"])
def test_what_is_judged_is_moved_to_the_archive(
    site: Site, disk: OtherDisk, daemon: Stepped, shots: list[Shot], is_other: bool
) -> None:
    """Each verdict by its rule, under its path, told once; the results are what they are without it."""
    disk.is_other = is_other
    configure(site)
    daemon.start()
    daemon.go(30)
    daemon.stop()
    check_all_archived(site, daemon, shots)
    told = {event.fields["frame"]: event.fields for event in events_of(daemon, "input.archived")}
    rule_of = dict.fromkeys(KEPT, "after_kept") | dict.fromkeys(DROPPED, "after_dropped")
    rule_of |= dict.fromkeys(REJECTED, "after_rejected")
    assert {name: fields["rule"] for name, fields in told.items()} == {
        shots[place].name: rule for place, rule in rule_of.items()
    }
    assert all(fields["archived"] == name for name, fields in told.items())
    assert not events_of(daemon, "input.deleted")
    assert contents(site.results) == named(shots, *KEPT)


def test_each_verdict_may_be_treated_otherwise(site: Site, daemon: Stepped, shots: list[Shot]) -> None:
    """Kept ones are deleted, dropped ones archived a day later, rejected ones stay."""
    configure(site, 'after_kept = "delete"\nafter_dropped = "archive after 1d"')
    daemon.tie_wall_clock()
    daemon.start()
    daemon.go(30)
    assert contents(site.drop) == named(shots, 1, 2, 4, 7)
    assert contents(archive_of(site)) == {}
    daemon.go(23 * 3600, 3000)
    assert contents(archive_of(site)) == {}
    daemon.go(2 * 3600, 900)
    daemon.stop()
    assert contents(archive_of(site)) == named(shots, *DROPPED)
    assert contents(site.drop) == named(shots, 2, 7)


STEPS = [
    TidyStep.MAKE_DURABLE, TidyStep.OPEN_ARCHIVE, TidyStep.MOVE_INPUT, TidyStep.REMOVE_INPUT, TidyStep.MARK,
]  # fmt: skip


@pytest.mark.parametrize("is_other", [False, True], ids=["one disk", "two disks"])
@pytest.mark.parametrize("at_reach", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_is_made_good(
    site: Site,
    disk: OtherDisk,
    daemon: Stepped,
    shots: list[Shot],
    step: TidyStep,
    at_reach: int,
    is_other: bool,
) -> None:
    """The next life archives what is left, finds what was archived, and judges nothing again."""
    configure(site)
    disk.is_other = is_other
    disk.fail(step, Crash, at_reach=at_reach)
    daemon.start()
    try:
        daemon.go(20)
        daemon.stop()
    except Crash:
        daemon.crash()
    assert disk.hits[step] or at_reach > 1 or (step is TidyStep.REMOVE_INPUT and not is_other)
    somewhere = {*contents(site.drop).values(), *contents(archive_of(site)).values()}
    assert somewhere == {taken.data for taken in shots}
    daemon.start()
    daemon.go(20)
    daemon.stop()
    check_all_archived(site, daemon, shots)


TROUBLES: dict[str, tuple[TidyStep | None, int | str]] = {
    "full": (None, "would leave less than results.min_free"),
    "read-only": (TidyStep.MOVE_INPUT, errno.EROFS),
    "forbidden": (TidyStep.MOVE_INPUT, errno.EACCES),
    "unsteady": (TidyStep.OPEN_ARCHIVE, errno.ENOTCONN),
    "away": (None, errno.ENOENT),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_archive_that_takes_nothing_is_told_once_and_delays_no_verdict(
    site: Site, disk: OtherDisk, daemon: Stepped, shots: list[Shot], trouble: str
) -> None:
    """Inputs wait in the drop folder, frames are judged as ever, and all goes on when it takes them."""
    configure(site, 'after_dropped = "archive"', archive=trouble != "away")
    step, error = TROUBLES[trouble]
    words = error if isinstance(error, str) else os.strerror(error)
    if trouble == "full":
        disk.is_other, disk.full = True, os.fspath(archive_of(site))
    if step is not None and isinstance(error, int):
        disk.fail(step, lambda: OSError(error, words), lasts=True)
    daemon.start()
    daemon.go(20)
    upload(later := shot(50, 3), site.drop)
    daemon.go(20)
    tries = disk.hits.total()
    daemon.go(3600, 30)
    assert disk.hits.total() - tries < 25, "it is tried ever more seldom"
    assert len(daemon.verdicts()) == len(shots) + 1
    assert not daemon.count("intake.paused")
    assert words in "".join(troubles_of(status_of(site)))
    assert troubles_of(status_of(site))[0].startswith("frames wait to be archived: ")
    assert not events_of(daemon, "input.archivable")
    (warning,) = events_of(daemon, "input.unarchivable")
    assert words in str(warning.fields["error"])
    assert contents(site.drop) == {taken.name: taken.data for taken in [*shots, later]}
    disk.heal()
    disk.full = ""
    archive_of(site).mkdir(exist_ok=True)
    upload(shot(51, 3), site.drop)
    daemon.go(40)
    if trouble == "forbidden":  # for each file alone: each has its retry
        daemon.go(700, 30)
    assert status_of(site).archive_refused is None
    daemon.stop()
    assert len(events_of(daemon, "input.archivable")) == 1
    assert contents(archive_of(site)) == named(shots, 1, 4, 7)


def test_an_archive_that_hangs_delays_no_verdict(
    site: Site, disk: OtherDisk, daemon: Stepped, shots: list[Shot], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share whose server is away holds up the thread that moves files, and nothing else."""
    monkeypatch.setattr(archiver, "WAIT_S", 0.0)
    configure(site)
    server_is_back = threading.Event()

    def hang() -> BaseException:
        server_is_back.wait(60)
        return OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    original = disk.reach

    def reach(step: Step | TidyStep) -> None:  # outside of the lock of the faults
        if step is TidyStep.OPEN_ARCHIVE and not server_is_back.is_set():
            raise hang()
        original(step)

    disk.reach = reach  # type: ignore[method-assign]
    daemon.start()
    daemon.go(30)
    upload(later := shot(50, 3, folder="gate"), site.drop)
    daemon.go(30)
    assert daemon.verdicts()[-1].entry.key.name == later.name
    assert contents(archive_of(site)) == {}
    monkeypatch.setattr(archiver, "WAIT_S", 60.0)
    server_is_back.set()
    daemon.go(700, 30)
    daemon.stop()
    assert contents(site.drop) == {}
    assert len(contents(archive_of(site))) == len(shots) + 1


def test_what_comes_back_from_the_archive_is_not_judged_again(
    site: Site, daemon: Stepped, shots: list[Shot]
) -> None:
    """Restored by somebody, a frame is known, and is archived once more under the name that it had."""
    configure(site)
    daemon.start()
    daemon.go(20)
    for taken in shots[:3]:
        upload(taken, site.drop)
    daemon.go(40)
    daemon.stop()
    assert len(daemon.verdicts()) == len(shots)
    check_all_archived(site, daemon, shots)


def test_the_ledger_remembers_what_is_archived_until_that_is_gone(
    site: Site, daemon: Stepped, shots: list[Shot]
) -> None:
    """Rows of archived inputs stay, also while the archive is away; a day after its file is gone one goes."""
    daemon.tie_wall_clock()
    configure(site)
    daemon.start()
    daemon.go(30)
    day_s = GRACE_NS / 1e9
    daemon.go(2.2 * day_s, 1800)
    assert len(rows(site, "id")) == len(shots)
    archive_of(site).rename(site.home / "away")
    archive_of(site).mkdir()
    daemon.go(2.2 * day_s, 1800)
    assert set(rows(site, "input_gone_ns").values()) == {None}
    archive_of(site).rmdir()
    (site.home / "away").rename(archive_of(site))
    for place in (*DROPPED, *REJECTED):
        (archive_of(site) / shots[place].name).unlink()
    daemon.go(2.2 * day_s, 1800)
    daemon.stop()
    assert set(rows(site, "id")) == {shots[place].name for place in (*KEPT, 7)}


@pytest.fixture
def judged(site: Site, daemon: Stepped, morning: list[bytes]) -> Stepped:
    """A daemon that has archived a morning."""
    configure(site, detection="")
    daemon.start()
    for number, data in enumerate(morning):
        upload(Shot(f"lot_{number:04d}.jpg", data, 1_700_000_000_000_000_000 + number * 10**9, 0), site.drop)
    daemon.go(30)
    return daemon


def test_a_replay_of_archived_inputs_is_exact(site: Site, judged: Stepped, morning: list[bytes]) -> None:
    """It finds them where they are now, and every verdict and score of the daemon comes out again."""
    judged.stop()
    assert len(contents(archive_of(site))) >= len(morning) - 1
    for result in site.results.iterdir():
        result.unlink()
    config = load(site.config)
    source = frames_to_replay(config, None)
    assert source.doubts == {}
    folders = {frame.folder for frame in source.frames}
    assert str(archive_of(site)) in folders
    replayed = replay(source.frames, [Line("now", config.settings), *source.then], masks=source.masks)
    source.verify(replayed)
    assert source.doubts == {}
