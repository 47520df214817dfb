"""Files that could not be deleted or archived: each error is logged once, and retries become rarer."""

from framegate.deadlines import retry_delay_s
from framegate.events.base import Listener
from framegate.events.deleting import InputUnarchivable, InputUndeletable, ResultUndeletable

FIRST_PAUSE_S, LAST_PAUSE_S = 10.0, 600.0
"""A pass that retries waits twice as long as the one before, between these limits."""

Warned = type[InputUndeletable] | type[InputUnarchivable] | type[ResultUndeletable]
"""The events for a file that could not be deleted or moved."""


class RefusalLog:
    """Remembers the errors of deletions.

    Args:
        warning: the event for a file that cannot be deleted.
        emit: gets it.
    """

    def __init__(self, warning: Warned, emit: Listener) -> None:
        self._warning = warning
        self._emit = emit
        self._logged: set[str] = set()
        self._has_any = False
        self._passes = 0
        self.last_error: str | None = None
        """Why a file could not be deleted; None after a pass without such an error."""

    def begin_pass(self) -> None:
        """Begin a pass over all files: what was refused in between is tried again in it."""
        self._has_any = False

    def note(self, name: str, error: OSError) -> None:
        """Remember a deletion that failed, and log its error if it is a new one."""
        self._has_any = True
        words = self.last_error = error.strerror or str(error)
        if words not in self._logged:
            self._logged.add(words)
            self._emit(self._warning(name, words))

    def end_of_pass(self) -> float | None:
        """Return the pause before the next pass over all files, in seconds; None if all could be deleted."""
        if not self._has_any:
            self._logged.clear()
            self._passes = 0
            self.last_error = None
            return None
        self._has_any = False
        self._passes += 1
        return retry_delay_s(self._passes - 1, FIRST_PAUSE_S, LAST_PAUSE_S)
