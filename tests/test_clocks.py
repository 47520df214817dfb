"""Cameras whose clocks lie: what is kept, what is said, and that a restart changes nothing."""

import itertools
import os
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.examining import Examined
from framegate.ingest.sweeping import candidates_of
from framegate.keep.delivery import ResultsFolder
from framegate.keep.ledger import Ledger
from framegate.model import Origin
from framegate.pipeline import Pipeline
from oracle import DETECTION, scene_jpeg
from running import Site
from stepping import Stepped

NOON_S = 1_780_000_000
YEAR_S, DAY_S, HOUR_S = 365 * 86_400, 86_400, 3600
PACE = f'{DETECTION}\nkeep_every = "10m"\nmax_kept_per_hour = 3'

LIES: dict[str, Callable[[int], float]] = {
    "1970, standing": lambda _at_s: 1000,
    "1970, running": lambda at_s: 1000 + at_s,
    "a week behind, standing": lambda _at_s: NOON_S - 7 * DAY_S,
    "an hour ahead": lambda at_s: NOON_S + at_s + HOUR_S,
    "2036, standing": lambda _at_s: NOON_S + 10 * YEAR_S,
    "standing since noon": lambda _at_s: NOON_S,
    "a folder a day": lambda at_s: (NOON_S + at_s) // DAY_S * DAY_S,
    "set back": lambda at_s: NOON_S + at_s - (2 * HOUR_S if at_s > 1000 else 0),
    "set right": lambda at_s: 1000 if at_s < 1000 else NOON_S + at_s,
}
"""What a clock says when so many seconds have passed since noon."""


