"""A file that others read: replaced as a whole, and when it cannot be written that is said once."""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.events.base import Listener
from framegate.events.daemon import OutputRestored, OutputUnwritable


class OutputFile:
    """A file for others to read; that it cannot be written is said once, and once that it can be again.

    Args:
        emit: receives both events.
    """

    def __init__(self, emit: Listener) -> None:
        self._emit = emit
        self._is_failing = False

    def write(self, path: Path, write: Callable[[Path], object]) -> None:
        """Try to write it with a function that may raise OSError."""
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
    """Put a text in place of a file: a reader sees the old or the new. It is not durable, and no promise."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, "utf-8", errors="backslashreplace")
    os.replace(temporary, path)
