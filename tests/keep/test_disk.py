import errno
import fcntl
import os
import select
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from framegate.keep.disk import Disk


@pytest.fixture
def folder_fd(results: Path) -> Iterator[int]:
    fd = os.open(results, os.O_RDONLY)
    yield fd
    os.close(fd)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))


def test_free_space_is_what_is_left_for_ordinary_users(results: Path) -> None:
    """The blocks that the file system reserves for root do not count as free."""
    space = os.statvfs(results)
    reserved = (space.f_bfree - space.f_bavail) * space.f_frsize
    assert Disk().free_bytes(os.fspath(results)) <= space.f_bfree * space.f_frsize - reserved // 2


def test_an_existing_file_is_read_no_further_than_asked(results: Path, folder_fd: int) -> None:
    """A huge file at a result's name costs no more memory than the frame itself."""
    (results / "huge.jpg").write_bytes(b"0123456789")
    assert Disk().read_existing("huge.jpg", folder_fd, 4) == b"0123"


def test_a_free_name_reads_as_nothing(folder_fd: int) -> None:
    """A name that nobody holds is told apart from an empty file."""
    assert Disk().read_existing("free.jpg", folder_fd, 4) is None


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.touch(), id="empty-file"),
        pytest.param(os.mkfifo, id="fifo"),
        pytest.param(make_socket, id="socket"),
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), id="link-to-a-file"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="dangling-link"),
        pytest.param(lambda path: path.symlink_to(path.name), id="link-to-itself"),
        pytest.param(Path.mkdir, id="folder"),
    ],
)
def test_what_is_no_regular_file_reads_as_empty(
    results: Path, folder_fd: int, make: Callable[[Path], None]
) -> None:
    """Whatever stands at a name is somebody else's, and looking at it neither follows it nor blocks."""
    make(results / "taken.jpg")
    assert Disk().read_existing("taken.jpg", folder_fd, 100) == b""


def test_an_unnamed_file_leaves_no_trace(results: Path, folder_fd: int) -> None:
    """What was never published is gone when its descriptor is."""
    disk = Disk()
    fd = disk.open_unnamed(folder_fd)
    assert fd is not None
    disk.write(fd, b"half a fra")
    assert list(results.iterdir()) == []
    os.close(fd)
    assert list(results.iterdir()) == []


def test_a_file_system_without_unnamed_files_is_no_error() -> None:
    """Where O_TMPFILE cannot be, the answer is None and the caller takes another way."""
    fd = os.open("/proc", os.O_RDONLY)
    try:
        assert Disk().open_unnamed(fd) is None
    finally:
        os.close(fd)


def test_a_leftover_temp_is_replaced(results: Path, folder_fd: int) -> None:
    """The temporary file of a crashed run gives way to an empty one."""
    (results / ".temp").write_bytes(b"the longer content of a crashed run")
    disk = Disk()
    fd = disk.open_temp(".temp", folder_fd)
    disk.write(fd, b"new")
    os.close(fd)
    assert (results / ".temp").read_bytes() == b"new"


def test_a_temp_that_somebody_is_writing_is_left_to_them(results: Path, folder_fd: int) -> None:
    """A temporary file belongs to who has it open: it is neither replaced nor removed under them."""
    theirs = Disk().open_temp(".temp", folder_fd)
    Disk().write(theirs, b"half")
    inode = (results / ".temp").stat().st_ino
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        Disk().open_temp(".temp", folder_fd)
    with pytest.raises(BlockingIOError):
        Disk().remove_if_abandoned(".temp", folder_fd)
    assert len(os.listdir("/proc/self/fd")) == before
    assert (results / ".temp").stat().st_ino == inode
    os.close(theirs)
    os.close(Disk().open_temp(".temp", folder_fd))
    assert (results / ".temp").read_bytes() == b""
    Disk().remove_if_abandoned(".temp", folder_fd)
    assert list(results.iterdir()) == []


class Rival(Disk):
    """Another daemon puts a temporary file of its own in the place of the one that is being removed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remove_temp(self, name: str, folder_fd: int) -> None:
        super().remove_temp(name, folder_fd)
        self.path.write_bytes(b"theirs")


def test_a_temp_that_another_made_first_is_theirs(results: Path, folder_fd: int) -> None:
    """When two daemons replace the same leftover, one of them makes the file and the other waits."""
    (results / ".temp").touch()
    with pytest.raises(FileExistsError):
        Rival(results / ".temp").open_temp(".temp", folder_fd)
    assert (results / ".temp").read_bytes() == b"theirs"


@pytest.mark.parametrize("act", [Disk.open_temp, Disk.remove_if_abandoned])
def test_a_temp_that_is_replaced_before_it_is_locked_is_theirs(
    results: Path, folder_fd: int, act: Callable[[Disk, str, int], Any]
) -> None:
    """Between opening a leftover and locking it another daemon may have replaced it: theirs stays."""
    (results / ".temp").touch()
    (results / ".theirs").write_bytes(b"theirs")

    def replace(_frame: object, event: str, function: object) -> None:
        if function is fcntl.flock and event == "c_call" and (results / ".theirs").exists():
            (results / ".theirs").rename(results / ".temp")

    sys.setprofile(replace)
    try:
        with pytest.raises(BlockingIOError):
            act(Disk(), ".temp", folder_fd)
    finally:
        sys.setprofile(None)
    assert (results / ".temp").read_bytes() == b"theirs"


WITHOUT_LOCKS = """
from framegate.keep.disk import Disk

refuse(NUMBER, errno.EOPNOTSUPP)
folder_fd = os.open(sys.argv[1], os.O_RDONLY)
fd = Disk().open_temp(".temp", folder_fd)
Disk().write(fd, b"new")
try:
    Disk().remove_if_abandoned(".temp", folder_fd)
