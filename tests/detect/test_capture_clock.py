"""Clocks that lie, and uploads that only come late: seconds are of arrivals since noon of a day in 2026."""

import json
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.detect.judging.capture_clock import CaptureClock, ClockFault
from framegate.model import Moment

NOON_NS = 1_780_000_000 * 10**9
MINUTE_S, HOUR_S, DAY_S, YEAR_S = 60, 3600, 86_400, 365 * 86_400

Times = list[tuple[float, float]]
"""Of each frame: when it arrived and when it was captured, in seconds."""


def moment(arrived_s: float, captured_s: float) -> Moment:
    return Moment(NOON_NS + int(captured_s * 1e9), NOON_NS + int(arrived_s * 1e9))


def clock_after(times: Iterable[tuple[float, float]], clock: CaptureClock | None = None) -> CaptureClock:
    clock = clock or CaptureClock()
    for each in times:
        clock = clock.after(moment(*each))
    return clock


def faults_of(times: Iterable[tuple[float, float]]) -> list[ClockFault | None]:
    """Return every change of what is wrong."""
    clock = CaptureClock()
    faults: list[ClockFault | None] = [None]
    for each in times:
        clock = clock.after(moment(*each))
        if clock.fault is not faults[-1]:
            faults.append(clock.fault)
    return faults[1:]


def live(seconds: int, every: float = 5, *, off: float = 0.5, begin: float = 0) -> Times:
    """Return the times of a camera whose clock runs, and is off by so much."""
    return [(begin + at * every, begin + at * every - off) for at in range(int(seconds / every))]


def shuffled(times: Times, every: float, seed: int = 1) -> Times:
    """Return frames that were captured at these times, and are copied in any order."""
    captured = [at for _, at in times]
    random.Random(seed).shuffle(captured)
    return [(number * every, at) for number, at in enumerate(captured)]


