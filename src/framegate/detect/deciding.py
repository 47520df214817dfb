"""From scores to a decision: what can be compared, and one comparison."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from framegate.model import ChangeScore, Decision, Reason


def require_one_size(reference: NDArray[np.uint8], current: NDArray[np.uint8]) -> None:
    """Raise ValueError unless two pictures have one working size."""
    if reference.shape != current.shape:
        raise ValueError(
            f"a {reference.shape} reference and a {current.shape} frame cannot be compared:"
            " a frame of another size becomes the new reference"
        )


def decide(score: ChangeScore) -> Decision:
    """Return the decision to keep a frame if its score is above the threshold, else to drop it."""
    reason = Reason.CHANGED if score.score > score.threshold else Reason.UNCHANGED
    return Decision(reason, score)


def strongest(scores: Iterable[ChangeScore]) -> ChangeScore:
    """Return the score that decides about a picture with zones: the largest in proportion to its threshold.

    One that is above its threshold comes before any that is not. Of equals it is the first.
    """
    return max(scores, key=_strength)


def _strength(score: ChangeScore) -> tuple[bool, float]:
    is_above = score.score > score.threshold
    return is_above, score.score / score.threshold if score.threshold else math.inf * is_above
