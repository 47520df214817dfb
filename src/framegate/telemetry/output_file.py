"""A file that others read: replaced as a whole, and when it cannot be written that is said once."""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.events import Listener, happening


class OutputFile:
    """A file for others to read; that it cannot be written is said once, and once that it can be again.

    Args:
        what: the first word of the events: ``what.unwritable`` and ``what.restored``.
        announce: hears of them.
    """

    def __init__(self, what: str, announce: Listener) -> None:
        self._what = what
        self._announce = announce
        self._is_failing = False

    def write(self, path: Path, write: Callable[[Path], object]) -> None:
        """Try to write it with a function that may raise OSError."""
        try:
            write(path)
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                fields = {"file": os.fspath(path), "error": error.strerror or str(error)}
                self._announce(happening(f"{self._what}.unwritable", "warning", **fields))
        else:
            if self._is_failing:
                self._is_failing = False
                self._announce(happening(f"{self._what}.restored", file=os.fspath(path)))


def replace_text(path: Path, text: str) -> None:
    """Put a text in place of a file: a reader sees the old or the new. It is not durable, and no promise."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, "utf-8", errors="backslashreplace")
    os.replace(temporary, path)
