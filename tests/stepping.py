"""A daemon that goes when the test says so: real folders, real ledger, and a clock that the test moves."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from framegate.config.load import load
from framegate.daemon.loop import Daemon
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.keep.disk import Disk, Step, TidyStep
from framegate.model import Arrival, Origin
from running import Site
from troubles import usual_limits

START_S = 1000.0
"""What a daemon's clock shows as its first life begins."""


class Crash(BaseException):
    """The process would have ended here; no ``except Exception`` stops it."""


@dataclass
class Fault:
    """What happens when a step is reached for the n-th time from now on."""

    make: Callable[[], BaseException]
    reaches_left: int
    lasts: bool


class FaultyDisk(Disk):
    """The real disk, but for its faults: errors, or crashes, at the steps that a test names."""

    has_unnamed = True

    def __init__(self) -> None:
        self.faults: dict[Step | TidyStep, Fault] = {}
        self.hits: Counter[Step | TidyStep] = Counter()
        self._lock = threading.Lock()

    def fail(
        self,
        step: Step | TidyStep,
        fault: Callable[[], BaseException],
        *,
        at_reach: int = 1,
        lasts: bool = False,
    ) -> None:
        """Fail at the n-th reach of a step from now on: once, or until ``heal``."""
        self.faults[step] = Fault(fault, at_reach, lasts)

    def heal(self) -> None:
        """Be a good disk again."""
        self.faults.clear()

    def reach(self, step: Step | TidyStep) -> None:
        with self._lock:  # the copies of a group are written in threads
            fault = self.faults.get(step)
            if fault is None:
                return
            fault.reaches_left -= 1
            if fault.reaches_left > 0:
                return
            self.hits[step] += 1
            if not fault.lasts:
                del self.faults[step]
            raise fault.make()

    def open_unnamed(self, folder_fd: int) -> int | None:
        return super().open_unnamed(folder_fd) if self.has_unnamed else None


class Stepped:
    """One daemon in this thread, over a site; it lives until ``stop`` or ``crash``, and may start again."""

    def __init__(self, site: Site, disk: Disk | None = None) -> None:
        self.site = site
        self.disk = disk or Disk()
        self.now_s = START_S
        self.wall_ns: Callable[[], int] = time.time_ns
        self.events: list[LogEvent] = []
        self.daemon: Daemon | None = None

    def tie_wall_clock(self) -> None:
        """Let the wall clock go with the one that the test moves, and stand still with it.

        Real time would pass too, by more on a slow machine.
        """
        start_ns, start_s = time.time_ns(), self.now_s
        self.wall_ns = lambda: start_ns + int((self.now_s - start_s) * 1e9)

    def start(self) -> None:
        """Begin a life."""
        self.daemon = Daemon(
            load(self.site.config),
            self.events.append,
            clock=lambda: self.now_s,
            wall_ns=lambda: self.wall_ns(),  # noqa: PLW0108 - a test may set another one meanwhile
            disk=self.disk,
        )
        with usual_limits():
            self.daemon.start()

    def stop(self) -> None:
        """End a life well."""
        assert self.daemon is not None
        self.daemon.close()
        self.daemon = None

    def crash(self) -> None:
        """End a life as ``kill -9`` does: nothing is saved, the kernel takes everything back."""
        assert self.daemon is not None
        self.daemon._held.close()
        self.daemon = None

    def hint(self, name: str, origin: Origin) -> None:
        """Let it hear of a file."""
        assert self.daemon is not None
        self.daemon._intake.inbox.hint(Arrival(name, origin))

    def go(self, seconds: float, turn_s: float = 0.0) -> None:
        """Let time pass; what is due in it is done in it, at most one turn every ``turn_s``.

        The folder alone is looked after every second: hours would be thousands of turns that change nothing.
        """
        assert self.daemon is not None
        end_s = self.now_s + seconds
        while True:
            self.daemon.turn(0)
            wait_s = max(self.daemon.wait_s(), turn_s)
            if self.now_s + wait_s > end_s:
                break
            self.now_s += wait_s
        self.now_s = end_s

    def verdicts(self) -> list[FrameDecided]:
        """Return all verdicts of all lives, in their order."""
        return [event for event in self.events if isinstance(event, FrameDecided)]

    def count(self, event: str) -> int:
        """Return how often something has happened, in all lives."""
        return sum(happened.event == event for happened in self.events)
