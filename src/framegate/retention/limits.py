"""Which results exceed the limits, and how one is removed: only as framegate wrote it."""

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


class Rule(StrEnum):
    """The setting because of which a result is deleted."""

    MAX_AGE = "max_age"
    MAX_SIZE = "max_size"


class Removal(StrEnum):
    """The outcome of removing a result."""

    REMOVED = "removed"
    MISSING = "missing"
    """It was gone already."""

    FOREIGN = "foreign"
    """The file under its name is not the one that framegate wrote: it stays."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum age and total size of the results; None is no limit. True if there is any limit."""

    max_age_ns: int | None
    max_bytes: int | None

    @classmethod
    def of(cls, results: ResultsSettings) -> "Limits":
        """Return the limits in the settings."""
        max_age_ns = None if results.max_age is None else int(results.max_age * 1e9)
        return cls(max_age_ns, results.max_size)

    def __bool__(self) -> bool:
        return self.max_age_ns is not None or self.max_bytes is not None

    def rule_for(self, kept_since_ns: int | None, total_bytes: int, now_ns: int | None) -> Rule | None:
        """Return why the oldest result has to be deleted; None if it stays, and all younger ones with it.

        Args:
            kept_since_ns: from when the age of that result counts; None if that is not known.
            total_bytes: the size of all results together.
            now_ns: the wall clock; None while it is in doubt: nothing is too old then.
        """
        age_ns = 0 if kept_since_ns is None or now_ns is None else now_ns - kept_since_ns
        if self.max_age_ns is not None and age_ns > self.max_age_ns:
            return Rule.MAX_AGE
        if self.max_bytes is not None and total_bytes > self.max_bytes:
            return Rule.MAX_SIZE
        return None


def remove_result(folder: Path, entry: Entry, disk: Disk) -> Removal:
    """Remove the result of a kept frame, if the file is still that frame; its folder stays.

    Args:
        folder: the results folder.
        entry: a kept frame that was delivered.
        disk: the file operations.

    Raises:
        OSError: it cannot be removed now.
    """
    assert entry.result is not None
    *folders, last = entry.result.split("/")
    try:
        with opened_below(folder, folders, disk.open_folder) as fd:
            if not _is_ours(last, fd, entry, disk):
                return Removal.FOREIGN
            disk.remove_result(last, fd)
    except NotADirectoryError:  # also for a link in place of a folder
        return Removal.FOREIGN
    except FileNotFoundError:
        return Removal.MISSING
    return Removal.REMOVED


def result_exists(folder: Path, entry: Entry) -> bool:
    """Return whether a frame's result exists, judged by name and size alone.

    Raises:
        OSError: that cannot be found out.
    """
    assert entry.result is not None
    return has_file(folder, entry.result, entry.key.size_bytes)


def has_file(folder: Path, name: str, size_bytes: int) -> bool:
    """Return whether a folder has a regular file of a name and size.

    Raises:
        OSError: that cannot be found out.
    """
    try:
        status = (folder / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size_bytes


def _looks_like_ours(status: os.stat_result, entry: Entry) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_size == entry.key.size_bytes


def _is_ours(name: str, folder_fd: int, entry: Entry, disk: Disk) -> bool:
    status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    if not _looks_like_ours(status, entry) or status.st_mtime_ns == entry.key.mtime_ns:
        return _looks_like_ours(status, entry)
    # Its time may differ: vfat has steps of two seconds, and an uploader may set the frame's time afterwards.
    data = disk.read_existing(name, folder_fd, entry.key.size_bytes + 1)
    return data is not None and hashlib.sha256(data).digest() == entry.sha256
