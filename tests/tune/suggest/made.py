"""Outcomes that are made, not replayed: scores of all pairs of some frames, judged by a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.config.settings import DropSettings, ResultsSettings, Settings
from framegate.model import Candidate, ChangeScore, Decision, FileKey, Reason, Size
from framegate.tune.ladder import with_threshold
from framegate.tune.replay.outcomes import NONE, Frame, Line, Outcome
from framegate.tune.suggest.tried import Tried, tried

DAY_NS = 86_400 * 10**9
SIZE: Size = (1, 1)


def settings() -> Settings:
    return Settings(version=1, drop=DropSettings(folder="/drop"), results=ResultsSettings(folder="/results"))


def frames(count: int, size_bytes: int = 1000, step_ns: int = DAY_NS // 24) -> list[Frame]:
    return [
        Frame(
            Candidate(FileKey(f"{number:04d}.jpg", size_bytes + number, number), "default", number * step_ns)
        )
        for number in range(count)
    ]


@dataclass
class Made:
    """Pairs of frames with scores; the k-th frame's with an earlier one stand in row k."""

    pairs: NDArray[np.float64]
    passes: int = 0

    def at(self, threshold: float) -> Tried:
        line = Line(f"{threshold}", with_threshold(settings(), threshold))
        outcome = Outcome.empty(line, len(self.pairs))
        reference = NONE
        for number in range(len(self.pairs)):
            if reference == NONE:
                outcome.note(number, Decision(Reason.FIRST), None)
                reference = number
                continue
            score = ChangeScore(float(self.pairs[number, reference]), threshold, "x", (), 0.0, SIZE)
            is_above = score.score > threshold
            reason = Reason.CHANGED if is_above else Reason.UNCHANGED
            outcome.note(number, Decision(reason, score, reference=str(reference)), score)
            if is_above:
                reference = number
        return tried(threshold, outcome, frames(len(self.pairs)))

    def replayed(self, thresholds: Sequence[float]) -> list[Tried]:
        self.passes += 1
        return [self.at(threshold) for threshold in thresholds]

    def all(self, least: float) -> list[Tried]:
        """Every outcome there is: each score is a threshold at which one may begin."""
        return [
            self.at(threshold)
            for threshold in sorted({least, *self.pairs.flatten().tolist()})
            if threshold >= least
        ]
