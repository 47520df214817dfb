"""One threshold that was tried, and what it would have kept of a camera's frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framegate.model import Unit
from framegate.tune.ladder import Span, span_of
from framegate.tune.replay.outcomes import Frame, Outcome

LEAST: dict[Unit, float] = {"%": 0.0, "x": 0.000001}
"""The lowest thresholds that are tried: all that was scored is kept, or nearly. No config has ``0x``."""

MOST: dict[Unit, float] = {"%": 100.0, "x": 1000.0}
"""The highest ones that a config may have."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A threshold, and what it decides."""

    threshold: float
    """In the preset's unit."""

    outcome: Outcome
    """About the frames of one camera alone."""

    span: Span
    """The thresholds that decide the same. They may be more where a zone has a threshold of its own."""

    kept: int
    kept_bytes: int


def tried(threshold: float, outcome: Outcome, frames: Sequence[Frame]) -> Tried:
    """Return what a threshold decides about one camera's frames.

    Args:
        threshold: in the preset's unit.
        outcome: of a line with it.
        frames: all that were replayed.
    """
    is_kept = outcome.is_kept
    sizes = np.array([frame.candidate.key.size_bytes for frame in frames], np.int64)
    return Tried(
        threshold,
        outcome,
        span_of(outcome, range(len(frames)), threshold),
        int(np.count_nonzero(is_kept)),
        int(sizes[is_kept].sum()),
    )


def threshold_of(outcome: Outcome) -> float | None:
    """Return the general threshold that a line had, in its unit; None if no frame was compared with it.

    An area in pixels is a share of the picture only when a picture is there.
    """
    compared = np.flatnonzero(np.isfinite(outcome.thresholds))
    special = outcome.zones.keys() | outcome.schedules.keys()
    general = [number for number in compared.tolist() if number not in special]
    return float(outcome.thresholds[general[0]]) if general else None
