"""A process that has framegate loaded, and forks a daemon within milliseconds for every order that it gets.

A fresh interpreter takes half a second to load cv2 and the rest; a daemon that is to be killed three hundred
times has not got it. What runs in the child is the real ``serve``: its own log, signals, threads and exit.

An order is one line of JSON on standard input: ``config`` and ``log``, which are paths, and the arguments of
``Hurdles``. The answers are two lines on standard output: the child's pid at once, and how it ended, by and
by: its code, or minus the number of the signal.
"""

import errno
import json
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from framegate.config.load import load
from framegate.daemon.process import serve
from framegate.keep.disk import Disk, Step, TidyStep

LOG = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Hurdles(Disk):
    """The real disk, with a pause, an error or death in the way.

    Args:
        pause_s: how long each step takes, beside its work: on an SD card it takes milliseconds, and a kill
            at a random moment falls into any of them.
        is_named: the file system has no O_TMPFILE: new files have a temporary name.
        die_at: die, by SIGKILL, when this step is reached,
        nth: for the so-manieth time.
        fail_at: this step fails with EIO,
        failures: when it is reached for these times.
    """

    def __init__(
        self,
        *,
        pause_s: float = 0.0,
        is_named: bool = False,
        die_at: str | None = None,
        nth: int = 1,
        fail_at: str | None = None,
        failures: tuple[int, ...] = (),
    ) -> None:
        self._pause_s = pause_s
        self._is_named = is_named
        self._death = (die_at, nth)
        self._failures = {(fail_at, number) for number in failures}
        self._reached: Counter[Step | TidyStep] = Counter()
        self._lock = threading.Lock()
        self._never = threading.Event()

    def reach(self, step: Step | TidyStep) -> None:
        with self._lock:  # the copies of a group are written in threads
            self._reached[step] += 1
            here = (step, self._reached[step])
        if here == self._death:
            os.kill(os.getpid(), signal.SIGKILL)
        if here in self._failures:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self._pause_s:
            self._never.wait(self._pause_s)

    def open_unnamed(self, folder_fd: int) -> int | None:
        return None if self._is_named else super().open_unnamed(folder_fd)


def obey(order: dict[str, Any]) -> None:
    """Bear a daemon; say its pid, and how it ended."""
    pid = os.fork()
    if not pid:
        _live(order.pop("config"), order.pop("log"), order)
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)


def _live(config: str, log: str, hurdles: dict[str, Any]) -> None:
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        os.dup2(os.open(log, LOG, 0o644), 2)
        serve(load(Path(config)), disk=Hurdles(**hurdles))
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here and not in the parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    assert len(os.listdir("/proc/self/task")) == 1, "a fork takes one thread along, and no lock of the others"
    for line in sys.stdin:
        obey(json.loads(line))
