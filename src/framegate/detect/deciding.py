"""From scores to a decision: what can be compared, and one comparison."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area
from framegate.model import ChangeScore, Decision, Reason, Size, Unit


@dataclass(frozen=True, slots=True)
class Measured:
    """How much changed from one picture to another, whatever the thresholds are."""

    scores: tuple[float | None, ...]
    """Of each zone, in their order, then of the rest of the picture; in the preset's unit, times the usual or
    percent. None where a place has no pixel that counts."""

    picture_px: int
    """How many pixels count at the working size: what percentages refer to."""

    working_size: Size


def require_one_size(reference: NDArray[np.uint8], current: NDArray[np.uint8]) -> None:
    """Raise ValueError unless two pictures have one working size."""
    if reference.shape != current.shape:
        raise ValueError(
            f"a {reference.shape} reference and a {current.shape} frame cannot be compared:"
            " a frame of another size becomes the new reference"
        )


def decide(score: ChangeScore, reference: str | None = None) -> Decision:
    """Return the decision to keep a frame if its score is above the threshold, else to drop it."""
    reason = Reason.CHANGED if score.score > score.threshold else Reason.UNCHANGED
    return Decision(reason, score, reference=reference)


def decisive_score(measured: Measured, settings: DetectionSettings) -> ChangeScore:
    """Return the score that decides about a picture: of its places the largest for its threshold.

    One that is above its threshold comes before any that is not. Of equals it is the first.

    Args:
        measured: by settings that differ in no more than their thresholds.
        settings: with the thresholds.

    Returns:
        The score without regions: where it changed, a ``Measured`` does not say.
    """
    thresholds = thresholds_of(settings, measured.picture_px)
    place = strongest(measured.scores, thresholds)
    names = [*(zone.name for zone in settings.zone), None]
    unit: Unit = "%" if settings.preset_name == "classic" else "x"
    score = measured.scores[place] or 0.0
    return ChangeScore(score, thresholds[place], unit, (), 0.0, measured.working_size, names[place])


def thresholds_of(settings: DetectionSettings, picture_px: int) -> list[float]:
    """Return the threshold of each zone, in their order, then that of the rest, in the preset's unit.

    Args:
        settings: with the thresholds.
        picture_px: how many pixels count: an area in pixels is a share of them.
    """
    thresholds = [*map(settings.threshold_in, settings.zone), settings.score_threshold]
    return [each.in_percent(picture_px) if isinstance(each, Area) else float(each) for each in thresholds]


def strongest(scores: Sequence[float | None], thresholds: Sequence[float]) -> int:
    """Return which of several scores decides; the last one if all are None."""
    if len(scores) == 1:
        return 0
    places = [place for place, score in enumerate(scores) if score is not None]
    return max(places, key=lambda place: _strength(scores[place] or 0.0, thresholds[place]), default=-1)


def _strength(score: float, threshold: float) -> tuple[bool, float]:
    is_above = score > threshold
    return is_above, score / threshold if threshold else (math.inf if is_above else 0.0)
