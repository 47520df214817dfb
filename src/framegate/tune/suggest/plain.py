"""Numbers for people: the plainest one between two others."""

import math

from framegate.model import Unit
from framegate.tune.ladder import Span, in_toml
from framegate.tune.suggest.tried import LEAST, MOST

NEAR = 1.1

MOST_DIGITS = 17
"""Of a float; more tell no two apart."""


def plain_threshold(span: Span, unit: Unit) -> float:
    """Return a threshold of a span, near its middle, with as few digits as possible.

    Where a span has no end on one side, it is near the other: what was never asked about changes least.

    It is not the span's least one either, if there is another: a score that is equal to the threshold is not
    above it, and that looks like a mistake.
    """
    least, below = max(span.least, LEAST[unit]), min(span.below, MOST[unit])
    if least >= below:
        return least
    middle = math.sqrt(least * below)
    if span.least <= LEAST[unit]:
        middle = below / NEAR
    elif span.below >= MOST[unit]:
        middle = least * NEAR
    for digits in range(1, MOST_DIGITS):
        number = float(f"{middle:.{digits}g}")
        if least < number < below and float(in_toml(number, unit)[:-1]) == number:
            return number
    return least
