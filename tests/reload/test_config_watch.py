import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import IO

import pytest

from framegate.config.load import parse
from framegate.errors import ConfigError
from framegate.ingest.watch.inbox import Inbox
from framegate.reload.config_watch import (
    ABANDONED_S,
    LOOK_S,
    QUIET_S,
    UNWATCHED_QUIET_S,
    ConfigWatch,
)
from troubles import leaseless, no_inotify_instances

STRANGER = 12_345
OLD = b'version = 1\n[drop]\nfolder = "/a"\n[results]\nfolder = "/b"\n[detection]\nscore_threshold = "9x"\n'
NEW = b"""version = 1
[drop]
folder = "/a"
settle_s = 10.25

[results]
folder = "/b"
min_free = "100MB"

[detection]
score_threshold = "5x"
max_kept_per_hour = 1200
[[detection.ignore]]
name = "clock"
polygon = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.05]]
[camera.c21.detection]
keep_every = "1h"
[log]
level = "debug"
"""


class Watched:
    """A config file under watch, and what was read of it whenever it was said to be saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_s = 1000.0
        self.inbox = Inbox()
        self.read: list[bytes | None] = []
        self.read_at_s: list[float] = []
        self.watch = ConfigWatch(path, self.inbox)
        self.watch.start(self.now_s)

    def turn(self) -> None:
        if self.watch.poll_change(self.now_s):
            self.read.append(self.path.read_bytes() if self.path.exists() else None)
            self.read_at_s.append(self.now_s)

    def go(self, seconds: float) -> None:
        """Let time pass as the loop does: from deadline to deadline, each later than the one before."""
        end_s = self.now_s + seconds
        self.turn()
        while (due_s := self.watch.deadline_s()) <= end_s:
            assert due_s > self.now_s, "the loop would spin"
            self.now_s = due_s
            self.turn()
        self.now_s = end_s

    def reads_in(self, seconds: float) -> list[bytes | None]:
        """Return what is read while time passes."""
        before = len(self.read)
        self.go(seconds)
        return self.read[before:]

    def close(self) -> None:
        self.watch.stop()
        self.inbox.close()


Watch = Callable[[], Watched]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A config file in a folder of its own."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "site.toml").write_bytes(OLD)
    return folder / "site.toml"


@pytest.fixture
def watched(path: Path) -> Iterator[Watched]:
    """A watch over the file, which has been read as it is."""
    with closing(Watched(path)) as watched:
        assert watched.reads_in(5) == [OLD]
        yield watched


@pytest.fixture(params=["may ask", "may not ask"])
def ours_or_not(request: pytest.FixtureRequest, path: Path) -> Iterator[None]:
    """Who writes the file: the kernel tells its owner and root; others know what they have heard."""
    may_ask = request.param == "may ask"
    if not may_ask:
        if os.getuid():
            pytest.skip("only root may own as another")
        os.chown(path, STRANGER, STRANGER)
    with nullcontext() if may_ask else leaseless():
        yield


def is_valid(data: bytes) -> bool:
    try:
        parse(None, data)
    except ConfigError:
        return False
    return True


def test_many_prefixes_of_a_config_are_configs() -> None:
    """A file that is being written looks whole again and again: only its writer's close tells."""
    valid = [cut for cut in range(len(NEW)) if is_valid(NEW[:cut])]
    assert len(valid) > 20
    assert any(b'"100MB"' in NEW[:cut] and b"5x" not in NEW[:cut] for cut in valid)


MODES = ["wb", "r+b", "ab", "xb"]
"""Ways to write a file; together they are cut at every place."""


