import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from watchdog.events import FileClosedEvent

from framegate.config.settings import DropSettings
from framegate.ingest.names import NameRules
from framegate.ingest.reading import key_of, read_frame
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.watcher import Watcher, identity_of
from framegate.model import Arrival, Origin
from troubles import descriptors_left, drop_kernel_watches, kill_thread, no_inotify_instances, powerless

FENCE = "zz-fence.jpg"
DATA = b"a frame"

Hints = list[tuple[str, Origin]]
Watch = Callable[..., "Watched"]


class Watched:
    """A drop folder under a real watcher, and what was heard of it."""

    def __init__(self, drop: Path, rules: NameRules, *, recursive: bool = True) -> None:
        self.drop = drop
        self.inbox = Inbox()
        self.watcher = Watcher(drop, rules, self.inbox, recursive=recursive)
        self.watcher.start()
        self.heard: list[Arrival] = []

    def fault(self) -> str | None:
        """Return what is wrong with the watch of the folder that is at the path now."""
        return self.watcher.fault(identity_of(self.drop))

    def hear(self) -> list[Arrival]:
        """Take what has come so far to what was heard, waiting a little; return all of it."""
        self.heard += self.inbox.take(0.05)
        return self.heard

    def has_heard(self, name: str, origin: Origin) -> bool:
        """Tell whether this hint has come."""
        return Arrival(name, origin) in self.hear()

    def until_fence(self, eventually: Callable[..., None]) -> Hints:
        """Return all hints of what was done before: events come in order, so none is missing now.

        Without those of a touch, which watchdog 6.0 gives for the first write of an upload as well.
        """
        (self.drop / FENCE).write_bytes(DATA)
        eventually(lambda: self.has_heard(FENCE, Origin.CLOSED))
        return [
            (hint.name, hint.origin)
            for hint in self.heard
            if hint.name != FENCE and hint.origin is not Origin.TOUCHED
        ]


