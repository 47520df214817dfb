"""Copies of frames, before and when they get their names: one alone, or several at a time.

Nearly all the time that a copy takes is a wait for the medium, and a card that takes 12 ms for an fsync takes
little longer for eight of them. So the copies of a group are written and synced in threads. They get their
names in the group's order, in the thread that asked for it: where two names are one (``A.jpg`` and ``a.jpg``
on a card), the first frame gets it, as it would alone.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeVar

from framegate.keep.disk import Disk
from framegate.keep.names import temp_name_of
from framegate.model import EncodedFrame

MOST_AT_ONCE = 8
"""Copies, or folders, that are synced at the same time."""

NO_NAME_HERE = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENOENT, errno.ENAMETOOLONG})
"""The errors of file systems for a name that they cannot hold. exFAT by FUSE gives ENOENT for a colon."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame belongs in the results folder."""

    frame: EncodedFrame
    path: tuple[str, ...]
    """Its folders and its name, below the results folder."""

    folder_fd: int
    is_there: bool
    """A file with the frame's bytes has the name already."""


class Copy:
    """A frame's bytes on the medium, in a file that has no name, or a temporary one, till it is published.

    Args:
        disk: the disk operations.
        frame: its name, bytes and time.
        folder_fd: of the folder that it belongs to.
        more: bytes that follow those of the frame, of a file that is too large to be held as one.
    """

    def __init__(self, disk: Disk, frame: EncodedFrame, folder_fd: int, more: Iterable[bytes] = ()) -> None:
        self._disk, self._folder_fd = disk, folder_fd
        self._temp: str | None = None
        fd = disk.open_unnamed(folder_fd)
        if fd is None:
            self._temp = temp_name_of(frame.name)
            fd = disk.open_temp(self._temp, folder_fd)
        self._fd = fd
        try:
            for piece in chain((frame.data,), more):
                disk.write(fd, piece)
            disk.stamp(fd, frame.mtime_ns)
            disk.sync_file(fd)
        except BaseException:
            self.close()
            raise

    def publish(self, name: str) -> bool:
        """Give the file its name; return False if another program has made a file of that name meanwhile."""
        try:
            if self._temp is None:
                self._disk.publish_unnamed(self._fd, name, self._folder_fd)
            else:
                self._disk.publish_temp(self._temp, name, self._folder_fd)
        except FileExistsError:
            return False
        return True

    def close(self) -> None:
        """Close the file. One that was not published is gone then."""
        try:
            os.close(self._fd)
        finally:
            if self._temp is not None:
                self._disk.remove_temp(self._temp, self._folder_fd)


def acknowledge(disk: Disk, frame: EncodedFrame, name: str, folder_fd: int) -> None:
    """Wait until a frame's result, which is there already, is on the medium."""
    disk.remove_temp(temp_name_of(frame.name), folder_fd)
    disk.sync_existing(name, folder_fd)


def publish_together(disk: Disk, places: Sequence[Place]) -> int:
    """Copy frames to their places, as far as their names can be had; no folder is synced yet.

    Returns:
        How many there are now, from the first: up to one whose name another program has taken meanwhile, or
        the file system cannot hold.

    Raises:
        OSError: a step has failed; or no thread may be started now. Some of the copies may be there.
    """
    with _copied(disk, places) as copies:
        for number, (place, future) in enumerate(zip(places, copies, strict=True)):
            copy = future.result()
            try:
                if copy is not None and not copy.publish(place.path[-1]):
                    return number
            except OSError as error:
                if error.errno in NO_NAME_HERE:
                    return number
                raise
    return len(places)


def sync_folders(disk: Disk, places: Sequence[Place]) -> None:
    """Sync the folder of each place, once, with all the names that it has got.

    Raises:
        OSError: one of them could not be synced. The names that we have just given in it are removed.
    """
    ours: dict[int, list[str]] = {place.folder_fd: [] for place in places}
    for place in places:
        if not place.is_there:
            ours[place.folder_fd].append(place.path[-1])
    if len(ours) == 1:
        sync_folder(disk, *ours.popitem())
        return
    with ThreadPoolExecutor(MOST_AT_ONCE, "sync") as pool:
        for synced in [_begun(pool, partial(sync_folder, disk, *each)) for each in ours.items()]:
            synced.result()


def sync_folder(disk: Disk, folder_fd: int, ours: Sequence[str]) -> None:
    """Sync a folder; if that fails, remove our names, since a second sync would falsely succeed."""
    try:
        disk.sync_folder(folder_fd)
    except OSError:
        for name in ours:
            with suppress(OSError):
                disk.take_back(name, folder_fd)
        raise


@contextmanager
def _copied(disk: Disk, places: Sequence[Place]) -> Iterator[list[Future[Copy | None]]]:
    """Yield copies that are written in threads, None for what is there already; close them at the end."""
    with ExitStack() as at_the_end, ThreadPoolExecutor(MOST_AT_ONCE, "copy") as pool:

        def copy(place: Place) -> Copy | None:
            if place.is_there:
                acknowledge(disk, place.frame, place.path[-1], place.folder_fd)
                return None
            copy = Copy(disk, place.frame, place.folder_fd)
            at_the_end.callback(copy.close)
            return copy

        yield [_begun(pool, partial(copy, place)) for place in places]


def _begun(pool: ThreadPoolExecutor, call: Callable[[], T]) -> Future[T]:
    try:
        return pool.submit(call)
    except RuntimeError as error:  # the process may start no more threads; alone a frame needs none
        raise BlockingIOError(errno.EAGAIN, str(error)) from error
