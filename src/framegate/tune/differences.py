"""Frames that one line keeps and another does not, each with what both have compared it with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from framegate.model import FileKey, Reason, Unit, Verdict
from framegate.tune.ladder import own_threshold_of
from framegate.tune.replay.outcomes import Outcome, Replay, unit_of


@dataclass(frozen=True, slots=True)
class Side:
    """One way to judge, and the frames that are looked at."""

    replay: Replay
    outcome: Outcome
    """Of one line of the replay."""

    numbers: Sequence[int]
    """Of the frames."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a line has decided about one frame."""

    reason: Reason
    score: float | None
    """In ``unit``; None if the frame was compared with nothing."""

    threshold: float | None
    unit: Unit
    zone: str | None
    reference: str | None
    """Name of the frame that it was compared with."""

    schedule: str | None
    """The one whose own threshold that is; None without one."""

    @property
    def verdict(self) -> Verdict:
        """The verdict that the reason explains."""
        return self.reason.verdict


@dataclass(frozen=True, slots=True)
class Difference:
    """A frame that is kept by one of two lines; None where a line does not know the frame at all."""

    frame: str
    camera: str
    captured_at_ns: int
    before: Judged | None
    after: Judged | None

    @property
    def is_gained(self) -> bool:
        """Whether the later line keeps it."""
        return self.after is not None and self.after.verdict is Verdict.KEPT


def differences(before: Side, after: Side) -> list[Difference]:
    """Return the frames that are kept on one side only: camera after camera, in the order of capture.

    The same files count as the same frames, also where two configs list them in another order, or under other
    cameras.
    """
    numbers, others = dict(_by_key(before)), dict(_by_key(after))
    keys = [
        key
        for key in dict.fromkeys((*numbers, *others))
        if _is_kept(before, numbers.get(key)) != _is_kept(after, others.get(key))
    ]
    found = [_difference(key, before, numbers.get(key), after, others.get(key)) for key in keys]
    return sorted(found, key=lambda each: (each.camera, each.captured_at_ns, each.frame))


def judged(replay: Replay, outcome: Outcome, number: int) -> Judged:
    """Return what a line has decided about a frame."""
    score = float(outcome.scores[number])
    is_scored = not np.isnan(score)
    return Judged(
        outcome.reason_of(number),
        score if is_scored else None,
        float(outcome.thresholds[number]) if is_scored else None,
        unit_of(outcome.line.settings, replay.frames[number].candidate.camera),
        outcome.zones.get(number),
        replay.reference_of(outcome, number),
        own_threshold_of(outcome, number) if is_scored else None,
    )


def _by_key(side: Side) -> Iterator[tuple[FileKey, int]]:
    return ((side.replay.frames[number].candidate.key, number) for number in side.numbers)


def _is_kept(side: Side, number: int | None) -> bool:
    return number is not None and side.outcome.reason_of(number).is_kept


def _difference(key: FileKey, before: Side, number: int | None, after: Side, other: int | None) -> Difference:
    side, known = (before, number) if other is None else (after, other)
    assert known is not None, "one of the sides has the frame"
    candidate = side.replay.frames[known].candidate
    return Difference(
        key.name,
        candidate.camera,
        candidate.captured_at_ns,
        None if number is None else judged(before.replay, before.outcome, number),
        None if other is None else judged(after.replay, after.outcome, other),
    )
