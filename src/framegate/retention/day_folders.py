"""Removes empty folders of past days: each costs an inotify watch, and time in every sweep.

Where others make the folders, only those named by a date: the uploader makes them itself. A folder of another
name, such as a camera's, may have been made by hand, and uploads to it would fail if it were gone. Folders
that ``results.layout`` names are framegate's own: it makes them anew when it needs them.
"""

import os
import re
from collections.abc import Iterator

from framegate.folders import opened_below

_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_DATE = re.compile(
    rf"(?<!\d)(?:{_YEAR}[-_./]?{_MONTH}[-_./]?{_DAY}|{_DAY}[-_./]{_MONTH}[-_./]{_YEAR})(?!\d)", re.ASCII
)

_ANY_TIME_NS = 2**63


def remove_empty_folders(
    root_fd: int, path: str, before_ns: int, *, only_dates: bool = True
) -> Iterator[str]:
    """Remove a folder and those above it, as far as they are empty and old.

    Of ``gate/2026/11/26`` everything below ``gate`` may be removed, or ``gate`` too. rmdir removes only what
    is empty, even if a file is put into it at the same moment, and follows no link.

    Args:
        root_fd: descriptor of the drop or results folder, which stays.
        path: the folder, relative to it.
        before_ns: the folder must not have changed since then (nanoseconds since the epoch).
        only_dates: only folders that are part of a date.

    Yields:
        The path of each removed folder.
    """
    for folder in _named_by_a_date(path) if only_dates else _upwards(path, 0):
        try:
            if not _remove_unless_young(root_fd, folder, before_ns):
                return
        except FileNotFoundError:  # already gone; the one above it may be left
            continue
        except OSError:  # not empty, not a folder, or no permission
            return
        before_ns = _ANY_TIME_NS  # the removal has changed the folder above, which is at least as old
        yield folder


def _named_by_a_date(path: str) -> Iterator[str]:
    """Yield a path and those above it, as far up as they are part of a date."""
    if (date := _DATE.search(path)) is not None:
        yield from _upwards(path, date.start())


def _upwards(path: str, shortest: int) -> Iterator[str]:
    """Yield a path and those above it that are longer than ``shortest`` characters."""
    while len(path) > shortest:
        yield path
        path = path.rpartition("/")[0]


def _remove_unless_young(root_fd: int, path: str, before_ns: int) -> bool:
    *above, name = path.split("/")
    with opened_below(root_fd, above) as above_fd:
        if os.stat(name, dir_fd=above_fd, follow_symlinks=False).st_mtime_ns > before_ns:
            return False
        os.rmdir(name, dir_fd=above_fd)
    return True
