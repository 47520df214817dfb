import errno
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from framegate.keep.disk import Step, TidyStep
from framegate.retention.cleaning import MOST_A_TURN
from framegate.retention.ledger_rows import ROUND_S
from framegate.retention.results import HURRIED_LOOK_S, LOOK_S, ResultCleaner
from framegate.retention.wall_clock import DOUBT_S
from oracle import CAMERAS, DEFAULT_SIZE_BYTES, DETECTION, Shot, scene_jpeg, upload
from running import Site, contents
from stepping import Crash, FaultyDisk, Stepped

HOUR_NS = 3600 * 10**9
DAY_S = 86_400
TURN_S = LOOK_S
"""Often enough while hours pass: whoever looks at the results, looks every LOOK_S."""


def configure(site: Site, limits: str, more: str = "") -> None:
    site.configure(drop=f'watch = "poll"\nsettle_s = 0.5\n{more}', detection=DETECTION)
    text = site.config.read_text("utf-8")
    site.config.write_text(text.replace("[state]", f"{limits}\n[state]"), "utf-8")


def taken_ago(number: int, hours: float, *, scene: int | None = None, camera: str = "default") -> Shot:
    """Return a frame that was taken so long ago, and that is kept: each shows another scene."""
    scene = number % 4 if scene is None else scene
    name = f"{'' if camera == 'default' else camera + '_'}{number:06d}.jpg"
    mtime_ns = time.time_ns() - int(hours * HOUR_NS) + number
    return Shot(name, scene_jpeg(scene, number), mtime_ns, scene, camera)


def uploaded(site: Site, count: int, hours: float = 50, **more: object) -> list[Shot]:
    """Upload frames that are all kept, each an hour younger than the one before."""
    shots = [taken_ago(number, hours - number, **more) for number in range(count)]  # type: ignore[arg-type]
    for taken in shots:
        upload(taken, site.drop)
    return shots


def arrived_when_taken(site: Site) -> None:
    """Make the ledger remember that every frame but the last was decided when it was captured."""
    db = sqlite3.connect(site.state / "ledger.sqlite3")
    with db:
        db.execute("UPDATE frame SET decided_at_ns = captured_at_ns WHERE id < (SELECT max(id) FROM frame)")
    db.close()


def limit(site: Site, daemon: Stepped, limits: str) -> None:
    """Set limits while the daemon runs, over frames that arrived when they were captured."""
    arrived_when_taken(site)
    configure(site, limits)
    assert daemon.daemon is not None
    daemon.daemon.reload()


def names(shots: list[Shot]) -> set[str]:
    return {taken.name for taken in shots}


def deletions(daemon: Stepped) -> list[tuple[str, str]]:
    events = [event for event in daemon.events if event.event == "result.deleted"]
    return [(event.fields["result"], event.fields["rule"]) for event in events]


def test_what_is_too_old_goes_oldest_first(site: Site, daemon: Stepped) -> None:
    """Results that were kept longer ago than max_age are deleted in their order, each with a line."""
    configure(site, "")
    shots = uploaded(site, 6)
    daemon.start()
    daemon.go(20)
    limit(site, daemon, 'max_age = "47.5h"')
    daemon.go(LOOK_S + 5)
    daemon.stop()
    assert deletions(daemon) == [(taken.name, "max_age") for taken in shots[:3]]
    assert set(contents(site.results)) == names(shots[3:])
    assert set(contents(site.drop)) == names(shots)
    db = sqlite3.connect(site.state / "ledger.sqlite3")
    noted = db.execute("SELECT name FROM frame WHERE result_gone_ns IS NOT NULL").fetchall()
    db.close()
    assert {os.fsdecode(name) for (name,) in noted} == names(shots[:3])


def test_what_is_too_much_goes_oldest_first(site: Site, daemon: Stepped) -> None:
    """While the results are more than max_size together, the oldest is deleted."""
    configure(site, f'max_size = "{3 * DEFAULT_SIZE_BYTES}B"')
    shots = uploaded(site, 7)
    daemon.start()
    daemon.go(LOOK_S + 5)
    assert deletions(daemon) == [(taken.name, "max_size") for taken in shots[:4]]
    upload(later := taken_ago(7, 1), site.drop)
    daemon.go(LOOK_S + 5)
    daemon.stop()
    assert set(contents(site.results)) == names([*shots[-2:], later])


