"""Where hints wait for the loop: filled by any thread, emptied by one, never larger than its bound."""

from queue import Empty, SimpleQueue

from framegate.model import Arrival

MOST_HINTS = 10_000
"""More hints than this say only one thing: sweep."""


class Inbox:
    """A queue of arrivals that may forget: a forgotten hint becomes a wish for a sweep.

    It rests on SimpleQueue, whose ``put`` may be called from a signal handler that interrupts a ``put``.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Arrival | None] = SimpleQueue()
        self._wants_sweep = False

    def hint(self, arrival: Arrival) -> None:
        """Put an arrival, from any thread."""
        if self._queue.qsize() < MOST_HINTS:
            self._queue.put(arrival)
        else:
            self.ask_for_sweep()

    def ask_for_sweep(self) -> None:
        """Say that the folder has to be listed: something happened that no hint names."""
        self._wants_sweep = True
        self.wake()

    def wake(self) -> None:
        """Let ``take`` return; may be called from a signal handler."""
        if self._queue.qsize() <= MOST_HINTS:
            self._queue.put(None)

    def take(self, timeout_s: float) -> list[Arrival]:
        """Wait for the first hint or wake, at most ``timeout_s``; return all that are there."""
        hints: list[Arrival] = []
        try:
            hint = self._queue.get(timeout=max(0.0, timeout_s))
            while True:
                if hint is not None:
                    hints.append(hint)
                hint = self._queue.get_nowait()
        except Empty:
            return hints

    def take_sweep_wish(self) -> bool:
        """Return whether a sweep was asked for since the last call."""
        wished, self._wants_sweep = self._wants_sweep, False
        return wished
