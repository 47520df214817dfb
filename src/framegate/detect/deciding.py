"""From a score to a decision: one comparison."""

from framegate.model import ChangeScore, Decision, Reason


def decide(score: ChangeScore) -> Decision:
    """Return the decision to keep a frame if its score is above the threshold, else to drop it."""
    reason = Reason.CHANGED if score.score > score.threshold else Reason.UNCHANGED
    return Decision(reason, score)