@pytest.fixture
def watch(rules: NameRules) -> Iterator[Watch]:
    """Watch a folder until the test ends."""
    begun: list[Watched] = []

    def begin(drop: Path, its_rules: NameRules = rules, *, recursive: bool = True) -> Watched:
        begun.append(Watched(drop, its_rules, recursive=recursive))
        return begun[-1]

    yield begin
    for watched in begun:
        watched.watcher.stop()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not watched, on the same file system."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def test_a_written_file_is_heard_when_its_writer_closes_it(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """A hint comes when a file is made, and the one that counts when it is closed, not before."""
    watched = watch(drop)
    with (drop / "a.jpg").open("wb") as file:
        file.write(DATA)
        file.flush()
        assert watched.until_fence(eventually) == [("a.jpg", Origin.CREATED)]
    eventually(lambda: watched.has_heard("a.jpg", Origin.CLOSED))


def test_a_file_that_is_renamed_when_complete_is_heard_as_moved(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """A client that writes under another name and renames gives one hint, under the final name."""
    watched = watch(drop)
    (drop / "a.jpg.part").write_bytes(DATA)
    (drop / "a.jpg.part").rename(drop / "a.jpg")
    assert watched.until_fence(eventually) == [("a.jpg", Origin.MOVED)]


def test_a_file_that_comes_by_rename_from_another_folder_is_heard(
    drop: Path, outside: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """What is moved in from outside gives a hint under its name in the folder."""
    watched = watch(drop)
    (outside / "other.jpg").write_bytes(DATA)
    (outside / "other.jpg").rename(drop / "a.jpg")
    assert [name for name, _ in watched.until_fence(eventually)] == ["a.jpg"]


def test_a_hard_link_is_heard(
    drop: Path, outside: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """A file that is linked in, which nobody ever closes, gives a hint."""
    watched = watch(drop)
    (outside / "a.jpg").write_bytes(DATA)
    os.link(outside / "a.jpg", drop / "a.jpg")
    assert watched.until_fence(eventually) == [("a.jpg", Origin.CREATED)]


@pytest.mark.parametrize("name", ["ü ö.jpg", "-a.jpg", "a\nb.jpg", os.fsdecode(b"l\xf6t\xff.jpg")], ids=ascii)
def test_names_of_any_bytes_are_heard(
    drop: Path, watch: Watch, eventually: Callable[..., None], name: str
) -> None:
    """A hint names the file exactly, so that it can be opened by it."""
    watched = watch(drop)
    (drop / name).write_bytes(DATA)
    assert watched.until_fence(eventually) == [(name, Origin.CREATED), (name, Origin.CLOSED)]


def test_a_folder_made_later_is_swept_and_then_heard(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """A new folder asks for a sweep, for what came with it; afterwards its files give hints."""
    watched = watch(drop)
    (drop / "cam").mkdir()
    eventually(watched.inbox.take_sweep_request)
    numbers = iter(range(1000))

    def write_and_listen() -> bool:
        (drop / "cam" / f"{next(numbers)}.jpg").write_bytes(DATA)
        return any(hint.name.startswith("cam/") and hint.origin is Origin.CLOSED for hint in watched.hear())

    eventually(write_and_listen)


def test_a_folder_that_is_moved_in_asks_for_a_sweep(
    drop: Path, outside: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """The files of a folder that is moved in are named by no event: a sweep has to find them."""
    watched = watch(drop)
    (outside / "cam").mkdir()
    (outside / "cam" / "a.jpg").write_bytes(DATA)
    (outside / "cam").rename(drop / "cam")
    eventually(watched.inbox.take_sweep_request)


def test_a_folder_that_is_renamed_asks_for_a_sweep(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """All frames of a renamed folder have new names: a sweep has to find them."""
    (drop / "cam").mkdir()
    watched = watch(drop)
    (drop / "cam").rename(drop / "gate")
    eventually(watched.inbox.take_sweep_request)


def test_what_is_no_frame_is_not_heard(drop: Path, watch: Watch, eventually: Callable[..., None]) -> None:
    """Logs, hidden files and unfinished uploads wake nobody."""
    watched = watch(drop)
    for name in ("a.txt", ".a.jpg", "a.jpg.part", "a.jpg~"):
        (drop / name).write_bytes(DATA)
    assert watched.until_fence(eventually) == []
    assert not watched.inbox.take_sweep_request()


def test_our_own_reading_is_not_heard(drop: Path, watch: Watch, eventually: Callable[..., None]) -> None:
    """Reading, listing and removing give no hints: else every frame would be looked at twice."""
    for name in ("a.jpg", "b.jpg"):
        (drop / name).write_bytes(DATA)
    watched = watch(drop)
    assert read_frame(drop, key_of("a.jpg", (drop / "a.jpg").lstat()), 100)
    os.listdir(drop)
    (drop / "b.jpg").unlink()
    assert watched.until_fence(eventually) == []


@pytest.mark.parametrize("touch", [os.utime, lambda path: path.chmod(0o600)], ids=["time", "mode"])
def test_a_touch_is_heard_again_and_again(
    drop: Path, watch: Watch, eventually: Callable[..., None], touch: Callable[[Path], None]
) -> None:
    """A time that an uploader sets after the close, or a mode, gives a hint, whatever was done before."""
    (drop / "a.jpg").write_bytes(DATA)
    watched = watch(drop)
    for _ in range(3):
        touch(drop / "a.jpg")
        eventually(lambda: watched.has_heard("a.jpg", Origin.TOUCHED))
        watched.heard.clear()
        watched.watcher.note_closed("a.jpg")


def test_folders_inside_are_not_heard_when_they_do_not_count(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """With recursive = false only the folder itself is watched."""
    (drop / "cam").mkdir()
    watched = watch(drop, recursive=False)
    (drop / "cam" / "a.jpg").write_bytes(DATA)
    (drop / "b.jpg").write_bytes(DATA)
    assert watched.until_fence(eventually) == [("b.jpg", Origin.CREATED), ("b.jpg", Origin.CLOSED)]


def test_a_drop_folder_that_is_a_link_is_heard(
    drop: Path, tmp_path: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """A drop folder reached through a link gives hints with names below it."""
    (drop / "cam").mkdir()
    (tmp_path / "link").symlink_to(drop)
    watched = watch(tmp_path / "link")
    (drop / "cam" / "a.jpg").write_bytes(DATA)
    assert ("cam/a.jpg", Origin.CLOSED) in watched.until_fence(eventually)


def test_a_missing_folder_is_an_error(tmp_path: Path, rules: NameRules) -> None:
    """A watcher that cannot watch says so at its start, and may be stopped all the same."""
    watcher = Watcher(tmp_path / "gone", rules, Inbox(), recursive=True)
    with pytest.raises(FileNotFoundError):
        watcher.start()
    assert watcher.fault(identity_of(tmp_path)) is not None
    watcher.stop()


def test_a_stopped_watcher_is_silent_and_can_start_again(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """Stopping ends the hints and the threads; starting again begins them anew."""
    watched = watch(drop)
    threads = threading.enumerate()
    assert watched.fault() is None
    watched.watcher.stop()
    assert watched.fault() is not None
    assert len(threading.enumerate()) < len(threads)
    (drop / "unheard.jpg").write_bytes(DATA)
    watched.watcher.start()
    assert watched.fault() is None
    (drop / "heard.jpg").write_bytes(DATA)
    assert {name for name, _ in watched.until_fence(eventually)} == {"heard.jpg"}
    watched.watcher.stop()
    watched.watcher.stop()


def test_stopping_leaks_no_descriptor(drop: Path, rules: NameRules) -> None:
    """A watcher that is rebuilt again and again gives back what it took."""
    inbox = Inbox()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        watcher = Watcher(drop, rules, inbox, recursive=True)
        watcher.start()
        watcher.stop()
    assert len(os.listdir("/proc/self/fd")) == before
    inbox.close()


class BrokenRules(NameRules):
    """Rules with a mistake in them."""

    def is_frame(self, name: str) -> bool:
        if name == "bad.jpg":
            raise RuntimeError(name)
        return super().is_frame(name)


def test_a_mistake_of_ours_does_not_end_the_watching(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """An exception while a hint is made becomes a request for a sweep, and later hints come as before."""
    watched = watch(drop, BrokenRules(DropSettings(folder=os.fspath(drop))))
    (drop / "bad.jpg").write_bytes(DATA)
    (drop / "good.jpg").write_bytes(DATA)
    assert watched.until_fence(eventually) == [("good.jpg", Origin.CREATED), ("good.jpg", Origin.CLOSED)]
    assert watched.fault() is None
    assert watched.inbox.take_sweep_request()


def test_a_new_folder_under_the_old_path_is_complained_of(drop: Path, watch: Watch) -> None:
    """A folder that is renamed away is still heard, and is not the one at the path: this is seen."""
    watched = watch(drop)
    assert watched.fault() is None
    drop.rename(drop.with_name("old"))
    drop.mkdir()
    assert watched.fault() == "another folder stands at the path"


def test_a_link_that_points_elsewhere_is_complained_of(drop: Path, outside: Path, watch: Watch) -> None:
    """A drop folder that is a link is watched where it pointed when the watching began: a change is seen."""
    link = drop.with_name("link")
    link.symlink_to(drop)
    watched = watch(link)
    assert watched.fault() is None
    link.unlink()
    link.symlink_to(outside)
    assert watched.fault() == "another folder stands at the path"


def test_a_watch_that_the_kernel_gave_up_is_complained_of(drop: Path, watch: Watch) -> None:
    """When the kernel has no watch on the folder any more, as after an unmount, this is seen at once."""
    (drop / "cam").mkdir()
    watched = watch(drop)
    assert watched.fault() is None
    drop_kernel_watches(first_only=True)
    assert watched.fault() is not None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_death_of_any_thread_is_complained_of(
    drop: Path, rules: NameRules, eventually: Callable[..., None], number: int
) -> None:
    """Whichever of watchdog's threads ends, this is seen, and stopping what is left does not hang."""
    before = set(threading.enumerate())
    watched = Watched(drop, rules)
    thread = [thread for thread in threading.enumerate() if thread not in before][number]
    kill_thread(thread)
    (drop / "wakes-it.jpg").write_bytes(DATA)
    eventually(lambda: not thread.is_alive())
    assert watched.fault() == "1 of watchdog's 3 threads ended"
    watched.watcher.stop()


