"""What [[schedule]] takes and refuses, and which one counts at which hour."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.docs import changes_between, effective_values
from framegate.config.load import Config, parse
from framegate.config.schedule import WEEKDAYS, Hours, local_clock
from framegate.config.settings import Settings
from framegate.errors import ConfigError

HEAD = 'version = 1\n[drop]\nfolder = "/d"\n[results]\nfolder = "/r"\n[state]\nfolder = "/s"\n'
CLASSIC = '[camera.c2.detection]\npreset = "classic"\nmin_contour_area = "500px"\nscore_threshold = "2%"\n'
NIGHT = '[[schedule]]\nname = "night"\nhours = "20:00-06:00"\n'
SATURDAY = 'weekdays = ["sat"]\n'
OTHER = '[schedule.detection]\nscore_threshold = "4x"\n'
DAYS = ('["Monday", "SAT", "sun"]', '"Friday"')
ZONE = '[[schedule.detection.zone]]\nname = "gate"\npolygon = [[0, 0], [1, 0], [1, 1]]\n'


def loaded(text: str) -> Config:
    return parse(Path("/etc/site.toml"), (HEAD + text).encode())


def at(moment: str) -> int:
    """Return a local time as nanoseconds since the epoch; ``fold`` is given as ``+``."""
    return (
        int(datetime.fromisoformat(moment.rstrip("+")).replace(fold=moment.endswith("+")).timestamp()) * 10**9
    )


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        (
            NIGHT.replace("06:00", "26:00") + OTHER,
            "schedule.night.hours.0",
            "a day has the hours 00:00-24:00",
        ),
        (
            NIGHT.replace("06:00", "20:00") + OTHER,
            "schedule.night.hours.0",
            "for the whole day leave hours out",
        ),
        (NIGHT.replace("20:00-06", "00:00-24") + OTHER, "schedule.night", "hours that are not the whole day"),
        (NIGHT.replace("-06:00", "") + OTHER, "schedule.night.hours.0", 'write hours as "20:00-06:00"'),
        (NIGHT.replace('"20:00-06:00"', "20") + OTHER, "schedule.night.hours", "not 20"),
        (NIGHT.replace('"20:00-06:00"', "[]") + OTHER, "schedule.night.hours", "must not be empty"),
        (
            NIGHT + 'weekdays = ["so", "Mon", "mo", 3]\n' + OTHER,
            "schedule.night.weekdays",
            "sun, not 'so', 'mo', 3",
        ),
        (NIGHT + "weekdays = []\n" + OTHER, "schedule.night.weekdays", "must not be empty"),
        (NIGHT + "cameras = []\n" + OTHER, "schedule.night.cameras", "must not be empty"),
        (NIGHT + "days = []\n" + OTHER, "schedule.night.days", "unknown key"),
        (NIGHT + OTHER.split("\n")[1] + "\n", "schedule.night.score_threshold", "below [schedule.detection]"),
        (NIGHT, "schedule.night.detection", "is required"),
        (NIGHT + "[schedule.detection]\n", "schedule.night.detection", "sets nothing"),
        ('[[schedule]]\nname = "all"\n' + OTHER, "schedule.all", "at every hour of every day"),
        (2 * (NIGHT + OTHER), "schedule", "2 schedules are named 'night'"),
        (NIGHT + OTHER.replace("4x", "4%"), "schedule.night.detection.score_threshold", 'takes "2.3x"'),
        (NIGHT + OTHER + "blur = 3\n", "schedule.night.detection.blur", 'is not used by preset = "adaptive"'),
        (
            NIGHT + OTHER + 'preset = "classic"\n',
            "schedule.night.detection.preset",
            "cannot change by the hour",
        ),
        (NIGHT + OTHER + "working_height = 9\n", "schedule.night.detection.working_height", "by the hour"),
        (
            NIGHT + OTHER + ZONE + 'score_threshold = "1%"\n',
            "schedule.night.detection.zone.gate.score_threshold",
            "2.3x",
        ),
        (CLASSIC + NIGHT + OTHER, "schedule.night.detection", "name those of one preset in `cameras`"),
        (
            CLASSIC + NIGHT + 'cameras = "c2"\n' + OTHER,
            "schedule.night.detection.score_threshold",
            'takes "2%"',
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(lines: str, key: str, words: str) -> None:
    """Hours, weekdays, names, and each setting by the preset of the cameras that it may be for."""
    with pytest.raises(ConfigError) as refusal:
        loaded(lines)
    problems = {problem.key: problem for problem in refusal.value.problems}
    assert words in problems[key].message
    assert (problems[key].line or 0) > HEAD.count("\n")


def test_weekdays_are_read_as_people_write_them() -> None:
    """In upper case, and with their full English names; one alone needs no brackets."""
    assert [
        loaded(NIGHT + f"weekdays = {days}\n" + OTHER).settings.schedule[0].weekdays for days in DAYS
    ] == [
        ("mon", "sat", "sun"),
        ("fri",),
    ]


def test_what_a_schedule_sets_comes_before_the_camera_and_that_before_the_rest() -> None:
    """What it does not set is as it is for the camera; it is for all cameras, or for those it names."""
    night = NIGHT + 'cameras = ["c2", "c3"]\n[schedule.detection]\nkeep_every = "1h"\nignore = []\n'
    general = '[detection]\nmax_kept_per_hour = 9\nkeep_every = "2h"\n'
    settings = loaded(general + CLASSIC + night).settings
    at_night = at("2026-11-25T23:00:00")
    assert [settings.schedule_at(camera, at_night) for camera in ("c1", "c2", "c3")] == [
        None,
        "night",
        "night",
    ]
    c2 = settings.detection_of("c2", "night")
    assert (c2.preset_name, str(c2.score_threshold), str(c2.keep_every)) == ("classic", "2%", "1h")
    assert settings.detection_of("c3", "night").max_kept_per_hour == 9
    assert str(settings.detection_of("c2").keep_every) == "2h"
    assert {str(each.keep_every) for each in settings.detections()} == {"1h", "2h"}


def test_settings_with_a_schedule_are_read_back_from_the_ledger() -> None:
    """Saved as a revision they are the same settings again, and ``config`` shows what is set, and where."""
    config = loaded(
        CLASSIC + NIGHT + SATURDAY + "cameras = 'c1'\n" + OTHER + ZONE + 'score_threshold = "1x"\n'
    )
    saved = json.dumps(config.settings.model_dump(mode="json", by_alias=True))
    assert Settings.model_validate(json.loads(saved)) == config.settings
    shown = {key: (value, origin) for key, value, origin in effective_values(config)}
    assert shown["schedule.night.hours"] == (["20:00-06:00"], "file")
    assert shown["schedule.night.detection.score_threshold"] == ("4x", "file")
    assert "schedule.night.detection.keep_every" not in shown
    line = config.line_of("schedule.night.detection.score_threshold")
    assert config.text.split("\n")[(line or 0) - 1] == 'score_threshold = "4x"'
    assert changes_between(loaded(""), loaded(NIGHT + OTHER)) == {
        "schedule.night.hours": (None, ["20:00-06:00"]),
        "schedule.night.detection.score_threshold": (None, "4x"),
    }


def test_the_first_schedule_that_fits_counts() -> None:
    """Hours over midnight belong to the day on which they begin; where two fit, the first counts alone."""
    weekend = NIGHT.replace("night", "weekend").replace("20:00-06:00", "00:00-24:00") + SATURDAY
    settings = loaded(NIGHT + SATURDAY + OTHER + weekend + OTHER).settings
    counted = {
        "2026-11-27T23:00:00": None,  # a Friday
        "2026-11-28T05:59:59": "weekend",  # this night began on Friday
        "2026-11-28T19:59:59": "weekend",
        "2026-11-28T20:00:00": "night",
        "2026-11-29T05:59:59": "night",
        "2026-11-29T06:00:00": None,
        "2026-11-29T23:00:00": None,
    }
    assert {moment: settings.schedule_at("c1", at(moment)) for moment in counted} == counted


@given(st.integers(0, 6), st.integers(0, 86_399), st.integers(0, 1439), st.integers(1, 1439))
def test_hours_lie_between_their_ends(weekday: int, second: int, begin: int, minutes: int) -> None:
    """Of any moment it is known on which day the hours began that it lies in, as by counting back."""
    ends = (
        f"{begin // 60:02}:{begin % 60:02}",
        f"{(begin + minutes) // 60 % 24:02}:{(begin + minutes) % 60:02}",
    )
    hours = Hours.parse("-".join(ends))
    assert Hours.parse(str(hours)) == hours
    since_s = (second - 60 * begin) % 86_400
    begun_on = weekday if since_s <= second else (weekday - 1) % 7
    assert hours.begun_on(weekday, second) == (begun_on if since_s < 60 * minutes else None)


@pytest.fixture(params=["Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_when_clocks_are_changed_the_clock_on_the_wall_counts(zone: str) -> None:
    """An hour that comes twice counts twice; of hours that begin in one left out, the rest counts."""
    spring, autumn, first = (
        ("2026-03-29", "2026-10-25", 2) if zone == "Europe/Berlin" else ("2026-03-08", "2026-11-01", 1)
    )
    hours = f'hours = ["0{first}:30-0{first + 2}:00"]\n'
    settings = loaded(NIGHT.replace('hours = "20:00-06:00"\n', hours) + OTHER).settings

    def counts(begin_ns: int) -> str:
        """Return for each quarter of six hours whether it counts."""
        quarters = (begin_ns + 900 * 10**9 * number for number in range(24))
        return "".join("x" if settings.schedule_at("c", each) else "." for each in quarters)

    usual = 4 * first + 2
    assert counts(at("2026-06-10T00:00:00")) == "." * usual + 6 * "x" + "." * (18 - usual)
    skips_all_before = 2 if zone == "Europe/Berlin" else 6  # there the hour after 2:00 is left out
    in_spring = counts(at(f"{spring}T00:00:00"))
    assert in_spring.count("x") == (4 if zone == "Europe/Berlin" else skips_all_before - 4)
    in_autumn = counts(at(f"{autumn}T00:00:00"))
    assert in_autumn.count("x") == 6 + 2
    assert "x..x" in in_autumn, "the half hour before clocks are set back counts, and again"


def test_any_time_has_an_hour() -> None:
    """Also one that no calendar holds, as an mtime may be."""
    for time_ns in (-(2**80), -(2**63), 0, 2**63, 2**80):
        weekday, second = local_clock(time_ns)
        assert weekday in range(len(WEEKDAYS))
        assert second in range(86_400)
