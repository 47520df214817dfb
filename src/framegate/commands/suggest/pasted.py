"""The lines to paste into a config file. All that is no TOML is a comment."""

from collections import Counter
from collections.abc import Iterator

from framegate.commands.replay.words import compared_in_words
from framegate.commands.scan import printable
from framegate.commands.suggest.consequences import few_in_words, own_in_words, scheduled_in_words
from framegate.commands.suggest.found import Answer, Ignoring, OfCamera, Wanted
from framegate.commands.suggest.numbers import a_day, in_short, plural, rounded, span_in_words, time_in_words
from framegate.config.detection import IgnoredArea
from framegate.config.quantities import Area, in_words
from framegate.tune.labels import Failure
from framegate.tune.ladder import in_toml
from framegate.tune.pasting import detection_table, ignore_table, polygon_in_toml, text_in_toml
from framegate.tune.suggest.goals import Amount, Wishes
from framegate.tune.suggest.object_size import SEEN_PX, ObjectAdvice
from framegate.tune.suggest.restless import Polygon
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import Tried

NARROW = 1.03
"""A threshold whose span is no wider decides the same only where it stands: other days differ by more."""

FAR = 0.15
"""A target that is missed by more than this part of it is said not to be met."""

NAMES_SHOWN = 5


def pasted(found: OfCamera, wanted: Wanted) -> Iterator[str]:
    """Yield the lines for one camera."""
    trial = found.trial
    settings: dict[str, str] = {}
    yield f"# {printable(trial.camera)}: {plural(len(trial.frames), 'frame')}, {time_in_words(trial)}"
    if found.is_few:
        yield f"# {few_in_words(trial)}"
    yield from (f"# {line}" for line in scheduled_in_words(trial))
    if found.answer is not None:
        yield from (f"# {line}" for line in _answer(found.answer, trial, wanted))
        if can_be_had(found.answer):
            settings["score_threshold"] = in_toml(found.answer.choice.threshold, trial.unit)
    if found.advice is not None:
        yield from (f"# {line}" for line in _object(found.advice, trial, found.answer))
        settings |= _areas(found.advice, has_answer="score_threshold" in settings)
    if "min_contour_area" in settings:
        yield from (f"# {line}" for line in own_in_words("min_contour_area", trial))
    if settings:
        yield detection_table(found.table_of)
        yield from (f"{key} = {text_in_toml(value)}" for key, value in settings.items())
    if found.ignoring is not None and found.ignoring.areas:
        yield from ignored(found, found.ignoring)


def ignored(found: OfCamera, ignoring: Ignoring) -> Iterator[str]:
    """Yield the areas that may be ignored, and what that would change."""
    trial = found.trial
    count = plural(len(ignoring.areas), "place")
    yield f"# {count} of {printable(trial.camera)} changed in nearly every frame."
    if ignoring.lost or ignoring.gained:
        yield (
            f"# By the settings in force {ignoring.kept} frames are kept; when this is ignored,"
            f" {ignoring.kept_without}: {len(ignoring.lost)} fewer, {len(ignoring.gained)} others"
        )
    else:
        yield "# By the settings in force no verdict changes when this is ignored: there is no need to."
    yield "# Look at it first (--overlay ignore.png): what moves there is not seen any more."
    yield from (f"# {line}" for line in own_in_words("ignore", trial))
    for area in _general(found):
        yield from _ignored_area(found, area.name, area.polygon, "")
    for number, place in enumerate(ignoring.areas, start=1):
        changed, share = round(100 * place.share_of_frames), rounded(100 * place.share_of_picture)
        words = f"  # in {changed}% of the frames; {share}% of the picture"
        yield from _ignored_area(found, f"restless {number}", place.polygon, words)


