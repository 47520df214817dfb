"""When has the config file been saved? Events tell that something moved; the file's fingerprint tells what.

Editors save in many ways: in place, by a rename over the file, by a swap of a link above it (Kubernetes swaps
``..data`` and says nothing of the file). So the folders of the path, and of what it leads to, are watched for
anything at all, and the file is looked at once a second besides. A file that somebody is writing is let be:
39 of 253 prefixes of a config are TOML, and many of those are valid.
"""

import os
from pathlib import Path

from framegate.ingest.inbox import Inbox
from framegate.ingest.mounts import mount_of, sees_all_writers
from framegate.ingest.reading import has_writer
from framegate.service.inotify import (
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVED_TO,
    FolderEvents,
)
from framegate.service.retrying import NEVER_S

LOOK_S = 1.0
"""Seconds between two looks at the file when no event tells of it."""

QUIET_S = 0.4
"""Seconds without a change before it is read: editors that save in steps take some milliseconds."""

UNWATCHED_QUIET_S = 2.0
"""The same where no event tells whether its writer has finished."""

EMPTY_S = 5.0
"""An empty file is about to be written; after this it is what somebody has saved, as onto a full disk."""

ABANDONED_S = 60.0
"""A writer that has not written for so long is taken for one whose close was not heard."""

_ENDS_A_WRITE = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO

Fingerprint = tuple[int, ...] | None
"""What tells versions of the file apart without reading it; None: it cannot be looked at."""


class ConfigWatch:
    """Looks at one config file; used by the loop's thread alone.

    Args:
        path: the file.
        inbox: woken when something happens near the file.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, path: Path, inbox: Inbox) -> None:
        self._path = Path(os.path.abspath(path))
        self._inbox = inbox
        self._events: FolderEvents | None = None
        self._watched: frozenset[tuple[str, int, int]] = frozenset()
        self._is_being_written = False
        self._is_told = False
        """Events tell of the last change, and so of its writer: not behind a share or a bind mount."""

        self._seen: Fingerprint = None
        self._changed_at_s: float | None = None
        """When it was last seen to change, while it has not been read since."""

        self._awaits_writer = False
        """It has settled but for its writer: there is nothing to do before the next look, or event."""

        self._next_look_s = -NEVER_S

    def start(self, now_s: float) -> None:
        """Begin to watch; the version that is there now counts as changed, until it is read."""
        self._watch_folders()
        self._seen, self._changed_at_s = self._look(), now_s
        self._next_look_s = now_s + LOOK_S

    def stop(self) -> None:
        """End the watching."""
        events, self._events = self._events, None
        if events is not None:
            self._inbox.wakes_no_more(events.fd)
            events.close()

    def is_saved(self, now_s: float) -> bool:
        """Tell, once, that the file has changed and is complete."""
        self.take_in(now_s)
        if self._changed_at_s is None or now_s < self._settled_at_s(self._changed_at_s):
            return False
        patience_s = ABANDONED_S if self._is_known_to_be_written else EMPTY_S
        self._awaits_writer = now_s < self._changed_at_s + patience_s and self.is_half_written
        if self._awaits_writer:
            return False
        self._changed_at_s = None
        return True

    def expect(self, now_s: float) -> None:
        """Count the version that is there as changed, if it is not anyway: ``is_saved`` will tell of it."""
        if self._changed_at_s is None:
            self._changed_at_s = now_s

    @property
    def is_half_written(self) -> bool:
        """Whether somebody is writing the file, as far as is known, so that it must not be read."""
        is_empty = self._seen is not None and self._seen[2] == 0  # made or cut a moment ago
        return is_empty or self._is_known_to_be_written

    @property
    def _is_known_to_be_written(self) -> bool:
        file = Path(os.path.realpath(self._path))
        has_it_open = has_writer(file.parent, file.name)
        is_unknown = has_it_open is None or (has_it_open and _is_on_a_share(file))
        return self._is_being_written if is_unknown else has_it_open is True

    def deadline_s(self) -> float:
        """Return when ``is_saved`` has something to look at, if nothing happens before."""
        if self._changed_at_s is None or self._awaits_writer:
            return self._next_look_s
        return min(self._next_look_s, self._settled_at_s(self._changed_at_s))

    def take_in(self, now_s: float) -> None:
        """Take in what has happened since the last look."""
        if not (has_heard := self._hear()) and now_s < self._next_look_s:
            return
        self._next_look_s = now_s + LOOK_S
        self._watch_folders()
        if (there := self._look()) != self._seen:
            self._seen, self._changed_at_s, self._awaits_writer = there, now_s, False
            self._is_told = has_heard

    def _hear(self) -> bool:
        if self._events is None:
            return False
        has_heard = False
        files = {os.fspath(self._path), os.path.realpath(self._path)}
        for path, mask in self._events.read():
            has_heard = True
            if mask & IN_IGNORED:  # a folder is gone; another may get its very inode
                self._watched = frozenset()
            self._is_told |= path in files
            if path in files and mask & _ENDS_A_WRITE:
                self._is_being_written = False
            elif path in files and mask & IN_MODIFY:
                self._is_being_written = True
        return has_heard

    def _settled_at_s(self, changed_at_s: float) -> float:
        return changed_at_s + (QUIET_S if self._is_told else UNWATCHED_QUIET_S)

    def _look(self) -> Fingerprint:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        # cp -p, rsync and unpackers set the mtime back; nobody sets the ctime.
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _watch_folders(self) -> None:
        """Watch the folder of the path and of the file that it leads to; anew when that is another one."""
        folders = {os.path.dirname(self._path), os.path.dirname(os.path.realpath(self._path))}
        there = frozenset(identified for folder in folders if (identified := _identified(folder)))
        if there == self._watched and self._events is not None:
            return
        self.stop()
        self._watched, self._is_being_written = there, False
        try:
            self._events = FolderEvents(frozenset(folder for folder, _, _ in there))
        except OSError:  # no inotify to be had now: it is looked at all the same
            return
        self._inbox.is_woken_by(self._events.fd)


def _is_on_a_share(file: Path) -> bool:
    """Tell whether a file is where every lease is refused, whoever has it open or not."""
    mount = mount_of(file.parent)
    return mount is not None and not sees_all_writers(mount.kind)


def _identified(folder: str) -> tuple[str, int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return folder, status.st_dev, status.st_ino
