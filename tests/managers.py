"""A service manager for tests: a socket that hears what a service says of itself, as systemd's does."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

MOST_BYTES = 4096


class Manager:
    """Hears the messages that come to one address, in their order."""

    def __init__(self, address: str) -> None:
        self.address = address
        """As NOTIFY_SOCKET has it: a path, or an abstract name behind an @."""

        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def take(self, within_s: float = 0.0) -> list[str]:
        """Return what has come since the last call; wait for a first message at most so long."""
        before = len(self.heard)
        self._socket.settimeout(within_s or None)
        self._socket.setblocking(bool(within_s))
        while True:
            try:
                self.heard.append(self._socket.recv(MOST_BYTES).decode())
            except (BlockingIOError, TimeoutError):
                return self.heard[before:]
            self._socket.setblocking(False)

    def wait_for(self, message: str, count: int = 1, within_s: float = 20.0) -> None:
        """Wait until so many messages begin so."""
        deadline_s = time.monotonic() + within_s
        while sum(heard.startswith(message) for heard in self.heard) < count:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"no {count} x {message}: {self.heard}"
            self.take(left_s)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listening(address: str | os.PathLike[str]) -> Iterator[Manager]:
    """Hear what is said to an address until this ends."""
    with closing(Manager(os.fspath(address))) as manager:
        yield manager
