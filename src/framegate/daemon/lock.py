"""One daemon for each drop folder: a lock that the kernel releases when its holder ends, in whatever way.

The folder itself is locked, so nothing is written into it, and the lock works between users, configs and
mount namespaces. While it is held, ``umount`` reports that the folder is busy.
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
    """A lock on a folder, held by this process.

    Args:
        folder: it exists.
        what: what the error calls it.

    Raises:
        AlreadyServed: another process holds it; the error names that process if the kernel shows it.
    """

    def __init__(self, folder: str, what: str) -> None:
        self._folder, self._what = folder, what
        self._fd: int | None = _locked(folder, what)

    def follow(self) -> None:
        """If another folder has the name now, lock that one instead.

        Raises:
            AlreadyServed: another process holds that one.
        """
        try:
            there = os.stat(self._folder)
        except OSError:  # the folder is missing; it may come back
            return
        if self._fd is None or not os.path.samestat(os.fstat(self._fd), there):
            self.release()
            self._fd = _locked(self._folder, self._what)

    def release(self) -> None:
        """Release the lock."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def is_served(folder: Path) -> bool:
    """Return whether a process holds the lock on a folder; does not take the lock even for a moment."""
    try:
        return _lock_on(folder, os.stat(folder).st_ino) is not None
    except OSError:
        return False


def folders_held_open() -> Iterator[Path]:
    """Yield the folders that processes have open, as far as this user may see: locked ones are among them."""
    for link in iglob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):  # closed by now, or of another user's process
            if stat.S_ISDIR(os.stat(link).st_mode):
                yield Path(os.readlink(link))


def _locked(folder: str, what: str) -> int | None:
    """Lock a folder; None where locks do not work (some network shares), or the folder is gone."""
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
    """Return a name of the process that holds a lock, from /proc/locks; systemd may hide that file."""
    try:
        held = _lock_on(folder, inode)
    except OSError:
        return "another process"
    return f"process {held[1]}" if held and held[1] != "0" else "another process"


def _lock_on(folder: Path, inode: int) -> re.Match[str] | None:
    """Find the lock on a folder in /proc/locks; the first group of the match is the process number."""
    mount = mount_of(folder)
    device = os.stat(folder).st_dev
    major, minor = mount.device.split(":") if mount else (os.major(device), os.minor(device))
    place = f"{int(major):02x}:{int(minor):02x}:{inode}"
    locks = Path("/proc/locks").read_text("ascii")
    return re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+{place}\s", locks)
