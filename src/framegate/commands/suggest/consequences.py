"""The table of consequences: what each threshold would have kept. It names no threshold."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from framegate.commands.scan import printable
from framegate.commands.suggest.found import OfCamera
from framegate.commands.suggest.numbers import (
    a_day,
    in_short,
    mb_a_day,
    plural,
    rounded,
    span_in_words,
    time_in_words,
)
from framegate.tune.ladder import schedules_with_own
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import Tried

STEP = 0.85
"""A row is shown when it keeps less than this part of the row before: the table fits on a screen."""

FEWEST_AN_HOUR = 5
STANDS_OUT = 2.0
"""An hour of the day is named when frames differ so many times more than on the whole."""


def consequences(found: OfCamera) -> Iterator[str]:
    """Yield the lines about one camera."""
    trial = found.trial
    yield f"{plural(len(trial.frames), 'frame')} of {printable(trial.camera)}, {time_in_words(trial)}"
    if found.is_few:
        yield few_in_words(trial)
    yield from scheduled_in_words(trial)
    yield f"{'threshold':>9} {'kept':>7} {'a day':>7} {'MB a day':>9}   decides the same from … to"
    for one, remark in _rows(trial):
        span = span_in_words(one.span, trial.unit, one.threshold)
        yield (
            f"{in_short(one.threshold, trial.unit):>9} {one.kept:>7} {rounded(a_day(trial, one)):>7}"
            f" {rounded(mb_a_day(trial, one)):>9}   {span:<20} {remark}"
        ).rstrip()
    yield from _consecutive(trial)


def scheduled_in_words(trial: Trial) -> Iterator[str]:
    """Yield that schedules with thresholds of their own keep them, whichever is tried."""
    if own := schedules_with_own("score_threshold", trial.settings, trial.camera):
        count = sum(name in own for name in trial.in_force.outcome.schedules.values())
        names = ", ".join(map(printable, own))
        yield f"schedule {names}: {plural(count, 'frame')} by a threshold of its own, whichever is tried here"


def own_in_words(setting: str, trial: Trial) -> Iterator[str]:
    """Yield that schedules set something themselves: what is pasted for the camera does not count then."""
    if own := schedules_with_own(setting, trial.settings, trial.camera):
        names = ", ".join(map(printable, own))
        yield f"schedule {names} sets {setting} itself: the lines below do not count at its hours"


def few_in_words(trial: Trial) -> str:
    """Return the warning that a number need not hold."""
    reasons = []
    if trial.recorded.is_short:
        reasons.append("under a day")
    if len(trial.frames) < 150:  # noqa: PLR2004
        reasons.append("under 150 frames")
    return f"{' and '.join(reasons)}: what holds for them need not hold tomorrow".capitalize()


def _rows(trial: Trial) -> Iterator[tuple[Tried, str]]:
    """Yield the thresholds that are shown, each with a remark."""
    ladder = trial.ladder
    rungs = [each for each in ladder if each.threshold != trial.in_force.threshold]
    before: Tried | None = None
    last = _last_change(ladder)
    for each in sorted([*rungs, trial.in_force], key=lambda one: one.threshold):
        is_in_force = each is trial.in_force
        remarks = ["in force"] if is_in_force else []
        if before is not None and each.kept > before.kept:
            remarks.append(f"more than at {in_short(before.threshold, trial.unit)}: the references differ")
        is_step = before is None or not STEP * before.kept < each.kept <= before.kept
        if is_in_force or is_step or each is last:
            yield each, "; ".join(remarks)
            before = each


def _last_change(ladder: Sequence[Tried]) -> Tried:
    """Return the first rung of those at the end that keep alike."""
    last = ladder[-1]
    for each in reversed(ladder):
        if each.kept != ladder[-1].kept:
            break
        last = each
    return last


def _consecutive(trial: Trial) -> Iterator[str]:
    scores = trial.consecutive.scores
    numbers = np.flatnonzero(np.isfinite(scores))
    if not len(numbers):
        return
    half, tenth = np.quantile(scores[numbers], (0.5, 0.9))
    words = (
        f"one frame after the other: half differ by more than {in_short(half, trial.unit)},"
        f" one in ten by more than {in_short(tenth, trial.unit)}"
    )
    by_hour: dict[int, list[float]] = {}
    for number in numbers.tolist():
        second = trial.frames[number].candidate.captured_at_ns // 10**9
        by_hour.setdefault(datetime.fromtimestamp(second).astimezone().hour, []).append(float(scores[number]))
    medians = {hour: float(np.median(of)) for hour, of in by_hour.items() if len(of) >= FEWEST_AN_HOUR}
    hour = max(medians, key=lambda each: medians[each], default=None)
    if hour is not None and len(medians) > 1 and medians[hour] > STANDS_OUT * half:
        words += f"; from {hour} to {hour + 1} h half by more than {in_short(medians[hour], trial.unit)}"
    yield words
