"""A day is what a camera records of one: what rates and targets refer to."""

import pytest

from framegate.tune.recorded_time import HOUR_NS, recorded_time


@pytest.mark.parametrize(
    ("hours", "days", "is_short"),
    [
        ([h / 2 for h in range(96)], 2.0, False),  # day and night
        ([h / 6 for h in range(2)], 1.0, True),
        ([d * 24 + 8 + h / 6 for d in range(3) for h in range(60)], 3.0, False),  # by day alone
        ([d * 24 + 20 + h / 6 for d in range(3) for h in range(60)], 3.0, False),  # by night, over midnight
        ([d * 24 + 8 + h / 6 for d in (0, 6) for h in range(60)], 2.0, False),  # five days without a frame
        (
            [d * 24 + 8 + h / 6 for d, n in ((0, 60), (1, 3), (2, 60)) for h in range(n)],
            3.0,
            False,
        ),  # a quiet day
        ([12 + h / 6 for h in range(144)], 1.0, False),
        ([8 + h / 6 for h in range(60)] + [32 + h / 6 for h in range(15)], 1.25, False),  # a second has begun
        ([20 + h / 2 for h in range(64)], 1.333, False),  # two midnights in 32 hours
        ([5.0], 1.0, True),
        ([5.0, 5.0, 5.0], 1.0, True),
    ],
)
def test_days_are_those_that_were_recorded(hours: list[float], days: float, *, is_short: bool) -> None:
    """A night without frames belongs to its day, days without frames do not count, edges by their share."""
    found = recorded_time([round(hour * HOUR_NS) for hour in hours])
    assert found.days == pytest.approx(days, rel=1e-3)
    assert found.is_short == is_short


def test_hours_are_those_between_the_first_and_the_last_frame_of_each_day() -> None:
    """Ten hours on each of three days are thirty; frames that have one time have none."""
    ten_hours = [d * 24 + 8 + h / 6 for d in range(3) for h in range(60)]
    assert recorded_time([round(hour * HOUR_NS) for hour in ten_hours]).hours == pytest.approx(30)
    assert recorded_time([7, 7]).hours == 0
