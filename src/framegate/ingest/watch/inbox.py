"""Where hints wait for the loop: filled from any thread, emptied by one, and bounded.

It uses a deque and an eventfd, both of which are safe in a signal handler. ``queue.Queue`` is not: a signal
within its ``put`` deadlocks. And up to Python 3.12 ``SimpleQueue.get(timeout=...)`` can wait for ever: if it
was woken for an item that was already taken and its time is up, it waits again, with a negative timeout. That
stopped one restarted daemon in some twenty, on a busy machine.
"""

import os
import select
from collections import deque

from framegate.model import Arrival

MOST_HINTS = 10_000
"""More unread hints than this are dropped, and a sweep is requested instead."""


class Inbox:
    """A bounded queue of arrivals: in place of those that it drops, it requests a sweep."""

    def __init__(self) -> None:
        self._hints: deque[Arrival] = deque()
        self._wants_sweep = False
        self._is_closed = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)

    def hint(self, arrival: Arrival) -> None:
        """Add an arrival; may be called from any thread."""
        if len(self._hints) < MOST_HINTS:
            self._hints.append(arrival)
            self.wake()
        else:
            self.request_sweep()

    def request_sweep(self) -> None:
        """Request a sweep: something happened that no hint names. May be called from any thread."""
        self._wants_sweep = True
        self.wake()

    def wake(self) -> None:
        """Make ``take`` return; may be called from a signal handler, even after ``close``."""
        if not self._is_closed:
            os.eventfd_write(self._bell, 1)

    def take(self, timeout_s: float) -> list[Arrival]:
        """Wait for a hint or a ``wake``, at most ``timeout_s`` seconds; return all hints that are there."""
        readable = self._poll.poll(max(0.0, timeout_s) * 1000)
        if any(fd == self._bell for fd, _ in readable):
            os.eventfd_read(self._bell)  # before the hints are taken, so that one added meanwhile wakes again
        return [self._hints.popleft() for _ in range(len(self._hints))]

    def add_reader(self, fd: int) -> None:
        """Make ``take`` return also when a descriptor becomes readable."""
        self._poll.register(fd, select.POLLIN)

    def remove_reader(self, fd: int) -> None:
        """Undo ``add_reader``."""
        self._poll.unregister(fd)

    def take_sweep_request(self) -> bool:
        """Return whether a sweep was requested since the last call."""
        wants_sweep, self._wants_sweep = self._wants_sweep, False
        return wants_sweep

    def close(self) -> None:
        """Close the descriptor; of all methods only ``wake`` may be called from now on."""
        self._is_closed = True
        os.close(self._bell)
