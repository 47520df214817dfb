import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

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
