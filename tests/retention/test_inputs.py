import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from framegate.events.frames import FrameDecided
from framegate.keep.disk import Step, TidyStep
from framegate.retention.inputs import LOOK_S, InputCleaner
from framegate.retention.refusals import FIRST_PAUSE_S, LAST_PAUSE_S
from framegate.retention.wall_clock import DOUBT_S
from invariants import check, lines_of
from oracle import CAMERAS, DETECTION, Shot, shot, upload
from running import Site, contents
from stepping import START_S, Crash, FaultyDisk, Stepped

SCENES = (0, 0, None, 1, 1, 2, 0, 0)
"""Kept, dropped, rejected, kept, dropped, kept, kept, dropped."""

ALL = ("after_kept", "after_dropped", "after_rejected")
TURN_S = 20.0
"""Often enough while hours pass."""

ONLY_WHEN_NAMED = {Step.REMOVE_TEMP}


def configure(site: Site, *rules: str, detection: str = DETECTION, more: str = "") -> None:
    deletes = "\n".join(f'{rule} = "delete"' for rule in rules)
    site.configure(drop=f'watch = "poll"\nsettle_s = 0.5\n{deletes}\n{more}', detection=detection)


@pytest.fixture
def shots(site: Site) -> list[Shot]:
    """Eight frames in a sub-folder."""
    taken = [shot(number, scene, folder="gate") for number, scene in enumerate(SCENES, 1)]
    for each in taken:
        upload(each, site.drop)
    return taken


def deleted(daemon: Stepped) -> dict[str, str]:
    """Return the rule by which each input was deleted, as the log has it."""
    events = [event for event in daemon.events if event.event == "input.deleted"]
    assert all(event.level == "info" for event in events)
    assert len({event.fields["frame"] for event in events}) == len(events)
    return {event.fields["frame"]: event.fields["rule"] for event in events}


def left(site: Site, shots: list[Shot]) -> list[Shot]:
    return [taken for taken in shots if (site.drop / taken.name).exists()]


def noted_gone(site: Site) -> set[str]:
    """Return the frames whose inputs the ledger knows to be gone."""
    db = sqlite3.connect(site.state / "ledger.sqlite3")
    found = db.execute("SELECT name FROM frame WHERE input_gone_ns IS NOT NULL").fetchall()
    db.close()
    return {os.fsdecode(name) for (name,) in found}


def test_nothing_is_deleted_by_default(site: Site, daemon: Stepped, shots: list[Shot]) -> None:
    """Unless it is told to, the daemon deletes nothing, and never has to wake for it."""
    configure(site)
    daemon.start()
    daemon.go(30)
    daemon.stop()
    assert not deleted(daemon)
    check(site, shots, acknowledged=lines_of(daemon.events))


@pytest.mark.parametrize(
    ("rule", "gone"),
    [("after_kept", {1, 4, 6, 7}), ("after_dropped", {2, 5}), ("after_rejected", {3})],
)
def test_each_verdict_has_its_rule(
    site: Site, daemon: Stepped, shots: list[Shot], rule: str, gone: set[int]
) -> None:
    """The inputs of one verdict go, each logged with its rule; those of the others stay as they are."""
    configure(site, rule)
    daemon.start()
    daemon.go(9)  # a round of the pruning would find it out by itself
    daemon.stop()
    assert deleted(daemon) == {taken.name: rule for taken in shots if int(taken.name[-7:-4]) in gone}
    assert noted_gone(site) == {taken.name for taken in shots if int(taken.name[-7:-4]) in gone}
    stay = [taken for taken in shots if int(taken.name[-7:-4]) not in gone]
    check(site, shots, inputs=stay, acknowledged=lines_of(daemon.events))


def test_the_last_frame_stays_until_the_next_is_judged(
    site: Site, daemon: Stepped, shots: list[Shot]
) -> None:
    """A camera's last dropped frame waits for the next one; the folders that are left empty stay."""
    configure(site, *ALL)
    daemon.start()
    daemon.go(30)
    assert left(site, shots) == [shots[-1]]
    later = shot(50, 3, folder="gate")
    upload(later, site.drop)
    daemon.go(30)
    assert not left(site, [*shots, later])
    assert (site.drop / "gate").is_dir()
    daemon.stop()
    check(site, [*shots, later], inputs=[], acknowledged=lines_of(daemon.events))


