"""The file in the state folder that shows the status to ``framegate status``."""

from pathlib import Path

from framegate.deadlines import NEVER_S, next_look_s
from framegate.events.base import Listener
from framegate.telemetry.output_file import OutputFile, replace_text
from framegate.telemetry.status import FILE_NAME, Status

WRITE_S, AT_LEAST_S = 1.0, 10.0
"""Seconds between two writes of the file: while frames arrive, and at most. It is small, and never synced."""


class StatusFile:
    """Keeps the status in the state folder, for ``framegate status``.

    Args:
        folder: the state folder.
        emit: gets an event when the file cannot be written, and when it can be again.
    """

    def __init__(self, folder: Path, emit: Listener) -> None:
        self._path = folder / FILE_NAME
        self._output = OutputFile(emit)
        self._is_stale = True
        self._written_at_s = self._rewrite_at_s = -NEVER_S

    def note(self) -> None:
        """Have it written soon: something has changed."""
        self._is_stale = True

    def deadline_s(self) -> float:
        """Return when it has to be written next."""
        return self._written_at_s + WRITE_S if self._is_stale else self._rewrite_at_s

    def show(self, status: Status, now_s: float) -> None:
        """Write this status to the file."""
        self._written_at_s, self._is_stale = now_s, False
        self._rewrite_at_s = next_look_s(now_s, AT_LEAST_S)
        text = status.to_json()
        self._output.write(self._path, lambda path: replace_text(path, text))
