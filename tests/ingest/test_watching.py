import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framegate.ingest.inbox import Inbox
from framegate.ingest.naming import NameRules
from framegate.ingest.reading import key_of, read_frame
from framegate.ingest.watching import Watcher
from framegate.model import Arrival, Origin
from framegate.settings import DropSettings

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

    def hear(self) -> list[Arrival]:
        """Take what has come so far to what was heard, waiting a little; return all of it."""
        self.heard += self.inbox.take(0.05)
        return self.heard

    def has_heard(self, name: str, origin: Origin) -> bool:
        """Tell whether this hint has come."""
        return Arrival(name, origin) in self.hear()

    def until_fence(self, eventually: Callable[..., None]) -> Hints:
        """Return all hints of what was done before: events come in order, so none is missing now."""
        (self.drop / FENCE).write_bytes(DATA)
        eventually(lambda: self.has_heard(FENCE, Origin.CLOSED))
        return [(hint.name, hint.origin) for hint in self.heard if hint.name != FENCE]


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
    eventually(watched.inbox.take_sweep_wish)
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
    eventually(watched.inbox.take_sweep_wish)


def test_a_folder_that_is_renamed_asks_for_a_sweep(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """All frames of a renamed folder have new names: a sweep has to find them."""
    (drop / "cam").mkdir()
    watched = watch(drop)
    (drop / "cam").rename(drop / "gate")
    eventually(watched.inbox.take_sweep_wish)


def test_what_is_no_frame_is_not_heard(drop: Path, watch: Watch, eventually: Callable[..., None]) -> None:
    """Logs, hidden files and unfinished uploads wake nobody."""
    watched = watch(drop)
    for name in ("a.txt", ".a.jpg", "a.jpg.part", "a.jpg~"):
        (drop / name).write_bytes(DATA)
    assert watched.until_fence(eventually) == []
    assert not watched.inbox.take_sweep_wish()


def test_our_own_reading_is_not_heard(drop: Path, watch: Watch, eventually: Callable[..., None]) -> None:
    """Reading, listing and removing give no hints: else every frame would be looked at twice."""
    for name in ("a.jpg", "b.jpg"):
        (drop / name).write_bytes(DATA)
    watched = watch(drop)
    assert read_frame(drop, key_of("a.jpg", (drop / "a.jpg").lstat()), 100)
    os.listdir(drop)
    os.utime(drop / "a.jpg", (1, 1))
    (drop / "b.jpg").unlink()
    assert watched.until_fence(eventually) == []


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
    with pytest.raises(OSError):
        watcher.start()
    assert not watcher.is_alive
    watcher.stop()


def test_a_stopped_watcher_is_silent_and_can_start_again(
    drop: Path, watch: Watch, eventually: Callable[..., None]
) -> None:
    """Stopping ends the hints and the threads; starting again begins them anew."""
    watched = watch(drop)
    assert watched.watcher.is_alive
    watched.watcher.stop()
    assert not watched.watcher.is_alive
    (drop / "unheard.jpg").write_bytes(DATA)
    watched.watcher.start()
    assert watched.watcher.is_alive
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
    """An exception while a hint is made becomes a wish for a sweep, and later hints come as before."""
    watched = watch(drop, BrokenRules(DropSettings(folder=os.fspath(drop))))
    (drop / "bad.jpg").write_bytes(DATA)
    (drop / "good.jpg").write_bytes(DATA)
    assert watched.until_fence(eventually) == [("good.jpg", Origin.CREATED), ("good.jpg", Origin.CLOSED)]
    assert watched.watcher.is_alive
    assert watched.inbox.take_sweep_wish()
