import logging
import os
import threading
from pathlib import Path

import pytest

from framegate.ingest.names import NameRules
from framegate.ingest.watch.supervisor import CHECK_S, LATE_S, MOST_REBUILDS, QUIET_S
from running import wait_until
from supervised import RESCAN_S, Supervise
from troubles import drop_kernel_watches, kill_thread, no_inotify_instances, powerless

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """An empty drop folder."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def test_a_folder_that_is_well_is_watched_in_silence(drop: Path, supervise: Supervise) -> None:
    """While nothing is wrong nothing is announced, wished for or rebuilt."""
    site = supervise(drop)
    assert site.watch.mode == "inotify"
    site.hears()
    assert [site.tick() for _ in range(20)] == [[]] * 20
    assert not site.wishes()
    assert site.watch.rebuilds == 0
    assert site.watch.next_check_s == site.now_s + CHECK_S


def test_a_folder_that_is_deleted_and_made_again_is_heard(drop: Path, supervise: Supervise) -> None:
    """A drop folder that goes is announced once, and when one is there again it is swept and watched."""
    site = supervise(drop)
    drop.rmdir()
    assert site.tick() == ["drop.absent"]
    assert site.happened[-1].level == "warning"
    assert site.happened[-1].fields["error"] == "No such file or directory"
    assert site.watch.is_absent
    assert site.tick() == site.tick() == []
    drop.mkdir()
    assert site.tick() == ["drop.back"]
    assert site.happened[-1].fields["watch"] == "inotify"
    assert not site.watch.is_absent
    assert site.wishes()
    site.hears()


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path, supervise: Supervise) -> None:
    """A watch over a folder that is still to come says so, and begins when it has come."""
    site = supervise(tmp_path / "later")
    assert site.announced == ["drop.absent"]
    assert site.tick() == []
    site.drop.mkdir()
    assert site.tick() == ["drop.back"]
    site.hears()


def test_a_file_in_the_place_of_the_folder_is_an_absent_folder(drop: Path, supervise: Supervise) -> None:
    """What stands at the path and is no folder cannot be watched, and is said to be none."""
    site = supervise(drop)
    drop.rmdir()
    drop.write_bytes(b"")
    assert site.tick() == ["drop.absent"]
    assert site.happened[-1].fields["error"] == "Not a directory"


def test_a_folder_deleted_and_made_between_two_looks_is_heard(drop: Path, supervise: Supervise) -> None:
    """A folder that was made anew before anybody looked is watched anew, though ext4 reuses its inode."""
    site = supervise(drop)
    drop.rmdir()
    drop.mkdir()
    assert site.tick() == ["watch.rebuilt"]
    assert site.wishes()
    assert site.watch.rebuilds == 1
    site.hears()


def test_a_folder_that_is_renamed_away_is_not_followed(drop: Path, supervise: Supervise) -> None:
    """When another folder takes the place of the one that was watched, the new one is heard."""
    site = supervise(drop)
    drop.rename(drop.with_name("old"))
    drop.mkdir()
    assert site.tick() == ["watch.rebuilt"]
    assert site.happened[-1].fields == {"reason": "another folder stands at the path", "watch": "inotify"}
    assert site.wishes()
    site.hears()


def test_a_link_that_points_elsewhere_is_followed(drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """When the link that is the drop folder points to another, that one is heard."""
    link = tmp_path / "link"
    link.symlink_to(drop)
    site = supervise(link)
    (tmp_path / "other").mkdir()
    (tmp_path / "new").symlink_to("other")
    (tmp_path / "new").rename(link)
    assert site.tick() == ["watch.rebuilt"]
    assert site.wishes()
    site.hears()


def test_a_folder_that_may_not_be_listed_is_absent_until_it_may(drop: Path, supervise: Supervise) -> None:
    """Without the right to read it the folder is absent, with the reason; with it, all goes on."""
    with powerless():
        drop.chmod(0)
        site = supervise(drop)
        assert site.announced == ["drop.absent"]
        assert site.happened[-1].fields["error"] == "Permission denied"
        assert site.tick() == []
        drop.chmod(0o700)
        assert site.tick() == ["drop.back"]
        site.hears()
        drop.chmod(0o100)
        assert site.tick() == ["drop.absent"]
        drop.chmod(0o700)


@pytest.mark.parametrize("number", [0, 2])
def test_a_dead_thread_is_replaced(drop: Path, supervise: Supervise, number: int) -> None:
    """When watchdog's reader or dispatcher dies, the folder is watched anew and swept."""
    before = set(threading.enumerate())
    site = supervise(drop)
    kill_thread([thread for thread in threading.enumerate() if thread not in before][number])
    (drop / "wakes-it.jpg").write_bytes(b"a frame")
    wait_until(lambda: site.tick() == ["watch.rebuilt"], 10)
    assert site.happened[-1].level == "warning"
    assert "threads ended" in site.happened[-1].fields["reason"]
    assert site.wishes()
    site.hears()
    assert site.tick() == []


