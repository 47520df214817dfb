"""Times in names that lack the zeros in front, as in ``cam_2021-3-6_9-4-0.jpg``."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.capture_time import reader_of

MTIME_NS = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("pattern", "name", "padded"),
    [
        ("%Y-%m-%d_%H-%M-%S", "cam_2021-3-6_9-4-0.jpg", "2021-03-06_09-04-00"),
        ("%Y-%m-%d_%H-%M-%S", "cam_2021-3-16_9-14-50.jpg", "2021-03-16_09-14-50"),
        ("%Y-%m-%d-%H-%M-%S", "2014-9-8-12-00-00.jpg", "2014-09-08-12-00-00"),
        ("%Y/%m/%d/%H.%M.%S", "2021/12/6/9.04.30.jpg", "2021/12/06/09.04.30"),
        ("%m-%d-%Y %I.%M.%S %p", "TC1 3-6-2021 9.04.07 PM.JPG", "03-06-2021 09.04.07 PM"),
        ("%d.%m.%y", "6.3.21.jpg", "06.03.21"),
        ("%Y%m%d_%H-%M", "20210306_9-4.jpg", "20210306_09-04"),
    ],
)
def test_a_missing_zero_in_front_is_no_hindrance(pattern: str, name: str, padded: str) -> None:
    """Months, days and times of day of one digit are read where no other digit stands beside them."""
    read = reader_of(pattern)
    assert read(padded, MTIME_NS) is not None
    assert read(name, MTIME_NS) == read(padded, MTIME_NS)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("%Y%m%d", "2021306.jpg"),
        ("%Y%m%d", "2021-3-6.jpg"),
        ("%Y-%m-%d", "2021-3-678.jpg"),
        ("%Y-%m-%d", "2021-123-6.jpg"),
        ("%y-%m-%d", "1-3-6.jpg"),
        ("%Y-%m-%d_%H%M", "2021-3-6_904.jpg"),
        ("%Y-%j", "2021-6.jpg"),
    ],
)
def test_a_missing_zero_that_makes_the_date_ambiguous_is_not_guessed(pattern: str, name: str) -> None:
    """Where digits could be divided in several ways, or are those of another number, there is no time."""
    assert reader_of(pattern)(name, MTIME_NS) is None


@pytest.mark.parametrize(
    ("pattern", "name", "same_as"),
    [
        ("%y-%m-%d", "26-11-26_09-30-11-1.jpg", "26-11-26"),
        ("%m-%d-%Y", "111-26-2026.jpg", "11-26-2026"),
        ("%Y-%m-%d", "2021-12-06/2020-1-1.jpg", "2021-12-06"),
    ],
)
def test_a_time_with_both_digits_goes_before_one_without(pattern: str, name: str, same_as: str) -> None:
    """A number that could be an unpadded date does not displace a padded one."""
    read = reader_of(pattern)
    assert read(same_as, MTIME_NS) is not None
    assert read(name, MTIME_NS) == read(same_as, MTIME_NS)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)), st.sampled_from(["cam", "cam7_", "a/b-"]))  # noqa: DTZ001 - made UTC by the test
def test_every_unpadded_moment_is_read_back(moment: datetime, before: str) -> None:
    """A time written without zeros in front is the time that was written, to the second."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    name = (
        f"{before}{moment:%Y}-{moment.month}-{moment.day}_{moment.hour}-{moment.minute}-{moment.second}Z.jpg"
    )
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    read_ns = reader_of("%Y-%m-%d_%H-%M-%S%z")(name, MTIME_NS)
    assert read_ns == since_epoch // timedelta(microseconds=1) * 1000