except OSError as error:
    print(error.strerror)
"""


def test_where_there_are_no_locks_a_temp_is_made_and_none_is_cleared_away(
    results: Path, run_refused: Callable[..., str]
) -> None:
    """On a share without locks nobody can say who lives: our own leftover is replaced, others stay."""
    (results / ".temp").write_bytes(b"left by a crash")
    assert run_refused("flock", WITHOUT_LOCKS, results) == os.strerror(errno.EOPNOTSUPP)
    assert (results / ".temp").read_bytes() == b"new"


def test_every_byte_is_written_where_the_kernel_takes_a_few_at_a_time() -> None:
    """A write that the kernel cuts short goes on where it stopped."""
    from_fd, to_fd = os.pipe()
    os.set_blocking(from_fd, False)
    os.set_blocking(to_fd, False)
    size = 4096
    while True:  # fill the pipe up to less than what is to be written
        try:
            os.write(to_fd, b"x" * size)
        except BlockingIOError:
            break
    os.read(from_fd, 2 * size)
    try:
        with pytest.raises(BlockingIOError):
            Disk().write(to_fd, b"y" * 3 * size)
        received = b"".join(iter(lambda: os.read(from_fd, 1 << 20) if _has_bytes(from_fd) else b"", b""))
        assert received.count(b"y") == 2 * size
    finally:
        os.close(from_fd)
        os.close(to_fd)


def _has_bytes(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_a_stamp_is_exact_to_the_nanosecond(results: Path, folder_fd: int) -> None:
    """A result carries the very modification time of its source."""
    disk = Disk()
    fd = disk.open_temp("stamped", folder_fd)
    disk.stamp(fd, 1_616_694_872_510_123_457)
    os.close(fd)
    assert (results / "stamped").stat().st_mtime_ns == 1_616_694_872_510_123_457


def test_publishing_an_unnamed_file_replaces_nothing(results: Path, folder_fd: int) -> None:
    """A name that was taken meanwhile stays with who took it."""
    (results / "taken.jpg").write_bytes(b"theirs")
    disk = Disk()
    fd = disk.open_unnamed(folder_fd)
    assert fd is not None
    with pytest.raises(FileExistsError):
        disk.publish_unnamed(fd, "taken.jpg", folder_fd)
    os.close(fd)
    assert (results / "taken.jpg").read_bytes() == b"theirs"


def test_publishing_a_named_temp_replaces_nothing(results: Path, folder_fd: int) -> None:
    """The way by a named temporary file respects a taken name, too."""
    (results / "taken.jpg").write_bytes(b"theirs")
    (results / ".temp").write_bytes(b"ours")
    with pytest.raises(FileExistsError):
        Disk().publish_temp(".temp", "taken.jpg", folder_fd)
    assert (results / "taken.jpg").read_bytes() == b"theirs"


def test_making_a_folder_that_is_there_is_no_error(results: Path, folder_fd: int) -> None:
    """Two frames of one camera may both make its folder."""
    (results / "cam").mkdir()
    (results / "cam" / "kept.jpg").write_bytes(b"kept")
    Disk().make_folder("cam", folder_fd)
    assert (results / "cam" / "kept.jpg").read_bytes() == b"kept"


WITHOUT_FSYNC = """
from framegate.keep.disk import Disk

refuse(NUMBER, errno.EIO)
folder_fd = os.open(sys.argv[1], os.O_RDONLY)
for step in (
    lambda: Disk().make_folder("cam", folder_fd),
    lambda: Disk().sync_existing("kept.jpg", folder_fd),
    lambda: Disk().sync_folder(folder_fd),
    lambda: Disk().sync_file(folder_fd),
):
    try:
        step()
    except OSError as error:
        print(error.strerror)
"""


def test_where_nothing_can_be_synced_nothing_is_said_to_be(
    results: Path, run_refused: Callable[..., str]
) -> None:
    """A disk that fails each fsync fails each step that waits for it, and a new folder is taken back."""
    (results / "kept.jpg").write_bytes(b"kept")
    assert run_refused("fsync", WITHOUT_FSYNC, results).splitlines() == [os.strerror(errno.EIO)] * 4
    assert [path.name for path in results.iterdir()] == ["kept.jpg"]


def test_taking_back_removes_the_name(results: Path, folder_fd: int) -> None:
    """A result that could not be made durable is gone, and what is gone cannot be taken back."""
    (results / "lot.jpg").write_bytes(b"not durable")
    Disk().take_back("lot.jpg", folder_fd)
    assert list(results.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        Disk().take_back("lot.jpg", folder_fd)


def test_syncing_a_result_follows_no_link_and_waits_for_no_fifo(results: Path, folder_fd: int) -> None:
    """What stands at a result's name may change after it was read: nothing is opened through it."""
    (results / "link.jpg").symlink_to("/etc/passwd")
    os.mkfifo(results / "fifo.jpg")
    for name in ("link.jpg", "fifo.jpg", "gone.jpg"):
        with pytest.raises(OSError):
            Disk().sync_existing(name, folder_fd)


def test_removing_a_temp_that_is_gone_is_no_error(results: Path, folder_fd: int) -> None:
    """Clearing up may be repeated."""
    (results / ".temp").touch()
    disk = Disk()
    disk.remove_temp(".temp", folder_fd)
    disk.remove_temp(".temp", folder_fd)
    assert list(results.iterdir()) == []


def test_a_folder_below_is_not_followed_through_a_link(results: Path, tmp_path: Path, folder_fd: int) -> None:
    """A link that stands where a camera's folder should be leads nowhere."""
    (tmp_path / "elsewhere").mkdir()
    (results / "cam").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Disk().open_folder("cam", folder_fd)
