"""What was found, as one object for scripts."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from framegate.commands.suggest.found import Answer, Ignoring, OfCamera, Wanted
from framegate.commands.suggest.numbers import a_day, mb_a_day
from framegate.commands.suggest.pasted import can_be_had, pasted
from framegate.tune.ladder import Span, in_toml, schedules_with_own
from framegate.tune.suggest.goals import Amount
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import Tried


def document(cameras: Sequence[OfCamera], wanted: Wanted, unknown: Sequence[str]) -> dict[str, Any]:
    """Return all that was found; thresholds and scores in the unit that stands beside them."""
    return {
        "schema": 1,
        "unknown": [*unknown],
        "cameras": {found.trial.camera: _camera(found, wanted) for found in cameras},
    }


def _camera(found: OfCamera, wanted: Wanted) -> dict[str, Any]:
    trial = found.trial
    scores = trial.consecutive.scores[np.isfinite(trial.consecutive.scores)]
    consecutive = [float(np.quantile(scores, part)) for part in (0.5, 0.9)] if len(scores) else [None, None]
    return {
        "frames": len(trial.frames),
        "days": round(trial.recorded.days, 4),
        "hours": round(trial.recorded.hours, 4),
        "is_little": found.is_few,
        "unit": trial.unit,
        "schedules_with_own_threshold": schedules_with_own("score_threshold", trial.settings, trial.camera),
        "in_force": _outcome(trial, trial.in_force),
        "outcomes": [_outcome(trial, each) for each in trial.ladder],
        "consecutive": dict(zip(("median", "p90"), consecutive, strict=True)),
        "suggestion": None if found.answer is None else _answer(trial, found.answer),
        "object": None if found.advice is None else _object(found),
        "ignore": None if found.ignoring is None else _ignoring(found.ignoring),
        "toml": "\n".join(pasted(found, wanted)) + "\n" if wanted.has_goal or found.ignoring else None,
    }


def _outcome(trial: Trial, one: Tried) -> dict[str, Any]:
    days, mb = a_day(trial, one), mb_a_day(trial, one)
    return {
        "threshold": one.threshold,
        "kept": one.kept,
        "kept_bytes": one.kept_bytes,
        "kept_a_day": round(days, 4),
        "mb_a_day": round(mb, 4),
        **_span(one.span),
    }


def _span(span: Span) -> dict[str, Any]:
    return {"from": span.least, "below": None if math.isinf(span.below) else span.below}


def _answer(trial: Trial, answer: Answer) -> dict[str, Any]:
    choice, goal = answer.choice, answer.goal
    had = can_be_had(answer)
    return {
        "score_threshold": in_toml(choice.threshold, trial.unit) if had else None,
        "wanted": goal.wanted if isinstance(goal, Amount) else None,
        "miss": choice.miss,
        "is_nearest": choice.is_nearest,
        **_outcome(trial, choice.tried),
        "pieces": [_span(piece.span) for piece in choice.pieces],
        "just_below": None if answer.below is None else _outcome(trial, answer.below),
        "just_above": None if answer.above is None else _outcome(trial, answer.above),
        "contradicted": [asdict(each) for each in answer.contradicted],
    }


def _object(found: OfCamera) -> dict[str, Any]:
    advice = found.advice
    assert advice is not None
    return {
        "picture": advice.picture,
        "working": advice.working,
        "width_px": advice.working_px[0],
        "height_px": advice.working_px[1],
        "is_seen": advice.is_seen,
        "ignored": advice.ignored,
        "zone": None if advice.zone is None else advice.zone.name,
        "settings_percent": advice.settings if advice.has_effect else {},
    }


def _ignoring(ignoring: Ignoring) -> dict[str, Any]:
    return {
        "areas": [asdict(each) for each in ignoring.areas],
        "too_large": [asdict(each) for each in ignoring.too_large],
        "kept": ignoring.kept,
        "kept_without": ignoring.kept_without,
        "gained": ignoring.gained,
        "lost": ignoring.lost,
    }
