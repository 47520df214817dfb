"""The few disk operations that durability depends on, each a named step that a test can make fail."""

import contextlib
import errno
import fcntl
import os
import stat
from enum import StrEnum

from framegate.folders import free_bytes, move_without_replacing, open_folder

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""The errors of file systems without hard links (vfat, exfat, some FUSE)."""

NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})
"""The errors of file systems and kernels without O_TMPFILE."""

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class Step(StrEnum):
    """Every operation that keeps a frame, in its order."""

    INTEND = "intend"
    FREE_SPACE = "free_space"
    OPEN_FOLDER = "open_folder"
    MAKE_FOLDER = "make_folder"
    READ_EXISTING = "read_existing"
    SYNC_EXISTING = "sync_existing"
    OPEN_TEMP = "open_temp"
    WRITE = "write"
    STAMP = "stamp"
    SYNC_FILE = "sync_file"
    PUBLISH = "publish"
    REMOVE_TEMP = "remove_temp"
    SYNC_FOLDER = "sync_folder"
    TAKE_BACK = "take_back"
    FINISH = "finish"
    FLUSH = "flush"


class TidyStep(StrEnum):
    """Every operation of deleting and forgetting, in its order."""

    MAKE_DURABLE = "make_durable"
    REMOVE_INPUT = "remove_input"
    OPEN_ARCHIVE = "open_archive"
    MOVE_INPUT = "move_input"
    REMOVE_RESULT = "remove_result"
    MARK = "mark"
    PRUNE = "prune"


class Disk:
    """The real disk. A test overrides ``reach`` to raise an OSError, or to die, at one step."""

    def reach(self, step: Step | TidyStep) -> None:
        """Do nothing: called before each step, so that a test can make it fail."""

    def free_bytes(self, folder: str) -> int:
        """Return how many bytes we may still write to the file system of ``folder``."""
        self.reach(Step.FREE_SPACE)
        return free_bytes(folder)

    def open_folder(self, name: str, parent_fd: int | None = None) -> int:
        """Open a folder; return its descriptor."""
        self.reach(Step.OPEN_FOLDER)
        return open_folder(name, parent_fd)

    def make_folder(self, name: str, parent_fd: int) -> None:
        """Make a folder durably, unless it is there; one that could not be made durable is removed."""
        self.reach(Step.MAKE_FOLDER)
        try:
            os.mkdir(name, dir_fd=parent_fd)
        except FileExistsError:
            return
        try:
            os.fsync(parent_fd)
        except OSError:
            os.rmdir(name, dir_fd=parent_fd)
            raise

    def read_existing(self, name: str, folder_fd: int, most_bytes: int) -> bytes | None:
        """Return up to ``most_bytes`` of the file at a name, None when the name is free.

        What is not a regular file, or may not be read, is not ours: its content is returned as empty.
        """
        fd = self.open_existing(name, folder_fd)
        if fd is None:
            return None
        if fd < 0:
            return b""
        with os.fdopen(fd, "rb") as file:
            return file.read(most_bytes)

    def open_existing(self, name: str, folder_fd: int) -> int | None:
        """Open the regular file at a name to read it; None when the name is free, -1 for anything else."""
        self.reach(Step.READ_EXISTING)
        try:
            fd = os.open(name, READ | os.O_NONBLOCK, dir_fd=folder_fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO}:
                return -1
            raise
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return -1

    def move(self, name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> None:
        """Give a file another name, also in another folder.

        Raises:
            FileExistsError: the new name is taken; nothing is replaced.
            OSError: EXDEV when it is on another file system.
        """
        self.reach(TidyStep.MOVE_INPUT)
        move_without_replacing(name, folder_fd, new_name, new_folder_fd)

    def sync_existing(self, name: str, folder_fd: int) -> None:
        """Wait until a file that was there already is on the medium: its writer may not have waited."""
        self.reach(Step.SYNC_EXISTING)
        fd = os.open(name, READ | os.O_NONBLOCK, dir_fd=folder_fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def open_unnamed(self, folder_fd: int) -> int | None:
        """Open a file without a name, so that a crash leaves nothing; None where that is impossible."""
        self.reach(Step.OPEN_TEMP)
        try:
            return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=folder_fd)
        except OSError as error:
            if error.errno in NO_UNNAMED:
                return None
            raise

    def open_temp(self, name: str, folder_fd: int) -> int:
        """Open an empty temporary file, in place of one that a crash may have left.

        That one is removed, never truncated: it may be another name of a result that was published.

        Raises:
            BlockingIOError: another daemon delivers a frame of the same name right now.
        """
        self.reach(Step.OPEN_TEMP)
        try:
            self.remove_if_abandoned(name, folder_fd)
        except BlockingIOError:
            raise
        except OSError:  # no file; or no locks here
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder_fd)
        fd = os.open(name, WRITE | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder_fd)
        try:
            _hold(fd, name, folder_fd)
        except BlockingIOError:
            os.close(fd)
            raise
        except OSError:  # no locks here; then no other daemon removes it as abandoned either
            return fd
        return fd

    def remove_if_abandoned(self, name: str, folder_fd: int) -> None:
        """Remove a temporary file that no process has locked: two daemons may share a results folder.

        Raises:
            BlockingIOError: a process has locked it.
        """
        fd = os.open(name, READ | os.O_NONBLOCK, dir_fd=folder_fd)
        try:
            _hold(fd, name, folder_fd)
            self.remove_temp(name, folder_fd)
        finally:
            os.close(fd)

    def open_to_append(self, name: str, folder_fd: int) -> int:
        """Open a result to which more bytes belong."""
        return os.open(name, WRITE | os.O_APPEND | os.O_NONBLOCK, dir_fd=folder_fd)

    def write(self, fd: int, data: bytes) -> None:
        """Write all the bytes."""
        self.reach(Step.WRITE)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]

    def stamp(self, fd: int, mtime_ns: int) -> None:
        """Give a file the time of its source."""
        self.reach(Step.STAMP)
        os.utime(fd, ns=(mtime_ns, mtime_ns))

    def sync_file(self, fd: int) -> None:
        """Wait until the content is on the medium.

        After an error never sync the same descriptor again: the kernel has marked the pages clean, and the
        second call would falsely succeed (Rebello et al., USENIX ATC 2020).
        """
        self.reach(Step.SYNC_FILE)
        os.fsync(fd)

    def publish_unnamed(self, fd: int, name: str, folder_fd: int) -> None:
        """Give an unnamed file its name.

        Raises:
            FileExistsError: the name is taken; nothing is replaced.
        """
        self.reach(Step.PUBLISH)
        # With src_dir_fd Python calls linkat(AT_SYMLINK_FOLLOW); without it link(2), which fails EXDEV here.
        os.link(f"/proc/self/fd/{fd}", name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd, follow_symlinks=True)

    def publish_temp(self, temp: str, name: str, folder_fd: int) -> None:
        """Give a temporary file its final name.

        Where there are no hard links it renames, after a look at the name; the folder has one writer.

        Raises:
            FileExistsError: the name is taken; nothing is replaced.
        """
        self.reach(Step.PUBLISH)
        try:
            os.link(temp, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with contextlib.suppress(FileNotFoundError):
                os.lstat(name, dir_fd=folder_fd)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None
            os.rename(temp, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)

    def remove_temp(self, name: str, folder_fd: int) -> None:
        """Remove a temporary file, if it is there."""
        self.reach(Step.REMOVE_TEMP)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder_fd)

    def take_back(self, name: str, folder_fd: int) -> None:
        """Remove a result whose name could not be made durable: it will be written again."""
        self.reach(Step.TAKE_BACK)
        os.unlink(name, dir_fd=folder_fd)

    def remove_result(self, name: str, folder_fd: int) -> None:
        """Remove a result that is over a limit."""
        self.reach(TidyStep.REMOVE_RESULT)
        os.unlink(name, dir_fd=folder_fd)

    def sync_folder(self, fd: int) -> None:
        """Wait until the folder's names are on the medium."""
        self.reach(Step.SYNC_FOLDER)
        os.fsync(fd)


def _hold(fd: int, name: str, folder_fd: int) -> None:
    """Lock a temporary file for as long as it is open, and make sure that it is still the one at its name.

    Only the process with the lock removes the file, so the name stays that file's.

    Raises:
        BlockingIOError: another process has locked it, or has replaced it.
    """
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=folder_fd, follow_symlinks=False)):
            return
    raise BlockingIOError(errno.EAGAIN, "another process writes a frame of this name")
