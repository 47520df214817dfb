"""Messages to systemd (sd_notify): ready, reloading, stopping, one line of status, and the watchdog's pings.

Our own few lines: of the libraries for it one swallows every error, one measures its interval with the wall
clock, and the others need a C compiler (research/reliability.md, 6).
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from framegate.deadlines import NEVER_S

PINGS = 3
"""How many pings are sent within the watchdog's time."""

MOST_WAIT_S = 1.0
"""How long a manager whose queue is full may hold us up: frames come first."""


class Notifier:
    """Speaks to the service manager that started us; to nobody when there is none.

    Args:
        environ: has NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._ping_s = _watchdog_s(environ) / PINGS
        self._next_ping_s = -NEVER_S
        self._status = ""

    def ready(self) -> None:
        """Say that we serve, or serve again after ``reloading``."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the config is being read; ``ready`` has to follow."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that we end."""
        self._tell("STOPPING=1")

    def status(self, line: str) -> None:
        """Show a line in ``systemctl status``."""
        if line != self._status:
            self._status = line
            self._tell("STATUS=" + " ".join(line.split()))  # a line break would begin another message

    def ping(self, now_s: float) -> None:
        """Tell the watchdog that the loop goes round; a call too soon after the last sends nothing."""
        if self._ping_s < NEVER_S and now_s >= self._next_ping_s:
            self._next_ping_s = now_s + self._ping_s
            self._tell("WATCHDOG=1")

    def deadline_s(self) -> float:
        """Return when the next ping is due; infinity when nobody listens for it."""
        return self._next_ping_s if self._ping_s < NEVER_S else NEVER_S

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            suppress(OSError),  # a manager that cannot be told is no reason to stop
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_manager,
        ):
            to_manager.settimeout(MOST_WAIT_S)
            to_manager.connect(address)
            to_manager.sendall(message.encode("utf-8", "backslashreplace"))


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """Return the seconds after which we are taken for dead; infinity when nobody asks."""
    if environ.get("WATCHDOG_PID") not in {None, str(os.getpid())}:
        return NEVER_S
    try:
        watchdog_s = int(environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return NEVER_S
    return watchdog_s if watchdog_s > 0 else NEVER_S
