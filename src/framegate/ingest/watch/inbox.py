"""Where hints wait for the loop: filled from any thread, emptied by one, and bounded.

It rests on a deque and an eventfd, which may both be used from a signal handler. ``queue.Queue`` may not: a
signal that comes within its ``put`` deadlocks. And ``SimpleQueue.get(timeout=...)`` can wait for ever up to
Python 3.12: when a put was taken without waiting, and its time is up by the second look, it goes on with a
negative timeout. That stopped one restarted daemon in some twenty, on a busy machine.
"""

import os
import select
from collections import deque

from framegate.model import Arrival

MOST_HINTS = 10_000
"""More hints than this say only one thing: sweep."""


class Inbox:
    """A queue of arrivals that may drop some: a dropped hint becomes a request for a sweep."""

    def __init__(self) -> None:
        self._hints: deque[Arrival] = deque()
        self._wants_sweep = False
        self._is_closed = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)

    def hint(self, arrival: Arrival) -> None:
        """Put an arrival, from any thread."""
        if len(self._hints) < MOST_HINTS:
            self._hints.append(arrival)
            self.wake()
        else:
            self.request_sweep()

    def request_sweep(self) -> None:
        """Request that the folder is listed: something happened that no hint names."""
        self._wants_sweep = True
        self.wake()

    def wake(self) -> None:
        """Let ``take`` return; may be called from a signal handler, also when it is closed."""
        if not self._is_closed:
            os.eventfd_write(self._bell, 1)

    def take(self, timeout_s: float) -> list[Arrival]:
        """Wait for the first hint or wake, at most ``timeout_s``; return all hints that are there."""
        readable = self._poll.poll(max(0.0, timeout_s) * 1000)
        if any(fd == self._bell for fd, _ in readable):
            os.eventfd_read(self._bell)  # before the hints are taken, so that one put meanwhile rings again
        return [self._hints.popleft() for _ in range(len(self._hints))]

    def add_reader(self, fd: int) -> None:
        """Let ``take`` return also when a descriptor becomes readable."""
        self._poll.register(fd, select.POLLIN)

    def remove_reader(self, fd: int) -> None:
        """Undo ``add_reader``."""
        self._poll.unregister(fd)

    def take_sweep_request(self) -> bool:
        """Return whether a sweep was asked for since the last call."""
        wished, self._wants_sweep = self._wants_sweep, False
        return wished

    def close(self) -> None:
        """Close the descriptor; nothing may be put or taken any more, but a signal may still arrive."""
        self._is_closed = True
        os.close(self._bell)
