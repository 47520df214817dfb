"""Deletions that were refused: each cause is said once, and the tries grow rarer, until none is refused."""

from framegate.events import Listener, happening
from framegate.service.retrying import retry_delay_s

FIRST_PAUSE_S, LAST_PAUSE_S = 10.0, 600.0
"""A pass over what was refused waits twice as long as the one before it, between these."""


class Refusals:
    """Remembers why deletions were refused.

    Args:
        event: the name of the warning.
        announce: hears it.
    """

    def __init__(self, event: str, announce: Listener) -> None:
        self._event = event
        self._announce = announce
        self._said: set[str] = set()
        self._are_met = False
        self._passes = 0

    def note(self, name: str, error: OSError) -> None:
        """Take in that a file could not be deleted."""
        self._are_met = True
        words = error.strerror or str(error)
        if words not in self._said:
            self._said.add(words)
            self._announce(happening(self._event, "warning", frame=name, error=words))

    def end_of_pass(self) -> float | None:
        """Return how long to wait before the next pass over all, in seconds; None if nothing was refused."""
        if not self._are_met:
            self._said.clear()
            self._passes = 0
            return None
        self._are_met = False
        self._passes += 1
        return retry_delay_s(self._passes - 1, FIRST_PAUSE_S, LAST_PAUSE_S)
