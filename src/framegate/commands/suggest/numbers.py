"""How numbers are written."""

import math

from framegate.model import Unit
from framegate.tune.ladder import Span, in_toml
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import MOST, Tried


def in_short(threshold: float, unit: Unit) -> str:
    """Return a threshold with three digits, or as many as make it short."""
    return in_toml(float(f"{threshold:.3g}"), unit)


def span_in_words(span: Span, unit: Unit, threshold: float | None = None) -> str:
    """Return from where to where thresholds decide the same.

    Args:
        span: from where to where.
        unit: of the thresholds.
        threshold: one of the span; the ends have as many digits as it takes to see that it is.
    """
    least, below = span.least, span.below
    if below >= MOST[unit]:
        return f"{in_short(least, unit)} and more"
    inside = math.sqrt(least * below) if threshold is None else threshold
    for digits in range(3, 12):
        low, high = (float(f"{each:.{digits}g}") for each in (least, below))
        if low <= inside < high:
            break
    return f"{in_toml(low, unit)} to {in_toml(high, unit)}"


def a_day(trial: Trial, one: Tried) -> float:
    """Return how many frames are kept a day."""
    return one.kept / trial.recorded.days


def mb_a_day(trial: Trial, one: Tried) -> float:
    """Return how many megabytes are kept a day."""
    return one.kept_bytes / 1e6 / trial.recorded.days


def rounded(number: float) -> str:
    """Return a number with two digits, or without decimals."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"  # noqa: PLR2004


def plural(count: int, word: str) -> str:
    """Return a count and its word."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def time_in_words(trial: Trial) -> str:
    """Return for how long a camera was recorded."""
    recorded = trial.recorded
    return f"{rounded(recorded.hours)} hours" if recorded.is_short else f"{recorded.days:.3g} days"
