"""One daemon for each drop folder: a lock that the kernel gives back when its holder dies, however it dies.

It is a lock on the folder itself, so nothing is written into it, and daemons of other users, configs and
mount namespaces meet it all the same. While it is held, ``umount`` of the folder says that it is busy.
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from glob import iglob
from pathlib import Path

from framegate.errors import AlreadyServed
from framegate.ingest.watch.mounts import mount_of


class FolderLock:
    """Holds a folder for this process.

    Args:
        folder: it exists.
        what: what it is, for the error.

    Raises:
        AlreadyServed: another process holds it; names that process where the kernel tells.
    """

    def __init__(self, folder: str, what: str) -> None:
        self._folder, self._what = folder, what
        self._fd: int | None = _locked(folder, what)

    def follow(self) -> None:
        """Go on to the folder that stands at the name now, if it is another than the one held.

        Raises:
            AlreadyServed: another process holds that one.
        """
        try:
            there = os.stat(self._folder)
        except OSError:  # nothing to hold; it may come back
            return
        if self._fd is None or not os.path.samestat(os.fstat(self._fd), there):
            self.release()
            self._fd = _locked(self._folder, self._what)

    def release(self) -> None:
        """Give the folder back."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def is_served(folder: Path) -> bool:
    """Return whether some process holds a folder, without taking the lock even for a moment."""
    try:
        return _lock_on(folder, os.stat(folder).st_ino) is not None
    except OSError:
        return False


def folders_held_open() -> Iterator[Path]:
    """Yield the folders that processes have open, locked ones among them, as far as this user may look."""
    for link in iglob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):  # it is closed by now, or another user's
            if stat.S_ISDIR(os.stat(link).st_mode):
                yield Path(os.readlink(link))


def _locked(folder: str, what: str) -> int | None:
    """Lock a folder; None where there are no locks (some network shares), or no folder any more."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder_of(Path(folder), os.fstat(fd).st_ino)
        os.close(fd)
        raise AlreadyServed(f"{what} {folder} is already served by {holder}") from None
    except OSError:
        os.close(fd)
        return None
    return fd


def _holder_of(folder: Path, inode: int) -> str:
    """Name the process that holds a lock, as /proc/locks has it; systemd may hide that file."""
    try:
        held = _lock_on(folder, inode)
    except OSError:
        return "another process"
    return f"process {held[1]}" if held and held[1] != "0" else "another process"


def _lock_on(folder: Path, inode: int) -> re.Match[str] | None:
    """Find the line of /proc/locks that tells of a lock on a folder; its first group is the process."""
    mount = mount_of(folder)
    device = os.stat(folder).st_dev
    major, minor = mount.device.split(":") if mount else (os.major(device), os.minor(device))
    place = f"{int(major):02x}:{int(minor):02x}:{inode}"
    locks = Path("/proc/locks").read_text("ascii")
    return re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+{place}\s", locks)
