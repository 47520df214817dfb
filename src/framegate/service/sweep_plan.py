"""When the drop folder is listed next: when it comes round, and when something asks for it."""

from framegate.service.retrying import NEVER_S

BURST_HINTS = 1000
"""After so many hints a sweep follows: the kernel's queue of 16,384 events lost 612 to 14,454 of 20,000 files
in the experiments (research/reliability.md, 4.2), and watchdog 6 says nothing of it."""


class SweepPlan:
    """Remembers what asked for a sweep. Times are seconds of one monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._next_round_s = NEVER_S
        self._asked_for_s = -NEVER_S
        """The first sweep is due at once."""

        self._earliest_s = -NEVER_S
        self._wants_second_look = False
        self._hints = 0

    def deadline_s(self) -> float:
        """Return when the next sweep is due."""
        return min(self._next_round_s, self._asked_for_s)

    def is_asked_for(self, now_s: float) -> bool:
        """Tell whether one is due that is not the one that comes round."""
        return now_s >= self._asked_for_s

    def ask(self, at_s: float) -> None:
        """Ask for a sweep; after one that took long it has to wait."""
        self._asked_for_s = min(self._asked_for_s, max(at_s, self._earliest_s))

    def ask_twice(self, at_s: float) -> None:
        """Ask for a sweep and for another soon after: 6.0 of watchdog may hear of a new folder too early."""
        self.ask(at_s)
        self._wants_second_look = True

    def ask_now(self, now_s: float) -> None:
        """Ask for a sweep that does not wait."""
        self._earliest_s = -NEVER_S
        self.ask(now_s)

    def take_hints(self, count: int, now_s: float, settle_s: float) -> None:
        """Take in that so many hints have come: after many of them some were lost."""
        self._hints += count
        if self._hints >= BURST_HINTS:
            self.ask(now_s + settle_s)

    def begin(self) -> None:
        """Take in that a sweep begins."""
        self._hints = 0

    def end(self, now_s: float, took_s: float, *, interval_s: float, settle_s: float) -> None:
        """Plan the next sweep, after one that took so long."""
        was_asked_for = self.is_asked_for(now_s)
        self._next_round_s = now_s + interval_s
        self._earliest_s = now_s + 9 * took_s  # a sweep takes a tenth of the time at the most
        self._asked_for_s = NEVER_S
        if was_asked_for and self._wants_second_look:
            self._wants_second_look = False
            self.ask(now_s + settle_s)
