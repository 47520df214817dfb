"""How a daemon stands: whether one serves, by the lock, and what it has said of itself last."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from framegate.config.settings import Settings
from framegate.daemon.lock import is_served
from framegate.errors import FramegateError
from framegate.preflight.folder_checks import Finding, Grade
from framegate.preflight.space_checks import why_unwritable
from framegate.telemetry.status import FILE_NAME, Status, from_json

HUNG_S = 30.0
"""A daemon that has not written its status for this long hangs: it writes at least every 10 s."""


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
        """Return the last status, with what only a reader can tell as of now, the rest as it was written.

        Whether a daemon runs is the word of the lock: the last status of one that was killed still says that
        it runs.

        Raises:
            NoStatusError: there is none, or it cannot be used, or who serves the drop folder has another one.
            OSError: it cannot be read.
        """
        is_running = is_served(self._state)  # first: a daemon that has ended has written its last status
        if not is_running and self._drop is not None and is_served(self._drop):
            raise NoStatusError(_why_it_is_not_here(self._state, self._drop))
        try:
            status = self._latest()
        except FileNotFoundError as error:
            raise NoStatusError(self._why_there_is_none(is_running=is_running)) from error
        unwritable = why_unwritable(self._state, is_by_root=_is_of_root(status.pid))
        is_silent = time.time() - status.at_s > HUNG_S
        is_lost = status.running and not is_running and unwritable is None  # full: no last word is written
        return replace(
            status,
            running=is_running,
            hung=is_running and is_silent and unwritable is None,
            state_unwritable=unwritable if is_running else None,
            last_heard_at_s=status.at_s if is_lost else None,
        )

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
            why = why_unwritable(self._state, is_by_root=False) or f"it has not written {self._file} yet"
            return f"a daemon is starting: {why}"
        return f"no daemon has run with the state folder {self._state}"


def check_daemon(settings: Settings) -> Iterator[Finding]:
    """Tell of a daemon that serves the drop folder, but not with the state folder of these settings."""
    state, drop = Path(settings.state.folder or ""), Path(settings.drop.folder)
    if is_served(drop) and not is_served(state):
        yield Finding(Grade.WARNING, "state.folder", _why_it_is_not_here(state, drop))


def _why_it_is_not_here(state: Path, drop: Path) -> str:
    uses_another = "it uses another state folder: give its -c, or restart it if state.folder was edited"
    if state.exists():
        return f"a daemon serves {drop}, but not with the state folder {state}: {uses_another}"
    return (
        f"a daemon serves {drop}, but the state folder {state} is not there: it was removed, and no frame is"
        f" judged until it is back (restart the daemon, or make the folder for its user), or {uses_another}"
    )


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
