"""A file that other programs read: replaced as a whole, its errors logged once."""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.events.base import Listener
from framegate.events.daemon import OutputRestored, OutputUnwritable


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