@pytest.mark.usefixtures("ours_or_not")
@pytest.mark.parametrize("mode", MODES)
def test_a_slow_writer_is_waited_for_wherever_it_stops(watched: Watched, mode: str) -> None:
    """Cut where it is a config, or anywhere else, by a writer that holds it open, it is read at the close."""
    owner = watched.path.stat().st_uid
    cuts = [cut for cut in range(1, len(NEW)) if is_valid(NEW[:cut]) or not cut % 7]
    for cut in cuts[MODES.index(mode) :: len(MODES)]:
        watched.path.write_bytes(b"" if mode == "ab" else OLD)
        watched.go(ABANDONED_S + 1)
        watched.read.clear()
        if mode == "xb":
            watched.path.unlink()
        with watched.path.open(mode, buffering=0) as file:
            os.fchown(file.fileno(), owner, -1)
            write_in_pieces(watched, file, cut)
            assert watched.read == [], f"read when it was cut at {cut}"
        assert watched.reads_in(QUIET_S) == [NEW], f"cut at {cut}"
        assert watched.reads_in(5) == []


def write_in_pieces(watched: Watched, file: IO[bytes], cut: int) -> None:
    file.write(NEW[:cut])
    watched.go(3.3)
    file.write(NEW[cut:-1])
    watched.go(0.1)
    file.write(NEW[-1:])
    watched.go(cut % 3)


def test_a_file_that_is_moved_in_before_it_is_written_is_waited_for(watched: Watched) -> None:
    """A writer that renames its file over the config and goes on writing is waited for."""
    place = watched.path.with_name("new")
    with place.open("wb", buffering=0) as file:
        file.write(NEW[:20])
        place.rename(watched.path)
        assert watched.reads_in(10) == []
        file.write(NEW[20:])
    assert watched.reads_in(QUIET_S) == [NEW]


@pytest.mark.usefixtures("ours_or_not")
def test_a_close_is_heard_at_once(watched: Watched) -> None:
    """When the last write was long ago, the file is read as soon as its writer closes it."""
    with watched.path.open("wb", buffering=0) as file:
        file.write(NEW)
        assert watched.reads_in(10) == []
    assert watched.reads_in(0) == [NEW]


