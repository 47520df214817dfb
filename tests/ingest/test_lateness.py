import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.ingest.lateness import LEAST_IN_A_RUN, Lateness
from framegate.model import MINUTE_NS

NOON_NS = 1_700_000_000 * 10**9
HOUR_NS = 60 * MINUTE_NS


def late_ones(times: list[tuple[int, int]], lateness: Lateness | None = None) -> list[bool]:
    """Judge frames, given as seconds of capture and of arrival after noon; return which are late."""
    lateness = lateness or Lateness()
    return [
        lateness.follow(NOON_NS + captured_s * 10**9, NOON_NS + arrived_s * 10**9)
        for captured_s, arrived_s in times
    ]


def live(first_s: int, count: int, every_s: int = 10, clock_off_s: int = 0) -> list[tuple[int, int]]:
    """Return the times of a camera that takes and sends a frame every few seconds."""
    return [(first_s + n * every_s + clock_off_s, first_s + n * every_s) for n in range(count)]


@given(st.lists(st.integers(-10, 10), max_size=20))
def test_late_is_what_was_taken_before_the_newest(captured_s: list[int]) -> None:
    """In a folder that is copied within seconds, exactly the frames older than one before them are late."""
    expected = [any(other > mine for other in captured_s[:at]) for at, mine in enumerate(captured_s)]
    assert late_ones([(mine, 0) for mine in captured_s]) == expected


def test_frames_of_one_moment_are_not_late() -> None:
    """Cameras that count seconds take several frames in one: none of them is late."""
    assert late_ones([(0, 0), (0, 1), (0, 2)]) == [False] * 3


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(live(0, 20) + live(200, 100, clock_off_s=-7200), id="clock-set-back"),
        pytest.param([(400_000_000, 0), *live(10, 100)], id="one-frame-of-2036"),
        pytest.param(
            live(0, 20) + [(-1_700_000_000, n) for n in range(200, 600, 4)], id="clock-stands-still"
        ),
        pytest.param(
            live(0, 20) + live(200, 60, every_s=600, clock_off_s=-86400), id="a-frame-in-ten-minutes"
        ),
        pytest.param(live(0, 20) + live(200, 600, every_s=1, clock_off_s=-3600), id="a-frame-a-second"),
    ],
)
def test_a_clock_that_was_set_is_late_for_a_minute_only(times: list[tuple[int, int]]) -> None:
    """A camera whose times fall back is late for five frames, or for the frames of a minute, not for ever."""
    late = late_ones(times)
    last = max(at for at, is_late in enumerate(late) if is_late)
    first = late.index(True)
    assert all(late[first : last + 1])
    took_s = times[last][1] - times[first][1]
    assert last - first < LEAST_IN_A_RUN or took_s <= 60
    assert len(late) - last > LEAST_IN_A_RUN


def test_the_clock_may_be_right_again() -> None:
    """When the clock is set right, its first frame is newer than all others, and so none is late."""
    wrong = live(200, 30, clock_off_s=-7200)
    assert not any(late_ones(live(0, 20) + wrong + live(500, 30))[-30:])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("every_s", [10, 60])
def test_all_of_a_copied_folder_are_late(seed: int, every_s: int) -> None:
    """However long copying an old folder takes, in random order or its own, each of its frames is late."""
    old = [-86400 + n * every_s for n in range(500)]
    random.Random(seed).shuffle(old)
    assert all(late_ones([(0, 0), *((captured_s, n) for n, captured_s in enumerate(old))])[1:])
    in_its_order = [(captured_s, n // 2) for n, captured_s in enumerate(sorted(old))]
    assert all(late_ones([(0, 0), *in_its_order])[1:])


def test_a_short_copy_as_quick_as_the_camera_is_late() -> None:
    """Frames that were taken one a second, and are copied at that pace within a minute, are all late."""
    assert all(late_ones([(0, 0), *live(1, 59, every_s=1, clock_off_s=-3600)])[1:])


@given(st.lists(st.tuples(st.integers(-400, 400), st.integers(0, 400)), max_size=40), st.integers(0, 40))
def test_a_restart_changes_nothing(times: list[tuple[int, int]], at: int) -> None:
    """A camera that is put away and restored at any frame finds the same frames late."""
    times = sorted(times, key=lambda pair: pair[1])
    before, after = Lateness(), Lateness()
    first = late_ones(times[:at], before)
    after.restore(before.saved())
    assert first + late_ones(times[at:], after) == late_ones(times)


@pytest.mark.parametrize(
    "damaged",
    ["", "null", "[]", "[1]", "[1, [1, 2]]", "[1.5, null]", '["a", null]', "[true, null]", "[1, 2]"],
)
def test_damage_is_forgotten(damaged: str) -> None:
    """What cannot be read is as if no frame had been judged before."""
    lateness = Lateness()
    lateness.restore(damaged)
    assert not lateness.follow(5, 0)
    assert lateness.newest_ns == 5


def test_a_time_that_is_set_after_the_upload_counts() -> None:
    """FTP clients set a file's time when it was judged: what is newest follows it."""
    lateness = Lateness()
    lateness.follow(100, 0)
    lateness.renew(100, 10)
    assert not lateness.follow(20, 0)
    lateness.renew(10, 30)
    assert not lateness.follow(20, 0)