def test_each_camera_keeps_its_own_last_frame(site: Site, daemon: Stepped) -> None:
    """A busy camera does not let the last frame of a quiet one be forgotten, nor be deleted."""
    configure(site, *ALL, more=CAMERAS)
    quiet = [shot(number, 0, camera="c1") for number in (1, 2)]
    busy = [shot(number, 0, camera="c2") for number in range(3, 9)]
    for taken in (*quiet, *busy):
        upload(taken, site.drop)
    daemon.start()
    daemon.go(30)
    assert left(site, [*quiet, *busy]) == [quiet[-1], busy[-1]]
    upload(later := shot(9, 0, camera="c1"), site.drop)
    daemon.go(30)
    daemon.stop()
    assert left(site, [*quiet, *busy, later]) == [busy[-1], later]


def test_what_was_judged_before_the_edit_goes_too(site: Site, daemon: Stepped, shots: list[Shot]) -> None:
    """A rule that is switched on while the daemon runs holds for the frames that are there already."""
    configure(site)
    daemon.start()
    daemon.go(30)
    assert left(site, shots) == shots
    configure(site, "after_kept")
    assert daemon.daemon is not None
    daemon.daemon.reload()
    daemon.go(30)
    assert set(deleted(daemon).values()) == {"after_kept"}
    configure(site)
    daemon.daemon.reload()
    before = left(site, shots)
    upload(later := shot(50, 3), site.drop)
    daemon.go(30)
    daemon.stop()
    assert left(site, [*shots, later]) == [*before, later]


def test_a_file_that_changed_is_left(site: Site, disk: FaultyDisk, daemon: Stepped) -> None:
    """Only the very version that was judged is deleted: another one of its name is judged first."""
    configure(site, "after_kept")
    first, second = shot(1, 0), shot(2, 1)
    upload(first, site.drop)
    disk.fail(TidyStep.REMOVE_INPUT, lambda: OSError(errno.EBUSY, "busy"), lasts=True)
    daemon.start()
    daemon.go(20)
    other = Shot(first.name, second.data, second.mtime_ns, 1)
    upload(other, site.drop)
    disk.heal()
    assert daemon.daemon is not None
    configure(site)
    daemon.daemon.reload()
    daemon.go(20)
    assert contents(site.drop) == {other.name: other.data}
    configure(site, "after_kept")
    daemon.daemon.reload()
    daemon.go(700)
    daemon.stop()
    assert not contents(site.drop)
    assert [event.event for event in daemon.events].count("input.deleted") == 1
    assert sorted(contents(site.results).values()) == sorted([first.data, other.data])


def test_links_are_neither_followed_nor_deleted(site: Site, daemon: Stepped, tmp_path: Path) -> None:
    """A link in the drop folder, and what it leads to, stay where they are."""
    configure(site, *ALL)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jpg").write_bytes(shot(1, 0).data)
    (site.drop / "b.jpg").symlink_to(outside / "a.jpg")
    (site.drop / "folder").symlink_to(outside)
    daemon.start()
    daemon.go(30)
    daemon.stop()
    assert (outside / "a.jpg").exists()
    assert (site.drop / "b.jpg").is_symlink()
    assert not deleted(daemon)


def test_a_refusal_is_said_once_and_tried_ever_more_seldom(
    site: Site, disk: FaultyDisk, daemon: Stepped, shots: list[Shot]
) -> None:
    """However many files cannot be deleted, each cause is one warning; when it is mended they go."""
    configure(site, *ALL)
    tries: list[float] = []

    def refused() -> BaseException:
        tries.append(daemon.now_s)
        return OSError(errno.EROFS, os.strerror(errno.EROFS))

    disk.fail(TidyStep.REMOVE_INPUT, refused, lasts=True)
    daemon.start()
    daemon.go(4000, TURN_S)
    (warning,) = [event for event in daemon.events if event.level == "warning"]
    assert (warning.event, warning.fields["error"]) == ("input.undeletable", os.strerror(errno.EROFS))
    assert left(site, shots) == shots
    pauses = [
        round(later - sooner) for sooner, later in pairwise(tries) if later - sooner > FIRST_PAUSE_S / 2
    ]
    assert pauses[1:] == sorted(pauses[1:]), "the first comes when the lazy rows are committed"
    assert LAST_PAUSE_S <= pauses[-1] <= LAST_PAUSE_S + TURN_S
    assert len(tries) < 100
    disk.heal()
    daemon.go(LAST_PAUSE_S + 60, TURN_S)
    assert left(site, shots) == [shots[-1]]
    daemon.stop()
    check(site, shots, inputs=[shots[-1]], acknowledged=lines_of(daemon.events))


