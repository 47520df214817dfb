"""Looks in a thread whether archived inputs are there: the archive may be a network share that hangs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from framegate.keep.presence import Recorded
from framegate.retention.limits import has_file


class ArchiveLook:
    """One look at a time; rows that come meanwhile are left to a later round.

    Args:
        folder: the archive; None without one: nothing is known then.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._thread: Thread | None = None
        self._seen: list[tuple[Recorded, bool]] = []

    def begin(self, rows: Sequence[Recorded]) -> None:
        """Begin to look for the archived inputs of some rows, unless the last look is under way."""
        if self._folder is None or not rows or (self._thread is not None and self._thread.is_alive()):
            return
        self._seen = []
        self._thread = Thread(target=self._look, args=(self._folder, rows), name="archive-look", daemon=True)
        with suppress(RuntimeError):  # the process may start no more threads
            self._thread.start()

    def take(self) -> Iterator[tuple[Recorded, bool]]:
        """Yield what the last look has found, once, if it has ended: rows, and whether their files exist."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            seen, self._seen = self._seen, []
            yield from seen

    def _look(self, folder: Path, rows: Sequence[Recorded]) -> None:
        """Note what is there; nothing of an archive that is empty: its disk may not be mounted."""
        with suppress(OSError):
            if not any(folder.iterdir()):
                return
            for row in rows:
                assert row.entry.archived is not None
                self._seen.append((row, has_file(folder, row.entry.archived, row.entry.key.size_bytes)))
