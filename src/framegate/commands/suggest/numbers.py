"""How numbers are written."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from framegate.model import Unit
from framegate.tune.ladder import Span, in_toml
from framegate.tune.suggest.plain import MOST_DIGITS
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import MOST, Tried


def in_short(threshold: float, unit: Unit) -> str:
    """Return a threshold with three digits, or as many as make it short."""
    return in_toml(float(f"{threshold:.3g}"), unit)


def span_in_words(span: Span, unit: Unit, threshold: float | None = None) -> str:
    """Return from where to where thresholds decide the same; whoever types an end gets just that.

    Args:
        span: from where to where.
        unit: of the thresholds.
        threshold: one of the span, which the ends have between them if that takes no more than 12 digits.
    """
    least, below = span.least, min(span.below, MOST[unit])
    ends = [_inward(least, below, digits) for digits in range(3, MOST_DIGITS)]
    ends = [(low, high) for low, high in ends if low <= high and _is_written(low, high, unit)]
    around = [each for each in ends[:10] if threshold is None or each[0] <= threshold <= each[1]]
    if not ends:
        return f"{in_toml(least, unit)} alone"
    low, high = (around or ends)[0]
    if span.below >= MOST[unit]:
        return f"{in_toml(low, unit)} and more"
    return f"{in_toml(low, unit)} to {in_toml(high, unit)}"


def _is_written(low: float, high: float, unit: Unit) -> bool:
    """Return whether two thresholds are as exact when they are written."""
    return all(float(in_toml(each, unit)[:-1]) == each for each in (low, high))


def _inward(least: float, below: float, digits: int) -> tuple[float, float]:
    """Return the least and the largest numbers of so many digits from one number on, and below another."""
    low, high = _rounded(least, digits, ROUND_CEILING), _rounded(below, digits, ROUND_FLOOR)
    if high >= below:
        exact = Decimal(high)
        high = float(exact - Decimal(1).scaleb(exact.adjusted() - digits + 1))
    return low, high


def _rounded(number: float, digits: int, rounding: str) -> float:
    exact = Decimal(number)
    return (
        float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding)) if number else 0.0
    )


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