def test_each_cameras_last_kept_frame_stays(site: Site, daemon: Stepped) -> None:
    """However old or large, the frame that a camera's next one is compared with is not deleted."""
    configure(site, 'max_size = "1B"', CAMERAS)
    shots = [*uploaded(site, 3, camera="c1"), *uploaded(site, 4, camera="c2")]
    daemon.start()
    daemon.go(LOOK_S + 5)
    daemon.stop()
    assert set(contents(site.results)) == {"c1_000002.jpg", "c2_000003.jpg"}
    daemon.start()
    upload(same := taken_ago(9, 1, scene=3, camera="c2"), site.drop)
    daemon.go(20)
    daemon.stop()
    assert daemon.verdicts()[-1].entry.reference == shots[-1].name
    assert daemon.verdicts()[-1].entry.key.name == same.name


def test_the_last_kept_frame_of_each_picture_size_stays(site: Site, daemon: Stepped) -> None:
    """Whatever max_age says, each size of a camera is still compared with its reference after a restart."""
    configure(site, "")
    ages = [(taken_ago(number, 50 - number, scene=number), number < 3) for number in range(4)]
    shots = [
        replace(taken, data=scene_jpeg(taken.scene or 0, number, is_portrait=portrait), is_portrait=portrait)
        for number, (taken, portrait) in enumerate(ages)
    ]
    for taken in shots:
        upload(taken, site.drop)
    daemon.start()
    daemon.go(20)
    limit(site, daemon, 'max_age = "1h"')
    daemon.go(LOOK_S + 5)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[2:])
    for taken in shots:
        (site.drop / taken.name).unlink()
    daemon.start()
    again = [(5, 2, True), (6, 3, False)]
    for number, scene, portrait in again:
        taken = taken_ago(number, 0.1, scene=scene)
        upload(replace(taken, data=scene_jpeg(scene, number, is_portrait=portrait)), site.drop)
    daemon.go(20)
    decided = [(e.entry.reason, e.entry.reference) for e in daemon.verdicts()[len(shots) :]]
    assert decided == [("unchanged", shots[2].name), ("unchanged", shots[3].name)]


def decided_ago(site: Site, hours: dict[str, float]) -> None:
    """Make the ledger remember that frames were decided so many hours ago."""
    db = sqlite3.connect(site.state / "ledger.sqlite3")
    with db:
        for name, ago in hours.items():
            decided_at_ns = time.time_ns() - int(ago * HOUR_NS)
            values = (decided_at_ns, os.fsencode(name))
            db.execute("UPDATE frame SET decided_at_ns = ? WHERE name = ?", values)
    db.close()


YEAR_H = 24 * 365


@pytest.mark.parametrize("hours", [26 * YEAR_H, 120 * YEAR_H, -10 * YEAR_H], ids=["2000", "1906", "2036"])
def test_a_camera_whose_clock_is_wrong_loses_nothing(site: Site, daemon: Stepped, hours: float) -> None:
    """Frames that say they are of 2000, or of 2036, stay for max_age after they arrived, and then they go."""
    configure(site, 'max_age = "30d"')
    shots = uploaded(site, 4, hours=hours)
    daemon.start()
    daemon.go(3 * LOOK_S)
    assert set(contents(site.results)) == names(shots)
    decided_ago(site, {taken.name: 24 * 31 for taken in shots[:3]})
    daemon.go(LOOK_S)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[-1:])


@pytest.mark.parametrize("wrong_h", [56 * YEAR_H, -10 * YEAR_H], ids=["1970", "2036"])
@pytest.mark.parametrize("wrong", [range(2), range(1, 3), range(2, 4)], ids=["first", "amid", "then"])
def test_what_was_kept_by_a_wrong_clock_is_as_old_as_its_neighbours(
    site: Site, daemon: Stepped, wrong: range, wrong_h: float
) -> None:
    """While this machine's clock was wrong, what it kept is no older than what it kept before."""
    configure(site, 'max_age = "30d"')
    shots = uploaded(site, 6)
    daemon.start()
    daemon.go(LOOK_S)
    decided_ago(site, {shots[number].name: wrong_h for number in wrong})
    daemon.go(2 * LOOK_S)
    assert set(contents(site.results)) == names(shots)
    decided_ago(site, {shots[number].name: 24 * 31 for number in range(4) if number not in wrong})
    daemon.go(2 * LOOK_S)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[4:])


def test_nothing_goes_without_a_limit(site: Site, daemon: Stepped) -> None:
    """Unless it is told to, the daemon deletes no result, and never looks."""
    shots = uploaded(site, 4, hours=100_000)
    configure(site, "")
    daemon.start()
    daemon.go(300)
    daemon.stop()
    assert set(contents(site.results)) == names(shots)


def test_an_edit_of_the_limits_counts_at_once(site: Site, daemon: Stepped) -> None:
    """A limit that is set while the daemon runs holds without a restart."""
    configure(site, "")
    shots = uploaded(site, 4)
    daemon.start()
    daemon.go(10)
    configure(site, f'max_size = "{DEFAULT_SIZE_BYTES}B"')
    assert daemon.daemon is not None
    daemon.daemon.reload()
    daemon.go(3)
    assert set(contents(site.results)) == names(shots[-1:])
    daemon.stop()


