import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framegate.config.capture_time import reader_of
from framegate.config.settings import DropSettings
from framegate.ingest.names import NameRules
from framegate.model import FileKey

MTIME_NS = 1_700_000_000_123_456_789
NEW_YORK = "EST5EDT,M3.2.0,M11.1.0"  # written out, so that no tz database is needed


@pytest.fixture(autouse=True)
def local_time() -> Iterator[None]:
    """Five hours west of Greenwich, or four in summer, and as it was afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", NEW_YORK)
        time.tzset()
        yield
    time.tzset()


def _ns(*moment: int, offset_h: float) -> int:
    year, month, day, *time_of_day = moment
    hour, minute, second, microsecond, *_ = [*time_of_day, 0, 0, 0, 0]
    zone = timezone(timedelta(hours=offset_h))
    then = datetime(year, month, day, hour, minute, second, microsecond, zone)
    return (then - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


NAMES = [
    (
        "%Y_%m_%d__%H_%M_%S",
        "c21_2021_03_26__16_44_04.png",
        _ns(2021, 3, 26, 16, 44, 4, offset_h=-4),
    ),
    ("%Y-%m-%d_%H_%M_%S", "2013-02-24_06_15_00.jpg", _ns(2013, 2, 24, 6, 15, offset_h=-5)),
    ("%Y-%m-%d", "lot1/2026-11-23/0001.jpg", _ns(2026, 11, 23, offset_h=-5)),
    ("%Y%m%dT%H%M%S%z", "20130224T061500Z.jpg", _ns(2013, 2, 24, 6, 15, offset_h=0)),
    ("%Y%m%dT%H%M%S%z", "20130224T061500+0530.jpg", _ns(2013, 2, 24, 6, 15, offset_h=5.5)),
    ("%Y%m%dT%H%M%S%z", "20130224T061500-03:00.jpg", _ns(2013, 2, 24, 6, 15, offset_h=-3)),
    ("%y%m%d.%f", "130224.250000.jpg", _ns(2013, 2, 24, 0, 0, 0, 250000, offset_h=-5)),
    ("%Y-%j", "2024-060.jpg", _ns(2024, 2, 29, offset_h=-5)),
    ("%d%b%y_%I%M%p", "lot1 24Feb13_0615PM.jpg", _ns(2013, 2, 24, 18, 15, offset_h=-5)),
    ("100%%_%Y%m%d", "100%_20130224.jpg", _ns(2013, 2, 24, offset_h=-5)),
    ("(%Y.%m.%d)", "lot(2013.02.24).jpg", _ns(2013, 2, 24, offset_h=-5)),
]


@pytest.mark.parametrize(("pattern", "name", "moment"), NAMES, ids=[row[1] for row in NAMES])
def test_a_name_says_when_its_frame_was_taken(pattern: str, name: str, moment: int) -> None:
    """A date in the name is local time, or that of the zone it names."""
    assert reader_of(pattern)(name, MTIME_NS) == moment


@pytest.mark.parametrize(
    ("pattern", "name", "moment"),
    [
        ("epoch_ms", "c23-1616694872510.png", 1_616_694_872_510_000_000),
        ("epoch_s", "c23-1616694872.png", 1_616_694_872_000_000_000),
        ("epoch_s", "0999999999.jpg", 999_999_999_000_000_000),
        ("epoch_ms", "999999999999.jpg", 999_999_999_999_000_000),
    ],
)
def test_a_number_of_seconds_or_milliseconds_is_exact(pattern: str, name: str, moment: int) -> None:
    """A time since the epoch is taken as it is, whatever the time zone."""
    assert reader_of(pattern)(name, MTIME_NS) == moment


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("mtime", "2013-02-24_06_15_00.jpg"),
        ("%Y-%m-%d", "gate.jpg"),
        ("%Y-%m-%d", "2013-02-30.jpg"),
        ("%Y-%m-%d", "9999-99-99.jpg"),
        ("%Y-%m-%d", "0000-01-01.jpg"),
        ("%Y%m%d%H%M%S", "20130224.jpg"),
        ("%Y-%m-%d", "٢٠١٣-٠٢-٢٤.jpg"),
        ("%d%b%Y", "24Foo2013.jpg"),
        ("epoch_s", "c23-1616694872510.png"),
        ("epoch_ms", "c23-1616694872.png"),
        ("epoch_ms", "20130224061500123.jpg"),
        ("epoch_s", "gate.jpg"),
    ],
)
def test_a_name_that_says_no_time_says_nothing(pattern: str, name: str) -> None:
    """Digits that are no date, another length, or no digits at all are no time."""
    assert reader_of(pattern)(name, MTIME_NS) is None


@pytest.mark.parametrize(
    ("pattern", "name", "same_as"),
    [
        ("%Y-%m-%d", "2012-01-01/2013-02-24.jpg", "2013-02-24"),
        ("%Y-%m-%d", "2013-02-24/9999-99-99.jpg", "2013-02-24"),
        ("epoch_s", "1500000000/1616694872.jpg", "1616694872"),
        ("epoch_ms", "1500000000000-1616694872510.jpg", "1616694872510"),
    ],
)
def test_the_last_place_that_fits_counts(pattern: str, name: str, same_as: str) -> None:
    """Of two times in a path the last one is the frame's, passing over digits that are no date."""
    read = reader_of(pattern)
    assert read(same_as, MTIME_NS) is not None
    assert read(name, MTIME_NS) == read(same_as, MTIME_NS)


