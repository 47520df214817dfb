"""Reads a file once, safely: never through a link, never blocking, never more than allowed."""

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.errors import Exhausted
from framegate.folders import opened_below
from framegate.model import EncodedFrame, FileKey, Reason, storable_ns

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
"""No link is followed, and a FIFO or a device at the name cannot block: a plain open() of a FIFO waits for
ever."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file gave no bytes."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The file is not the version that settled, or changed while it was read: it has to settle again."""

    key: FileKey


ReadOutcome = EncodedFrame | Unreadable | Changed

ReadFrame = Callable[[Path, FileKey, int], ReadOutcome]
"""Such as ``read_frame``."""

ReadHead = Callable[[Path, str, int], bytes]
"""Such as ``read_head``."""


def key_of(name: str, status: os.stat_result) -> FileKey:
    """Return the version of a file that its status describes."""
    return FileKey(name, status.st_size, storable_ns(status.st_mtime_ns), storable_ns(status.st_ctime_ns))


def look_at(folder: Path, name: str) -> FileKey | None:
    """Return the present version of the file at a name; None if there is none, or it may not be looked at."""
    try:
        return key_of(name, (folder / name).lstat())
    except OSError:
        return None


def has_writer(folder: Path, name: str) -> bool | None:
    """Return whether some program on this machine has a file open for writing; None where that is unknown.

    A read lease is granted only when there is none; asking takes 7 microseconds. It needs the file's owner or
    CAP_LEASE, and a file system that has leases. On a network share only False counts: NFS and SMB refuse
    every lease that their server has not delegated.
    """
    try:
        fd = _open_below(folder, name)
    except OSError:
        return None
    try:
        # If a writer came in between, the kernel would end us by SIGIO; SIGURG is ignored unless handled.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(fd)
    return False


def was_last_written(folder: Path, name: str) -> bool:
    """Return whether the last change of a file was a write, and not one of its mode, times or name.

    A write sets mtime and ctime to the same moment. chmod and rename set ctime alone; utime sets ctime to now
    and mtime to what it is given.
    """
    try:
        status = os.lstat(folder / name)
    except OSError:
        return False
    return status.st_mtime_ns == status.st_ctime_ns


def read_head(folder: Path, name: str, most_bytes: int) -> bytes:
    """Return the first bytes of a regular file, at most ``most_bytes``; none where it cannot be read now."""
    try:
        fd = _open_below(folder, name)
    except OSError:
        return b""
    try:
        return os.read(fd, most_bytes) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(fd)


def read_frame(folder: Path, key: FileKey, most_bytes: int) -> ReadOutcome:
    """Read the version ``key`` of a file.

    Args:
        folder: the drop folder.
        key: what settled; the file is checked against it before and after the read.
        most_bytes: a larger file is not read.

    Returns:
        Its bytes; or Unreadable (``not_a_regular_file``, ``too_large``, ``vanished``, or ``unreadable``,
        which may be temporary); or Changed, when it is no longer that version.

    Raises:
        Exhausted: the process may open no more files.
    """
    try:
        fd = _open_below(folder, key.name)
    except OSError as error:
        return _refused(error)
    try:
        return _read_open(fd, key, most_bytes)
    except OSError as error:
        return _refused(error)
    finally:
        os.close(fd)


def _open_below(folder: Path, name: str) -> int:
    """Open a file below a folder, following no link in its path; return the descriptor."""
    *folders, last = name.split("/")
    with opened_below(folder, folders) as folder_fd:
        return os.open(last, _OPEN, dir_fd=folder_fd)


def _read_open(fd: int, key: FileKey, most_bytes: int) -> ReadOutcome:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        return Unreadable(Reason.NOT_A_REGULAR_FILE, _kind(before.st_mode))
    if not key.matches(key_of(key.name, before)):
        return Changed(key_of(key.name, before))
    if key.size_bytes > most_bytes:
        return Unreadable(Reason.TOO_LARGE, f"{key.size_bytes} bytes; drop.max_size is {most_bytes}")
    data = _read_all(fd, key.size_bytes)
    status = os.fstat(fd)
    after = key_of(key.name, status)
    if not status.st_nlink:  # another file was renamed to its name: that changed its ctime alone
        after = replace(after, ctime_ns=key.ctime_ns)
    if not key.matches(after):
        return Changed(after)
    if len(data) != key.size_bytes:  # a network share's status may be older than its content, or younger
        return Unreadable(Reason.UNREADABLE, f"it should have {key.size_bytes} bytes, and has {len(data)}")
    return EncodedFrame(key.name, data, key.mtime_ns)


def _read_all(fd: int, size_bytes: int) -> bytes:
    """Read to the end, but never more than one byte over ``size_bytes``: that one shows that it grew."""
    pieces = []
    left = size_bytes + 1
    while left and (piece := os.read(fd, left)):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _refused(error: OSError) -> Unreadable:
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        raise Exhausted(f"cannot read frames: {error.strerror}") from error
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:  # ENOTDIR: also a link in place of a folder above it
        return Unreadable(Reason.VANISHED, "no longer there")
    if error.errno == errno.ELOOP:
        return Unreadable(Reason.NOT_A_REGULAR_FILE, "a symbolic link")
    if error.errno in {errno.ENXIO, errno.ENODEV}:
        return Unreadable(Reason.NOT_A_REGULAR_FILE, "a socket or device")
    # No permission, a file server's lease (EAGAIN), a network share that is away: it may be temporary.
    return Unreadable(Reason.UNREADABLE, error.strerror or str(error))


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
