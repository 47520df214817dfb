"""Decides which results are over the limits, and removes one that framegate wrote and nobody changed."""

import hashlib
import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from framegate.config.settings import ResultsSettings
from framegate.folders import opened_below
from framegate.keep.disk import Disk
from framegate.model import Entry

COARSEST_MTIME_NS = 2 * 10**9
"""vfat keeps a file's time to two seconds. Within them the content decides whose file it is."""


class Rule(StrEnum):
    """Why a result is deleted."""

    MAX_AGE = "max_age"
    MAX_SIZE = "max_size"


class Removal(StrEnum):
    """What became of the try to remove a result."""

    REMOVED = "removed"
    MISSING = "missing"
    """Somebody else has removed it."""

    FOREIGN = "foreign"
    """What stands at its name is not what framegate put there: it is left."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long results stay, and how many bytes of them; None is without limit. True if there is a limit."""

    max_age_ns: int | None
    max_bytes: int | None

    @classmethod
    def of(cls, results: ResultsSettings) -> "Limits":
        """Take the limits of the settings."""
        max_age_ns = None if results.max_age is None else int(results.max_age * 1e9)
        return cls(max_age_ns, results.max_size)

    def __bool__(self) -> bool:
        return self.max_age_ns is not None or self.max_bytes is not None

    def rule_for(self, kept_since_ns: int, total_bytes: int, now_ns: int | None) -> Rule | None:
        """Return by which rule the oldest result has to go; None if it stays, and so all that are younger.

        Args:
            kept_since_ns: from when the age of the oldest result counts (``Recorded.kept_since_ns``).
            total_bytes: the size of all results together.
            now_ns: the wall clock; None while it is in doubt, when nothing is too old.
        """
        if self.max_age_ns is not None and now_ns is not None and now_ns - kept_since_ns > self.max_age_ns:
            return Rule.MAX_AGE
        if self.max_bytes is not None and total_bytes > self.max_bytes:
            return Rule.MAX_SIZE
        return None


def remove_result(folder: Path, entry: Entry, disk: Disk) -> Removal:
    """Remove the result of a kept frame, if what stands there is that frame; folders are left.

    Args:
        folder: the results folder.
        entry: a kept frame, delivered.
        disk: the operations.

    Raises:
        OSError: it may not be removed now.
    """
    assert entry.result is not None
    *folders, last = entry.result.split("/")
    try:
        with opened_below(folder, folders, disk.open_folder) as fd:
            if not _is_ours(last, fd, entry, disk):
                return Removal.FOREIGN
            disk.remove_result(last, fd)
    except NotADirectoryError:  # a link in place of a folder, too
        return Removal.FOREIGN
    except FileNotFoundError:
        return Removal.MISSING
    return Removal.REMOVED


def is_standing(folder: Path, entry: Entry) -> bool:
    """Return whether what stands at the name of a frame's result looks like it: by size and time alone.

    Raises:
        OSError: that cannot be told.
    """
    assert entry.result is not None
    try:
        status = (folder / entry.result).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return _looks_like_ours(status, entry)


def _looks_like_ours(status: os.stat_result, entry: Entry) -> bool:
    is_close = abs(status.st_mtime_ns - entry.key.mtime_ns) < COARSEST_MTIME_NS
    return stat.S_ISREG(status.st_mode) and status.st_size == entry.key.size_bytes and is_close


def _is_ours(name: str, folder_fd: int, entry: Entry, disk: Disk) -> bool:
    status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    if not _looks_like_ours(status, entry) or status.st_mtime_ns == entry.key.mtime_ns:
        return _looks_like_ours(status, entry)
    data = disk.read_existing(name, folder_fd, entry.key.size_bytes + 1)
    return data is not None and hashlib.sha256(data).digest() == entry.sha256
