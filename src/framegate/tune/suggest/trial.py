"""One camera's frames, and what thresholds do to them: the ladder first, then any others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from framegate.config.settings import Settings
from framegate.model import Unit
from framegate.tune.ladder import RUNGS, every_frame, with_threshold
from framegate.tune.recorded_time import RecordedTime, recorded_time
from framegate.tune.replay.outcomes import Frame, Line, Outcome, Replay, unit_of
from framegate.tune.suggest.listing import Listing
from framegate.tune.suggest.tried import LEAST, MOST, Tried, threshold_of, tried

Replaying = Callable[[Sequence[Frame], Sequence[Line]], Replay]
"""Replays frames by some lines in one pass."""

MOST_VERDICTS = 4_000_000
"""Frames times thresholds: more are not listed. Each takes 21 bytes as long as the command runs."""


@dataclass(slots=True)
class Trial:
    """What thresholds do to the frames of one camera.

    Args:
        camera: its name.
        settings: those in force.
        frames: of this camera alone, in their order; at least one.
        replaying: how they are replayed.
    """

    camera: str
    settings: Settings
    frames: Sequence[Frame]
    replaying: Replaying
    unit: Unit = field(init=False)
    recorded: RecordedTime = field(init=False)
    listing: Listing = field(init=False)
    """Begins with the ladder, from the lowest threshold to the highest."""

    ladder: list[Tried] = field(init=False)
    """What each rung decides."""

    in_force: Tried = field(init=False)
    consecutive: Outcome = field(init=False)
    """Each frame compared with the one before."""

    def __post_init__(self) -> None:
        self.unit = unit_of(self.settings, self.camera)
        self.recorded = recorded_time([frame.candidate.captured_at_ns for frame in self.frames])
        thresholds = sorted({LEAST[self.unit], *RUNGS[self.unit], MOST[self.unit]})
        lines = [
            Line("in force", self.settings),
            Line("consecutive", every_frame(self.settings, LEAST[self.unit])),
            *map(self._line, thresholds),
        ]
        in_force, self.consecutive, *rungs = self.replaying(self.frames, lines).outcomes
        self.in_force = tried(self._in_force_of(in_force), in_force, self.frames)
        found = [tried(*each, self.frames) for each in zip(thresholds, rungs, strict=True)]
        self.listing = Listing(self.tried)
        self.listing.begin(found)
        self.ladder = [each for each in found if each.threshold in RUNGS[self.unit]]

    @property
    def most(self) -> int:
        """How many thresholds may be tried."""
        return max(2 * len(RUNGS[self.unit]), MOST_VERDICTS // len(self.frames))

    def tried(self, thresholds: Sequence[float]) -> list[Tried]:
        """Replay thresholds in one pass."""
        outcomes = self.replaying(self.frames, [*map(self._line, thresholds)]).outcomes
        return [tried(*each, self.frames) for each in zip(thresholds, outcomes, strict=True)]

    def neighbours(self, one: Tried) -> tuple[Tried | None, Tried | None]:
        """Return the outcomes just below and just above one that was listed; None at the ends."""
        wanted = []
        if one.span.least > LEAST[self.unit]:
            wanted.append(float(np.nextafter(one.span.least, 0)))
        if one.span.below < MOST[self.unit]:
            wanted.append(one.span.below)
        known = [self._known_at(threshold) for threshold in wanted]
        self.listing.add([threshold for threshold, each in zip(wanted, known, strict=True) if each is None])
        found = [self._known_at(threshold) for threshold in wanted]
        below = next((each for each in found if each and each.threshold < one.span.least), None)
        above = next((each for each in found if each and each.span.below > one.span.below), None)
        return below, above

    def _known_at(self, threshold: float) -> Tried | None:
        known = self.listing.known
        return next((each for each in known if each.span.least <= threshold < each.span.below), None)

    def _line(self, threshold: float) -> Line:
        return Line(f"{threshold:g}{self.unit}", with_threshold(self.settings, threshold))

    def _in_force_of(self, outcome: Outcome) -> float:
        found, given = threshold_of(outcome), self.settings.detection_of(self.camera).score_threshold
        if found is not None:
            return found
        if isinstance(given, float):
            return float(given)
        line = Line("outside of all schedules", self.settings.model_copy(update={"schedule": ()}))
        (unscheduled,) = self.replaying(self.frames, [line]).outcomes
        return threshold_of(unscheduled) or given.in_percent(0)
