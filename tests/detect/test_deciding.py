import math

from hypothesis import given
from hypothesis import strategies as st

from framegate.detect.deciding import decide
from framegate.model import ChangeScore, Reason, Verdict

numbers = st.floats(0, 100)


def _score(score: float, threshold: float) -> ChangeScore:
    return ChangeScore(score, threshold, "x", (), 0.0, (10, 10))


@given(numbers)
def test_a_score_at_exactly_the_threshold_is_dropped(number: float) -> None:
    """A frame that changed by exactly the threshold is not kept."""
    decision = decide(_score(number, number))
    assert (decision.verdict, decision.reason) == (Verdict.DROPPED, Reason.UNCHANGED)


@given(numbers)
def test_the_least_more_than_the_threshold_is_kept(number: float) -> None:
    """A frame that changed by the smallest step more than the threshold is kept."""
    decision = decide(_score(math.nextafter(number, math.inf), number))
    assert (decision.verdict, decision.reason) == (Verdict.KEPT, Reason.CHANGED)


@given(numbers, numbers)
def test_a_decision_carries_what_was_compared(number: float, threshold: float) -> None:
    """What was compared can be read from the decision."""
    score = _score(number, threshold)
    assert decide(score).score is score
