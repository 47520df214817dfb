"""From a score to a decision: one comparison, spelled out."""

from framegate.model import ChangeScore, Decision, Reason


def decide(score: ChangeScore, threshold_percent: float) -> Decision:
    """Keep a frame when its score is greater than the threshold.

    Args:
        score: what differs from the reference.
        threshold_percent: in percent of the unmasked picture; at exactly the threshold nothing is kept.
    """
    reason = Reason.CHANGED if score.score_percent > threshold_percent else Reason.UNCHANGED
    return Decision(reason, score, threshold_percent)
