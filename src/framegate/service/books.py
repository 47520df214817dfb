"""What became of the frames, camera by camera: counts that balance, the last frames, the last scores.

The ledger's totals are the beginning; every verdict is added. A camera's name comes from outside, so the
books have a page for so many of them, and one for all the others.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from framegate.events import Event, FrameDecided
from framegate.model import Entry, Reason, Verdict

MOST_PAGES = 256
OTHERS = "*"
"""The page of all cameras beyond those."""

SCORES = 32
"""Scores that are remembered of each camera: a sparkline of them fits a narrow terminal."""

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram of how long a frame takes, from its read to its durable verdict."""


@dataclass(slots=True)
class Page:
    """One camera's books."""

    reasons: Counter[Reason] = field(default_factory=Counter)
    last: Entry | None = None
    """The frame that was judged last."""

    last_kept: Entry | None = None
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=SCORES))
    """Scores in percent of the last frames that were compared."""

    def count(self, verdict: Verdict) -> int:
        """Return how many frames got a verdict."""
        return sum(count for reason, count in self.reasons.items() if reason.verdict is verdict)

    def write(self, entry: Entry) -> None:
        """Note what was decided last."""
        self.last = entry
        if entry.reason.is_kept:
            self.last_kept = entry
        if entry.score_percent is not None:
            self.scores.append(entry.score_percent)


@dataclass(slots=True)
class Durations:
    """A histogram of seconds."""

    counts: Counter[float] = field(default_factory=Counter)
    """How many took at most so long, and longer than the bound below; infinity for all beyond."""

    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[next((bound for bound in BUCKETS_S if seconds <= bound), float("inf"))] += 1
        self.sum_s += seconds

    def cumulative(self) -> list[tuple[float, int]]:
        """Return, for each bound, how many took at most so long."""
        total, rows = 0, []
        for bound in (*BUCKETS_S, float("inf")):
            total += self.counts[bound]
            rows.append((bound, total))
        return rows


class Books:
    """A listener that keeps the books.

    Args:
        totals: how many frames of each camera were decided for each reason before.
        latest: the last decisions of each camera, in their order.
    """

    def __init__(
        self, totals: Mapping[tuple[str, Reason], int] | None = None, latest: Iterable[Entry] = ()
    ) -> None:
        self.pages: dict[str, Page] = {}
        self.durations = Durations()
        for (camera, reason), count in (totals or {}).items():
            self._page(camera).reasons[reason] += count
        for entry in latest:
            self._page(entry.camera).write(entry)

    def __call__(self, event: Event) -> None:
        """Take in a verdict."""
        if not isinstance(event, FrameDecided):
            return
        page = self._page(event.entry.camera)
        if event.recovered_from is not None:  # it is counted already
            page.reasons[event.recovered_from] -= 1
        page.reasons[event.entry.reason] += 1
        page.write(event.entry)
        self.durations.add(event.duration_ms / 1000)

    def count(self, verdict: Verdict) -> int:
        """Return how many frames of all cameras got a verdict."""
        return sum(page.count(verdict) for page in self.pages.values())

    def page_name(self, camera: str) -> str:
        """Return the name of the page that a camera is on."""
        return camera if camera in self.pages or len(self.pages) < MOST_PAGES else OTHERS

    def _page(self, camera: str) -> Page:
        return self.pages.setdefault(self.page_name(camera), Page())
