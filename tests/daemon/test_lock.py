import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from framegate.daemon.lock import FolderLock
from framegate.errors import AlreadyServed

HOLDER = """
import sys
from framegate.daemon.lock import FolderLock

lock = FolderLock(sys.argv[1], "drop folder")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@contextmanager
def other_holder(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run another process that holds a folder until its input ends, or it is killed."""
    command = [sys.executable, "-c", HOLDER, os.fspath(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def is_held(folder: Path) -> bool:
    try:
        FolderLock(os.fspath(folder), "drop folder").release()
    except AlreadyServed:
        return True
    return False


def require_named_holders(folder: Path) -> None:
    lock = FolderLock(os.fspath(folder), "drop folder")
    locks = Path("/proc/locks")
    is_named = locks.exists() and re.search(
        rf"FLOCK .* {os.getpid()} \S*:{folder.stat().st_ino} ", locks.read_text()
    )
    lock.release()
    if not is_named:
        pytest.skip("the kernel does not name the holders of locks here")


def test_a_folder_is_held_by_one_process_that_is_named(folder: Path) -> None:
    """Who comes second is told which folder it is, and which process serves it."""
    require_named_holders(folder)
    with other_holder(folder) as holder:
        with pytest.raises(AlreadyServed) as told:
            FolderLock(os.fspath(folder), "drop folder")
        assert str(told.value) == f"drop folder {folder} is already served by process {holder.pid}"
        assert told.value.exit_code == 75


def test_the_holder_is_named_among_others(folder: Path, tmp_path: Path) -> None:
    """Of two held folders each has its own holder."""
    require_named_holders(folder)
    (tmp_path / "other").mkdir()
    with other_holder(folder) as holder, other_holder(tmp_path / "other") as other:
        for held, by in ((folder, holder), (tmp_path / "other", other)):
            with pytest.raises(AlreadyServed, match=f"by process {by.pid}$"):
                FolderLock(os.fspath(held), "state folder")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_the_kernel_frees_what_the_dead_held(folder: Path, number: signal.Signals) -> None:
    """However its holder dies, a folder may be served again at once."""
    with other_holder(folder) as holder:
        assert is_held(folder)
        holder.send_signal(number)
        holder.wait(10)
        assert not is_held(folder)


def test_a_released_folder_may_be_held_again(folder: Path) -> None:
    """Giving back twice is no error, and nothing is left in the folder."""
    lock = FolderLock(os.fspath(folder), "drop folder")
    assert is_held(folder)
    lock.release()
    lock.release()
    assert not is_held(folder)
    assert list(folder.iterdir()) == []


def test_a_link_is_the_folder_that_it_leads_to(folder: Path, tmp_path: Path) -> None:
    """Under whatever name, it is the same folder."""
    (tmp_path / "link").symlink_to(folder)
    lock = FolderLock(os.fspath(tmp_path / "link"), "drop folder")
    assert is_held(folder)
    lock.release()


def test_a_bind_mount_is_the_folder_that_it_shows(folder: Path, tmp_path: Path) -> None:
    """Through another mount, as systemd makes them, it is the same folder."""
    mount = tmp_path / "mount"
    mount.mkdir()
    command = ["mount", "--bind", os.fspath(folder), os.fspath(mount)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    try:
        lock = FolderLock(os.fspath(mount), "drop folder")
        assert is_held(folder)
        lock.release()
    finally:
        subprocess.run(["umount", "--lazy", os.fspath(mount)], check=True)


def test_a_program_that_is_run_inherits_no_lock(folder: Path) -> None:
    """A child that outlives its parent does not go on holding the folder."""
    lock = FolderLock(os.fspath(folder), "drop folder")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        lock.release()
        assert not is_held(folder)


def test_a_folder_that_is_not_there_holds_up_nobody(folder: Path) -> None:
    """Nothing to lock is no error; when the folder comes, following locks it."""
    folder.rmdir()
    lock = FolderLock(os.fspath(folder), "drop folder")
    lock.follow()
    folder.mkdir()
    assert not is_held(folder)
    lock.follow()
    assert is_held(folder)
    lock.release()


def test_a_folder_that_was_replaced_is_followed(folder: Path, tmp_path: Path) -> None:
    """The lock goes on to the folder that stands at the name now, and lets the old one go."""
    lock = FolderLock(os.fspath(folder), "drop folder")
    folder.rename(tmp_path / "old")
    lock.follow()
    assert is_held(tmp_path / "old"), "while nothing stands at the name"
    folder.mkdir()
    lock.follow()
    assert is_held(folder)
    assert not is_held(tmp_path / "old")
    lock.release()


def test_following_where_nothing_changed_never_lets_go(folder: Path) -> None:
    """A look at the folder gives no other process a chance, and takes no descriptor."""
    lock = FolderLock(os.fspath(folder), "drop folder")
    before = len(os.listdir("/proc/self/fd"))
    calls: list[object] = []

    def note(_frame: object, event: str, function: object) -> None:
        if event == "c_call" and function in {os.close, fcntl.flock}:
            calls.append(function)

    sys.setprofile(note)
    try:
        for _ in range(3):
            lock.follow()
    finally:
        sys.setprofile(None)
    assert not calls
    assert len(os.listdir("/proc/self/fd")) == before
    lock.release()


def test_a_folder_that_another_process_holds_cannot_be_followed_to(folder: Path, tmp_path: Path) -> None:
    """When the folder that stands there now is served already, following says so, every time."""
    lock = FolderLock(os.fspath(folder), "drop folder")
    (tmp_path / "new").mkdir()
    with other_holder(tmp_path / "new"):
        shutil.rmtree(folder)
        (tmp_path / "new").rename(folder)
        before = len(os.listdir("/proc/self/fd")) - 1
        for _ in range(2):
            with pytest.raises(AlreadyServed):
                lock.follow()
        assert len(os.listdir("/proc/self/fd")) == before
    lock.follow()
    assert is_held(folder)
    lock.release()
