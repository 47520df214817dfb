import math

from hypothesis import given
from hypothesis import strategies as st

from framegate.detect.deciding import decide
from framegate.model import ChangeScore, Reason, Verdict

percents = st.floats(0, 100)


def _score(percent: float) -> ChangeScore:
    return ChangeScore(percent, percent, (), (10, 10))


@given(percents)
def test_a_score_at_exactly_the_threshold_is_dropped(percent: float) -> None:
    """A frame that changed by exactly the threshold is not kept."""
    decision = decide(_score(percent), percent)
    assert (decision.verdict, decision.reason) == (Verdict.DROPPED, Reason.UNCHANGED)


@given(percents)
def test_the_least_more_than_the_threshold_is_kept(percent: float) -> None:
    """A frame that changed by the smallest step more than the threshold is kept."""
    decision = decide(_score(math.nextafter(percent, math.inf)), percent)
    assert (decision.verdict, decision.reason) == (Verdict.KEPT, Reason.CHANGED)


@given(percents, percents)
def test_a_decision_carries_the_two_numbers_that_were_compared(percent: float, threshold: float) -> None:
    """What was compared can be read from the decision."""
    score = _score(percent)
    decision = decide(score, threshold)
    assert (decision.score, decision.threshold_percent) == (score, threshold)