class DeadlyRules(NameRules):
    """Rules that end the thread that asks them."""

    def is_frame(self, name: str) -> bool:
        raise SystemExit(name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_end_of_its_thread_in_our_own_code_is_complained_of(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """What no handler of exceptions catches ends watchdog's thread, and this is seen."""
    watched = watch(drop, DeadlyRules(DropSettings(folder=os.fspath(drop))))
    (drop / "a.jpg").write_bytes(DATA)
    eventually(watched.fault)


def test_watchdogs_words_are_wishes_for_a_sweep_and_no_output(
    drop: Path, watch: Watch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A warning of watchdog's asks for a sweep and is printed nowhere, an overflow is counted once."""
    watched = watch(drop)
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; events were lost")
    logging.getLogger("watchdog.observers.inotify").warning(
        "Inotify queue overflowed; reconciling recursive watches below %r", b"/drop"
    )
    assert watched.inbox.take_sweep_request()
    assert watched.watcher.overflows == 1
    assert watched.fault() is None
    logging.getLogger("watchdog.observers.inotify").error("Unable to rebuild recursive inotify watches")
    assert watched.fault() == "watchdog logged: Unable to rebuild recursive inotify watches"
    assert capfd.readouterr() == ("", "")


def test_watchdogs_last_words_reach_nobody(
    drop: Path, watch: Watch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What watchdog reports after its end requests and prints nothing: the inbox may be closed by then."""
    watched = watch(drop)
    watched.watcher.stop()
    watched.inbox.take_sweep_request()
    logging.getLogger("watchdog.observers.inotify").error("queue_events() called when the thread is inactive")
    assert not watched.inbox.take_sweep_request()
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import logging, sys
from pathlib import Path
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.names import NameRules
from framegate.ingest.watch.watcher import Watcher, identity_of
from framegate.config.settings import DropSettings

if "root" in sys.argv:
    logging.basicConfig()
watcher = Watcher(Path(sys.argv[1]), NameRules(DropSettings(folder="/")), inbox := Inbox(), recursive=True)
watcher.start()
logging.getLogger("watchdog.observers.inotify").warning("a word")
logging.getLogger("watchdog").warning("%d is no number", "this")
assert inbox.take_sweep_request()
watcher.stop()
logging.getLogger("watchdog.observers.inotify").error("a last word")
"""


@pytest.mark.parametrize("setup", ["none", "root"])
def test_a_program_prints_none_of_watchdogs_words(drop: Path, setup: str) -> None:
    """Warnings that no handler takes go to standard error, others to the root's: not watchdog's."""
    command = [sys.executable, "-c", SCRIPT, os.fspath(drop), setup]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_hint_that_is_still_on_its_way_at_the_end_reaches_nobody(drop: Path, watch: Watch) -> None:
    """A thread of watchdog's that would not end cannot write into an inbox that is closed by then."""
    watched = watch(drop)
    hinter = watched.watcher._hinter
    assert hinter is not None
    hinter.on_any_event(FileClosedEvent(os.fspath(drop / "a.jpg")))
    watched.watcher.stop()
    hinter.on_any_event(FileClosedEvent(os.fspath(drop / "b.jpg")))
    assert [arrival.name for arrival in watched.hear()] == ["a.jpg"]


def test_a_folder_that_may_not_be_read_is_an_error(drop: Path, rules: NameRules) -> None:
    """Watchdog would start and hear nothing; here a folder without the right to list or enter it raises."""
    watcher = Watcher(drop, rules, Inbox(), recursive=True)
    with powerless():
        for mode in (0o000, 0o100, 0o400):
            drop.chmod(mode)
            with pytest.raises(PermissionError):
                watcher.start()
    drop.chmod(0o700)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (no_inotify_instances, "inotify instance limit"),
        (partial(descriptors_left, 2), "Too many open files"),
    ],
    ids=["no instance", "no pipe"],
)
def test_a_start_that_fails_takes_nothing(
    drop: Path, rules: NameRules, trouble: Callable[[], AbstractContextManager[None]], words: str
) -> None:
    """A watcher that is refused by the kernel says so, leaves no thread and no descriptor, and may retry."""
    watcher = Watcher(drop, rules, Inbox(), recursive=True)
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with trouble():
        for _ in range(3):
            with pytest.raises(OSError, match=words):
                watcher.start()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors
    watcher.start()
    assert watcher.fault(identity_of(drop)) is None
    watcher.stop()


def test_rules_may_change_while_it_watches(
    drop: Path, make_rules: Callable[..., NameRules], watch: Watch, eventually: Callable[..., None]
) -> None:
    """New rules hold for the next hint, without a new watch."""
    watched = watch(drop)
    watched.watcher.rules = make_rules(include=["*.raw", "zz*"])
    (drop / "a.jpg").write_bytes(DATA)
    (drop / "b.raw").write_bytes(DATA)
    assert {name for name, _ in watched.until_fence(eventually)} == {"b.raw"}


def test_excluded_folders_give_no_hints(drop: Path, watch: Watch, eventually: Callable[..., None]) -> None:
    """A NAS that makes a folder of thumbnails beside each frame causes no sweeps and names no files."""
    watched = watch(drop)
    (drop / "@eaDir" / "a.jpg").mkdir(parents=True)
    (drop / "@eaDir" / "a.jpg" / "SYNOPHOTO_THUMB_M.jpg").write_bytes(DATA)
    assert watched.until_fence(eventually) == []
    assert not watched.inbox.take_sweep_request()