@pytest.mark.usefixtures("ours_or_not")
def test_a_writer_that_writes_no_more_is_not_waited_for_for_ever(watched: Watched) -> None:
    """A file that is held open, and was not written for a minute, is read as it is, once."""
    half = NEW[: len(NEW) // 2]
    with watched.path.open("wb", buffering=0) as file:
        file.write(half[:10])
        watched.go(ABANDONED_S - 5)
        file.write(half[10:])
        assert watched.reads_in(ABANDONED_S - 1) == []
        assert watched.reads_in(1 + LOOK_S) == [half]
        assert watched.reads_in(3 * ABANDONED_S) == []
        file.write(NEW[len(half) :])
    assert watched.reads_in(1) == [NEW]


@pytest.mark.usefixtures("ours_or_not")
def test_a_file_without_content_is_not_read_at_once(watched: Watched) -> None:
    """What was cut to nothing, or made a moment ago, waits for its content; in the end it is read."""
    watched.path.write_bytes(b"")
    assert watched.reads_in(4) == []  # seconds, not EMPTY_S - 1: that would hold for every EMPTY_S
    assert watched.reads_in(1 + LOOK_S) == [b""]
    watched.path.write_bytes(NEW)
    assert watched.reads_in(1) == [NEW]


def test_steps_of_one_save_are_one_save(watched: Watched) -> None:
    """Writes that follow each other within the quiet time are read once, after the last."""
    for number in range(20):
        watched.path.write_bytes(b"%d" % number)
        watched.go(QUIET_S * 0.9)
    watched.path.write_bytes(NEW)
    assert watched.read == [OLD]
    assert watched.reads_in(QUIET_S) == [NEW]


def test_a_version_that_hides_its_time_and_size_is_seen(watched: Watched) -> None:
    """New bytes of the same length, in place and with the old mtime (cp -p of a build), are a change."""
    before = watched.path.stat()
    new = OLD.replace(b"9x", b"0.1%")
    watched.path.write_bytes(new)
    os.utime(watched.path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert watched.path.stat().st_ino == before.st_ino
    assert watched.reads_in(2) == [new]


def test_what_happens_beside_the_file_is_no_change(watched: Watched) -> None:
    """Other files may come, grow and go in its folder as they like."""
    for number in range(50):
        beside = watched.path.with_name(f"site.toml.{number}")
        beside.write_bytes(NEW)
        watched.go(0.1)
        beside.unlink()
    assert watched.reads_in(2) == []


def test_a_file_that_is_gone_is_a_change_and_one_that_is_back_another(watched: Watched) -> None:
    """Its removal is told once, and so is its return."""
    watched.path.unlink()
    assert watched.reads_in(100) == [None]
    watched.path.write_bytes(OLD)
    assert watched.reads_in(100) == [OLD]


def test_a_swap_of_the_link_above_it_is_heard_at_once(tmp_path: Path) -> None:
    """Kubernetes swaps ..data and says nothing of the file; it is read as soon as it is quiet."""
    path = kubernetes(tmp_path)
    with closing(Watched(path)) as watched:
        watched.go(5.5)
        for content in (NEW, OLD, NEW):
            swap(tmp_path, content)
            assert watched.reads_in(QUIET_S) == [content]


def kubernetes(folder: Path) -> Path:
    """Lay out a config as Kubernetes mounts it."""
    (folder / "site.toml").symlink_to("..data/site.toml")
    swap(folder, OLD)
    return folder / "site.toml"


def swap(folder: Path, content: bytes) -> None:
    dated = folder / f"..{len(os.listdir(folder))}"
    dated.mkdir()
    (dated / "site.toml").write_bytes(content)
    (folder / "..data_tmp").symlink_to(dated.name)
    (folder / "..data_tmp").rename(folder / "..data")


def test_what_a_link_leads_to_is_heard_at_once_wherever_it_is(tmp_path: Path) -> None:
    """A target in another folder, and the next one when the link is turned, are watched like the file."""
    targets = [tmp_path / name / "real.toml" for name in ("a", "b")]
    for target in targets:
        target.parent.mkdir()
        target.write_bytes(OLD)
    link = tmp_path / "site.toml"
    link.symlink_to(targets[0])
    with closing(Watched(link)) as watched:
        watched.go(5.5)
        targets[0].write_bytes(NEW)
        assert watched.reads_in(QUIET_S) == [NEW]
        link.with_name("new").symlink_to(targets[1])
        link.with_name("new").rename(link)
        assert watched.reads_in(QUIET_S) == [OLD]
        targets[1].write_bytes(NEW)
        assert watched.reads_in(QUIET_S) == [NEW]


@pytest.mark.parametrize("how", ["renamed over", "removed and made again"])
def test_another_folder_in_its_folders_place_is_watched_too(watched: Watched, how: str) -> None:
    """When the config's folder is replaced, the file in the new one is read, and heard of from then on."""
    path, folder = watched.path, watched.path.parent
    if how == "renamed over":
        folder.rename(folder.with_name("before"))
    else:
        path.unlink()
        watched.go(QUIET_S)
        folder.rmdir()  # its very inode may be given to the next
    folder.mkdir()
    path.write_bytes(NEW)
    assert watched.reads_in(LOOK_S + QUIET_S)[-1] == NEW
    watched.go(5.5)
    path.write_bytes(OLD)
    assert watched.reads_in(QUIET_S) == [OLD]


@pytest.mark.usefixtures("ours_or_not")
def test_a_writer_is_heard_in_a_folder_that_was_made_again(watched: Watched) -> None:
    """Half a file is not read in a folder that has its predecessor's name and inode either."""
    path, folder = watched.path, watched.path.parent
    owner = path.stat().st_uid
    for _ in range(5):
        path.unlink()
        folder.rmdir()
        folder.mkdir()
        path.write_bytes(OLD)
        os.chown(path, owner, -1)
        assert watched.reads_in(LOOK_S + QUIET_S) == [OLD]
        with path.open("wb", buffering=0) as file:
            file.write(NEW[:20])
            assert watched.reads_in(10) == []
            file.write(NEW[20:])
        assert watched.reads_in(QUIET_S) == [NEW]


def test_without_inotify_it_is_looked_at(path: Path) -> None:
    """When the kernel gives no inotify instance, a change is found by looking, and heard again later."""
    with no_inotify_instances():
        watched = Watched(path)
        watched.go(5)
        path.write_bytes(NEW)
        assert watched.reads_in(LOOK_S + UNWATCHED_QUIET_S) == [NEW]
    watched.go(LOOK_S + 0.5)
    path.write_bytes(OLD)
    assert watched.reads_in(QUIET_S) == [OLD]
    watched.close()


def test_a_change_before_the_watch_began_is_read(path: Path) -> None:
    """The version that is there at the start is read: an edit after the first reading is not lost."""
    with closing(Watched(path)) as watched:
        assert watched.reads_in(UNWATCHED_QUIET_S) == [OLD]


@contextmanager
def share(path: Path) -> Iterator[Path]:
    """Let the config's folder be a share; yield the path by which its server writes the config."""
    if shutil.which("bindfs") is None or os.getuid():
        pytest.skip("no bindfs for us")
    behind = path.parent.with_name("behind")
    path.parent.rename(behind)
    path.parent.mkdir()
    subprocess.run(["bindfs", "-o", "attr_timeout=0", behind, path.parent], check=True)
    try:
        yield behind / path.name
    finally:
        subprocess.run(["umount", "-l", path.parent], check=True)


def test_what_is_written_behind_a_share_is_found_when_it_is_whole(path: Path) -> None:
    """A config that another machine writes, in pieces that no event tells of, is read once and whole."""
    with share(path) as behind, closing(Watched(path)) as watched:
        assert watched.reads_in(5) == [OLD]
        with behind.open("wb", buffering=0) as file:
            for at in range(0, len(NEW), 50):
                file.write(NEW[at : at + 50])
                assert watched.reads_in(UNWATCHED_QUIET_S - LOOK_S / 2) == []
        assert watched.reads_in(LOOK_S + UNWATCHED_QUIET_S) == [NEW]


def test_a_share_that_refuses_every_lease_holds_up_no_edit(path: Path) -> None:
    """Where the kernel says of every file that it may have a writer, the writers that are heard count."""
    with share(path), closing(Watched(path)) as watched, path.open("r+b"):
        assert watched.reads_in(5) == [OLD]
        with path.open("wb", buffering=0) as file:
            file.write(NEW[:50])
            assert watched.reads_in(10) == []
            file.write(NEW[50:])
        assert watched.reads_in(QUIET_S) == [NEW]


@pytest.mark.usefixtures("ours_or_not")
def test_what_is_written_by_another_name_of_the_file_is_found(watched: Watched) -> None:
    """A writer that no event tells of, as behind a bind mount of the file, is waited for a little longer."""
    other = watched.path.parent.with_name("other")
    os.link(watched.path, other)
    with other.open("wb", buffering=0) as file:
        watched.go(5)
        watched.read.clear()
        for at in range(0, len(NEW), 100):
            file.write(NEW[at : at + 100])
            assert watched.reads_in(UNWATCHED_QUIET_S - LOOK_S / 2) == []
    assert watched.reads_in(LOOK_S + UNWATCHED_QUIET_S) == [NEW]


def test_it_gives_back_what_it_took(path: Path) -> None:
    """Watching anew and stopping leaves no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    with closing(Watched(path)) as watched:
        for _ in range(20):
            folder = path.parent
            folder.rename(folder.with_name(f"before{len(os.listdir(folder.parent))}"))
            folder.mkdir()
            path.write_bytes(NEW)
            watched.go(2)
        watched.watch.stop()
        watched.watch.stop()
    assert len(os.listdir("/proc/self/fd")) == before
