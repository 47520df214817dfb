"""Files that other programs read: replaced as a whole, their errors logged once. One has the status."""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.deadlines import NEVER_S, next_look_s
from framegate.events.base import Listener
from framegate.events.daemon import OutputRestored, OutputUnwritable
from framegate.telemetry.status import FILE_NAME, Status

WRITE_S, AT_LEAST_S = 1.0, 10.0
"""Seconds between two writes of the file: while frames arrive, and at most. It is small, and never synced."""


class OutputFile:
    """Writes a file; logs once that it cannot be written, and once that it can be again.

    Args:
        emit: gets ``OutputUnwritable`` and ``OutputRestored``.
    """

    def __init__(self, emit: Listener) -> None:
        self._emit = emit
        self._is_failing = False

    def write(self, path: Path, write: Callable[[Path], object]) -> None:
        """Call ``write(path)``, which may raise OSError."""
        try:
            write(path)
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                self._emit(OutputUnwritable(os.fspath(path), error.strerror or str(error)))
        else:
            if self._is_failing:
                self._is_failing = False
                self._emit(OutputRestored(os.fspath(path)))


def replace_text(path: Path, text: str) -> None:
    """Replace a file by a text: a reader sees the old or the new one. It may be lost in a power cut."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, "utf-8", errors="backslashreplace")
    os.replace(temporary, path)


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
