"""Finds a threshold by asking about a few frames: would you want this one?

Still possible are the thresholds that contradict the fewest answers. The next question is about the frame
whose score is nearest to the middle of them, as the replay of the rung there has it: six answers tell 41
rungs apart. An answer is about the change from one frame to another, so it is held against the score of these
two, whatever the other rungs compared the frame with. The page of ``framegate report`` asks in the same way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from framegate.tune.ladder import Span

LOOKS = 6
"""Answers after which the range is a rung or two, unless some contradict each other."""

MOST_ASKED = 9
"""Questions, with those that could not be answered: more are no fun."""


@dataclass(frozen=True, slots=True)
class Question:
    """Asks about a frame: would you want it, after the one that it was compared with?"""

    frame: int
    rung: int
    """Its replay says what the frame was compared with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said of a frame."""

    frame: int
    score: float
    """In the replay that it was asked about."""

    is_wanted: bool | None
    """None: can't say."""


def question(
    scores: NDArray[np.float64], rungs: Sequence[float], answers: Sequence[Answer]
) -> Question | None:
    """Return what to ask next; None when enough was asked, or there is nothing left to ask.

    Args:
        scores: of each frame by the replay of each rung, (rungs, frames), NaN where nothing was compared.
        rungs: the thresholds, ascending, all above 0.
        answers: so far.
    """
    said = sum(answer.is_wanted is not None for answer in answers)
    if said >= LOOKS or len(answers) >= MOST_ASKED:
        return None
    rung = found(rungs, answers)
    asked = {answer.frame for answer in answers}
    comparable = [
        frame
        for frame in np.flatnonzero(scores[rung] > 0).tolist()
        if frame not in asked  # not NaN either
    ]
    if not comparable:
        return None
    distance = np.abs(np.log(scores[rung, comparable] / rungs[rung]))
    return Question(comparable[int(np.argmin(distance))], rung)


def found(rungs: Sequence[float], answers: Sequence[Answer]) -> int:
    """Return the rung nearest to the middle of the thresholds that are still possible."""
    span = possible(rungs, answers)
    middle = (math.log(span.least) + math.log(span.below)) / 2
    return min(range(len(rungs)), key=lambda rung: abs(math.log(rungs[rung]) - middle))


def possible(rungs: Sequence[float], answers: Sequence[Answer]) -> Span:
    """Return the thresholds, from the first rung to the last, that contradict the fewest answers.

    These need not be all together: then it is the widest span of them, of equally wide ones the first.
    """
    inside = {answer.score for answer in answers if rungs[0] < answer.score < rungs[-1]}
    edges = [rungs[0], *sorted(inside), rungs[-1]]
    counted = [(contradictions(least, answers), Span(least, below)) for least, below in pairwise(edges)]
    fewest = min(count for count, _ in counted)
    spans: list[Span] = []
    for count, span in counted:
        if count == fewest:
            follows = spans and spans[-1].below == span.least
            spans[-1:] = [Span(spans[-1].least, span.below)] if follows else [*spans[-1:], span]
    return max(spans, key=lambda span: span.below / span.least)


def contradictions(threshold: float, answers: Sequence[Answer]) -> int:
    """Return how many answers a threshold contradicts."""
    return sum(
        answer.is_wanted is not None and (answer.score > threshold) != answer.is_wanted for answer in answers
    )
