"""What a thread waits for: a bell that any other thread may ring."""

import os
import select


class Bell:
    """An eventfd; a ring that comes while nobody waits ends the next wait."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)

    def ring(self) -> None:
        """End the wait."""
        os.eventfd_write(self.fd, 1)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a ring, at most so many seconds; return whether there was one."""
        rang = bool(self._poll.poll(max(0.0, min(timeout_s, 1e6)) * 1000))
        if rang:
            os.eventfd_read(self.fd)
        return rang

    def close(self) -> None:
        """Close it; nobody may ring any more."""
        os.close(self.fd)