TRUE: dict[str, Times] = {
    "live": live(HOUR_S),
    "a frame an hour": live(30 * DAY_S, HOUR_S),
    "a minute's upload": live(HOUR_S, off=70),
    "drift of ten minutes": live(HOUR_S, off=-600),
    "names with minutes alone": [(at, at // 60 * 60) for at in range(0, HOUR_S, 7)],
    "a network that failed for an hour": [
        *live(600),
        *[(4200 + at / 10, 600 + 5.0 * at) for at in range(720)],
        *live(600, begin=4300),
    ],
    "a trail camera that sends three days at once": [
        *[(at * 4.0, at * 400 - 3 * DAY_S) for at in range(640)],
        *live(600, begin=2600),
    ],
    "a trail camera that sends yesterday, each day": [
        (day * DAY_S + at * 6.0, day * DAY_S + at * 900 - 1.5 * DAY_S) for day in range(4) for at in range(96)
    ],
    "last week, copied in any order": shuffled(live(DAY_S, 60, begin=-7 * DAY_S), 0.5),
    "last week, copied in order": [(at * 0.5, at * 60 - 7 * DAY_S) for at in range(1440)],
    "footage of another decade": [(at * 0.3, at * 300 - 14 * YEAR_S) for at in range(500)],
    "one frame of last week among others": [*live(300), (301, -7 * DAY_S), *live(300, begin=302)],
    "an hour of this day, copied in any order": shuffled(live(HOUR_S, 2, begin=-2 * HOUR_S), 0.3),
    "each frame twice": [each for each in live(HOUR_S, 10) for _ in range(2)],
    "frames of twenty seconds, sent within five minutes": [(at * 3.0, at * 0.2 - 30) for at in range(100)],
}


@pytest.mark.parametrize("times", TRUE.values(), ids=TRUE)
def test_late_uploads_are_no_lies(times: Times) -> None:
    """A clock that is right is never doubted, however late and in whatever order its frames come."""
    assert faults_of(times) == []


LYING: dict[str, tuple[ClockFault, float, Times]] = {
    "1970, standing": (ClockFault.BEHIND, 5, [(at, -56.0 * YEAR_S) for at in range(0, 60, 5)]),
    "1970, running": (ClockFault.BEHIND, 5, live(60, off=56 * YEAR_S)),
    "2000, again at each start": (
        ClockFault.BEHIND, 10, [(at, at % 4 - 26.0 * YEAR_S) for at in range(0, 60, 5)],
    ),
    "a week behind": (ClockFault.BEHIND, 60, live(200, off=7 * DAY_S)),
    "a week behind, and standing": (ClockFault.BEHIND, 60, [(at, -7.0 * DAY_S) for at in range(0, 200, 5)]),
    "half an hour ahead": (ClockFault.AHEAD, 0, live(60, off=-30 * MINUTE_S)),
    "2036, standing": (ClockFault.AHEAD, 0, [(at, 10.0 * YEAR_S) for at in range(0, 60, 5)]),
    "standing since noon": (ClockFault.STANDS_STILL, 120, [(at, 0.0) for at in range(0, 300, 5)]),
    "numbered frames in a day's folder": (
        ClockFault.STANDS_STILL, 120, [(at, -8.0 * HOUR_S) for at in range(0, 300, 5)],
    ),
    "set back by two hours": (ClockFault.SET_BACK, 720, [*live(600), *live(600, off=2 * HOUR_S, begin=600)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LYING)
def test_a_clock_that_lies_is_found(name: str) -> None:
    """A clock that stands still, is ahead, days behind or set back is doubted soon, and once."""
    fault, within_s, times = LYING[name]
    assert faults_of(times)[:1] == [fault]
    assert clock_after(at for at in times if at[0] <= within_s).fault is fault


@pytest.mark.parametrize("name", [name for name in LYING if "set back" not in name])
def test_a_clock_that_is_set_right_is_trusted_again(name: str) -> None:
    """Two minutes after its clock was set, at the latest, a camera's capture times measure again."""
    fault, _, times = LYING[name]
    later = live(600, begin=1000)
    assert faults_of([*times, *later]) == [fault, None]
    assert clock_after(times).fault is fault
    assert clock_after([*times, *(each for each in later if each[0] <= 1125)]).fault is None


def test_a_clock_that_was_set_back_is_right_when_it_runs() -> None:
    """The new time of a clock that was set back counts: it need not catch up with the old one."""
    times = [*live(600), *live(3600, off=2 * HOUR_S, begin=600)]
    assert faults_of(times) == [ClockFault.SET_BACK, None]


def test_a_day_folder_is_doubted_once_and_not_each_midnight() -> None:
    """Numbered frames in a folder for each day are measured by arrival, for ever."""
    days = [(at, at // DAY_S * DAY_S) for at in range(0, 6 * DAY_S, 37)]
    assert faults_of(days) == [ClockFault.STANDS_STILL]


def test_drift_about_the_limit_does_not_flip() -> None:
    """A clock that drifts past a quarter of an hour, with uploads that jitter, is doubted once."""
    chance = random.Random(3)
    times = [(at, at + 880 + at / 5000 + chance.uniform(-8, 8)) for at in range(0, 3 * DAY_S, 60)]
    assert faults_of(times) == [ClockFault.AHEAD]


def test_what_elapsed_is_by_capture_where_that_is_true() -> None:
    """While a clock is right, capture times measure, however late a frame arrives."""
    times = [*live(600), (4000, 610)]
    clock = clock_after(times)
    assert clock.elapsed_ns(moment(*times[0]), moment(*times[-1])) == int(610.5 * 1e9)


def test_what_elapsed_is_by_arrival_where_capture_lies() -> None:
    """As soon as a clock is doubted, also what came before is measured by arrivals."""
    times = [(at, -56.0 * YEAR_S) for at in range(0, 100, 10)]
    assert clock_after(times).elapsed_ns(moment(*times[0]), moment(*times[-1])) == 90 * 10**9


def test_what_elapsed_since_a_lie_is_by_arrival_when_the_clock_is_right() -> None:
    """That a clock was set from 1970 to now is no half century without a frame."""
    lies = [(at, -56.0 * YEAR_S) for at in range(0, 100, 10)]
    clock = clock_after([*lies, *live(600, begin=200)])
    assert clock.fault is None
    assert clock.elapsed_ns(moment(*lies[-1]), moment(795, 794.5)) == 705 * 10**9


def test_a_backlog_has_no_arrival() -> None:
    """Frames without arrival show nothing; with a clock that lies, they count as arrived with the next."""
    lies = [(at, -56.0 * YEAR_S) for at in range(0, 100, 10)]
    clock = clock_after(lies)
    backlog = Moment(NOON_NS - 56 * YEAR_S * 10**9)
    for _ in range(50):
        clock = clock.after(backlog)
    assert clock.fault is ClockFault.BEHIND
    first, later = moment(5000, -56 * YEAR_S), moment(5100, -56 * YEAR_S)
    assert clock.after(first).elapsed_ns(backlog, first) == 0
    assert clock.after(first).after(later).elapsed_ns(backlog, later) == 100 * 10**9


def test_a_scan_doubts_no_clock() -> None:
    """Without arrivals the times in hand are all there is."""
    clock, before = CaptureClock(), CaptureClock()
    for at in (0, 0, -56 * YEAR_S, 10 * YEAR_S):
        clock = clock.after(Moment(NOON_NS + at * 10**9))
    assert clock == before
    assert clock.elapsed_ns(Moment(5), Moment(3)) == -2


def test_a_machine_that_does_not_know_the_time_yet_doubts_no_camera() -> None:
    """Until a time server has set a clock that begins in 1970, arrivals tell nothing."""
    clock = CaptureClock()
    for at in range(10):
        clock = clock.after(Moment(NOON_NS + at, at * 10**9))
    assert clock.after(moment(20, 19)).fault is None


def test_a_machine_whose_clock_is_set_back_measures_on() -> None:
    """After the machine's own clock was set back, arrivals count from the first one by the new time."""
    lies = [(at + 5 * HOUR_S, -56.0 * YEAR_S) for at in range(0, 100, 10)]
    clock = clock_after([*lies, *((at, -56.0 * YEAR_S) for at in range(100, 200, 10))])
    assert clock.elapsed_ns(moment(*lies[0]), moment(190, -56 * YEAR_S)) == 90 * 10**9


ARRIVALS = st.none() | st.integers(-(10**6), 10**6) | st.sampled_from([0, 60, 120, 86_400, 10**9, -(10**9)])


@given(st.lists(st.tuples(st.integers(-(2 * 10**9), 10**9), ARRIVALS), max_size=40), st.data())
def test_a_clock_comes_back_as_it_was_saved(steps: list[tuple[int, int | None]], data: st.DataObject) -> None:
    """Saved and restored after any frame, a clock goes on exactly as it would have."""
    cut = data.draw(st.integers(0, len(steps)))
    moments = [
        Moment(NOON_NS + captured * 10**9, None if arrived is None else NOON_NS + arrived * 10**9)
        for captured, arrived in steps
    ]
    clock = again = CaptureClock()
    for number, each in enumerate(moments):
        if number == cut:
            again = CaptureClock.restored(json.loads(json.dumps(again.saved())))
        clock, again = clock.after(each), again.after(each)
        assert (again, again.elapsed_ns(moments[0], each)) == (clock, clock.elapsed_ns(moments[0], each))
