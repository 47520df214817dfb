"""Opening folders without following links, and their free space."""

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
