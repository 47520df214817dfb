"""Lists outcomes: from some thresholds that were tried to all those between them.

A ``Span`` says for how far an outcome reaches. The next one begins where it ends, so what is not yet known is
known exactly, and trying both ends of it finds two more outcomes each time. The middle is tried as well.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from framegate.tune.suggest.tried import Tried

Try = Callable[[Sequence[float]], list[Tried]]
"""Replays some thresholds in one pass; it returns as many outcomes."""

THRESHOLDS_A_PASS = 40
"""As many as the ladder has: a pass takes little longer for more of them, but memory grows."""

MIDDLES = 10
"""Thresholds tried inside of a gap. Between two rungs ``adaptive`` has at most eleven outcomes."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Thresholds between two outcomes that were not tried: from the end of one up to the other."""

    left: Tried
    right: Tried

    @property
    def start(self) -> float:
        """The least of them."""
        return self.left.span.below

    @property
    def end(self) -> float:
        """Above all of them: here the other outcome begins."""
        return self.right.span.least

    def thresholds(self, most: int) -> Iterator[float]:
        """Yield thresholds to try: both ends, and some evenly spaced between them; at most as many."""
        last = math.nextafter(self.end, 0.0)
        steps = min(most, MIDDLES + 2) - 1
        yield self.start
        for step in range(1, steps):
            middle = self.start * (self.end / self.start) ** (step / steps)
            if self.start < middle < last:
                yield middle
        if steps and last > self.start:
            yield last


@dataclass(slots=True)
class Listing:
    """What was tried so far.

    Args:
        replayed: tries thresholds.

    Attributes:
        known: each outcome that was found, by its thresholds.
        judged: how many thresholds were tried.
    """

    replayed: Try
    known: list[Tried] = field(default_factory=list)
    judged: int = 0

    def add(self, thresholds: Iterable[float]) -> None:
        """Try thresholds."""
        wanted = sorted(set(thresholds))
        for start in range(0, len(wanted), THRESHOLDS_A_PASS):
            self.begin(self.replayed(wanted[start : start + THRESHOLDS_A_PASS]))

    def begin(self, outcomes: Sequence[Tried]) -> None:
        """Add what was tried already."""
        self.judged += len(outcomes)
        known = sorted([*self.known, *outcomes], key=lambda each: (each.span.least, -each.span.below))
        self.known = [*_without_repeats(known)]

    def gaps(self) -> Iterator[Gap]:
        """Yield what was not tried, between outcomes that were."""
        for left, right in pairwise(self.known):
            if left.span.below < right.span.least:
                yield Gap(left, right)

    def fill(self, gaps: Sequence[Gap], most: int) -> None:
        """List all outcomes in some of the gaps; stop when so many thresholds were tried altogether."""
        reaches = [(gap.start, gap.end) for gap in gaps]
        while self.judged < most:
            left = [gap for gap in self.gaps() if any(a <= gap.start and gap.end <= b for a, b in reaches)]
            if not left:
                return
            share = max(1, THRESHOLDS_A_PASS // len(left))
            chosen = [threshold for gap in left for threshold in gap.thresholds(share)]
            self.add(chosen[: max(1, most - self.judged)])


def _without_repeats(known: Iterable[Tried]) -> Iterator[Tried]:
    reach = -math.inf
    for each in known:
        if each.span.below > reach:
            yield each
            reach = each.span.below
