"""Messages to systemd (sd_notify): ready, reloading, stopping, status line, watchdog pings.

No library: one swallows every error, one measures the interval with the wall clock, and the others need a C
compiler (research/reliability.md, 6).
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from framegate.deadlines import NEVER_S

PINGS = 3
"""Pings within the watchdog's time."""

MOST_WAIT_S = 1.0
"""How long a message may wait for a service manager whose queue is full."""


class Notifier:
    """Sends messages to the service manager that started us; does nothing if there is none.

    Args:
        environ: with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, if systemd has set them.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._ping_s = _watchdog_s(environ) / PINGS
        self._next_ping_s = -NEVER_S
        self._status = ""

    def ready(self) -> None:
        """Report that the daemon has started, or that a reload is over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that the config is being read; ``ready`` has to follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Report that the daemon is ending."""
        self._send("STOPPING=1")

    def status(self, line: str) -> None:
        """Show a line in ``systemctl status``."""
        if line != self._status:
            self._status = line
            self._send("STATUS=" + " ".join(line.split()))  # a line break would start another message

    def ping(self, now_s: float) -> None:
        """Send a watchdog ping, if one is due: the loop is alive."""
        if self._ping_s < NEVER_S and now_s >= self._next_ping_s:
            self._next_ping_s = now_s + self._ping_s
            self._send("WATCHDOG=1")

    def deadline_s(self) -> float:
        """Return when the next ping is due; infinity without a watchdog."""
        return self._next_ping_s if self._ping_s < NEVER_S else NEVER_S

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            suppress(OSError),  # the daemon works without its manager
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_manager,
        ):
            to_manager.settimeout(MOST_WAIT_S)
            to_manager.connect(address)
            to_manager.sendall(message.encode("utf-8", "backslashreplace"))


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """Return the watchdog's time in seconds; infinity without a watchdog."""
    if environ.get("WATCHDOG_PID") not in {None, str(os.getpid())}:
        return NEVER_S
    try:
        watchdog_s = int(environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return NEVER_S
    return watchdog_s if watchdog_s > 0 else NEVER_S
