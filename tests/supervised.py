"""A Watch under test: over a real folder, with a clock that the test moves."""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.config.settings import DropSettings
from framegate.events.base import LogEvent
from framegate.ingest.names import NameRules
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.supervisor import CHECK_S, LATE_S, Watch
from framegate.model import Arrival
from running import wait_until
from troubles import usual_limits

RESCAN_S = 30.0


class Supervised:
    """A real drop folder under a Watch whose clock is the test's, and what it has announced."""

    def __init__(self, drop: Path, **settings: object) -> None:
        self.drop = drop
        self.now_s = 1000.0
        self.happened: list[LogEvent] = []
        self.inbox = Inbox()
        self.settings = DropSettings.model_validate(
            {"folder": os.fspath(drop), "sweep_s": RESCAN_S, **settings}
        )
        self.watch = Watch(self.settings, NameRules(self.settings), self.inbox, self._take)
        with usual_limits():
            self.watch.start(self.now_s)
        self.arrivals: list[Arrival] = []
        self._numbers = iter(range(10_000))

    def _take(self, event: LogEvent) -> None:
        assert isinstance(event, LogEvent)
        self.happened.append(event)

    def tick(self, after_s: float = CHECK_S) -> list[str]:
        """Let the next look come due; return what was announced by it."""
        before = len(self.happened)
        self.now_s += after_s
        assert self.watch.next_check_s <= self.now_s
        with usual_limits():  # it may have to build another watcher
            self.watch.check(self.now_s)
        return [event.event for event in self.happened[before:]]

    @property
    def announced(self) -> list[str]:
        """The names of all that was announced."""
        return [event.event for event in self.happened]

    def wishes(self) -> bool:
        """Tell whether a sweep was wished for since this was last asked."""
        return self.inbox.take_sweep_request()

    def hears(self) -> None:
        """Assert that a new file is heard of."""
        name = f"{next(self._numbers)}.jpg"
        (self.drop / name).write_bytes(b"a frame")
        wait_until(lambda: name in self._names_heard(), 10)

    def hears_in_the_end(self) -> None:
        """Assert that of files that come one after the other some are heard of in the end."""
        names: set[str] = set()

        def write_and_listen() -> bool:
            names.add(name := f"{next(self._numbers)}.jpg")
            (self.drop / name).write_bytes(b"a frame")
            return not names.isdisjoint(self._names_heard())

        wait_until(write_and_listen, 20)

    def _names_heard(self) -> set[str]:
        self.arrivals += self.inbox.take(0.02)
        return {arrival.name for arrival in self.arrivals}

    def misses(self, *names: str) -> list[str]:
        """Let a periodic sweep find frames that no hint names; return what is announced then."""
        self.watch.note_unannounced(names, self.now_s)
        return self.tick(LATE_S)


Supervise = Callable[..., Supervised]
"""Watch a folder, with these settings, until the test ends."""
