"""How a daemon stands: whether one serves, by the lock, and what it has said of itself last."""

import os
import time
from dataclasses import replace
from pathlib import Path

from framegate.daemon.lock import is_served
from framegate.errors import FramegateError
from framegate.ingest.watch.mounts import mount_of
from framegate.telemetry.status import FILE_NAME, Status, from_json

HUNG_S = 30.0
"""A daemon that has not written its status for this long hangs: it writes at least every 10 s."""

NO_ROOM_BYTES = 65_536
"""With less than this, neither the ledger nor the status can be written, or not for long."""


class NoStatusError(FramegateError):
    """There is no status to show."""


class StatusReader:
    """Reads the status that the daemon of a state folder has written; parses each version of it once.

    Args:
        state: the state folder.
        drop: the drop folder; None: not known.
    """

    def __init__(self, state: Path, drop: Path | None = None) -> None:
        self._state, self._drop = state, drop
        self._file = state / FILE_NAME
        self._version: tuple[int, ...] = ()
        self._status: Status | None = None

    def read(self) -> Status:
        """Return the last status, with ``running`` and ``hung`` as of now and the rest as it was written.

        Whether a daemon runs is the word of the lock: the last status of one that was stopped or killed still
        says that it runs.

        Raises:
            NoStatusError: there is none, or it cannot be used, or who serves the drop folder has another one.
            OSError: it cannot be read.
        """
        is_running = is_served(self._state)  # first: a daemon that has ended has written its last status
        if not is_running and self._drop is not None and is_served(self._drop):
            raise NoStatusError(self._why_it_is_not_here(self._drop))
        try:
            status = self._latest()
        except FileNotFoundError as error:
            raise NoStatusError(self._why_there_is_none(is_running=is_running)) from error
        is_hung = is_running and time.time() - status.at_s > HUNG_S
        unwritable = self._why_unwritable(status.pid) if is_running else None
        return replace(status, running=is_running, hung=is_hung, state_unwritable=unwritable)

    def _latest(self) -> Status:
        with open(self._file, "rb") as file:
            found = os.fstat(file.fileno())
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._status is not None and version == self._version:
                return self._status
            try:
                self._status = from_json(file.read())
            except ValueError as error:
                words = f"{self._file} {error}: the daemon may be of another version; restart it"
                raise NoStatusError(words) from error
        self._version = version
        return self._status

    def _why_unwritable(self, pid: int | None) -> str | None:
        """Return what keeps a process from writing into the state folder; None if nothing can be seen."""
        try:
            space = os.statvfs(self._state)
        except OSError:  # it has gone just now
            return None
        mount = mount_of(self._state)
        if mount is not None and mount.is_read_only:
            return f"the disk of {self._state} is read-only"
        free_bytes = (space.f_bfree if _is_of_root(pid) else space.f_bavail) * space.f_frsize
        if free_bytes < NO_ROOM_BYTES:
            return f"the disk of {self._state} is full"
        return (
            f"the disk of {self._state} has no inode left" if space.f_files and not space.f_favail else None
        )

    def _why_it_is_not_here(self, drop: Path) -> str:
        if not self._state.exists():
            return (
                f"a daemon serves {drop}, but the state folder {self._state} is not there. If it was removed,"
                " no frame is judged until it is back: restart the daemon, or make the folder for its user"
            )
        return (
            f"a daemon serves {drop}, but not with the state folder {self._state}: the config named another"
            " one when it was started. Restart the daemon"
        )

    def _why_there_is_none(self, *, is_running: bool) -> str:
        if is_running:
            why = self._why_unwritable(None) or f"it has not written {self._file} yet"
            return f"a daemon is starting: {why}"
        return f"no daemon has run with the state folder {self._state}"


def _is_of_root(pid: int | None) -> bool:
    """Return whether a process may use the room that is reserved for root; False if it is not known."""
    try:
        return os.stat(f"/proc/{pid}").st_uid == 0
    except OSError:
        return False


def who_may_read(path: Path) -> str:
    """Return an error for a missing permission, with the user and group that have it, if visible."""
    words = f"cannot read {path}: Permission denied: run it as root"
    for place in (path, *path.parents):
        try:
            owner, group = place.owner(), place.group()
        except (OSError, KeyError):  # KeyError: an owner without a name
            continue
        return f"{words}, as user {owner}, or join the group {group}"
    return words