def test_a_watch_that_the_kernel_gave_up_is_renewed(drop: Path, supervise: Supervise) -> None:
    """When the kernel has dropped the watch while the folder stands, it is watched anew."""
    site = supervise(drop)
    drop_kernel_watches()
    assert site.tick() == ["watch.rebuilt"]
    site.hears()


def test_rebuilding_again_and_again_takes_nothing(drop: Path, supervise: Supervise) -> None:
    """A watcher that is replaced gives back its threads and descriptors."""
    site = supervise(drop)
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(2 * MOST_REBUILDS):
        drop_kernel_watches()
        assert site.tick(QUIET_S) == ["watch.rebuilt"]
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)


def test_a_watcher_that_fails_all_the_time_is_given_up_for_a_while(drop: Path, supervise: Supervise) -> None:
    """After so many rebuilds without a quiet minute the folder is polled until the next retry."""
    site = supervise(drop)
    for _ in range(MOST_REBUILDS):
        drop_kernel_watches()
        assert site.tick() == ["watch.rebuilt"]
    drop_kernel_watches()
    assert site.tick() == ["watch.failed"]
    assert site.watch.mode == "poll"
    assert site.tick() == []
    site.wishes()
    assert site.tick(RESCAN_S) == ["watch.restored"]
    assert site.wishes()
    site.hears()


def test_without_inotify_instances_the_folder_is_polled_until_there_are_some(
    drop: Path, supervise: Supervise
) -> None:
    """When the kernel gives no inotify, one warning says so, until a later try gets it."""
    with no_inotify_instances():
        site = supervise(drop)
        assert site.announced == ["watch.failed"]
        assert site.happened[-1].level == "warning"
        assert "max_user_instances" in site.happened[-1].fields["advice"]
        assert site.watch.mode == "poll"
        assert site.watch.sweep_interval_s(0.0) == site.settings.poll_s
        for _ in range(3):
            assert site.tick(RESCAN_S) == []
    assert not site.wishes()
    assert site.tick() == []  # not due
    assert site.tick(RESCAN_S) == ["watch.restored"]
    assert site.wishes()
    assert site.watch.mode == "inotify"
    site.hears()


def test_a_folder_that_goes_while_it_is_being_armed_is_no_failure(
    drop: Path, tmp_path: Path, supervise: Supervise
) -> None:
    """A folder that was there to look at and is not there to watch gives no warning; the next look tells."""
    fd = os.open(drop, os.O_RDONLY)
    drop.rmdir()  # it can still be listed through the descriptor, and has no path any more
    site = supervise(Path(f"/proc/self/fd/{fd}"))
    assert site.announced == site.tick() == []
    assert site.watch.mode == "poll"
    other = os.open(tmp_path, os.O_RDONLY)
    os.dup2(other, fd)
    assert site.tick() == ["watch.rebuilt"]
    site.hears()
    os.close(fd)
    os.close(other)


def test_a_folder_that_is_to_be_polled_is_not_watched(drop: Path, supervise: Supervise) -> None:
    """With watch = "poll" no thread of watchdog's runs; that the folder is another is noticed even so."""
    threads = threading.active_count()
    site = supervise(drop, watch="poll")
    assert threading.active_count() == threads
    assert site.watch.mode == "poll"
    assert site.announced == []
    assert site.tick() == []
    drop.rename(drop.with_name("old"))
    drop.mkdir()
    assert site.tick() == ["watch.rebuilt"]
    assert site.wishes()
    assert site.watch.mode == "poll"
    assert site.tick() == []


def test_sweeps_are_as_far_apart_as_the_mode_wants_and_their_cost_allows(
    drop: Path, supervise: Supervise
) -> None:
    """Sweeps come every sweep_s, or every poll_s while polling, but take a tenth of a core at the most."""
    watching, polling = supervise(drop), supervise(drop, watch="poll", poll_s=4)
    assert watching.watch.sweep_interval_s(0.1) == RESCAN_S
    assert watching.watch.sweep_interval_s(4.0) == 40.0
    assert polling.watch.sweep_interval_s(0.1) == 4.0
    assert polling.watch.sweep_interval_s(1.5) == 15.0
    assert supervise(drop, watch="poll", poll_s=4, sweep_s=1).watch.sweep_interval_s(0.0) == 1.0


def test_what_only_a_sweep_found_speaks_against_the_watcher(drop: Path, supervise: Supervise) -> None:
    """A frame that no hint names is counted and announced, and the watcher replaced."""
    site = supervise(drop)
    assert site.misses("a.jpg", "b.jpg") == ["watch.missed"]
    assert site.happened[-1].level == "warning"
    assert site.happened[-1].fields == {"frames": 2, "for_example": "a.jpg"}
    assert (site.watch.found_by_sweep, site.watch.rebuilds) == (2, 1)
    assert site.wishes()
    site.hears()
    assert site.misses() == []


