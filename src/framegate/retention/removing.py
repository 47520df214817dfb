"""Removes a judged file from the drop folder: only the version that was judged, never through a link."""

import os
import stat

from framegate.folders import opened_below
from framegate.ingest.reading import key_of
from framegate.model import FileKey


def remove_version(root_fd: int, key: FileKey) -> bool:
    """Remove a file if it is still the version that was judged.

    Between the check and the removal some microseconds pass, in which another file could be renamed to the
    name: Linux has no call that removes a file only if it is a certain one.

    Args:
        root_fd: descriptor of the drop folder.
        key: the version; another version, or anything but a regular file, stays.

    Returns:
        Whether it was removed; False means that this version is not there.

    Raises:
        OSError: it is there and cannot be removed.
    """
    *folders, last = key.name.split("/")
    try:
        with opened_below(root_fd, folders) as folder_fd:
            if not _is_version(folder_fd, last, key):
                return False
            os.unlink(last, dir_fd=folder_fd)
    except (FileNotFoundError, NotADirectoryError):  # also a link in place of a folder
        return False
    return True


def version_exists(root_fd: int, key: FileKey) -> bool:
    """Return whether a version of a file is in the drop folder; its mode may have changed.

    Raises:
        OSError: that cannot be found out, as in a folder that may not be searched.
    """
    *folders, last = key.name.split("/")
    try:
        with opened_below(root_fd, folders) as folder_fd:
            status = os.stat(last, dir_fd=folder_fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    there = key_of(key.name, status)
    return (there.size_bytes, there.mtime_ns) == (key.size_bytes, key.mtime_ns)


def _is_version(folder_fd: int, name: str, key: FileKey) -> bool:
    status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    return stat.S_ISREG(status.st_mode) and key.matches(key_of(key.name, status))
