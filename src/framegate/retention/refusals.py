"""Deletions that were refused: each cause is logged once, and the tries grow rarer, until none is refused."""

from framegate.deadlines import retry_delay_s
from framegate.events.base import Listener
from framegate.events.deleting import InputUndeletable, ResultUndeletable

FIRST_PAUSE_S, LAST_PAUSE_S = 10.0, 600.0
"""A pass over what was refused waits twice as long as the one before it, between these."""


class RefusalLog:
    """Remembers why deletions were refused.

    Args:
        warning: the event of a refused deletion.
        emit: receives it.
    """

    def __init__(self, warning: type[InputUndeletable | ResultUndeletable], emit: Listener) -> None:
        self._warning = warning
        self._emit = emit
        self._announced: set[str] = set()
        self._has_any = False
        self._passes = 0

    def note(self, name: str, error: OSError) -> None:
        """Remember a deletion that was refused, and announce its cause if it is a new one."""
        self._has_any = True
        words = error.strerror or str(error)
        if words not in self._announced:
            self._announced.add(words)
            self._emit(self._warning(name, words))

    def end_of_pass(self) -> float | None:
        """Return how long to wait before the next pass over all, in seconds; None if nothing was refused."""
        if not self._has_any:
            self._announced.clear()
            self._passes = 0
            return None
        self._has_any = False
        self._passes += 1
        return retry_delay_s(self._passes - 1, FIRST_PAUSE_S, LAST_PAUSE_S)