def test_what_was_deleted_does_not_come_back(site: Site, daemon: Stepped) -> None:
    """Neither a sweep nor a restart delivers again what had its time, though its input is still there."""
    configure(site, f'max_size = "{DEFAULT_SIZE_BYTES}B"')
    shots = uploaded(site, 5)
    for _ in range(3):
        daemon.start()
        daemon.go(LOOK_S + 5)
        daemon.crash()
    assert set(contents(site.results)) == names(shots[-1:])
    assert len(daemon.verdicts()) == len(deletions(daemon)) + 1 == len(shots)


@pytest.mark.parametrize("at_reach", [1, pytest.param(2, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("step", [*Step, TidyStep.REMOVE_RESULT, TidyStep.MARK])
def test_a_crash_at_any_step_deletes_no_more_and_no_less(
    site: Site, disk: FaultyDisk, daemon: Stepped, step: Step | TidyStep, at_reach: int
) -> None:
    """Wherever the process ends, the next life deletes what the first would have deleted."""
    configure(site, f'max_size = "{2 * DEFAULT_SIZE_BYTES}B"', 'after_kept = "delete"')
    shots = uploaded(site, 6)
    disk.fail(step, Crash, at_reach=at_reach)
    daemon.start()
    try:
        daemon.go(LOOK_S + 5)
        daemon.stop()
    except Crash:
        daemon.crash()
    daemon.start()
    daemon.go(LOOK_S + 5)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[-2:])
    assert not contents(site.drop)


def test_a_backlog_of_deletions_does_not_hold_up_the_loop(site: Site, daemon: Stepped) -> None:
    """However much has to go, a turn deletes only so many."""
    configure(site, "")
    uploaded(site, 70, hours=500)
    daemon.start()
    daemon.go(20)
    limit(site, daemon, 'max_age = "1h"')
    counts = [0]
    assert daemon.daemon is not None
    while counts[-1] < 69:
        daemon.daemon.turn(0)
        counts.append(len(deletions(daemon)))
        assert counts[-1] - counts[-2] <= MOST_A_TURN
        daemon.now_s += 0.1
        assert len(counts) < 100
    assert len(counts) > 10, "and not one portion right after the other"
    daemon.stop()


def test_what_is_no_longer_ours_is_left(site: Site, daemon: Stepped, tmp_path: Path) -> None:
    """A result that somebody replaced or linked is not deleted, and one warning says so."""
    configure(site, "")
    shots = uploaded(site, 6)
    daemon.start()
    daemon.go(20)
    at = [site.results / taken.name for taken in shots]
    at[0].write_bytes(b"another's")
    at[1].write_bytes(at[1].read_bytes()[::-1])
    at[2].unlink()
    at[2].symlink_to(tmp_path / "elsewhere")
    shutil.copy2(at[3], tmp_path / "elsewhere")
    limit(site, daemon, 'max_age = "1h"')
    daemon.go(3 * LOOK_S)
    assert set(contents(site.results)) == {path.name for path in (*at[:3], at[-1])}
    assert at[2].is_symlink()
    assert daemon.count("result.foreign") == 1
    daemon.stop()


def test_a_result_that_two_frames_share_stays_with_the_younger(site: Site, daemon: Stepped) -> None:
    """When the same bytes are kept again under the same name, the file is not the older frame's any more."""
    configure(site, "")
    first = taken_ago(1, 50, scene=0)
    upload(first, site.drop)
    daemon.start()
    daemon.go(10)
    other = taken_ago(2, 49, scene=1)
    upload(Shot(first.name, other.data, other.mtime_ns, 0), site.drop)
    daemon.go(10)
    upload(Shot(first.name, first.data, first.mtime_ns + HOUR_NS * 2, 0), site.drop)
    daemon.go(10)
    assert len(daemon.verdicts()) == 3
    limit(site, daemon, 'max_age = "1h"')
    daemon.go(LOOK_S)
    daemon.stop()
    assert contents(site.results) == {first.name: first.data}


def test_a_clock_that_jumps_years_ahead_deletes_nothing_at_first(site: Site, daemon: Stepped) -> None:
    """A wrong time does not empty the results: only when it has lasted for an hour is it believed."""
    configure(site, 'max_age = "30d"')
    shots = uploaded(site, 4)
    daemon.start()
    daemon.go(LOOK_S + 5)
    daemon.wall_ns = lambda: time.time_ns() + 3650 * DAY_S * 10**9
    daemon.go(DOUBT_S / 2, TURN_S)
    assert set(contents(site.results)) == names(shots)
    daemon.wall_ns = time.time_ns
    daemon.go(2 * DOUBT_S, TURN_S)
    assert set(contents(site.results)) == names(shots)
    daemon.wall_ns = lambda: time.time_ns() + 3650 * DAY_S * 10**9
    daemon.go(DOUBT_S + 2 * LOOK_S, TURN_S)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[-1:])
    assert daemon.count("clock.jumped") == 3


def test_a_start_with_a_wrong_clock_deletes_nothing_at_first(site: Site, daemon: Stepped) -> None:
    """A machine that comes up years ahead of its last decision has an hour to find the time."""
    configure(site, 'max_age = "30d"')
    shots = uploaded(site, 4)
    daemon.start()
    daemon.go(LOOK_S + 5)
    daemon.stop()
    daemon.wall_ns = lambda: time.time_ns() + 3650 * DAY_S * 10**9
    daemon.start()
    daemon.go(DOUBT_S / 2, TURN_S)
    daemon.stop()
    assert set(contents(site.results)) == names(shots)


def test_the_size_is_held_whatever_the_clock_says(site: Site, daemon: Stepped) -> None:
    """A clock in doubt does not let the disk fill up."""
    configure(site, f'max_age = "30d"\nmax_size = "{2 * DEFAULT_SIZE_BYTES}B"')
    shots = uploaded(site, 4)
    daemon.start()
    daemon.go(1)
    daemon.stop()
    daemon.wall_ns = lambda: time.time_ns() + 3650 * DAY_S * 10**9
    daemon.start()
    daemon.go(2 * LOOK_S)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[-2:])


