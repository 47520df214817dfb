"""What a filter's verdicts are worth: recall, false keeps, and the area under the ROC curve of its scores."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.sets import FrameSet


@dataclass(frozen=True, slots=True)
class Judged:
    """What a filter decided about a frame.

    Attributes:
        name: of the frame.
        reference: name of the frame that it was compared with; None for a camera's first.
        score: the higher, the more changed; None where none was computed.
        kept: whether the frame was kept.
    """

    name: str
    reference: str | None
    score: float | None
    kept: bool


@dataclass(frozen=True)
class Filter:
    """A way to choose frames, with its threshold, by the name that the table gives it."""

    name: str
    judge: Callable[[FrameSet], list[Judged]]


@dataclass(frozen=True)
class Outcome:
    """A set of frames, and what a filter decided about them."""

    frames: FrameSet
    judged: list[Judged]

    def changed(self, frame: Judged) -> bool | None:
        """Return the truth about a frame and the one that it was compared with."""
        return None if frame.reference is None else self.frames.changed(frame.reference, frame.name)


@dataclass(frozen=True)
class Figures:
    """The figures of a filter on one or more sets; None where there is nothing to count.

    Attributes:
        positives: frames that differ from the frame that they were compared with.
        negatives: frames that do not. Neither counts what the truth does not judge.
        recall: the share of the positives that was kept.
        false_keeps: the share of the negatives that was kept.
        auc: the chance that a positive has a higher score than a negative.
        kept: all kept frames, first ones and those that the truth does not judge included.
        frames: all frames.
    """

    positives: int
    negatives: int
    recall: float | None
    false_keeps: float | None
    auc: float | None
    kept: int
    frames: int


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Return the figures of one filter over all frames of some sets."""
    truths = [(outcome.changed(frame), frame) for outcome in outcomes for frame in outcome.judged]
    positives = [frame for changed, frame in truths if changed is True]
    negatives = [frame for changed, frame in truths if changed is False]
    return Figures(
        len(positives),
        len(negatives),
        _share_kept(positives),
        _share_kept(negatives),
        _auc_of(positives, negatives),
        sum(frame.kept for _, frame in truths),
        len(truths),
    )


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """Return the chance that a positive's score is above a negative's; equal scores count as a half."""
    if not positives or not negatives:
        return None
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left") + np.searchsorted(ordered, positives, "right")
    return float(below.sum() / 2 / len(positives) / len(negatives))


def _share_kept(frames: Sequence[Judged]) -> float | None:
    return sum(frame.kept for frame in frames) / len(frames) if frames else None


def _auc_of(positives: Iterable[Judged], negatives: Iterable[Judged]) -> float | None:
    sides = [list(positives), list(negatives)]
    if all(frame.score is None for side in sides for frame in side):
        return None  # a filter that only says yes or no
    return auc(*([_rank(frame) for frame in side] for side in sides))


def _rank(frame: Judged) -> float:
    """Return the score; a frame decided without one, by its bytes or its size, stands beyond all others."""
    if frame.score is not None:
        return frame.score
    return math.inf if frame.kept else -math.inf
