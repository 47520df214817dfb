"""Can a camera's capture times be true? They order frames, but a clock that lies measures no duration.

A capture time is compared with the arrival of its file, by this machine's clock. What tells a wrong clock
from uploads that come late: who catches up sends the frames of hours within minutes; a wrong clock goes as
fast as the frames arrive, or not at all.
"""

from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from typing import Any, Self

from framegate.model import HOUR_NS, MINUTE_NS, Moment

AHEAD_NS, AHEAD_NO_MORE_NS = 15 * MINUTE_NS, 10 * MINUTE_NS
"""A frame that arrives so long before it was captured is of a clock that is ahead: a wrong time zone is half
an hour or more, drift is less. It is right again only within the second, so that drift does not flip it."""

BEHIND_NS, BEHIND_NO_MORE_NS = 24 * HOUR_NS, 20 * HOUR_NS
"""The same for frames that arrive long after they were captured, if the camera does not catch up."""

YEAR_NS = 365 * 24 * HOUR_NS
BEHIND_AFTER_NS, YEARS_BEHIND_AFTER_NS = MINUTE_NS, 2 * 10**9
"""Arrivals for so long show that a camera does not catch up; when it is years behind, fewer do."""

STILL_AFTER_NS = 2 * MINUTE_NS
"""A clock stands still, or was set back, when no frame has been newer for so long. Names with minutes alone
stand still for one minute."""

RIGHT_AFTER_NS = 2 * MINUTE_NS
"""A clock is right again when its times have been true for so long."""

LEAST_FRAMES = 3
"""Fewer frames prove nothing: one or two come late from any camera."""

SET_SINCE_NS = 1_767_225_600 * 10**9
"""The year 2026: a machine whose clock says that it is earlier has not been told the time yet."""

_MOST_NS = 2**63 - 1