def test_another_disk_in_the_place_of_the_results_ends_nothing(site: Site, daemon: Stepped) -> None:
    """What is missing while another disk is in its place is deleted when it is back."""
    configure(site, "")
    shots = uploaded(site, 5)
    daemon.start()
    daemon.go(20)
    site.results.rename(site.home / "unmounted")
    site.results.mkdir()
    limit(site, daemon, 'max_age = "1h"')
    daemon.go(2 * LOOK_S)
    site.results.rmdir()
    (site.home / "unmounted").rename(site.results)
    daemon.go(ROUND_S + 2 * LOOK_S, TURN_S)
    daemon.stop()
    assert set(contents(site.results)) == names(shots[-1:])
    assert len(deletions(daemon)) == 4


def test_a_result_that_cannot_be_deleted_is_said_once(site: Site, disk: FaultyDisk, daemon: Stepped) -> None:
    """A refusal is one warning, stops no other deletion, and is tried again."""
    configure(site, f'max_size = "{DEFAULT_SIZE_BYTES}B"')
    uploaded(site, 5)
    disk.fail(TidyStep.REMOVE_RESULT, lambda: OSError(errno.EROFS, os.strerror(errno.EROFS)), lasts=True)
    daemon.start()
    daemon.go(10 * LOOK_S)
    assert daemon.count("result.undeletable") == 1
    assert daemon.count("intake.paused") == 0
    disk.heal()
    daemon.go(2 * LOOK_S)
    daemon.stop()
    assert len(contents(site.results)) == 1


def test_old_results_go_while_the_disk_is_full(site: Site, disk: FaultyDisk, daemon: Stepped) -> None:
    """A pause for want of space does not stop the deletions that end it."""
    configure(site, "")
    shots = uploaded(site, 5)
    daemon.start()
    daemon.go(20)
    disk.fail(Step.WRITE, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), lasts=True)
    upload(later := taken_ago(901, 1, scene=2), site.drop)
    daemon.go(10)
    assert daemon.count("intake.paused") == 1
    limit(site, daemon, 'max_age = "24h"')
    daemon.go(LOOK_S)
    assert set(contents(site.results)) == names(shots[-1:])
    disk.heal()
    daemon.go(2 * LOOK_S)
    daemon.stop()
    assert later.name in contents(site.results)


def test_a_pause_hurries_the_next_look(site: Site, disk: FaultyDisk, daemon: Stepped) -> None:
    """While the intake waits for room, what is too much goes within a second and not at the usual look."""
    configure(site, 'max_size = "1B"')
    uploaded(site, 3)
    daemon.start()
    daemon.go(30)
    assert len(contents(site.results)) == 1
    disk.fail(Step.WRITE, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), lasts=True)
    upload(taken_ago(901, 1, scene=0), site.drop)
    daemon.go(LOOK_S + 2)
    assert daemon.count("intake.paused") == 1
    assert daemon.daemon is not None
    retaining = next(chore for chore in daemon.daemon._chores if isinstance(chore, ResultCleaner))
    assert retaining.deadline_s() - daemon.now_s <= HURRIED_LOOK_S
    disk.heal()
    daemon.go(70)
    daemon.stop()
    assert daemon.count("intake.resumed") == 1