@pytest.mark.parametrize("name", ["00120210326.jpg", "cam12320210326.jpg"])
def test_digits_before_a_date_do_not_shift_it(name: str) -> None:
    """A counter that stands right before the date does not make another date of it."""
    assert reader_of("%Y%m%d")(name, MTIME_NS) == _ns(2021, 3, 26, offset_h=-4)


def test_a_date_that_stands_twice_does_not_break_the_reader() -> None:
    """A pattern with one directive twice is refused at once, or read; it never breaks at a frame."""
    try:
        read = reader_of("%Y-%m-%d/%Y-%m-%d_%H%M")
    except ValueError:
        return
    assert read("2013-02-24/2013-02-24_0615.jpg", MTIME_NS) == _ns(2013, 2, 24, 6, 15, offset_h=-5)


def test_local_time_follows_the_clock_change() -> None:
    """An hour on the clock in winter and in summer is another hour of the world."""
    read = reader_of("%Y-%m-%d_%H")
    winter, summer = read("2021-03-13_12", MTIME_NS), read("2021-03-14_12", MTIME_NS)
    assert winter is not None
    assert summer is not None
    assert summer - winter == 23 * 3600 * 10**9


AUTUMN = [(minute, offset_h) for offset_h in (-4, -5) for minute in (0, 1, 30, 59)]
"""The first Sunday of November, 2021, from one to two o'clock: first in summer time, then in winter time."""


@pytest.mark.parametrize(("minute", "offset_h"), AUTUMN)
@pytest.mark.parametrize("late_s", [-14 * 60, 0, 5, 20 * 60, 44 * 60])
def test_the_hour_that_comes_twice_is_told_apart_by_the_mtime(
    minute: int, offset_h: int, late_s: int
) -> None:
    """A name of the repeated hour is of the second pass if its file was written then, or later."""
    taken_ns = _ns(2021, 11, 7, 1, minute, offset_h=offset_h)
    read = reader_of("%Y%m%d_%H%M")
    assert read(f"20211107_01{minute:02}.jpg", taken_ns + late_s * 10**9) == taken_ns


