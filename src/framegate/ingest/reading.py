"""Reading a file once, safely: never through a link, never blocking, never more than allowed."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

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
    """The file is another than the one that settled, or changed while it was read: it has to settle anew."""

    key: FileKey


ReadOutcome = EncodedFrame | Unreadable | Changed


def key_of(name: str, status: os.stat_result) -> FileKey:
    """Return the version of a file that its status describes."""
    return FileKey(name, status.st_size, storable_ns(status.st_mtime_ns))


def look_at(folder: Path, name: str) -> tuple[FileKey, bool] | None:
    """Return the version that stands at a name now and whether it is a regular file; None if nothing is."""
    try:
        status = (folder / name).lstat()
    except OSError:
        return None
    return key_of(name, status), stat.S_ISREG(status.st_mode)


def read_frame(folder: Path, key: FileKey, most_bytes: int) -> ReadOutcome:
    """Read the version ``key`` of a file.

    Args:
        folder: the drop folder.
        key: what settled; the file is checked against it before and after the read.
        most_bytes: a larger file is not read.

    Returns:
        Its bytes; or Unreadable (``not_a_regular_file``, ``too_large``, ``not_permitted``, ``vanished``); or
        Changed, when it is no longer that version.
    """
    try:
        fd = os.open(folder / key.name, _OPEN)
    except OSError as error:
        return _refused(error)
    with open(fd, "rb", buffering=0) as file:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            return Unreadable(Reason.NOT_A_REGULAR_FILE, _kind(before.st_mode))
        if key_of(key.name, before) != key:
            return Changed(key_of(key.name, before))
        if key.size_bytes > most_bytes:
            return Unreadable(Reason.TOO_LARGE, f"{key.size_bytes} bytes; drop.max_size is {most_bytes}")
        data = _read_all(file.fileno(), key.size_bytes)
        after = key_of(key.name, os.fstat(fd))
    if after != key or len(data) != key.size_bytes:
        return Changed(after)
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
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return Unreadable(Reason.VANISHED, "no longer there")
    if error.errno == errno.ELOOP:
        return Unreadable(Reason.NOT_A_REGULAR_FILE, "a symbolic link")
    if error.errno in {errno.ENXIO, errno.ENODEV}:
        return Unreadable(Reason.NOT_A_REGULAR_FILE, "a socket or device")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Unreadable(Reason.NOT_PERMITTED, error.strerror or "permission denied")
    raise error


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
