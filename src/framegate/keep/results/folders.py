"""The folders of the results, made durably when they are first needed."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framegate.folders import OpenFolder, open_below
from framegate.keep.disk import Disk
from framegate.keep.names import joined

MOST_REMEMBERED_FOLDERS = 1000


class ResultFolders:
    """Opens the folders below a results folder, without following links.

    Args:
        folder: the results folder; it exists.
        disk: the disk operations.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._durable: set[str] = set()

    @contextmanager
    def opened(self, parts: list[str], *, may_make: bool = True) -> Iterator[tuple[int, list[str]]]:
        """Open the folder of a result's path; yield its descriptor, and the path that is used.

        Where a file or a link has a folder's name, the rest of the path becomes one name: an uploader who
        replaces a frame by a folder of its name must neither stop the daemon nor lose a frame.
        """
        while True:
            try:
                folder_fd = open_below(self._folder, parts[:-1], self._opener(may_make=may_make))
                break
            except OSError as error:
                if error.errno not in {errno.ENOTDIR, errno.ELOOP} or len(parts) == 1:
                    raise
                parts = [*parts[:-2], joined(parts[-2], parts[-1])]
        try:
            yield folder_fd, parts
        finally:
            os.close(folder_fd)

    def _opener(self, *, may_make: bool) -> OpenFolder:
        """Return a function that opens the folders of one path in turn, and makes them durably if it may."""
        path: list[str] = []

        def open_one(name: str, above_fd: int | None) -> int:
            if above_fd is None or not may_make:
                return self._disk.open_folder(name, above_fd)
            path.append(name)
            return self._open_durable(name, above_fd, "/".join(path))

        return open_one

    def _open_durable(self, name: str, above_fd: int, path: str) -> int:
        is_durable = path in self._durable
        try:
            fd = self._disk.open_folder(name, above_fd)
        except FileNotFoundError:
            self._disk.make_folder(name, above_fd)
            fd, is_durable = self._disk.open_folder(name, above_fd), True
        if not is_durable:  # a crash may have come between its making and this
            try:
                self._disk.sync_folder(above_fd)
            except OSError:
                os.close(fd)
                raise
        self._remember_durable(path)
        return fd

    def _remember_durable(self, path: str) -> None:
        if len(self._durable) >= MOST_REMEMBERED_FOLDERS:
            self._durable.clear()
        self._durable.add(path)
