"""The wall clock, and when not to trust it: files are deleted by it, and cannot be brought back.

A small computer may start in 1970, or with the time of its last shutdown, and a wrong time server may set it
years ahead. For an hour after a jump nothing counts as too old.
"""

from collections.abc import Callable

from framegate.events.base import Listener
from framegate.events.deleting import ClockJumped

JUMP_NS = 86_400 * 10**9
"""A larger difference between the two clocks is a jump; summer time and a wrong time zone are smaller."""

DOUBT_S = 3600.0
"""The new time is trusted after this long: a time server has corrected a wrong one by then."""


class WallClock:
    """The wall clock, unless it has just jumped.

    Args:
        now_ns: the wall clock, nanoseconds since the epoch.
        last_known_ns: returns the latest time on record; called once, at the first look.
        emit: gets an event for each jump.
    """

    def __init__(
        self, now_ns: Callable[[], int], last_known_ns: Callable[[], int | None], emit: Listener
    ) -> None:
        self.now_ns = now_ns
        self._last_known_ns = last_known_ns
        self._emit = emit
        self._last: tuple[int, float] | None = None
        self._trusted_at_s = -float("inf")

    def trusted_ns(self, now_s: float) -> int | None:
        """Return the time, nanoseconds since the epoch; None while it is in doubt.

        Args:
            now_s: the monotonic clock.

        Raises:
            SinkError: at the first look, the last time on record cannot be read.
        """
        now_ns = self.now_ns()
        if self._last is None:
            known_ns = self._last_known_ns()
            expected_ns = now_ns if known_ns is None else known_ns
        else:
            last_ns, last_s = self._last
            expected_ns = last_ns + int((now_s - last_s) * 1e9)
        was_running, self._last = self._last is not None, (now_ns, now_s)
        if abs(now_ns - expected_ns) > JUMP_NS:
            self._trusted_at_s = now_s + DOUBT_S
            ahead_s = (now_ns - expected_ns) // 10**9
            self._emit(ClockJumped(ahead_s, DOUBT_S, is_warning=was_running))
        return now_ns if now_s >= self._trusted_at_s else None
