"""The thresholds that are tried, and by how much each may change without changing a verdict.

They are tried in place of the general threshold, or of a camera's own. What a zone or a schedule sets itself
stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area, Times
from framegate.config.schedule import ScheduledDetection
from framegate.config.settings import Settings
from framegate.model import Unit
from framegate.tune.replay.changing import with_detection
from framegate.tune.replay.outcomes import Line, Outcome

_TENTH = 1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8
_TWENTIETH = 1, 1.12, 1.25, 1.4, 1.6, 1.8, 2, 2.24, 2.5, 2.8, 3.15, 3.55, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9

RUNGS: dict[Unit, tuple[float, ...]] = {
    "%": (*(round(step * 10.0**decade, 6) for decade in (-2, -1, 0, 1) for step in _TENTH), 100.0),
    "x": (*(round(step * 10.0**decade, 6) for decade in (0, 1) for step in _TWENTIETH), 100.0),
}
"""41 of each: the preferred numbers of A. Renard, evenly spaced on a logarithmic scale. Less than the usual
change, ``1x``, is no change."""


@dataclass(frozen=True, slots=True)
class Span:
    """The thresholds that decide the same: from ``least``, which is one of them, up to below ``below``."""

    least: float
    below: float


def ladder(settings: Settings) -> list[Line]:
    """Return a line for each rung: the settings, with that threshold for every camera, in its unit."""
    return [Line(f"rung {rung}", at_rung(settings, rung)) for rung in range(len(RUNGS["x"]))]


def at_rung(settings: Settings, rung: int) -> Settings:
    """Return settings with one rung's threshold for every camera."""
    return with_detection(settings, lambda detection: _at(detection, RUNGS[_unit(detection)][rung]))


def with_threshold(settings: Settings, threshold: float) -> Settings:
    """Return settings with a threshold for every camera, in the unit of its preset."""
    return with_detection(settings, lambda detection: _at(detection, threshold))


def every_frame(settings: Settings, least: float) -> Settings:
    """Return settings that keep all but equal frames, so that each is compared with the one before it.

    Args:
        settings: of any thresholds.
        least: a threshold that all scores are above; the zones have it too.
    """

    def without_limits(detection: DetectionSettings) -> DetectionSettings:
        zones = tuple(zone.model_copy(update={"score_threshold": None}) for zone in detection.zone)
        limits = {"zone": zones, "keep_every": None, "max_kept_per_hour": None}
        return _at(detection, least).model_copy(update=limits)

    def schedule_without_limits(detection: ScheduledDetection) -> ScheduledDetection:
        zones = tuple(zone.model_copy(update={"score_threshold": None}) for zone in detection.zone)
        return detection.without(
            frozenset({"score_threshold", "keep_every", "max_kept_per_hour"}), zone=zones
        )

    return with_detection(settings, without_limits, schedule_without_limits)


def schedules_with_own(setting: str, settings: Settings, camera: str) -> list[str]:
    """Return the schedules that set something of a camera themselves: then the camera's own does not count.

    Args:
        setting: its name in ``[detection]``.
        settings, camera: of which.
    """
    return [each.name for each in settings.schedules_of(camera) if setting in each.detection.given]


def by_own_threshold(outcome: Outcome) -> dict[int, str]:
    """Return the frames that were judged by a schedule's own threshold, which stays, and its name."""
    own = _with_own_threshold(outcome)
    return {number: name for number, name in outcome.schedules.items() if name in own}


def own_threshold_of(outcome: Outcome, number: int) -> str | None:
    """Return the schedule by whose own threshold a frame was judged; None without one."""
    name = outcome.schedules.get(number)
    return name if name in _with_own_threshold(outcome) else None


def _with_own_threshold(outcome: Outcome) -> set[str | None]:
    schedules = outcome.line.settings.schedule
    return {each.name for each in schedules if "score_threshold" in each.detection.given}


def in_toml(threshold: float, unit: Unit) -> str:
    """Return a threshold as it stands in a config file, without the quotes: ``2.3x``, ``0.2%``."""
    return str(Times(threshold) if unit == "x" else Area(threshold, "%"))


def span_of(outcome: Outcome, numbers: Sequence[int], threshold: float) -> Span:
    """Return which thresholds would have decided the same about some frames.

    Args:
        outcome: of a line with this threshold.
        numbers: the frames, of one camera.
        threshold: the general one. Of a zone with a threshold of its own only the proportion counts; frames
            for which a schedule with one of its own counted set no limit.
    """
    if scheduled := by_own_threshold(outcome):
        numbers = [number for number in numbers if number not in scheduled]
    scores, thresholds = outcome.scores[numbers], outcome.thresholds[numbers]
    scored = np.isfinite(scores)
    scores, thresholds = scores[scored], thresholds[scored]
    above = scores > thresholds
    relative = np.where(thresholds == threshold, scores, np.where(above, np.inf, 0.0))
    own = (thresholds != threshold) & (thresholds > 0)
    relative[own] = threshold * scores[own] / thresholds[own]
    return Span(
        float(min(max(relative[~above], default=0.0), threshold)),
        float(max(min(relative[above], default=np.inf), np.nextafter(threshold, np.inf))),
    )


def _unit(detection: DetectionSettings) -> Unit:
    return "%" if detection.preset_name == "classic" else "x"


def _at(detection: DetectionSettings, threshold: float) -> DetectionSettings:
    value = Area(threshold, "%") if detection.preset_name == "classic" else Times(threshold)
    return detection.model_copy(update={"score_threshold": value})
