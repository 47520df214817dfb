"""The positions of the page's slider: each camera's replayed thresholds, and what they decide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area
from framegate.config.settings import Settings
from framegate.model import Unit
from framegate.tune.ladder import RUNGS, Span, in_toml, ladder, span_of
from framegate.tune.replay.outcomes import Line, Outcome, Replay, unit_of

FEWEST = 8
"""Positions that a slider keeps, even if fewer would show all there is."""

_IN_FORCE, _AGAINST = "in force", "against"


@dataclass(frozen=True, slots=True)
class Position:
    """A threshold of one camera, and what it decides."""

    threshold: float
    """In the camera's unit."""

    toml: str
    """As it stands in a config file, without the quotes."""

    outcome: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Slider:
    """What one camera's slider can show."""

    camera: str
    unit: Unit
    numbers: list[int]
    """The camera's frames in the replay, in their order."""

    positions: list[Position]
    """By threshold."""

    in_force: int
    """Which of them the config has."""

    now: Outcome
    """What the others are compared with: the older config, if there is one, else the one in force."""


def lines_of(settings: Settings, against: Settings | None = None) -> list[Line]:
    """Return what has to be replayed for a page: the settings as they are, each rung, and an older config.

    Args:
        settings: in force.
        against: an older config to compare with. Its frames are those of ``settings``.
    """
    lines = [Line(_IN_FORCE, settings), *ladder(settings)]
    if against is not None:
        drop = against.drop.model_copy(update={"folder": settings.drop.folder})
        lines.append(Line(_AGAINST, against.model_copy(update={"drop": drop})))
    return lines


def sliders_of(replay: Replay) -> list[Slider]:
    """Return each camera's slider, from a replay of ``lines_of``; the cameras by name."""
    return [_slider(replay, camera, numbers) for camera, numbers in replay.of_cameras().items()]


def _slider(replay: Replay, camera: str, numbers: list[int]) -> Slider:
    in_force, *rungs = replay.outcomes
    now = rungs.pop() if rungs[-1].line.name == _AGAINST else in_force
    settings = in_force.line.settings
    unit, detection = unit_of(settings, camera), settings.detection_of(camera)
    threshold = _threshold_of(detection, in_force, numbers)
    outcomes = list(zip(RUNGS[unit], rungs, strict=True))
    at = next(
        (rung for rung, (value, _) in enumerate(outcomes) if math.isclose(value, threshold)), len(outcomes)
    )
    outcomes[at : at + 1] = [(threshold, in_force)]
    outcomes = _without_repeats(sorted(outcomes, key=lambda pair: pair[0]), in_force, numbers)
    positions = [
        Position(
            value,
            str(detection.score_threshold) if outcome is in_force else in_toml(value, unit),
            outcome,
            span_of(outcome, numbers, value),
        )
        for value, outcome in outcomes
    ]
    in_force_at = next(place for place, (_, outcome) in enumerate(outcomes) if outcome is in_force)
    return Slider(camera, unit, numbers, positions, in_force_at, now)


def _threshold_of(detection: DetectionSettings, outcome: Outcome, numbers: Sequence[int]) -> float:
    """Return the general threshold in the camera's unit; pixels as the share that most frames say."""
    value = detection.score_threshold
    if not isinstance(value, Area):
        return float(value)
    if value.unit == "%":
        return value.value
    special = outcome.zones.keys() | outcome.schedules.keys()
    is_special = np.array([number in special for number in numbers], bool)
    thresholds = outcome.thresholds[numbers][~is_special]
    thresholds = thresholds[np.isfinite(thresholds)]
    return float(np.median(thresholds)) if thresholds.size else RUNGS["%"][0]


def _without_repeats(
    outcomes: list[tuple[float, Outcome]], in_force: Outcome, numbers: Sequence[int]
) -> list[tuple[float, Outcome]]:
    """Leave out at both ends the thresholds that decide exactly as the next one: they would show nothing new.

    At the low end, such are those below ``min_contour_area``: a change has either that area or none.
    """

    def is_spare(at: int, beside: int) -> bool:
        reasons, others = (outcomes[place][1].reasons[numbers] for place in (at, beside))
        return outcomes[at][1] is not in_force and np.array_equal(reasons, others)

    while len(outcomes) > FEWEST and is_spare(-1, -2):
        outcomes.pop()
    while len(outcomes) > FEWEST and is_spare(0, 1):
        outcomes.pop(0)
    return outcomes