def test_frames_of_a_night_with_a_clock_change_are_in_order() -> None:
    """Read by name and mtime, frames from before the repeated hour to after it keep their order."""
    read = reader_of("%Y%m%d_%H%M")
    start_ns = _ns(2021, 11, 7, 0, 0, offset_h=-4)
    moments = [start_ns + minute * 60 * 10**9 for minute in range(0, 240, 5)]
    names = [time.strftime("%Y%m%d_%H%M.jpg", time.localtime(moment // 10**9)) for moment in moments]
    assert len(set(names)) == len(names) - 12
    assert [read(name, moment + 3 * 10**9) for name, moment in zip(names, moments, strict=True)] == moments


@pytest.mark.parametrize("mtime_ns", [0, MTIME_NS, _ns(2021, 3, 14, 2, 30, offset_h=-4)])
def test_the_hour_that_never_comes_is_winter_time(mtime_ns: int) -> None:
    """A camera that nobody has set forward yet goes on in winter time, and its frames stay in order."""
    read = reader_of("%Y%m%d_%H%M")
    assert read("20210314_0230.jpg", mtime_ns) == _ns(2021, 3, 14, 2, 30, offset_h=-5)


@pytest.mark.parametrize(
    ("pattern", "missing"),
    [
        ("%m%d_%H%M%S", [r"no year \(%Y or %y\)"]),
        ("%j_%H%M", [r"no year \(%Y or %y\)"]),
        ("%Y_%d", [r"no month \(%m or %b or %B\)"]),
        ("%b%y", [r"no day \(%d\)"]),
        ("%Y", [r"no month .*", "no day"]),
        ("%H%M%S%f", ["no year .*", "no month .*", "no day"]),
    ],
)
def test_a_pattern_without_a_full_date_is_refused(pattern: str, missing: list[str]) -> None:
    """A pattern that would put every frame into 1900 says which part is missing, and how to write it."""
    with pytest.raises(ValueError, match=f"^'{pattern}' has {' and '.join(missing)}.*as in %Y-%m-%d"):
        reader_of(pattern)


@pytest.mark.parametrize("pattern", ["", "ctime", "%", "%Y-%Q", "%Y-%m-%", "%-d", "%s", "epoch", "Y-m-d"])
def test_what_is_no_pattern_is_refused_with_those_that_are(pattern: str) -> None:
    """A pattern that could never be read is a ValueError that names the choices."""
    with pytest.raises(ValueError, match=r"mtime.*epoch_s.*epoch_ms.*%Y"):
        reader_of(pattern)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),  # noqa: DTZ001 - made UTC by the test
    st.text(alphabet="abcxyz_-/ .", max_size=12),
    st.text(alphabet="abcxyz_-/ .", max_size=12),
)
def test_every_moment_is_read_back_from_a_name(moment: datetime, before: str, after: str) -> None:
    """A time that a camera wrote into any name is the time it wrote, to the microsecond."""
    moment = moment.replace(tzinfo=UTC)
    name = f"{before}{moment:%Y%m%dT%H%M%S.%fZ}{after}"
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert reader_of("%Y%m%dT%H%M%S.%f%z")(name, MTIME_NS) == since_epoch // timedelta(microseconds=1) * 1000


@pytest.mark.parametrize(
    "pattern", ["%Y%m%d", "%Y-%m-%d_%H_%M_%S", "%y%m%d%H%M%S%f", "%d%b%Y", "%y%j", "epoch_s", "epoch_ms"]
)
@given(name=st.text(alphabet="0123456789-_/aJnuZ+", max_size=40))
def test_no_name_breaks_a_reader(pattern: str, name: str) -> None:
    """Any name says a time or none."""
    moment = reader_of(pattern)(name, MTIME_NS)
    assert moment is None or isinstance(moment, int)


ZONES = [
    "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Asuncion", "Australia/Lord_Howe",
    "Australia/Sydney", "Asia/Beirut", "Africa/Cairo", "America/Havana", "Pacific/Apia", "Asia/Kathmandu",
    "CET-1CEST,M3.5.0,M10.5.0/3", "UTC",
]  # fmt: skip
"""North and south, half an hour, changes at midnight, a whole day left out, and a rule without a name."""


ONE_ZONE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_in_every_zone_a_local_time_with_the_mtime_of_its_file_is_read_back() -> None:
    """Each half hour of the days in which clocks are changed, for ten years, is read as it was taken."""
    read = reader_of("%Y%m%d_%H%M%S")
    for day_s in range(1_262_304_000, 1_577_836_800, 86_400):
        offsets = {time.localtime(at_s).tm_gmtoff for at_s in (day_s, day_s + 86_400)}
        for at_s in range(day_s, day_s + 86_400, 1800 if len(offsets) > 1 else 86_400):
            name = time.strftime("%Y%m%d_%H%M%S.jpg", time.localtime(at_s))
            assert read(name, at_s * 10**9 + 3 * 10**9) == at_s * 10**9, name


@pytest.mark.usefixtures("zone")
@ONE_ZONE
@given(st.integers(1_262_304_000, 1_900_000_000), st.integers(-(2**62), 2**62))
def test_in_every_zone_names_tell_the_time_within_an_hour(at_s: int, mtime_ns: int) -> None:
    """With an mtime that tells nothing, a name is read at most one change of clocks off."""
    name = time.strftime("%Y%m%d_%H%M%S.jpg", time.localtime(at_s))
    moment_ns = reader_of("%Y%m%d_%H%M%S")(name, mtime_ns)
    assert moment_ns is not None
    assert abs(moment_ns - at_s * 10**9) in {0, 1800 * 10**9, 3600 * 10**9}


@pytest.mark.usefixtures("zone")
@ONE_ZONE
@given(st.integers(1_262_304_000, 1_900_000_000), st.sampled_from(["+0000", "+05:45", "-0930", "Z"]))
def test_in_every_zone_a_name_with_its_own_zone_needs_no_other(at_s: int, offset: str) -> None:
    """A time with ``%z`` is the same moment wherever it is read."""
    shift_s = 0
    if offset != "Z":
        hours, minutes = offset[1:3], offset[-2:]
        shift_s = (3600 * int(hours) + 60 * int(minutes)) * (-1 if offset[0] == "-" else 1)
    local = datetime.fromtimestamp(at_s + shift_s, UTC)
    assert reader_of("%Y%m%dT%H%M%S%z")(f"{local:%Y%m%dT%H%M%S}{offset}.jpg", 0) == at_s * 10**9


def test_patterns_are_tried_in_order_and_then_the_mtime() -> None:
    """One folder may hold names of several kinds; what none fits has the time of its file."""
    rules = NameRules(DropSettings(folder="drop", capture_time=("%Y_%m_%d__%H_%M_%S", "epoch_ms")))
    taken = [
        rules.captured_at_ns(FileKey(name, 1, MTIME_NS))
        for name in ("c21_2021_03_26__16_44_04.png", "c23-1616694872510.png", "gate.png")
    ]
    assert taken == [_ns(2021, 3, 26, 16, 44, 4, offset_h=-4), 1_616_694_872_510_000_000, MTIME_NS]


@pytest.mark.parametrize(
    ("pattern", "name", "moment_ns"),
    [
        ("epoch_us", "c23-1616694872510123.png", 1_616_694_872_510_123_000),
        ("epoch_ns", "1616694872510123456_c1.jpg", 1_616_694_872_510_123_456),
        ("epoch_us", "c23-1616694872510.png", None),
        ("epoch_ns", "c23-1616694872510123.png", None),
        ("epoch_ms", "c23-1616694872510123.png", None),
    ],
)
def test_finer_times_since_the_epoch_are_read(pattern: str, name: str, moment_ns: int | None) -> None:
    """Micro- and nanoseconds since the epoch are told apart by their digits."""
    assert reader_of(pattern)(name, 0) == moment_ns
