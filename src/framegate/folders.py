"""Opening folders without following links, moving files between them, and their free space."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OpenFolder = Callable[[str, int | None], int]
"""Opens a folder, given its name and the descriptor of the folder above; returns its descriptor."""


def open_folder(name: str, above_fd: int | None = None) -> int:
    """Open a folder and return its descriptor; if ``above_fd`` is given, a link is not followed."""
    nofollow = 0 if above_fd is None else os.O_NOFOLLOW
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | nofollow, dir_fd=above_fd)


def open_below(root: Path | int, parts: Sequence[str], open_one: OpenFolder = open_folder) -> int:
    """Open a folder below another, and return its descriptor.

    Folder by folder, each closed when the next is open: no link in the path is followed, and two descriptors
    are enough for any depth.

    Args:
        root: the folder where the path starts. If it is a descriptor, it stays open, and the path is below
            that very folder, whatever has been mounted or renamed since.
        parts: names of folders, each inside the one before; if empty, the root itself is opened.
        open_one: opens one folder.

    Raises:
        OSError: one of them cannot be opened; NotADirectoryError if it is a file or a link.
    """
    fd = open_one(".", root) if isinstance(root, int) else open_one(os.fspath(root), None)
    for part in parts:
        try:
            below = open_one(part, fd)
        finally:
            os.close(fd)
        fd = below
    return fd


@contextmanager
def opened_below(
    root: Path | int, parts: Sequence[str] = (), open_one: OpenFolder = open_folder
) -> Iterator[int]:
    """Open a folder as ``open_below`` does, and close it at the end of the block."""
    fd = open_below(root, parts, open_one)
    try:
        yield fd
    finally:
        os.close(fd)


def free_bytes(folder: str | Path) -> int:
    """Return the bytes that an ordinary user may still write to the file system of a folder.

    Raises:
        OSError: the folder does not exist.
    """
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


_RENAME_NOREPLACE = 1
"""Of Linux's ``renameat2``. Python has only the renames that replace."""

_NOT_KNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""The errors of kernels and file systems (NFS, some FUSE) without it."""


def move_without_replacing(name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> None:
    """Rename a file, also into another folder; what has the new name already stays.

    Where the file system cannot do that in one step, it is renamed after a look at the new name.

    Raises:
        FileExistsError: the new name is taken.
        OSError: it cannot be done; EXDEV when the other folder is on another file system.
    """
    try:
        _renameat2(name, folder_fd, new_name, new_folder_fd)
    except OSError as error:
        if error.errno not in _NOT_KNOWN:
            raise
        if _is_taken(new_name, new_folder_fd):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_name) from error
        os.rename(name, new_name, src_dir_fd=folder_fd, dst_dir_fd=new_folder_fd)


def _renameat2(name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:  # glibc before 2.28
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(folder_fd, os.fsencode(name), new_folder_fd, os.fsencode(new_name), _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _is_taken(name: str, folder_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
