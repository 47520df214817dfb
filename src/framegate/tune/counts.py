"""What a line keeps of each camera: counted, by day, by reason and in bytes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from framegate.model import YEAR_1_S, YEAR_9999_S, Reason
from framegate.tune.recorded_time import recorded_time
from framegate.tune.replay.outcomes import Frame, Outcome

_DAY_S = 86_400


@dataclass(slots=True)
class DayCounts:
    """Frames of one camera and day."""

    frames: int = 0
    kept: int = 0


@dataclass(slots=True)
class Counts:
    """Frames of one camera."""

    frames: int = 0
    kept: int = 0
    kept_bytes: int = 0
    days: float = 1.0
    """For how long it was recorded."""

    reasons: Counter[Reason] = field(default_factory=Counter)
    by_day: dict[str, DayCounts] = field(default_factory=dict)
    """By the local date of capture, as ``2026-11-19``; days without a frame are not in it."""

    @property
    def kept_a_day(self) -> float:
        """Frames kept a day."""
        return self.kept / self.days

    @property
    def kept_mb_a_day(self) -> float:
        """The same in megabytes."""
        return self.kept_bytes / 1e6 / self.days


def counts_of(frames: Sequence[Frame], outcome: Outcome, numbers: Sequence[int]) -> dict[str, Counts]:
    """Return what a line keeps of some frames, by camera in alphabetical order.

    Args:
        frames: all frames of the replay.
        outcome: of the line.
        numbers: the frames that are counted.
    """
    counts: dict[str, Counts] = {}
    times_ns: dict[str, list[int]] = {}
    for number in numbers:
        candidate, reason = frames[number].candidate, outcome.reason_of(number)
        of_camera = counts.setdefault(candidate.camera, Counts())
        times_ns.setdefault(candidate.camera, []).append(candidate.captured_at_ns)
        of_day = of_camera.by_day.setdefault(local_day(candidate.captured_at_ns), DayCounts())
        of_camera.frames += 1
        of_day.frames += 1
        of_camera.reasons[reason] += 1
        if reason.is_kept:
            of_camera.kept += 1
            of_day.kept += 1
            of_camera.kept_bytes += candidate.key.size_bytes
    for camera, of_camera in counts.items():
        of_camera.days = recorded_time(times_ns[camera]).days
    return dict(sorted(counts.items()))


def local_day(time_ns: int) -> str:
    """Return the date of a time in this machine's time zone, within the years 1 to 9999."""
    second = min(max(time_ns // 10**9, YEAR_1_S + _DAY_S), YEAR_9999_S - _DAY_S)
    return datetime.fromtimestamp(second).astimezone().date().isoformat()