def _general(found: OfCamera) -> Iterator[IgnoredArea]:
    """Yield the areas that a camera's own list has to repeat: it stands in for the general one."""
    settings, camera = found.trial.settings, found.trial.camera
    own = settings.camera.get(camera)
    if found.table_of is not None and (own is None or own.detection.ignore == settings.detection.ignore):
        yield from settings.detection.ignore


def _ignored_area(found: OfCamera, name: str, polygon: Polygon, words: str) -> Iterator[str]:
    yield ignore_table(found.table_of)
    yield f"name = {text_in_toml(name)}{words}"
    yield f"polygon = {polygon_in_toml(polygon)}"


def _answer(answer: Answer, trial: Trial, wanted: Wanted) -> Iterator[str]:
    if isinstance(answer.goal, Amount):
        yield from _amount(answer, answer.goal, trial, wanted)
    else:
        yield from _labels(answer, answer.goal, trial, wanted)
    if can_be_had(answer):
        yield from _span(answer, trial)


def can_be_had(answer: Answer) -> bool:
    """Return whether there is a threshold to name: not for what any, or no, threshold does."""
    if isinstance(answer.goal, Wishes):
        return len({answer.goal.miss(each) for each in answer.choice.listed}) > 1
    if not is_far(answer):
        return True
    sides = {answer.goal.miss(each) > 0 for each in answer.choice.listed}
    return len(sides) > 1


def is_far(answer: Answer) -> bool:
    """Return whether a target is missed by a lot."""
    goal = answer.goal
    return isinstance(goal, Amount) and abs(answer.choice.miss) > max(goal.good_enough, FAR * goal.wanted)


def _amount(answer: Answer, goal: Amount, trial: Trial, wanted: Wanted) -> Iterator[str]:
    assert wanted.target is not None
    target = str(wanted.target)
    listed = answer.choice.listed
    if not can_be_had(answer):
        yield from _unreachable(answer, goal, trial, target)
        return
    if is_far(answer):
        more = min((each for each in listed if goal.miss(each) >= 0), key=goal.miss)
        less = max((each for each in listed if goal.miss(each) <= 0), key=goal.miss)
        yield (
            f"{target} cannot be had: outcomes jump from {_kept(more, trial)} at"
            f" {in_short(more.threshold, trial.unit)} to {_kept(less, trial)} at"
            f" {in_short(less.threshold, trial.unit)}. This is the nearer one:"
        )
    if not answer.choice.is_nearest:
        yield f"the nearest of {plural(len(listed), 'outcome')} that were replayed; there may be others"


def _unreachable(answer: Answer, goal: Amount, trial: Trial, target: str) -> Iterator[str]:
    listed = answer.choice.listed
    all_ = "any threshold" if answer.choice.is_nearest else f"the {len(listed)} outcomes that were replayed"
    if answer.choice.miss < 0:
        most = max(listed, key=goal.miss)
        yield f"{target} cannot be had: at most {_kept(most, trial)} at {all_}"
        least = trial.settings.detection_of(trial.camera).min_contour_area
        if least.value:
            yield f"a lower min_contour_area ({least}) would keep more"
        return
    fewest = min(listed, key=goal.miss)
    yield f"{target} cannot be had: at least {_kept(fewest, trial)} at {all_}"
    outcome = fewest.outcome
    reasons = Counter(outcome.reason_of(number) for number in range(len(trial.frames)))
    kept = {reason: count for reason, count in reasons.items() if reason.is_kept}
    yield "of them " + ", ".join(f"{count} as {reason}" for reason, count in sorted(kept.items()))