def test_one_file_that_is_held_holds_up_no_other(
    site: Site, disk: FaultyDisk, daemon: Stepped, shots: list[Shot]
) -> None:
    """A file that somebody keeps from being deleted is passed over, and what comes later goes at once."""
    configure(site, *ALL)
    disk.fail(TidyStep.REMOVE_INPUT, lambda: OSError(errno.EBUSY, os.strerror(errno.EBUSY)))
    daemon.start()
    daemon.go(3)
    upload(later := shot(50, 3), site.drop)
    daemon.go(6.5)
    assert len(left(site, [*shots, later])) == 1
    daemon.go(30)
    daemon.stop()
    assert left(site, [*shots, later]) == []


@pytest.mark.parametrize("step", [TidyStep.MAKE_DURABLE, TidyStep.MARK])
def test_a_ledger_that_fails_meanwhile_delays_it(
    site: Site, disk: FaultyDisk, daemon: Stepped, shots: list[Shot], step: TidyStep
) -> None:
    """No input goes before its decision is proof against a power cut; what could not be noted is found."""
    configure(site, *ALL)
    disk.fail(step, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), lasts=True)
    daemon.start()
    daemon.go(60)
    assert disk.hits[step]
    if step is TidyStep.MAKE_DURABLE:
        kept = [shots[number - 1] for number in (1, 4, 6, 7, 8)]
        assert left(site, shots) == kept, "that they are delivered is in no commit that is proof"
    assert not daemon.count("intake.paused")
    disk.heal()
    daemon.go(60)
    daemon.stop()
    assert left(site, shots) == [shots[-1]]
    assert len(deleted(daemon)) == len(shots) - 1


def test_a_drop_folder_that_is_away_is_waited_for(site: Site, daemon: Stepped, shots: list[Shot]) -> None:
    """While the drop folder is away nothing is taken for deleted."""
    configure(site)
    daemon.start()
    daemon.go(10)
    site.drop.rename(site.home / "elsewhere")
    configure(site, *ALL)
    assert daemon.daemon is not None
    daemon.daemon.reload()
    daemon.go(60)
    (site.home / "elsewhere").rename(site.drop)
    daemon.go(60)
    daemon.stop()
    assert left(site, shots) == [shots[-1]]


def test_a_deleted_input_that_is_sent_again_is_not_judged_again(
    site: Site, daemon: Stepped, shots: list[Shot]
) -> None:
    """A mirror that restores what was deleted makes no second verdict."""
    configure(site, *ALL)
    daemon.start()
    daemon.go(30)
    for taken in shots:
        upload(taken, site.drop)
    daemon.go(30)
    daemon.stop()
    assert len(daemon.verdicts()) == len(shots)


