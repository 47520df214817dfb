import pytest

from framegate.events.base import LogEvent
from framegate.retention.wall_clock import DOUBT_S, WallClock

HOUR_S = 3600.0
NOW_S = 1_800_000_000.0


class Clocks:
    """A wall clock and a monotonic one, both moved by the test."""

    def __init__(self, last_known_ns: int | None = None) -> None:
        self.now_s, self.wall_s = 1000.0, NOW_S
        self.events: list[LogEvent] = []
        self.asked = 0
        self.last_known_ns = last_known_ns
        self.clock = WallClock(lambda: int(self.wall_s * 1e9), self._last_known, self.events.append)

    def _last_known(self) -> int | None:
        self.asked += 1
        return self.last_known_ns

    def go(self, seconds: float, *, jump_s: float = 0) -> None:
        """Let time pass on both clocks, and set the wall clock on or back by some more."""
        self.now_s += seconds
        self.wall_s += seconds + jump_s

    def is_trusted(self) -> bool:
        trusted_ns = self.clock.trusted_ns(self.now_s)
        assert trusted_ns in {None, int(self.wall_s * 1e9)}
        return trusted_ns is not None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("hours", "is_believed"), [(23, True), (25, False), (71, False), (24 * 3650, False)])
def test_a_jump_of_more_than_a_day_is_in_doubt(sign: int, hours: float, is_believed: bool) -> None:
    """Summer time and a wrong zone are believed at once; a day too much or too little is not."""
    clocks = Clocks()
    assert clocks.is_trusted()
    clocks.go(10, jump_s=sign * hours * HOUR_S)
    assert clocks.is_trusted() is is_believed
    assert [event.event for event in clocks.events] == ([] if is_believed else ["clock.jumped"])


@pytest.mark.parametrize(("hours", "is_believed"), [(None, True), (23, True), (25, False), (-25, False)])
def test_the_first_look_compares_with_the_last_time_that_is_remembered(
    hours: float | None, is_believed: bool
) -> None:
    """A machine that comes up far from its last decision has an hour to find the time, without a warning."""
    clocks = Clocks(None if hours is None else int((NOW_S - hours * HOUR_S) * 1e9))
    assert clocks.is_trusted() is is_believed
    assert [(event.event, event.level) for event in clocks.events] == (
        [] if is_believed else [("clock.jumped", "info")]
    )
    clocks.go(10)
    clocks.is_trusted()
    assert clocks.asked == 1


def test_a_jump_that_lasts_is_believed_after_an_hour() -> None:
    """Until then nothing is too old; from then on the new time counts, and one warning has said so."""
    clocks = Clocks()
    clocks.is_trusted()
    clocks.go(10, jump_s=30 * 24 * HOUR_S)
    assert not clocks.is_trusted()
    clocks.go(DOUBT_S - 1)
    assert not clocks.is_trusted()
    clocks.go(1)
    assert clocks.is_trusted()
    assert [(event.event, event.level) for event in clocks.events] == [("clock.jumped", "warning")]
    assert clocks.events[0].fields == {"ahead_s": 30 * 24 * 3600, "in_doubt_s": DOUBT_S}


def test_a_jump_back_begins_the_doubt_again() -> None:
    """Two jumps within the hour are two doubts: the hour counts from the later."""
    clocks = Clocks()
    clocks.is_trusted()
    clocks.go(10, jump_s=30 * 24 * HOUR_S)
    assert not clocks.is_trusted()
    clocks.go(DOUBT_S / 2, jump_s=-30 * 24 * HOUR_S)
    assert not clocks.is_trusted()
    clocks.go(DOUBT_S * 3 / 4)
    assert not clocks.is_trusted()
    clocks.go(DOUBT_S / 4)
    assert clocks.is_trusted()


def test_a_long_pause_is_no_jump() -> None:
    """However long nobody asks, both clocks have gone on alike."""
    clocks = Clocks()
    clocks.is_trusted()
    clocks.go(90 * 24 * HOUR_S)
    assert clocks.is_trusted()
    assert not clocks.events