def test_a_hint_that_is_only_late_is_no_miss(drop: Path, supervise: Supervise) -> None:
    """What a sweep met before its hint came is not held against the watcher, unless the hint stays away."""
    site = supervise(drop)
    site.watch.note_unannounced(["a.jpg", "b.jpg"], site.now_s)
    assert site.tick() == []
    site.watch.note_hint("a.jpg")
    site.watch.note_hint("b.jpg")
    assert site.tick(LATE_S) == []
    assert site.watch.rebuilds == site.watch.found_by_sweep == 0


def test_three_sweeps_in_a_row_that_find_frames_mean_that_it_is_deaf(
    drop: Path, supervise: Supervise
) -> None:
    """When rebuilding does not help, one more warning says so, and sweeps come as when polling."""
    site = supervise(drop)
    assert site.misses("a.jpg") == ["watch.missed"]
    assert site.misses("b.jpg") == []
    assert site.watch.mode == "inotify"
    assert site.misses("c.jpg") == ["watch.deaf"]
    assert site.watch.mode == "poll"
    assert site.watch.sweep_interval_s(0.0) == site.settings.poll_s
    assert (site.watch.found_by_sweep, site.watch.rebuilds) == (3, 2)
    assert site.misses("d.jpg") == []
    site.hears()  # the watcher is kept, for what it still may hear


def test_a_sweep_that_finds_nothing_ends_the_row(drop: Path, supervise: Supervise) -> None:
    """Misses now and then are each announced, and never add up to deafness."""
    site = supervise(drop)
    for _ in range(4):
        assert site.misses("a.jpg") == ["watch.missed"]
        assert site.misses() == []
    assert site.watch.mode == "inotify"


def test_a_new_folder_is_not_deaf_because_the_old_one_was(drop: Path, supervise: Supervise) -> None:
    """When another folder stands at the path, it is heard until it proves deaf itself."""
    site = supervise(drop)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        site.misses(name)
    assert site.watch.mode == "poll"
    drop.rename(drop.with_name("old"))
    drop.mkdir()
    assert site.tick() == ["watch.rebuilt"]
    assert site.watch.mode == "inotify"
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        site.misses(name)
    assert site.watch.mode == "poll"
    drop.rmdir()
    site.tick()
    drop.mkdir()
    assert site.tick() == ["drop.back"]
    assert site.watch.mode == "inotify"


def test_an_old_watcher_is_not_held_against_the_new_one(drop: Path, supervise: Supervise) -> None:
    """What the watcher before it may have missed is no miss of the one that took its place."""
    site = supervise(drop)
    site.watch.note_unannounced(["a.jpg"], site.now_s)
    drop.rename(drop.with_name("old"))
    drop.mkdir()
    assert site.tick() == ["watch.rebuilt"]
    assert site.tick(LATE_S) == []
    assert site.watch.found_by_sweep == 0


def test_overflows_are_announced_once_until_a_quiet_minute(drop: Path, supervise: Supervise) -> None:
    """A row of overflows is one warning; each asks for a sweep."""
    logger = logging.getLogger("watchdog.observers.inotify_c")
    site = supervise(drop)

    def overflow() -> None:
        logger.warning("Inotify queue overflowed; filesystem events were lost")
        assert site.wishes()

    overflow()
    assert site.tick() == ["watch.overflow"]
    assert site.happened[-1].fields == {"overflows": 1}
    for _ in range(3):
        overflow()
        assert site.tick(QUIET_S / 2) == []
    assert site.tick(QUIET_S) == []
    overflow()
    assert site.tick() == ["watch.overflow"]
    assert site.watch.overflows == site.happened[-1].fields["overflows"] == 5


def test_new_settings_hold_at_once(drop: Path, supervise: Supervise) -> None:
    """A reload changes how often it is swept and what is a frame, without a new watch."""
    site = supervise(drop)
    settings = site.settings.model_copy(update={"sweep_s": 7.0, "include": ("*.raw", "*.jpg")})
    site.watch.retune(settings, NameRules(settings))
    assert site.watch.sweep_interval_s(0.0) == 7.0
    (drop / "a.raw").write_bytes(b"a frame")
    wait_until(lambda: any(arrival.name == "a.raw" for arrival in site.inbox.take(0.02)), 10)
    assert site.watch.rebuilds == 0


def test_after_the_stop_nothing_is_heard(drop: Path, supervise: Supervise) -> None:
    """A watch that has stopped leaves no thread, and its inbox may be closed."""
    threads = threading.active_count()
    site = supervise(drop)
    site.watch.stop()
    assert threading.active_count() == threads
    site.inbox.close()
    (drop / "a.jpg").write_bytes(b"a frame")