@pytest.mark.parametrize("is_named", [False, True], ids=["unnamed", "named"])
@pytest.mark.parametrize("at_reach", [1, pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("step", [*Step, TidyStep.MAKE_DURABLE, TidyStep.REMOVE_INPUT, TidyStep.MARK])
def test_a_crash_at_any_step_loses_no_frame_and_leaves_no_input(
    site: Site,
    disk: FaultyDisk,
    daemon: Stepped,
    shots: list[Shot],
    step: Step | TidyStep,
    at_reach: int,
    is_named: bool,
) -> None:
    """Whatever step the process ends at, no frame is lost, and the next life deletes what is left to go."""
    configure(site, *ALL)
    disk.has_unnamed = not is_named
    if step is Step.SYNC_EXISTING:
        upload(shots[0], site.results)
    if step is Step.TAKE_BACK:
        disk.fail(Step.SYNC_FOLDER, lambda: OSError(errno.EIO, "I/O error"))
    disk.fail(step, Crash, at_reach=at_reach)
    daemon.start()
    try:
        daemon.go(20)
        daemon.stop()
    except Crash:
        daemon.crash()
    assert disk.hits[step] or at_reach > 1 or (step in ONLY_WHEN_NAMED and not is_named)
    daemon.start()
    daemon.go(20)
    daemon.stop()
    assert left(site, shots) == [shots[-1]]
    check(site, shots, inputs=[shots[-1]], acknowledged=lines_of(daemon.events))


HOUR_S = 3600.0


def configure_ages(site: Site, age: str, *rules: str) -> None:
    configure(site, more="\n".join(f'{rule} = "{age}"' for rule in rules))


@pytest.fixture
def clocked(daemon: Stepped) -> Stepped:
    """A daemon whose wall clock goes with the one that the test moves."""
    daemon.tie_wall_clock()
    return daemon


def decided_ago(daemon: Stepped, shots: list[Shot], *hours: float) -> None:
    """Make the ledger remember that each frame was decided so long before the daemon's first life began."""
    start_ns = daemon.wall_ns() - int((daemon.now_s - START_S) * 1e9)
    db = sqlite3.connect(daemon.site.state / "ledger.sqlite3")
    with db:
        for taken, ago in zip(shots, hours, strict=True):
            at_ns = start_ns - int(ago * HOUR_S * 1e9)
            db.execute("UPDATE frame SET decided_at_ns = ? WHERE name = ?", (at_ns, taken.name.encode()))
    db.close()


@pytest.mark.parametrize("rule", ALL)
def test_an_input_goes_when_it_was_decided_so_long_ago(
    site: Site, clocked: Stepped, shots: list[Shot], rule: str
) -> None:
    """Each goes at its own time, to the second, with the rule in its line; those of other verdicts stay."""
    gone = {"after_kept": [1, 4, 6, 7], "after_dropped": [2, 5], "after_rejected": [3]}[rule]
    configure_ages(site, "10h", rule)
    clocked.start()
    clocked.go(30)
    decided_ago(clocked, shots, 9, 8, 7, 6, 5, 4, 3, 2)
    for number in gone:
        later = shots[number - 1 :]
        clocked.go(number * HOUR_S - (clocked.now_s - START_S) - 20, TURN_S)
        assert all((site.drop / each.name).exists() for each in later)
        clocked.go(40)
        assert not (site.drop / later[0].name).exists()
    clocked.go(20 * HOUR_S, 60)
    clocked.stop()
    expected = {shots[number - 1].name: rule for number in gone}
    assert deleted(clocked) == expected
    assert set(noted_gone(site)) == set(expected)


def test_ages_and_at_once_may_be_mixed(site: Site, clocked: Stepped, shots: list[Shot]) -> None:
    """Dropped frames that stay for a week hold up no kept ones that go at once."""
    configure(site, "after_kept", more='after_dropped = "7d"')
    clocked.start()
    clocked.go(30)
    assert set(deleted(clocked).values()) == {"after_kept"}
    clocked.go(24 * 7 * HOUR_S - 120, 600)
    assert set(deleted(clocked).values()) == {"after_kept"}
    clocked.go(240)
    clocked.stop()
    assert left(site, shots) == [shots[2], shots[-1]]


def test_an_idle_daemon_looks_seldom_for_what_becomes_old(
    site: Site, clocked: Stepped, shots: list[Shot]
) -> None:
    """Nothing is asked of the ledger until an input is due, but for a look every ten minutes."""
    configure_ages(site, "7d", *ALL)
    clocked.start()
    clocked.go(30)
    assert clocked.daemon is not None
    (cleaner,) = [chore for chore in clocked.daemon._chores if type(chore) is InputCleaner]
    looks = 0
    for _ in range(1000):
        looks += clocked.now_s >= cleaner.deadline_s()
        clocked.go(3.6, 3.6)
    clocked.stop()
    assert looks <= HOUR_S / LOOK_S + 2
    assert left(site, shots) == shots


def test_a_clock_that_jumps_ahead_deletes_no_input_at_first(
    site: Site, daemon: Stepped, shots: list[Shot]
) -> None:
    """A wrong time does not empty the drop folder: only when it has lasted for an hour is it believed."""
    configure_ages(site, "7d", *ALL)
    daemon.start()
    daemon.go(30)
    daemon.wall_ns = lambda: time.time_ns() + 3650 * 24 * 3600 * 10**9
    daemon.go(DOUBT_S / 2, TURN_S)
    daemon.wall_ns = time.time_ns
    daemon.go(2 * DOUBT_S, TURN_S)
    assert left(site, shots) == shots
    daemon.wall_ns = lambda: time.time_ns() + 3650 * 24 * 3600 * 10**9
    daemon.go(DOUBT_S + LOOK_S + 60, TURN_S)
    daemon.stop()
    assert left(site, shots) == [shots[-1]]


def test_what_was_decided_by_a_wrong_clock_is_as_old_as_its_neighbours(
    site: Site, clocked: Stepped, shots: list[Shot]
) -> None:
    """In 1970, or years ahead: neither makes an input older than those decided before it."""
    configure_ages(site, "10h", "after_kept")
    clocked.start()
    clocked.go(30)
    decided_ago(clocked, shots, 480_000, 0, 0, 9, 0, 480_000, -80_000, 0)  # kept: 1, 4, 6 and 7
    clocked.go(HOUR_S - 120, TURN_S)
    assert left(site, shots) == shots
    clocked.go(240, TURN_S)
    clocked.stop()
    assert set(deleted(clocked)) == {shots[number - 1].name for number in (1, 4, 6, 7)}


@pytest.mark.parametrize("at_reach", [1, 3])
@pytest.mark.parametrize("step", [TidyStep.MAKE_DURABLE, TidyStep.REMOVE_INPUT, TidyStep.MARK])
def test_a_crash_while_old_inputs_go_is_made_good(
    site: Site, disk: FaultyDisk, clocked: Stepped, shots: list[Shot], step: TidyStep, at_reach: int
) -> None:
    """The next life deletes what is old enough, and only that; no frame is judged again."""
    configure_ages(site, "10h", *ALL)
    clocked.start()
    clocked.go(30)
    decided_ago(clocked, shots, 9, 9, 9, 9, 9, 9, 2, 2)
    disk.fail(step, Crash, at_reach=at_reach)
    for _ in range(2):
        try:
            clocked.go(HOUR_S, TURN_S)
            clocked.stop()
        except Crash:
            clocked.crash()
        clocked.start()
    clocked.go(60)
    clocked.stop()
    assert disk.hits[step] or at_reach > 1
    assert left(site, shots) == shots[-2:]
    assert len(clocked.verdicts()) == len(shots)
    check(site, shots, inputs=shots[-2:], acknowledged=lines_of(clocked.events))


def decisions(daemon: Stepped) -> dict[str, tuple[str, float | None]]:
    found: dict[str, tuple[str, float | None]] = {}
    for event in daemon.verdicts():
        assert isinstance(event, FrameDecided)
        decision = str(event.entry.reason), event.entry.score
        assert found.setdefault(event.entry.key.name, decision) == decision, "decided again, and otherwise"
    return found


class Remembered(FaultyDisk):
    """Keeps a copy of the ledger as a power cut would leave it: as of the last commit with FULL.

    Intents are committed so, and what ``make_durable`` commits; the next step, whichever it is, comes after.
    """

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.state, self.copy = site.state, site.home / "durable"
        self.was_made_durable = False

    def reach(self, step: Step | TidyStep) -> None:
        if self.was_made_durable:
            shutil.rmtree(self.copy, ignore_errors=True)
            shutil.copytree(self.state, self.copy)
        self.was_made_durable = step in {Step.INTEND, TidyStep.MAKE_DURABLE}
        super().reach(step)


def lose_power(daemon: Stepped) -> None:
    """End a life as a power cut does: lazy rows that were committed are gone, deleted files too."""
    assert isinstance(daemon.disk, Remembered)
    daemon.crash()
    if daemon.disk.copy.exists():
        shutil.rmtree(daemon.disk.state)
        shutil.copytree(daemon.disk.copy, daemon.disk.state)


ENDS = {"stopped": Stepped.stop, "killed": Stepped.crash, "power cut": lose_power}
TOGETHER = [("stopped", 0.0), ("killed", 5.5), ("power cut", 1.0), ("power cut", 10.0)]
"""Each end and each wait once."""

ALSO = [("stopped", 10.0), ("killed", 0.0), ("power cut", 5.5)]
"""Each end once more, with the wait most unlike."""


@pytest.mark.parametrize(
    ("end", "wait_s"),
    [
        pytest.param(ENDS[end], wait_s, id=f"{end}-{wait_s}", marks=marks)
        for ends, marks in ((TOGETHER, ()), (ALSO, pytest.mark.slow))
        for end, wait_s in ends
    ],
)
def test_a_restart_with_deleted_inputs_changes_no_score(
    tmp_path: Path, morning: list[bytes], end: Callable[[Stepped], None], wait_s: float
) -> None:
    """Restarted after each frame, its inputs deleted, the daemon scores as one that runs through."""
    sites = Site(tmp_path / "whole"), Site(tmp_path / "restarted")
    whole, restarted = (Stepped(each, Remembered(each)) for each in sites)
    configure(sites[0], detection="")
    configure(sites[1], *ALL, detection="")
    whole.start()
    restarted.start()
    for number, data in enumerate(morning * 2):
        taken = Shot(f"lot_{number:04d}.jpg", data, 1_700_000_000_000_000_000 + number * 10**9, 0)
        for each in sites:
            upload(taken, each.drop)
        whole.go(5)
        restarted.go(5 + wait_s)
        end(restarted)
        restarted.start()
    restarted.go(20)
    restarted.stop()
    whole.stop()
    assert decisions(restarted) == decisions(whole)
    assert len({score for _, score in decisions(whole).values()}) > 5
    assert contents(sites[0].results) == contents(sites[1].results)
    assert len(contents(sites[1].drop)) <= 1
