"""Folders below a folder: opening one without following a link, removing those that are left empty."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OpenFolder = Callable[[str, int | None], int]
"""Opens a folder by its name and the descriptor of the folder above it; returns its descriptor."""


def open_folder(name: str, above_fd: int | None = None) -> int:
    """Open a folder; return its descriptor. In place of a folder below ``above_fd`` no link is followed."""
    nofollow = 0 if above_fd is None else os.O_NOFOLLOW
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | nofollow, dir_fd=above_fd)


def open_below(root: Path | int, parts: Sequence[str], open_one: OpenFolder = open_folder) -> int:
    """Open a folder below another, folder by folder, each closed when the next is open.

    So no link in the path is followed, and however deep it is, two descriptors are enough.

    Args:
        root: where the path begins; a descriptor stays open, and the path is below that very folder,
            whatever has been mounted or renamed since.
        parts: names of folders, each in the one before; none is the root itself.
        open_one: opens one folder.

    Raises:
        OSError: one of them cannot be opened. NotADirectoryError: a file or a link has its name.
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
    """Return the space that an ordinary user may still fill in the file system of a folder.

    Raises:
        OSError: the folder is not there.
    """
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize
