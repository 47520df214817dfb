"""From a score to a decision: one comparison."""

from framegate.model import ChangeScore, Decision, Reason


def decide(score: ChangeScore, threshold_percent: float) -> Decision:
    """Return the decision to keep a frame if its score is above the threshold, else to drop it.

    Args:
        score: how much differs from the reference.
        threshold_percent: in percent of the unmasked picture, 0 to 100; a score equal to it is not above it.
    """
    reason = Reason.CHANGED if score.score_percent > threshold_percent else Reason.UNCHANGED
    return Decision(reason, score, threshold_percent)
