"""Moves a judged input below the archive: only the version that was judged, and durably.

On one file system it is renamed, so that it is in the drop folder or in the archive, never in neither. To
another it is copied, and deleted when the copy is on the medium. After a crash in between it is found in
both, or in the archive alone, by its bytes. Nothing is ever replaced.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.config.quantities import Size
from framegate.folders import opened_below
from framegate.ingest.reading import key_of
from framegate.keep.disk import Disk, TidyStep
from framegate.keep.names import names_of, portable
from framegate.keep.results.copies import NO_NAME_HERE, Copy, acknowledge, sync_folder
from framegate.keep.results.folders import ResultFolders
from framegate.model import EncodedFrame, Entry, storable_ns
from framegate.retention.removing import remove_version

PIECE_BYTES = 2**20

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
"""The errors for a name that has no file any more, or a link or a socket in place of it or of its folders."""

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class _Input:
    """The judged version of a file, open."""

    fd: int
    root_fd: int
    """Of the drop folder."""

    folder_fd: int
    name: str
    """In that folder, which is the drop folder or below it."""


class Archive:
    """Takes judged inputs, each under its path in the drop folder.

    If a file of other content has the name, the capture time becomes part of it, as for results.

    Args:
        folder: the archive; never made here, since a disk that is not mounted lacks it.
        min_free_bytes: free space that copies to another file system leave.
        disk: the file operations.
    """

    def __init__(self, folder: Path, min_free_bytes: int, disk: Disk) -> None:
        self._folder = folder
        self.min_free_bytes = min_free_bytes
        self._disk = disk
        self._folders = ResultFolders(folder, disk)
        self._unsynced: dict[tuple[bool, str], None] = {}
        """Folders with names that are not on the medium: of the archive if True, else of the drop folder."""

    def require(self) -> None:
        """Raise OSError, with the folder in words, if the archive cannot be opened now."""
        try:
            self._disk.reach(TidyStep.OPEN_ARCHIVE)
            with opened_below(self._folder):
                pass
        except OSError as error:
            raise OSError(error.errno, f"{self._folder}: {error.strerror or error}") from error

    def take(self, root_fd: int, entry: Entry) -> str | None:
        """Move an input, if it is still the version that was judged; call ``sync`` before that is recorded.

        Args:
            root_fd: descriptor of the drop folder.
            entry: what was decided about it.

        Returns:
            Its name in the archive, also if it is there already; None if this version is in neither.

        Raises:
            OSError: it is there, and cannot be moved now; or the archive cannot be used.
        """
        parts = entry.key.name.split("/")
        plain = portable(parts)
        with _opened(root_fd, entry) as there:
            if there is None:
                return self._find(entry, parts) or (self._find(entry, plain) if plain != parts else None)
            try:
                return self._take(there, entry, parts)
            except OSError as error:
                if error.errno not in NO_NAME_HERE or plain == parts:
                    raise
                return self._take(there, entry, plain)

    def sync(self, root_fd: int) -> None:
        """Wait until all that was taken is on the medium under its name.

        Raises:
            OSError: that failed: what was taken must not be recorded as archived.
        """
        folders, self._unsynced = [*self._unsynced], {}
        for is_in_archive, path in sorted(folders, reverse=True):  # the archive first
            root = self._folder if is_in_archive else root_fd
            with suppress(FileNotFoundError), opened_below(root, path.split("/") if path else ()) as fd:
                self._disk.sync_folder(fd)

    def _take(self, there: _Input, entry: Entry, parts: list[str]) -> str:
        with self._folders.opened(parts) as (folder_fd, (*folders, first)):
            for name in names_of(first, entry.captured_at_ns):
                existing = self._disk.open_existing(name, folder_fd)
                if existing is None:
                    if not self._put(there, entry, name, folder_fd, "/".join(folders)):
                        continue
                else:
                    with _closing(existing):
                        if not _has_same_bytes(there.fd, existing):
                            continue
                    acknowledge(self._disk, _without_bytes(entry), name, folder_fd)
                    sync_folder(self._disk, folder_fd, ())
                    self._remove(there, entry)
                return "/".join((*folders, name))
        raise AssertionError("names do not end")

    def _put(self, there: _Input, entry: Entry, name: str, folder_fd: int, folder: str) -> bool:
        """Move an input to a name; return False if another program has made a file of that name meanwhile."""
        try:
            self._disk.move(there.name, there.folder_fd, name, folder_fd)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return self._copy(there, entry, name, folder_fd)
        moved = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        is_ours = os.path.samestat(moved, os.fstat(there.fd))
        if not is_ours or key_of(entry.key.name, moved) != replace(entry.key, ctime_ns=moved.st_ctime_ns):
            # In these microseconds another file got its name, or it was overwritten: that was never judged.
            self._disk.move(name, folder_fd, there.name, there.folder_fd)
            raise OSError(errno.EAGAIN, "other bytes came under its name meanwhile")
        self._unsynced[True, folder] = self._unsynced[False, os.path.dirname(entry.key.name)] = None
        return True

    def _copy(self, there: _Input, entry: Entry, name: str, folder_fd: int) -> bool:
        self._require_space(entry.key.size_bytes)
        digest = hashlib.sha256()
        pieces = _pieces(there.fd, digest)
        with closing(Copy(self._disk, _without_bytes(entry), folder_fd, pieces)) as copy:
            is_as_judged = entry.key.matches(key_of(entry.key.name, os.fstat(there.fd)))
            if not is_as_judged or entry.sha256 not in {None, digest.digest()}:
                raise OSError(errno.EIO, "it reads otherwise than when it was judged")
            if not copy.publish(name):
                return False
        sync_folder(self._disk, folder_fd, (name,))
        self._remove(there, entry)
        return True

    def _remove(self, there: _Input, entry: Entry) -> None:
        """Delete an input that is in the archive by now, unless it has become another version."""
        self._disk.reach(TidyStep.REMOVE_INPUT)
        remove_version(there.root_fd, entry.key)

    def _require_space(self, needed_bytes: int) -> None:
        if self._disk.free_bytes(os.fspath(self._folder)) - needed_bytes < self.min_free_bytes:
            # Without numbers that change: each new text of an error is logged.
            words = f"full: another file would leave less than results.min_free = {Size(self.min_free_bytes)}"
            raise OSError(errno.ENOSPC, f"{self._folder}: {words}")

    def _find(self, entry: Entry, parts: list[str]) -> str | None:
        """Return the name of an input that was taken before, as before a crash."""
        try:
            with self._folders.opened(parts, may_make=False) as (folder_fd, (*folders, first)):
                for number, name in enumerate(names_of(first, entry.captured_at_ns)):
                    existing = self._disk.open_existing(name, folder_fd)
                    if existing is None:
                        if number:
                            return None
                        continue  # somebody may have taken the first of several away
                    with _closing(existing):
                        if _is_of(entry, existing):
                            self._unsynced[True, "/".join(folders)] = None
                            return "/".join((*folders, name))
        except FileNotFoundError:
            self.require()  # the whole archive may be away
        return None


def _without_bytes(entry: Entry) -> EncodedFrame:
    return EncodedFrame(entry.key.name, b"", entry.key.mtime_ns)


@contextmanager
def _opened(root_fd: int, entry: Entry) -> Iterator[_Input | None]:
    """Open an input; None if the version that was judged is not there."""
    *folders, last = entry.key.name.split("/")
    with ExitStack() as opened:
        there = None
        try:
            folder_fd = opened.enter_context(opened_below(root_fd, folders))
            fd = opened.enter_context(_closing(os.open(last, _READ, dir_fd=folder_fd)))
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
        else:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and entry.key.matches(key_of(entry.key.name, status)):
                there = _Input(fd, root_fd, folder_fd, last)
        yield there


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    """Close a descriptor at the end, if it is one."""
    try:
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)


def _pieces(fd: int, digest: "hashlib._Hash") -> Iterator[bytes]:
    """Yield the content of a file, which the digest gets too."""
    at = 0
    while piece := os.pread(fd, PIECE_BYTES, at):
        at += len(piece)
        digest.update(piece)
        yield piece


def _has_same_bytes(fd: int, other: int) -> bool:
    if other < 0 or os.fstat(fd).st_size != os.fstat(other).st_size:
        return False
    digests = [hashlib.sha256(), hashlib.sha256()]
    for each, digest in zip((fd, other), digests, strict=True):
        for _ in _pieces(each, digest):
            pass
    return digests[0].digest() == digests[1].digest()


def _is_of(entry: Entry, fd: int) -> bool:
    """Return whether a file has the bytes that were judged; if those are not known, its size and time."""
    if fd < 0 or (status := os.fstat(fd)).st_size != entry.key.size_bytes:
        return False
    if entry.sha256 is None:
        return storable_ns(status.st_mtime_ns) == entry.key.mtime_ns
    digest = hashlib.sha256()
    for _ in _pieces(fd, digest):
        pass
    return digest.digest() == entry.sha256
