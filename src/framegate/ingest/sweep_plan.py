"""When the drop folder is swept next: regularly, and when something requests it."""

import math
from enum import IntEnum

BURST_HINTS, BURST_S = 1000, 5.0
"""After this many hints in this time a sweep follows: the kernel's queue of 16,384 events lost 612 to 14,454
of 20,000 files in the experiments (research/reliability.md, 4.2), and watchdog 6 does not report it. Twenty
cameras with a frame a second each are no burst: every sweep for one lets live frames wait."""


class Cause(IntEnum):
    """Why a sweep is due; of several causes the last listed here counts."""

    ROUND = 0
    """The regular interval has passed."""

    REFILL = 1
    """Frames were left in the folder, and there is room for them now."""

    EVENTS_LOST = 2
    """Frames may have arrived without a hint: every file is looked at, and live frames wait for the older
    ones that the sweep may find, at most ``settle_s``."""

    FIRST = 3
    """Nothing is known of the folder yet: live frames wait until it has been listed."""


class SweepPlan:
    """Remembers what requested a sweep. Times are seconds of one monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._next_round_s = math.inf
        self._requested_s = -math.inf
        """The first sweep is due at once."""

        self._cause = Cause.FIRST
        self._earliest_s = -math.inf
        self._wants_second_look = self._owes_second_look = False
        self._hints, self._hints_since_s = 0, -math.inf

    @property
    def wants_first(self) -> bool:
        """Whether the first sweep is still to come, or to be repeated."""
        return self._cause is Cause.FIRST

    def deadline_s(self) -> float:
        """Return when the next sweep is due."""
        return min(self._next_round_s, self._requested_s)

    def request(self, at_s: float, cause: Cause = Cause.EVENTS_LOST) -> None:
        """Request a sweep for ``at_s``, or for later when the last one took long.

        A refill does not wait: nothing else is left to judge. With the others' pauses of nine times 2.5 s a
        backlog of 120,000 frames came in at 110 frames a second.
        """
        earliest_s = -math.inf if cause is Cause.REFILL else self._earliest_s
        self._requested_s = min(self._requested_s, max(at_s, earliest_s))
        self._cause = max(self._cause, cause)

    def request_twice(self, at_s: float) -> None:
        """Request a sweep and another soon after: watchdog 6.0 may report a new folder before its files."""
        self.request(at_s)
        self._wants_second_look = True

    def request_now(self, now_s: float) -> None:
        """Request a sweep for now, however long the last one took."""
        self._earliest_s = -math.inf
        self.request(now_s)

    def count_hints(self, count: int, now_s: float, settle_s: float) -> None:
        """Count hints. After a burst of them some may have been lost, and a sweep is requested."""
        if now_s >= self._hints_since_s + BURST_S:
            self._hints, self._hints_since_s = 0, now_s
        self._hints += count
        if self._hints >= BURST_HINTS:
            self.request(now_s + settle_s)

    def begin(self, now_s: float) -> Cause:
        """Begin the sweep that is due; return its cause."""
        self._hints = 0
        self._next_round_s = math.inf
        if now_s < self._requested_s:
            return Cause.ROUND
        cause, self._requested_s, self._cause = self._cause, math.inf, Cause.ROUND
        self._owes_second_look, self._wants_second_look = self._wants_second_look, False
        return cause

    def end(self, now_s: float, took_s: float, *, interval_s: float, settle_s: float) -> None:
        """Plan the next sweep after one that used ``took_s``; one requested meanwhile waits as well."""
        self._next_round_s = now_s + interval_s
        self._earliest_s = now_s + 9 * took_s  # a sweep takes a tenth of the time at the most
        self._requested_s = max(self._requested_s, self._earliest_s)
        if self._owes_second_look:
            self._owes_second_look = False
            self.request(now_s + settle_s)
