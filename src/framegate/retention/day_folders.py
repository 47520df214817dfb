"""Removes the folders of past days that deletion has left empty: each costs a watch, and time at every sweep.

Only folders that are named by a date. Who uploads into such a folder makes it himself; a folder of another
name, as a camera's own, may have been made by hand, and uploads to it fail when it is gone.
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


def remove_day_folders(root_fd: int, path: str, before_ns: int) -> Iterator[str]:
    """Remove a folder, and then the folders above it, while they are named by a date, empty and old.

    Of ``gate/2026/11/26`` all but ``gate`` may go. rmdir removes nothing that is not empty, not even when
    somebody puts a file into it at the same moment, and follows no link.

    Args:
        root_fd: the drop or results folder; it stays.
        path: the folder, relative to it.
        before_ns: nothing may have changed in the lowest folder since then.

    Yields:
        The path of each folder that was removed.
    """
    for folder in _named_by_a_date(path):
        try:
            if not _remove_unless_young(root_fd, folder, before_ns):
                return
        except FileNotFoundError:  # it has gone; the one above it may be left
            continue
        except OSError:  # it is not empty, no folder, or not ours to remove
            return
        before_ns = _ANY_TIME_NS  # the removal has just changed the one above, which is at least as old
        yield folder


def _named_by_a_date(path: str) -> Iterator[str]:
    """Yield a path, and those above it, as far up as they are part of a date."""
    if (date := _DATE.search(path)) is None:
        return
    while len(path) > date.start():
        yield path
        path = path.rpartition("/")[0]


def _remove_unless_young(root_fd: int, path: str, before_ns: int) -> bool:
    *above, name = path.split("/")
    with opened_below(root_fd, above) as above_fd:
        if os.stat(name, dir_fd=above_fd, follow_symlinks=False).st_mtime_ns > before_ns:
            return False
        os.rmdir(name, dir_fd=above_fd)
    return True
