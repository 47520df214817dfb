"""How a daemon stands: whether one serves, by the lock, and what it has said of itself last."""

import os
import time
from dataclasses import replace
from pathlib import Path

from framegate.daemon.lock import is_served
from framegate.errors import FramegateError
from framegate.telemetry.status import FILE_NAME, Status, from_json

HUNG_S = 30.0
"""A daemon that has not written its status for this long hangs: it writes at least every 10 s."""


class NoStatusError(FramegateError):
    """There is no status to show."""


class StatusReader:
    """Reads the status that the daemon of a state folder has written; parses each version of it once.

    Args:
        state: the state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._file = state / FILE_NAME
        self._version: tuple[int, ...] = ()
        self._status: Status | None = None

    def read(self) -> Status:
        """Return the last status, with ``running`` and ``hung`` as of now and the rest as it was written.

        Whether a daemon runs is the word of the lock: the last status of one that was stopped or killed still
        says that it runs.

        Raises:
            NoStatusError: there is none, or it cannot be used.
            OSError: it cannot be read.
        """
        is_running = is_served(self._state)  # first: a daemon that has ended has written its last status
        try:
            status = self._latest()
        except FileNotFoundError as error:
            raise NoStatusError(self._why_there_is_none(is_running=is_running)) from error
        is_hung = is_running and time.time() - status.at_s > HUNG_S
        return replace(status, running=is_running, hung=is_hung)

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

    def _why_there_is_none(self, *, is_running: bool) -> str:
        if is_running:
            return f"a daemon is starting: it has not written {self._file} yet"
        return f"no daemon has run with the state folder {self._state}"


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
