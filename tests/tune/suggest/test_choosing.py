import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from framegate.commands.suggest.numbers import span_in_words
from framegate.model import Verdict
from framegate.tune.labels import Label
from framegate.tune.ladder import RUNGS, Span
from framegate.tune.suggest.choosing import choose
from framegate.tune.suggest.goals import Amount, Target, TargetError, Wishes
from framegate.tune.suggest.listing import Listing
from framegate.tune.suggest.tried import LEAST, MOST
from tune.suggest.made import DAY_NS, Made, frames

HOUR_NS = DAY_NS // 24

PAIRS = st.integers(2, 9).flatmap(
    lambda count: arrays(
        np.float64,
        (count, count),
        elements=st.sampled_from([0, 60, *range(80, 100), 200, 250]).map(
            lambda step: step and 0.5 * 1.02**step
        ),
    )
)
"""Scores of pairs, of few different ones: ties are frequent, and some differ by less than two rungs do."""


def listing(made: Made) -> Listing:
    started = Listing(made.replayed)
    started.add([LEAST["x"], *RUNGS["x"], MOST["x"]])
    return started


@given(PAIRS)
def test_all_outcomes_are_listed(pairs: Any) -> None:
    """Filled, a listing has every outcome that a threshold can have, each with its thresholds."""
    made = Made(pairs)
    full = listing(made)
    full.fill([*full.gaps()], 10_000)
    assert [*full.gaps()] == []
    assert full.known[0].span.least <= LEAST["x"]
    for one in made.all(LEAST["x"]):
        (same,) = [each for each in full.known if each.span.least <= one.threshold < each.span.below]
        assert same.outcome.reasons.tolist() == one.outcome.reasons.tolist()
        assert same.span == one.span


@given(PAIRS, st.floats(0, 12), st.sampled_from(["frames", "bytes"]))
def test_no_outcome_comes_nearer_to_a_target(pairs: Any, wanted: float, of: Any) -> None:
    """However the scores are, the nearest outcome that exists is chosen, or one within half a frame."""
    made = Made(pairs)
    amount = Amount(of, wanted if of == "frames" else 1000 * wanted, 0.5 if of == "frames" else 500)
    choice = choose(listing(made), amount, "x", 10_000)
    nearest = min(abs(amount.miss(one)) for one in made.all(LEAST["x"]))
    assert choice.is_nearest
    assert abs(choice.miss) == pytest.approx(nearest) or abs(choice.miss) <= amount.good_enough
    again = made.at(choice.threshold)
    assert (again.kept, amount.miss(again)) == (choice.tried.kept, choice.miss)


@given(PAIRS, st.lists(st.booleans(), min_size=2, max_size=9))
def test_no_outcome_contradicts_fewer_labels(pairs: Any, wishes: list[bool]) -> None:
    """However the scores are, no threshold contradicts fewer labels, also where all contradict some."""
    made = Made(pairs)
    verdicts = [Verdict.KEPT if is_kept else Verdict.DROPPED for is_kept in wishes[: len(pairs)]]
    labels = [Label(f"{number:04d}.jpg", verdict, None, 0) for number, verdict in enumerate(verdicts)]
    goal = Wishes(labels, frames(len(pairs)))
    choice = choose(listing(made), goal, "x", 10_000)
    assert choice.miss == min(goal.miss(one) for one in made.all(LEAST["x"]))
    assert goal.miss(made.at(choice.threshold)) == choice.miss
    for piece in choice.pieces:
        inside = [one for one in made.all(LEAST["x"]) if piece.span.least <= one.threshold < piece.span.below]
        assert {goal.miss(one) for one in inside} <= {choice.miss}
    highest = choice.highest("x")
    assert goal.miss(made.at(highest.threshold)) == choice.miss
    assert highest.tried.span.below == choice.pieces[-1].span.below


def test_what_lies_between_two_rungs_is_found() -> None:
    """Raising the threshold can keep more: a target that only an outcome between two rungs meets is met."""
    count = 12
    pairs = np.full((count, count), 2.0)
    pairs[1, 0] = 2.1  # between 2.1x and 2.24x frame 1 is dropped, and the others differ from frame 0 by far
    pairs[2:, 0], pairs[2:, 2:] = 9.0, np.eye(count)[2:, 2:]
    pairs[3:, 1] = np.linspace(1, 2.05, count - 3)
    made = Made(pairs)
    kept = {one.kept for one in made.all(1.0)}
    for wanted in kept:
        assert choose(listing(made), Amount("frames", wanted, 0.5), "x", 1000).tried.kept == wanted


def test_a_limit_of_thresholds_is_kept_and_told() -> None:
    """When not all may be listed, the answer says that a nearer one may exist."""
    rng = np.random.default_rng(1)
    made = Made(rng.uniform(1, 90, (40, 40)))
    choice = choose(listing(made), Amount("frames", 39.4, 0.0), "x", 60)
    assert not choice.is_nearest
    assert choose(listing(made), Amount("frames", 39.4, 0.0), "x", 10_000).is_nearest


@pytest.mark.parametrize(
    ("text", "amount", "of", "per"),
    [
        ("200/day", 200, "frames", "day"),
        ("10 / h", 10, "frames", "hour"),
        ("1.5MB/day", 1.5e6, "bytes", "day"),
        ("40 MiB/hour", 40 * 2**20, "bytes", "hour"),
    ],
)
def test_a_target_is_read(text: str, amount: float, of: str, per: str) -> None:
    """Frames or bytes, a day or an hour, however it is spaced."""
    target = Target.parse(text)
    assert (target.amount, target.of, target.per) == (amount, of, per)


@pytest.mark.parametrize("text", ["200", "0/day", "-3/day", "1/week", "5 MB", "many/day", "3/2/day"])
def test_a_target_that_is_none_is_one_sentence(text: str) -> None:
    """The error shows how a target is written."""
    with pytest.raises(TargetError, match="200/day"):
        Target.parse(text)


def test_what_was_not_listed_joins_no_two_ranges() -> None:
    """Two outcomes that are as good, with something unknown between them, are two ranges."""
    made = Made(np.random.default_rng(2).uniform(1, 90, (20, 20)))
    two = Listing(made.replayed)
    two.add([2.0, 50.0])
    choice = choose(two, Wishes([], frames(20)), "x", 0)
    assert [len(piece.outcomes) for piece in choice.pieces] == [1, 1]


@given(st.floats(0.001, 990), st.floats(1.0000001, 50), st.floats(0, 0.999))
@example(1.450807581220488, 1.0000001, 0.0)
def test_the_ends_of_a_span_decide_as_it_does(least: float, ratio: float, part: float) -> None:
    """Whoever types what is printed is inside of the span, on both ends."""
    below = min(least * ratio, 999)
    threshold = least + part * (below - least)
    assume(least <= threshold < below)
    words = span_in_words(Span(least, below), "x", threshold)
    ends = [float(each) for each in re.findall(r"([0-9.]+)x", words)]
    assert all(least <= end < below for end in ends), words
