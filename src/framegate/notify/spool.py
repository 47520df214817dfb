"""Events on their way to the queue, in a file, so that a kill loses none.

Verdicts need none: they are in the ledger. What the loop's thread does here is one write of some hundred
bytes, and never more than that.
"""

import json
import os
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from framegate.events.base import Listener
from framegate.events.daemon import OutputRestored, OutputUnwritable
from framegate.notify.messages import Document

SPOOL_NAME = "notify-events"
MOST_WAITING = 10_000
"""Events in memory while the queue cannot be written; further ones are lost, and counted."""

MOST_BYTES = 256_000
"""The file is emptied when it is larger, as soon as nothing in it is wanted any more."""

MOST_READ = 32_000_000
URGENT_LEVELS = frozenset({"warning", "error"})

Spooled = tuple[str, Document]
"""An event's key, which no other has, and its message."""


class Spool:
    """A file that one thread appends to, and the same events in memory, which another takes.

    Args:
        path: of the file.
        emit: gets an event when the file cannot be written, and when it can be again.
    """

    def __init__(self, path: Path, emit: Listener) -> None:
        self._path = path
        self._emit = emit
        self._life = uuid.uuid4().hex[:12]
        self._number = 0
        self._bytes = 0
        self._fd: int | None = None
        self._is_failing = False
        self.waiting: deque[Spooled] = deque(_left_in(path))
        """Those that are not in the queue yet, oldest first; the taker removes them."""

        self.lost = 0

    def write(self, message: Document) -> Spooled:
        """Write an event to the file; it survives a kill from now on, though not a power cut."""
        self._number += 1
        key = f"{self._life}-{self._number}"
        if len(self.waiting) < MOST_WAITING:
            self._append(f"\n{json.dumps([key, message], default=str)}\n".encode())
        return key, message

    def release(self, event: Spooled) -> None:
        """Let an event that was written be taken."""
        if len(self.waiting) < MOST_WAITING:
            self.waiting.append(event)
        else:
            self.lost += 1

    def urgent(self) -> list[Spooled]:
        """Return the warnings and errors of this life that wait: an earlier one may have told its own."""
        return [
            (key, message)
            for key, message in tuple(self.waiting)
            if key.startswith(self._life) and message["level"] in URGENT_LEVELS
        ]

    def tidy(self) -> None:
        """Empty the file, if it is large; all that was written has been released."""
        if self._bytes > MOST_BYTES and not self.waiting and self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
                self._bytes = 0

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, line: bytes) -> None:
        try:
            if self._fd is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
                self._fd = os.open(self._path, flags, 0o640)
                self._bytes = os.fstat(self._fd).st_size
            self._bytes += os.write(self._fd, line)
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                self._emit(OutputUnwritable(os.fspath(self._path), error.strerror or str(error)))
        else:
            if self._is_failing:
                self._is_failing = False
                self._emit(OutputRestored(os.fspath(self._path)))


def _left_in(path: Path) -> Iterator[Spooled]:
    """Yield what an earlier life has left; a line that a full disk has cut is passed over."""
    try:
        with path.open("rb") as file:
            lines = file.read(MOST_READ).split(b"\n")
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, TypeError):
            key, message = json.loads(line)
            yield key, dict(message)
