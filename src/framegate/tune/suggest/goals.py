"""What can be wanted: so many frames or bytes in a time, or the verdicts of some labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from framegate.config.quantities import Size, in_words
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.tune.labels import Failure, Label, failures
from framegate.tune.recorded_time import RecordedTime
from framegate.tune.replay.outcomes import Frame, Replay
from framegate.tune.suggest.listing import Gap
from framegate.tune.suggest.tried import Tried


class TargetError(FramegateError):
    """A target cannot be read."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Target:
    """So much a day or an hour."""

    amount: float
    """Frames or bytes."""

    of: Literal["frames", "bytes"]
    per: Literal["day", "hour"]

    _SPELLING = re.compile(
        r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b|)\s*/\s*(day|hour|d|h)\s*", re.ASCII | re.IGNORECASE
    )

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Return the target written as ``200/day``, ``10/hour`` or ``50MB/day``.

        Raises:
            TargetError: it is written otherwise, or 0.
        """
        match = cls._SPELLING.fullmatch(text)
        if match is None or not float(match[1]):
            raise TargetError(f'--target: write "200/day", "10/hour" or "50MB/day", not {text!r}')
        per: Literal["day", "hour"] = "day" if match[3].lower().startswith("d") else "hour"
        if not match[2]:
            return cls(float(match[1]), "frames", per)
        return cls(float(Size.parse(f"{match[1]}{match[2]}")), "bytes", per)

    def __str__(self) -> str:
        amount = f"{self.amount:g}" if self.of == "frames" else in_words(round(self.amount))
        return f"{amount}/{self.per}"

    def goal_for(self, recorded: RecordedTime, kept_bytes_mean: float) -> "Amount":
        """Return what has to be kept of a camera's frames.

        Args:
            recorded: for how long it was recorded.
            kept_bytes_mean: size of a frame: nothing can come nearer than half a frame.
        """
        time = recorded.days if self.per == "day" else recorded.hours
        nearest = 0.5 if self.of == "frames" else kept_bytes_mean / 2
        return Amount(self.of, self.amount * time, nearest)


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of some frames."""

    of: Literal["frames", "bytes"]
    wanted: float
    good_enough: float

    def miss(self, tried: Tried) -> float:
        """Return by how much more is kept than wanted."""
        return (tried.kept if self.of == "frames" else tried.kept_bytes) - self.wanted

    def may_hide(self, gap: Gap, _least: float) -> bool:
        """Return whether one of two outcomes has too much, and one too little."""
        return self.miss(gap.left) * self.miss(gap.right) <= 0


@dataclass(frozen=True, slots=True)
class Wishes:
    """The verdicts that labels ask for.

    Args:
        labels: of frames that are there.
        frames: those of one camera.
    """

    labels: Sequence[Label]
    frames: Sequence[Frame]
    good_enough: float = 0.0
    _counted: dict[Tried, int] = field(default_factory=dict, repr=False)

    def miss(self, tried: Tried) -> float:
        """Return how many labels are contradicted."""
        if tried not in self._counted:
            self._counted[tried] = len(self.contradicted(tried))
        return self._counted[tried]

    def may_hide(self, gap: Gap, least: float) -> bool:
        """Return whether an outcome beside the gap contradicts as few labels as any."""
        return min(self.miss(gap.left), self.miss(gap.right)) <= least

    def contradicted(self, tried: Tried) -> list[Failure]:
        """Return what is decided otherwise than the labels say."""
        return failures(self.labels, Replay(self.frames, [tried.outcome]), tried.outcome)[0]
