"""Which frames come late: taken before a frame of their camera that was judged already.

Uploaders that copy a folder out of order (``scp -r``, ``tar``, ``unzip``, Syncthing, ``mput`` of smbclient)
make such frames. A camera whose clock was set back makes them, too, and so does one that has sent a single
frame of 2036: for those, what is newest is found again, or each of their frames would be late for ever.
"""

import json
from dataclasses import astuple, dataclass

from framegate.model import MINUTE_NS

LEAST_IN_A_RUN = 5
"""Late frames in a row, none older than the one before, from which on they may show a clock that was set.
Five frames that are copied in random order are in order by chance once in 120 times."""

LEAST_RUN_NS = MINUTE_NS
"""Such a run takes at least this long to arrive, so that five files of a copied folder are none."""

MOST_TIMES_FASTER = 2
"""With a clock that was set, captures advance like arrivals; of a folder that is copied in order, hours
arrive in seconds, and each of its frames is late."""


@dataclass(slots=True)
class _Run:
    """Late frames in a row, none older than the one before it."""

    count: int
    first_captured_ns: int
    first_arrived_ns: int
    last_captured_ns: int


class Lateness:
    """Finds the late frames of one camera; it reads no clock."""

    def __init__(self) -> None:
        self.newest_ns: int | None = None
        """Latest capture time of the frames that were judged; None before the first."""

        self._run: _Run | None = None
        """The late frames since the last that was not; None when that was the last frame."""

        self._ledger: int | None = None

    def follow(self, captured_ns: int, arrived_ns: int, ledger: int = 0) -> bool:
        """Return whether a frame that is judged now is late, and remember it.

        Args:
            captured_ns: when it was taken.
            arrived_ns: when it came, or is judged.
            ledger: another number when a new ledger was begun: all frames are judged again, from the oldest.
        """
        if self._ledger not in {None, ledger}:
            self.newest_ns = self._run = None
        self._ledger = ledger
        if self.newest_ns is None or captured_ns >= self.newest_ns:
            self.newest_ns, self._run = captured_ns, None
            return False
        run = self._run
        if run is None or captured_ns < run.last_captured_ns:
            self._run = _Run(1, captured_ns, arrived_ns, captured_ns)
            return True
        run.count += 1
        run.last_captured_ns = captured_ns
        if _is_of_a_clock_that_was_set(run, arrived_ns):
            self.newest_ns, self._run = captured_ns, None
        return True

    def renew(self, before_ns: int, now_ns: int) -> None:
        """Follow a judged frame whose capture time has changed: some uploaders set it afterwards."""
        if self.newest_ns == before_ns:
            self.newest_ns = now_ns

    def saved(self) -> str:
        """Return what ``restore`` needs, as JSON."""
        return json.dumps([self.newest_ns, self._run and astuple(self._run)])

    def restore(self, saved: str) -> None:
        """Go on from what ``saved`` returned; if it is damaged, from nothing."""
        try:
            newest_ns, run = json.loads(saved)
            numbers = [number for number in (newest_ns, *(run or ())) if number is not None]
            if all(type(number) is int for number in numbers):
                self.newest_ns, self._run = newest_ns, _Run(*run) if run else None
        except (ValueError, TypeError, RecursionError):
            self.newest_ns = self._run = None


def _is_of_a_clock_that_was_set(run: _Run, arrived_ns: int) -> bool:
    took_ns = arrived_ns - run.first_arrived_ns
    captured_in_ns = run.last_captured_ns - run.first_captured_ns
    return (
        run.count >= LEAST_IN_A_RUN
        and took_ns >= LEAST_RUN_NS
        and captured_in_ns <= MOST_TIMES_FASTER * took_ns
    )
