"""Finds out when the config file has been saved: by events of inotify, and by a look once a second.

Files are saved in many ways: in place, by a rename over the file, by swapping a link above it (Kubernetes
swaps ``..data``, which makes no event for the file). So every event in the folder of the path, and in the
folder of the file that it links to, leads to a look at the file. A file that is being written is not read: 39
of 253 prefixes of a config are TOML, and many of those are valid configs.
"""

import os
from pathlib import Path

from framegate.deadlines import NEVER_S, next_look_s
from framegate.ingest.reading import has_writer
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.inotify import (
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVED_TO,
    FolderEvents,
)
from framegate.ingest.watch.mounts import mount_of, sees_all_writers

LOOK_S = 1.0
"""Seconds between two looks at the file when there are no events, at most."""

QUIET_S = 0.4
"""Seconds without a change before the file is read: editors that save in steps take some milliseconds."""

UNWATCHED_QUIET_S = 2.0
"""The same where no event can show that its writer has finished."""

EMPTY_S = 5.0
"""An empty file is probably about to be written. After this many seconds it counts as saved: on a full disk
editors leave one."""

ABANDONED_S = 60.0
"""A writer that has written nothing for this many seconds counts as gone: its close was missed."""

_ENDS_A_WRITE = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO

Fingerprint = tuple[int, ...] | None
"""Distinguishes versions of the file without reading it; None when there is no file."""


class ConfigWatch:
    """Watches one config file; used by the loop's thread only.

    Args:
        path: the file.
        inbox: wakes the loop when something happens in the file's folders.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, path: Path, inbox: Inbox) -> None:
        self._path = Path(os.path.abspath(path))
        self._inbox = inbox
        self._events: FolderEvents | None = None
        self._watched: frozenset[tuple[str, int, int]] = frozenset()
        self._is_being_written = False
        self._has_events = False
        """The last change made an event, so the close will too: not on a share or behind a bind mount."""

        self._seen: Fingerprint = None
        self._changed_at_s: float | None = None
        """When the last change was seen; None after it was reported."""

        self._is_urgent = False
        """Report the file without waiting for ``QUIET_S``."""

        self._awaits_writer = False
        """Whether only its writer is waited for: nothing to do before the next look or event."""

        self._next_look_s = -NEVER_S

    def start(self, now_s: float) -> None:
        """Start to watch; the version that is there now is reported as the first change."""
        self._watch_folders()
        self._seen, self._changed_at_s = self._look(), now_s
        self._next_look_s = next_look_s(now_s, LOOK_S)

    def stop(self) -> None:
        """Stop watching."""
        events, self._events = self._events, None
        if events is not None:
            self._inbox.remove_reader(events.fd)
            events.close()

    def poll_change(self, now_s: float) -> bool:
        """Return whether the file has changed since this last returned True, and is complete."""
        self._look_again(now_s)
        if self._changed_at_s is None:
            return False
        if now_s < self._settled_at_s(self._changed_at_s) and not self._is_urgent:
            return False
        self._is_urgent = False
        patience_s = ABANDONED_S if self._is_known_to_be_written else EMPTY_S
        self._awaits_writer = now_s < self._changed_at_s + patience_s and self._is_half_written
        if self._awaits_writer:
            return False
        self._changed_at_s = None
        return True

    def report_anyway(self, now_s: float) -> None:
        """Have ``poll_change`` report the file even if it has not changed, once nobody is writing it."""
        self._is_urgent = True
        if self._changed_at_s is None:
            self._changed_at_s = now_s

    @property
    def _is_half_written(self) -> bool:
        is_empty = self._seen is not None and self._seen[2] == 0  # created or truncated a moment ago
        return is_empty or self._is_known_to_be_written

    @property
    def _is_known_to_be_written(self) -> bool:
        file = Path(os.path.realpath(self._path))
        has_it_open = has_writer(file.parent, file.name)
        is_unknown = has_it_open is None or (has_it_open and _is_on_a_share(file))
        return self._is_being_written if is_unknown else has_it_open is True

    def deadline_s(self) -> float:
        """Return when ``poll_change`` has something to do, if there is no event before."""
        if self._changed_at_s is None or self._awaits_writer:
            return self._next_look_s
        return min(self._next_look_s, self._settled_at_s(self._changed_at_s))

    def _look_again(self, now_s: float) -> None:
        if not (has_events := self._read_events()) and now_s < self._next_look_s:
            return
        self._next_look_s = next_look_s(now_s, LOOK_S)
        self._watch_folders()
        if (there := self._look()) != self._seen:
            self._seen, self._changed_at_s, self._awaits_writer = there, now_s, False
            self._has_events = has_events

    def _read_events(self) -> bool:
        events = [] if self._events is None else [*self._events.read()]
        files = {os.fspath(self._path), os.path.realpath(self._path)} if events else set()
        for path, mask in events:
            if mask & IN_IGNORED:  # the folder is gone, and another may get the same inode
                self._watched = frozenset()
            self._has_events |= path in files
            if path in files and mask & _ENDS_A_WRITE:
                self._is_being_written = False
            elif path in files and mask & IN_MODIFY:
                self._is_being_written = True
        return bool(events)

    def _settled_at_s(self, changed_at_s: float) -> float:
        return changed_at_s + (QUIET_S if self._has_events else UNWATCHED_QUIET_S)

    def _look(self) -> Fingerprint:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        # cp -p, rsync and unpackers set the mtime to an older one; nothing can set the ctime.
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _watch_folders(self) -> None:
        """Watch the folder of the path and of the file that it links to, whichever folders those are now."""
        folders = {os.path.dirname(self._path), os.path.dirname(os.path.realpath(self._path))}
        there = frozenset(identified for folder in folders if (identified := _identified(folder)))
        if there == self._watched and self._events is not None:
            return
        self.stop()
        self._watched, self._is_being_written = there, False
        try:
            self._events = FolderEvents(frozenset(folder for folder, _, _ in there))
        except OSError:  # no inotify now: the look once a second remains
            return
        self._inbox.add_reader(self._events.fd)


def _is_on_a_share(file: Path) -> bool:
    """Return whether a file is on a file system that refuses every lease, even on files nobody has open."""
    mount = mount_of(file.parent)
    return mount is not None and not sees_all_writers(mount.kind)


def _identified(folder: str) -> tuple[str, int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return folder, status.st_dev, status.st_ino