def _labels(answer: Answer, goal: Wishes, trial: Trial, wanted: Wanted) -> Iterator[str]:
    count = plural(len(goal.labels), "named frame" if wanted.is_bound else "label")
    failed = answer.contradicted
    if wanted.is_bound and can_be_had(answer):
        yield "an upper bound, and no answer: lower ones keep smaller changes, and some of these may matter"
    if not answer.choice.is_nearest:
        outcomes = plural(len(answer.choice.listed), "outcome")
        yield f"the best of {outcomes} that were replayed; there may be others"
    if not failed:
        yield f"as {count} would have it"
    else:
        yield f"against {len(failed)} of {count}:"
        yield from (f"  {_failure(each)}" for each in failed[:NAMES_SHOWN])
        if len(failed) > NAMES_SHOWN:
            yield f"  and {len(failed) - NAMES_SHOWN} more"
    if not can_be_had(answer):
        yield "no threshold changes that" if failed else "so would any threshold"
        return
    pieces = [span_in_words(piece.span, trial.unit) for piece in answer.choice.pieces]
    if answer.choice.threshold == trial.in_force.threshold:
        yield "by the threshold in force: none does better"
    if wanted.is_bound:
        yield f"a higher one than {in_short(answer.choice.tried.span.below, trial.unit)} does worse"
    else:
        yield f"just as good: {', and '.join(pieces)}"


def _failure(failure: Failure) -> str:
    words = f"{printable(failure.frame)} is {failure.got}, not {failure.expected}"
    if not (compared := compared_in_words(failure)):
        return words
    after = "" if failure.reference is None else f", after {printable(failure.reference)}"
    return f"{words}: {compared}{after}"


def _span(answer: Answer, trial: Trial) -> Iterator[str]:
    one = answer.choice.tried
    narrow = one.span.least > 0 and one.span.below < NARROW * one.span.least
    beside = [
        f"{each.kept} just {where}"
        for each, where in ((answer.below, "below"), (answer.above, "above"))
        if each is not None
    ]
    yield (
        f"{_kept(one, trial)}; the same from {span_in_words(one.span, trial.unit, answer.choice.threshold)}"
        f"{', a narrow place' if narrow else ''}{': ' if beside else ''}{', '.join(beside)}"
    )
    if trial.unit == "x" and answer.choice.threshold < 1:
        yield "less than 1x, the usual change, is no change: noise is kept"


def _kept(one: Tried, trial: Trial) -> str:
    return (
        f"{one.kept} of {plural(len(trial.frames), 'frame')} kept, {rounded(a_day(trial, one))} a day,"
        f" {in_words(one.kept_bytes)} in all"
    )


def _object(advice: ObjectAdvice, trial: Trial, answer: Answer | None) -> Iterator[str]:
    (wide, high), (columns, rows) = advice.working_px, advice.working
    yield (
        f"an object of {advice.pixels[0]} x {advice.pixels[1]} pixels is {wide:.1f} x {high:.1f} of the"
        f" {columns} x {rows} that are compared"
    )
    if advice.ignored > 0.5:  # noqa: PLR2004 - most of it
        yield f"{round(100 * advice.ignored)}% of it lies where the picture is ignored"
    if advice.zone is not None:
        yield f"it lies in zone {printable(advice.zone.name)}: what the zone sets itself counts there"
    if trial.unit == "%":
        yield "score_threshold is a quarter of its area, min_contour_area a tenth of that"
        if answer is not None:
            yield "score_threshold is the one found above"
        return
    if not advice.is_seen:
        short, long = SEEN_PX
        yield (
            f"that is too small to be seen for sure: {short} x {long} are needed. Nothing below changes that;"
            " only a camera that is nearer does"
        )
    yield "adaptive asks how strongly a place changed, not how large it is: a size says no score_threshold"
    if not advice.has_effect:
        yield 'a quarter of it is less than a block of 4 x 4 pixels: leave min_contour_area at "0%"'
    else:
        yield "min_contour_area may be up to a quarter of it: more would lose it"


def _areas(advice: ObjectAdvice, *, has_answer: bool) -> dict[str, str]:
    if not advice.has_effect:
        return {}
    return {
        key: str(Area(float(f"{value:.2g}"), "%"))
        for key, value in advice.settings.items()
        if not (has_answer and key == "score_threshold")
    }
