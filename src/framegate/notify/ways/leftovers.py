"""Processes that a command has started, wherever they are: found by a mark in their environment.

A child may leave its process group, and after a ``kill -9`` of the daemon a command runs on. The kernel shows
the environment of our own user's processes.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

MARK = "FRAMEGATE_MARK"
MOST_ROUNDS = 20
"""Looks for more: a process that is killed may have started another just before."""


def kill_marked(mark: str) -> int:
    """Kill every process whose environment has a mark; return how many there were."""
    killed: set[int] = set()
    for _ in range(MOST_ROUNDS):
        found = set(_marked(f"{MARK}={mark}".encode()))
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if found <= killed:
            break
        killed |= found
    return len(killed)


def _marked(variable: bytes) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as environ:  # empty for a zombie
                if variable in environ.read().split(b"\0"):
                    yield int(name)
