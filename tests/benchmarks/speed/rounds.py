"""Rounds: in each, every program runs once, in an order of its own; what counts is the ratio within a round.

What slows the machine down for a while slows down the neighbours in the round as well.
"""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.speed.processes import Used

T = TypeVar("T")


@dataclass(frozen=True)
class Runs:
    """What one program has used, round by round.

    Attributes:
        frames: how many it looked through.
        first_frames: how many of them, from the first on, it looked through to show what its start-up costs.
        whole: with all frames, one for each round.
        first: with the first frames alone, one for each round.
        kept: how many frames it kept; None where it does not say.
    """

    frames: int
    first_frames: int
    whole: tuple[Used, ...]
    first: tuple[Used, ...]
    kept: int | None = None

    def wall_s(self, *, started: bool) -> list[float]:
        """Return the seconds a frame of each round; ``started`` leaves start-up out."""
        return self._a_frame(lambda used: used.wall_s, started=started)

    def cpu_s(self, *, started: bool) -> list[float]:
        """Return the seconds of CPU a frame of each round; ``started`` leaves start-up out."""
        return self._a_frame(lambda used: used.cpu_s, started=started)

    @property
    def peak_bytes(self) -> int:
        """The most memory that was resident in any round."""
        return max(used.peak_bytes for used in self.whole)

    def _a_frame(self, of: Callable[[Used], float], *, started: bool) -> list[float]:
        if not started:
            return [of(used) / self.frames for used in self.whole]
        with_start_up = statistics.median(map(of, self.first))
        return [(of(used) - with_start_up) / (self.frames - self.first_frames) for used in self.whole]


def rate(seconds: Sequence[float]) -> float | None:
    """Return the frames a second of the median round; None where it was too short to measure."""
    a_frame_s = statistics.median(seconds)
    return 1 / a_frame_s if a_frame_s > 0 else None


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float | None:
    """Return the median of the ratios of the rounds; None where a round was too short to measure."""
    if min(*numerators, *denominators) <= 0:
        return None
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def rounds_of(
    contenders: Mapping[str, Callable[[], T]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[T]]:
    """Call each contender once a round, in an order that changes from round to round.

    Args:
        contenders: by name.
        rounds: how many.
        say: is told which round it is.

    Returns:
        What each has returned, round by round.
    """
    order, shuffled = list(contenders), random.Random(1)
    returned: dict[str, list[T]] = {name: [] for name in order}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        shuffled.shuffle(order)
        for name in order:
            returned[name].append(contenders[name]())
    return returned
