"""A process that has framegate loaded, and forks a command or a test's program within milliseconds.

A fresh interpreter takes a second of CPU to load cv2, pydantic and the rest, and the tests start some 400.
What runs in the child is the whole command line, from ``main`` to the interpreter's own exit.

An order is one message on the socket whose descriptor is the only argument: JSON with ``arguments``, ``cwd``,
``env`` and perhaps the text of a ``program``, and with it the descriptors that become standard input, output
and error. The answer is the child's pid. The child is an orphan: it becomes
a child of the process that has made itself the subreaper.
"""

import importlib
import json
import os
import pkgutil
import socket
import sys
from typing import Any

import framegate
from framegate.cli import main

MOST_BYTES = 1_000_000
LOADED_LATER = ("framegate.commands.demo", "framegate.tune.page", "framegate.daemon.trial")
"""Seldom wanted, or run as a program of their own."""


def load_everything() -> None:
    """Import what the commands import when they are called."""
    for module in pkgutil.walk_packages(framegate.__path__, "framegate."):
        if not module.name.startswith(LOADED_LATER) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def orphan_of(orders: socket.socket) -> dict[str, Any] | None:
    """Fork whatever is ordered; return the order in the child, None when there will be no more."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, MOST_BYTES, 3)
        if not message:
            return None
        order: dict[str, Any] = json.loads(message)
        between = os.fork()
        if not between:
            if child := os.fork():
                orders.send(str(child).encode())
                os._exit(0)
            orders.close()
            become(order, descriptors)
            return order
        for fd in descriptors:
            os.close(fd)
        os.waitpid(between, 0)
        orders.send(b"adopted")


def become(order: dict[str, Any], descriptors: list[int]) -> None:
    """Take the place of a process that was started as ordered."""
    for place, fd in enumerate(descriptors):
        os.dup2(fd, place)
        os.close(fd)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["framegate", *order["arguments"]]


if __name__ == "__main__":
    load_everything()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork takes one thread along, and no lock of the others"
    if (ordered := orphan_of(socket.socket(fileno=int(sys.argv[1])))) is not None:
        if "program" in ordered:
            exec(compile(ordered["program"], "<program>", "exec"), {"__name__": "__main__"})
        else:
            main()