def days_work() -> list[tuple[int, int]]:
    """Return when frames arrive, in seconds since noon, and what each shows: a still scene, then a storm."""
    still = [(at_s, 0) for at_s in range(0, 3000, 20)]
    storm = [(at_s, at_s // 10 % 4) for at_s in range(3000, 3600, 10)]
    return [*still, *storm, *((at_s, 3) for at_s in range(3600, 9000, 60))]


class Life:
    """A pipeline that is killed and begun again after any frame, over frames with given arrivals."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.events: list[LogEvent] = []

    def lay(self, clock: Callable[[int], float]) -> list[int]:
        """Lay the frames, their names in the order of their arrivals; return these in nanoseconds."""
        for number, (at_s, scene) in enumerate(days_work()):
            path = self.site.drop / f"{number:06d}.jpg"
            path.write_bytes(scene_jpeg(scene, number))
            os.utime(path, (clock(at_s),) * 2)
        return [int((NOON_S + at_s) * 1e9) for at_s, _ in days_work()]

    def judge(self, arrivals: list[int | None], begin: int, end: int) -> None:
        """Judge some of the frames in the order in which they came."""
        settings = load(self.site.config).settings
        by_name = sorted(candidates_of(settings), key=lambda candidate: candidate.key.name)
        with closing(Ledger(self.site.state / "ledger.sqlite3")) as ledger:
            results = ResultsFolder(self.site.results)
            pipeline = Pipeline(settings, results, ledger, self.events.append)
            for candidate, arrived_at_ns in list(zip(by_name, arrivals, strict=True))[begin:end]:
                examined = pipeline.examine(replace(candidate, arrived_at_ns=arrived_at_ns))
                assert isinstance(examined, Examined)
                pipeline.conclude(examined)
            pipeline.flush()

    def forget(self) -> None:
        """Begin with empty folders."""
        for folder in (self.site.state, self.site.results):
            shutil.rmtree(folder)
            folder.mkdir()
        self.events = []

    @property
    def reasons(self) -> list[str]:
        return [str(event.entry.reason) for event in self.events if isinstance(event, FrameDecided)]

    def said(self, event: str) -> list[LogEvent]:
        return [each for each in self.events if each.event == event]


@pytest.fixture
def life(site: Site) -> Life:
    site.configure(detection=PACE)
    return Life(site)


@pytest.mark.parametrize("clock", LIES.values(), ids=LIES)
def test_a_lie_changes_no_heartbeat_and_no_storm_for_long(life: Life, clock: Callable[[int], float]) -> None:
    """Heartbeats come each ten minutes and a storm keeps one a minute, as with a clock that is right."""
    arrivals = life.lay(lambda at_s: NOON_S + at_s - 1)
    life.judge([*arrivals], 0, len(arrivals))
    right = life.reasons
    assert not life.said("camera.clock")
    life.forget()
    life.lay(clock)
    life.judge([*arrivals], 0, len(arrivals))
    for reason in ("heartbeat", "storm"):
        assert abs(life.reasons.count(reason) - right.count(reason)) <= 1, reason
    assert right.count("heartbeat") >= 10
    assert right.count("storm") >= 8
    assert len(life.said("camera.clock")) == 1


@pytest.mark.parametrize("clock", [LIES["1970, standing"], LIES["set right"], LIES["standing since noon"]])
def test_a_restart_changes_nothing(life: Life, clock: Callable[[int], float]) -> None:
    """Wherever a life ends, the next one decides, and says, what the first would have."""
    arrivals = life.lay(clock)
    life.judge([*arrivals], 0, len(arrivals))
    expected, said = life.reasons, len(life.said("camera.clock"))
    chance = random.Random(1)
    for _ in range(3):
        life.forget()
        cuts = sorted(chance.sample(range(1, len(arrivals)), 6))
        for begin, end in itertools.pairwise([0, *cuts, len(arrivals)]):
            life.judge([*arrivals], begin, end)
        assert life.reasons == expected, cuts
        assert len(life.said("camera.clock")) == said


def test_without_arrivals_a_clock_is_believed(life: Life) -> None:
    """In a backlog and a scan the times in hand are all there is, and nothing is said of them."""
    arrivals = life.lay(LIES["1970, standing"])
    life.judge([None] * len(arrivals), 0, len(arrivals))
    assert not life.said("camera.clock")
    assert "heartbeat" not in life.reasons


def test_a_backlog_of_a_clock_that_lies_ends(life: Life) -> None:
    """What was kept while arrivals were not known does not hold up heartbeats and storms afterwards."""
    arrivals = life.lay(LIES["1970, standing"])
    known: list[int | None] = [*arrivals]
    known[140:170] = [None] * 30
    life.judge([*known], 0, 170)
    before = life.reasons.count("storm")
    life.judge([*known], 170, len(known))
    assert life.reasons.count("storm") - before >= 5
    assert life.reasons[200:].count("heartbeat") >= 7


def put(site: Site, name: str, scene: int, number: int, mtime_s: float) -> None:
    aside = site.home / "aside"
    aside.write_bytes(scene_jpeg(scene, number))
    os.utime(aside, (mtime_s,) * 2)
    aside.rename(Path(site.drop, name))


def test_the_daemon_says_it_once_and_shows_it(site: Site) -> None:
    """A camera without a clock is logged once, also over a restart, and shown until its clock is right."""
    site.configure(drop='watch = "poll"\nsettle_s = 0.5\npoll_s = 1', detection=PACE)
    daemon = Stepped(site)
    daemon.wall_ns = lambda: int((NOON_S + daemon.now_s) * 1e9)

    def send(numbers: range, clock: Callable[[], float]) -> None:
        for number in numbers:
            put(site, f"{number:04d}.jpg", number % 2, number, clock())
            daemon.go(10)

    daemon.start()
    daemon.go(5)
    send(range(5), lambda: 1000)
    daemon.stop()
    daemon.start()
    send(range(5, 12), lambda: 1000)
    assert daemon.daemon is not None
    assert daemon.daemon._reporting.status().cameras["default"].clock_fault == "behind"
    (said,) = [event for event in daemon.events if event.event == "camera.clock"]
    assert said.fields["fault"] == "behind"
    assert said.fields["captured_at"] == "1970-01-01T00:16:40.000Z"
    assert said.fields["ahead_s"] < -50 * YEAR_S
    assert "storm" in [event.entry.reason for event in daemon.verdicts()]
    send(range(12, 30), lambda: NOON_S + daemon.now_s - 1)
    assert daemon.count("camera.clock") == daemon.count("camera.clock_right") == 1
    assert daemon.daemon._reporting.status().cameras["default"].clock_fault is None
    daemon.stop()


def test_a_ledger_that_is_lost_accuses_no_clock(site: Site) -> None:
    """All frames are judged again, in the order of their capture; the clock that took them was right."""
    site.configure(drop='watch = "poll"\nsettle_s = 0.5\npoll_s = 3600', detection=PACE)
    daemon = Stepped(site)
    daemon.wall_ns = lambda: int((NOON_S + daemon.now_s) * 1e9)

    def send(numbers: range) -> None:
        for number in numbers:
            put(site, f"{number:04d}.jpg", number % 2, number, NOON_S + daemon.now_s - 1)
            daemon.hint(f"{number:04d}.jpg", Origin.MOVED)
            daemon.go(10)

    daemon.start()
    daemon.go(5)
    send(range(20))
    shutil.rmtree(site.state)
    daemon.go(5)
    send(range(20, 36))
    site.state.mkdir()
    send(range(36, 40))
    daemon.go(60)
    again = [event.entry.key.name for event in daemon.verdicts()][-40:]
    assert again == [f"{number:04d}.jpg" for number in range(40)]
    assert daemon.count("camera.clock") == 0
    daemon.stop()


def test_only_what_comes_while_it_runs_has_an_arrival(site: Site) -> None:
    """What lay in the folder at a start has no arrival; what a later sweep finds has just come."""
    site.configure(drop='watch = "poll"\nsettle_s = 0.5\npoll_s = 1')
    put(site, "before.jpg", 0, 1, 1000)
    daemon = Stepped(site)
    daemon.wall_ns = lambda: int((NOON_S + daemon.now_s) * 1e9)
    daemon.start()
    daemon.go(5)
    came_ns = daemon.wall_ns()
    put(site, "live.jpg", 1, 2, 1000)
    daemon.go(5)
    daemon.stop()
    arrivals = {event.entry.key.name: event.entry.arrived_at_ns for event in daemon.verdicts()}
    assert arrivals["before.jpg"] is None
    assert came_ns <= (arrivals["live.jpg"] or 0) <= came_ns + 3 * 10**9
    with closing(Ledger(site.state / "ledger.sqlite3", is_read_only=True)) as ledger:
        kept = ledger.last_of("live.jpg")
        assert kept is not None
        assert kept.arrived_at_ns == arrivals["live.jpg"]
