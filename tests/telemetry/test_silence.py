import pytest

from framegate.config.quantities import Duration
from framegate.deadlines import NEVER_S
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.keep.schema import THE_OTHERS
from framegate.model import Entry, FileKey, Reason
from framegate.telemetry.counters import MOST_CAMERAS
from framegate.telemetry.silence import Silence


class Site:
    """Cameras under a clock that the test moves."""

    def __init__(self, *, after: str | None = "15m", known: tuple[str, ...] = ()) -> None:
        self.now_s = 1000.0
        self.said: list[LogEvent] = []
        self.waiting: set[str] = set()
        span = None if after is None else Duration.parse(after)
        self.silence = Silence(span, known, lambda: self.waiting, self._take, lambda: self.now_s)

    def _take(self, event: LogEvent) -> None:
        assert isinstance(event, LogEvent)
        self.said.append(event)

    def frame(self, camera: str) -> None:
        entry = Entry(FileKey("a.jpg", 1, 1), camera, 0, Reason.UNCHANGED, 0, 1)
        self.silence(FrameDecided(entry, 1.0))

    def go(self, seconds: float) -> None:
        """Let time pass; run what is due whenever it is due."""
        end_s = self.now_s + seconds
        while (due_s := self.silence.deadline_s()) <= end_s:
            self.now_s = max(self.now_s, due_s)
            self.silence.run_due(self.now_s)
        self.now_s = end_s

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event.event, event.fields["camera"]) for event in self.said]


def test_a_camera_that_falls_silent_is_said_once_and_its_return_once() -> None:
    """One warning when nothing has come for silent_after, and one line when something comes again."""
    site = Site()
    for _ in range(5):
        site.frame("a")
        site.go(800)
    assert not site.said
    site.go(5000)
    assert site.told == [("camera.silent", "a")]
    assert site.said[0].level == "warning"
    assert site.now_s - site.silence.since_s()["a"] == pytest.approx(5800)
    site.frame("a")
    assert not site.silence.since_s()
    site.go(10)
    assert site.told == [("camera.silent", "a"), ("camera.back", "a")]
    assert site.said[1].fields["silent_s"] == pytest.approx(5800)


def test_a_camera_that_was_known_before_is_expected() -> None:
    """A camera of the last run that never sends in this one is silent as well."""
    site = Site(known=("a",))
    site.go(901)
    assert site.told == [("camera.silent", "a")]


def test_a_camera_whose_frames_wait_is_not_silent() -> None:
    """A full disk holds up frames, and is no fault of the camera's."""
    site = Site(known=("a",))
    site.waiting = {"a"}
    site.go(4000)
    assert not site.said
    site.waiting = set()
    site.go(2000)
    assert site.told == [("camera.silent", "a")]


def test_names_from_outside_do_not_make_the_list_grow() -> None:
    """Only the first 256 cameras are expected to go on; their common name for the others is no camera."""
    site = Site(known=(*(f"c{number}" for number in range(MOST_CAMERAS - 1)), THE_OTHERS))
    for number in range(MOST_CAMERAS + 50):
        site.frame(f"n{number}")
    site.go(5000)
    silent = [camera for _, camera in site.told]
    assert len(silent) == len(set(silent)) == MOST_CAMERAS
    assert THE_OTHERS not in silent
    assert "n0" in silent


def test_the_time_may_be_changed_and_taken_away() -> None:
    """A live edit of silent_after counts from the last frame; without it nothing is said or planned."""
    site = Site(after=None, known=("a",))
    assert site.silence.deadline_s() == NEVER_S
    site.go(5000)
    site.silence.retune(Duration.parse("1h"))
    site.go(1)
    assert site.told == [("camera.silent", "a")]
    site.silence.retune(None)
    assert site.silence.deadline_s() == NEVER_S
