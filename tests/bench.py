"""A pipeline over a site, in this process, for tests: no loop, no waiting."""

import os
from typing import Any

from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.examining import Examined
from framegate.ingest.sweeping import candidates_of
from framegate.keep.delivery import Deliverer, ResultsFolder
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.model import Candidate, Decision, Unsettled
from framegate.pipeline import Pipeline
from running import Site


class Bench:
    """A pipeline over a site, with a ledger of its own and everything that it announced."""

    def __init__(
        self,
        site: Site,
        disk: Disk | None = None,
        deliverer: Deliverer | None = None,
    ) -> None:
        self.settings = load(site.config).settings
        self.events: list[LogEvent] = []
        self.ledger = Ledger(site.state / "ledger.sqlite3", disk)
        results = deliverer or ResultsFolder(site.results, disk=disk)
        self.pipeline = Pipeline(self.settings, results, self.ledger, self.events.append)

    @property
    def decided(self) -> list[FrameDecided]:
        return [event for event in self.events if isinstance(event, FrameDecided)]

    @property
    def said(self) -> list[str]:
        return [event.event for event in self.events if not isinstance(event, FrameDecided)]

    def candidates(self) -> list[Candidate]:
        """List what has no verdict yet, in order."""
        return [c for c in candidates_of(self.settings) if not self.ledger.knows(c.key)]

    def decide(self, candidate: Candidate) -> Decision | Unsettled | None:
        """Read and decide, and leave it at that: the judgement is held."""
        examined = self.pipeline.examine(candidate)
        assert isinstance(examined, Examined)
        return self.pipeline.decide(examined)

    def judge(self, candidate: Candidate) -> None:
        examined = self.pipeline.examine(candidate)
        assert isinstance(examined, Examined)
        self.pipeline.conclude(examined)

    def judge_all(self, *, at_once: int = 1) -> None:
        """Judge what has no verdict yet, in groups of so many frames."""
        for number, candidate in enumerate(self.candidates(), 1):
            self.decide(candidate)
            if number % at_once == 0:
                self.pipeline.make_durable()
        self.pipeline.make_durable()
        self.pipeline.flush()

    def numbers(self) -> list[tuple[Any, ...]]:
        """Return all that was decided, by what, against what: to the last bit."""
        return [
            (
                e.entry.key.name,
                e.entry.reason,
                e.entry.score,
                e.entry.threshold,
                e.entry.reference,
            )
            for e in self.decided
        ]


def lay(site: Site, frames: list[bytes], *, cameras: int = 1) -> None:
    """Lay the frames into the drop folder, a copy for each camera, all cameras in turn."""
    site.configure(drop="camera_pattern = '^(?P<camera>c[0-9]+)'")
    for number, data in enumerate(frames):
        for camera in range(cameras):
            path = site.drop / f"c{camera}_{number:04d}.jpg"
            path.write_bytes(frames[(number + camera) % len(frames)] if cameras > 1 else data)
            moment_ns = 10**9 * (1_700_000_000 + 60 * number + camera)
            os.utime(path, ns=(moment_ns, moment_ns))