class ClockFault(StrEnum):
    """Why a camera's capture times cannot be true."""

    AHEAD = "ahead"
    BEHIND = "behind"
    STANDS_STILL = "stands_still"
    SET_BACK = "set_back"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames in a row that are looked at together."""

    since_ns: int
    """Arrival of the first."""

    first_ns: int
    """Capture time of the first."""

    earliest_ns: int
    latest_ns: int
    """Of the capture times of those after the first; while there are none, that of the first."""

    frames: int = 1

    @classmethod
    def of_one(cls, captured_at_ns: int, arrived_at_ns: int) -> Self:
        return cls(arrived_at_ns, captured_at_ns, captured_at_ns, captured_at_ns)

    def and_then(self, captured_at_ns: int) -> "_Stretch":
        if self.frames == 1:
            return _Stretch(self.since_ns, self.first_ns, captured_at_ns, captured_at_ns, 2)
        earliest_ns, latest_ns = min(self.earliest_ns, captured_at_ns), max(self.latest_ns, captured_at_ns)
        return _Stretch(self.since_ns, self.first_ns, earliest_ns, latest_ns, self.frames + 1)


@dataclass(frozen=True, slots=True)
class CaptureClock:
    """What some frames have shown of one camera's clock; ``after`` returns what one more frame shows.

    It reads no clock itself. All its fields are integers or None, in nanoseconds since the epoch.
    """

    fault: ClockFault | None = None
    """Why capture times measure nothing now; None while they do."""

    true_since_ns: int = -_MOST_NS
    """Arrival since which capture times are true, while there is no fault."""

    arrivals_since_ns: int | None = None
    """Arrival of the first frame since which all arrivals are known, and none was before another."""

    last_arrival_ns: int | None = None
    """Arrival of the last frame; None when it is not known."""

    behind: _Stretch | None = None
    """The last frames, as long as each of them is far behind its arrival."""

    newest: _Stretch | None = None
    """The newest frame, and those that came after it, which are no newer."""

    right: _Stretch | None = None
    """With a fault: the last frames, as long as each of them can be true."""

    def after(self, moment: Moment) -> "CaptureClock":
        """Return what is known after one more frame; call it in the order in which frames are judged.

        A frame whose arrival is not known, as in a scan or a backlog, shows nothing.
        """
        captured_at_ns, arrived_at_ns = moment.captured_at_ns, moment.arrived_at_ns
        if arrived_at_ns is None or arrived_at_ns < SET_SINCE_NS:
            return self if self.last_arrival_ns is None else replace(self, last_arrival_ns=None)
        before = self
        if self.last_arrival_ns is None or arrived_at_ns < self.last_arrival_ns:
            # What was begun cannot be continued: frames came meanwhile, or this machine's clock was set back.
            before = replace(self, arrivals_since_ns=arrived_at_ns, behind=None, newest=None, right=None)
        before = replace(before, last_arrival_ns=arrived_at_ns)
        if before.fault is None:
            return _doubted(before, captured_at_ns, arrived_at_ns)
        return _trusted_again(before, captured_at_ns, arrived_at_ns)

    def elapsed_ns(self, since: Moment, now: Moment) -> int:
        """Return how much later than another frame one was taken; it is negative if it was taken before.

        By their capture times, if those can be true; otherwise by their arrivals, if these are known.

        Args:
            since: a frame before.
            now: the frame for which ``after`` was called last.
        """
        by_capture_ns = now.captured_at_ns - since.captured_at_ns
        arrived_at_ns, now_ns = since.arrived_at_ns, self.last_arrival_ns
        is_true = self.fault is None and (arrived_at_ns is None or arrived_at_ns >= self.true_since_ns)
        if is_true or now_ns is None or self.arrivals_since_ns is None:
            return by_capture_ns
        if arrived_at_ns is None or not SET_SINCE_NS <= arrived_at_ns <= now_ns:
            arrived_at_ns = self.arrivals_since_ns
        return now_ns - arrived_at_ns

    def time_ns(self, now: Moment) -> int:
        """Return when a frame was taken: by its capture time, if that can be true; otherwise by its arrival.

        Args:
            now: the frame for which ``after`` was called last.
        """
        arrived_at_ns = None if self.fault is None else self.last_arrival_ns
        return now.captured_at_ns if arrived_at_ns is None else arrived_at_ns

    def saved(self) -> list[object]:
        """Return it as values for JSON."""
        return list(astuple(self))

    @classmethod
    def restored(cls, values: object) -> Self:
        """Return the clock that ``saved`` returned as these values; they may come from anywhere.

        Raises:
            ValueError: they are no such values.
        """
        if not isinstance(values, list) or len(values) != len(cls.__slots__):
            raise ValueError(f"{values!r:.80} is no clock")
        fault, true_since_ns, arrivals_since_ns, last_arrival_ns, *stretches = values
        return cls(
            None if fault is None else ClockFault(fault),
            _moment_of(true_since_ns),
            None if arrivals_since_ns is None else _moment_of(arrivals_since_ns),
            None if last_arrival_ns is None else _moment_of(last_arrival_ns),
            *(None if each is None else _stretch_of(each) for each in stretches),
        )


def _doubted(clock: CaptureClock, captured_at_ns: int, arrived_at_ns: int) -> CaptureClock:
    """Return what is known when a clock that was true has sent one more frame."""
    lag_ns = arrived_at_ns - captured_at_ns
    if lag_ns < -AHEAD_NS:
        return _at_fault(clock, ClockFault.AHEAD)
    behind = _continued(clock.behind, captured_at_ns, arrived_at_ns) if lag_ns > BEHIND_NS else None
    if behind is not None and _is_proven(behind, arrived_at_ns, lag_ns):
        if not _catches_up(behind, arrived_at_ns):
            return _at_fault(clock, ClockFault.BEHIND)
        behind = _Stretch.of_one(captured_at_ns, arrived_at_ns)
    if clock.newest is None or captured_at_ns > clock.newest.first_ns:
        return replace(clock, behind=behind, newest=_Stretch.of_one(captured_at_ns, arrived_at_ns))
    newest = clock.newest.and_then(captured_at_ns)
    lasted_ns = arrived_at_ns - newest.since_ns
    if newest.frames >= LEAST_FRAMES and lasted_ns >= STILL_AFTER_NS:
        if newest.latest_ns - newest.earliest_ns <= 2 * lasted_ns:
            was_set_back = newest.earliest_ns < newest.first_ns - MINUTE_NS
            return _at_fault(clock, ClockFault.SET_BACK if was_set_back else ClockFault.STANDS_STILL)
        newest = _Stretch.of_one(newest.first_ns, arrived_at_ns)  # older frames are copied, in any order
    return replace(clock, behind=behind, newest=newest)


def _is_proven(behind: _Stretch, arrived_at_ns: int, lag_ns: int) -> bool:
    """Return whether enough frames came to tell a wrong clock from a late upload."""
    lasted_ns = arrived_at_ns - behind.since_ns
    if lag_ns > YEAR_NS:
        return behind.frames > 1 and lasted_ns >= YEARS_BEHIND_AFTER_NS
    return behind.frames >= LEAST_FRAMES and lasted_ns >= BEHIND_AFTER_NS


def _catches_up(behind: _Stretch, arrived_at_ns: int) -> bool:
    taken_in_ns = max(behind.latest_ns, behind.first_ns) - min(behind.earliest_ns, behind.first_ns)
    return taken_in_ns > 2 * (arrived_at_ns - behind.since_ns)


def _at_fault(clock: CaptureClock, fault: ClockFault) -> CaptureClock:
    return replace(clock, fault=fault, behind=None, newest=None, right=None)


def _trusted_again(clock: CaptureClock, captured_at_ns: int, arrived_at_ns: int) -> CaptureClock:
    """Return what is known when a clock that was wrong has sent one more frame."""
    lag_ns = arrived_at_ns - captured_at_ns
    if not -AHEAD_NO_MORE_NS <= lag_ns <= BEHIND_NO_MORE_NS:
        return replace(clock, right=None)
    right = _continued(clock.right, captured_at_ns, arrived_at_ns)
    lasted_ns, went_ns = arrived_at_ns - right.since_ns, captured_at_ns - right.first_ns
    if right.frames < LEAST_FRAMES or lasted_ns < RIGHT_AFTER_NS:
        return replace(clock, right=right)
    goes_with_arrivals = lasted_ns <= 2 * went_ns and went_ns <= 2 * lasted_ns + MINUTE_NS
    one = _Stretch.of_one(captured_at_ns, arrived_at_ns)
    if not goes_with_arrivals or right.earliest_ns < right.first_ns - MINUTE_NS:
        return replace(clock, right=one)
    return replace(clock, fault=None, true_since_ns=right.since_ns, newest=one, right=None)


def _continued(stretch: _Stretch | None, captured_at_ns: int, arrived_at_ns: int) -> _Stretch:
    if stretch is None:
        return _Stretch.of_one(captured_at_ns, arrived_at_ns)
    return stretch.and_then(captured_at_ns)


def _moment_of(value: Any) -> int:
    if type(value) is not int or abs(value) > _MOST_NS + 1:
        raise ValueError(f"{value!r:.40} is no time")
    return value


def _stretch_of(values: Any) -> _Stretch:
    if not isinstance(values, list | tuple) or len(values) != len(_Stretch.__slots__):
        raise ValueError(f"{values!r:.80} is not of a clock")
    return _Stretch(*map(_moment_of, values))
