"""For how long a camera was recorded: what "a day" and "an hour" refer to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

HOUR_NS, DAY_NS = 3600 * 10**9, 86_400 * 10**9

LEAST_NIGHT_NS = HOUR_NS
"""A camera that never sends anything for an hour of the day rests in this hour: there a day ends."""


@dataclass(frozen=True, slots=True)
class RecordedTime:
    """How much was recorded."""

    days: float
    """A day counts as a whole one, be it short because the camera rests at night; the first and the last by
    their share of the longest; days without a frame not at all. At least 1: what is recorded of a single day
    stands for the day, however little it is."""

    hours: float
    """From the first to the last frame of each day, together; 0 if all frames have the same time."""

    @property
    def is_short(self) -> bool:
        """Whether it is not even one day and night."""
        return self.days <= 1 and self.hours < DAY_NS / HOUR_NS


def recorded_time(times_ns: Sequence[int]) -> RecordedTime:
    """Return for how long a camera was recorded.

    Args:
        times_ns: capture times since the epoch, in any order; at least one.
    """
    times = sorted(times_ns)
    step_ns = median([later - earlier for earlier, later in pairwise(times)] or [0])
    ends_at_ns = _end_of_day(times)
    days: dict[int, list[int]] = {}
    for time_ns in times:
        days.setdefault((time_ns - (ends_at_ns or 0)) // DAY_NS, []).append(time_ns)
    lengths_ns = [min(day[-1] - day[0] + step_ns, DAY_NS) for day in days.values()]
    whole_ns = DAY_NS if ends_at_ns is None else max(*lengths_ns, 1)
    whole_days = len(lengths_ns) - 2 + (lengths_ns[0] + lengths_ns[-1]) / whole_ns
    return RecordedTime(max(1.0, whole_days), sum(lengths_ns) / HOUR_NS)


def _end_of_day(times: Sequence[int]) -> int | None:
    """Return the time of day, in nanoseconds, in the middle of a camera's rest; None if it never rests."""
    clock = sorted({time_ns % DAY_NS for time_ns in times})
    rest_ns, from_ns = max(
        (later - earlier, earlier) for earlier, later in pairwise([*clock, clock[0] + DAY_NS])
    )
    return None if rest_ns < LEAST_NIGHT_NS else (from_ns + rest_ns // 2) % DAY_NS
