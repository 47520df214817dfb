"""Notices that another folder stands where the results were: replaced, or its disk is not mounted."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from framegate.events.base import Listener
from framegate.events.daemon import ResultsBack, ResultsReplaced

LOOKED_FOR = 8
"""Of the last results: as long as one of them is there, the folder is the one that it was. They are asked for
when half of them have gone: of a thousand cameras that takes some ms, and this looks once a second."""

Last = Callable[[int], Iterable[str]]
"""Returns the names of so many results, those that were kept last."""


class ResultsPlace:
    """Compares the folder at the path of the results with the one that was there before.

    Another device or inode alone says nothing: a share that is mounted anew has others. Results that are gone
    alone say nothing: a program may fetch them. Both at once is told.

    Args:
        folder: of the results.
        last: of the results that were kept.
        emit: gets an event when it is replaced, and when it is back.
    """

    def __init__(self, folder: str, last: Last, emit: Listener) -> None:
        self._folder, self._last, self._emit = Path(folder), last, emit
        self._identity: tuple[int, int] | None = None
        self._there: list[str] = []
        self.replaced_at_s: float | None = None
        """Since when it is another, in seconds since the epoch; None while it is not."""

    def retune(self, folder: str) -> None:
        """Look at another folder from now on, if it is another."""
        if Path(folder) != self._folder:
            self._folder, self._identity, self.replaced_at_s = Path(folder), None, None

    def look(self) -> None:
        """Compare it now. While there is none, nothing is known."""
        try:
            found = os.stat(self._folder)
        except OSError:
            return
        identity = found.st_dev, found.st_ino
        if identity == self._identity:
            self._note_back()
        elif self._there and not self._still_there(self._there) and self._identity is not None:
            self._note_replaced()
            return
        self._identity = identity
        still = self._still_there(self._there)
        self._there = still if len(still) > LOOKED_FOR // 2 else self._still_there(self._last(LOOKED_FOR))

    def _note_replaced(self) -> None:
        if self.replaced_at_s is None:
            self.replaced_at_s = time.time()
            self._emit(ResultsReplaced(str(self._folder)))

    def _note_back(self) -> None:
        if self.replaced_at_s is not None:
            self.replaced_at_s = None
            self._emit(ResultsBack(str(self._folder)))

    def _still_there(self, results: Iterable[str]) -> list[str]:
        return [result for result in results if os.path.lexists(self._folder / result)]
