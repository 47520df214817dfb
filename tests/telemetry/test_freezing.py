import pytest

from framegate.config.quantities import Duration
from framegate.events.base import LogEvent
from framegate.events.frames import CameraFrozen, CameraUnfrozen, FrameDecided
from framegate.model import Entry, FileKey, Reason
from framegate.telemetry.counters import MOST_CAMERAS
from framegate.telemetry.freezing import Freezing

BEGIN_NS = 1_700_000_000 * 10**9
"""2023-11-14, 22:13:20 UTC."""


class Lot:
    """Cameras that send a frame when the test says so, under a clock that it moves."""

    def __init__(self, after: str | None = "1h") -> None:
        self.now_s = 1000.0
        self.said: list[LogEvent] = []
        span = None if after is None else Duration.parse(after)
        self.freezing = Freezing(span, self.said.append, lambda: self.now_s)

    def send(self, reason: Reason, *, camera: str = "a", minutes: float = 10.0, times: int = 1) -> None:
        """Have frames decided, each some minutes after the one before."""
        for _ in range(times):
            self.now_s += 60 * minutes
            decided_at_ns = BEGIN_NS + round((self.now_s - 1000) * 1e9)
            entry = Entry(FileKey("a.jpg", 1, 1), camera, 0, reason, decided_at_ns, 1)
            self.freezing(FrameDecided(entry, 1.0))


def test_a_camera_that_repeats_a_picture_is_said_once_and_its_next_picture_once() -> None:
    """One warning when one picture has come again and again for frozen_after, one line when another comes."""
    lot = Lot()
    lot.send(Reason.CHANGED)
    lot.send(Reason.IDENTICAL, times=5)
    assert not lot.said
    lot.send(Reason.IDENTICAL, times=20)
    assert lot.said == [CameraFrozen("a", "2023-11-14T22:23:20.000Z", 6)]
    assert lot.said[0].level == "warning"
    lot.send(Reason.UNCHANGED, times=3)
    assert lot.said[1:] == [CameraUnfrozen("a", 26 * 600.0, 25)]


@pytest.mark.parametrize("reason", [Reason.UNCHANGED, Reason.CHANGED, Reason.STORM_DROPPED, Reason.MOVED])
def test_a_camera_that_sends_other_pictures_too_is_not_frozen(reason: Reason) -> None:
    """Some repetitions are no trouble: the time counts from the last picture that was not one."""
    lot = Lot()
    for _ in range(20):
        lot.send(Reason.IDENTICAL, times=5)
        lot.send(reason)
    assert not lot.said


@pytest.mark.parametrize("reason", [Reason.HEARTBEAT, Reason.TRUNCATED, Reason.EMPTY])
def test_what_is_no_other_picture_ends_no_repetition(reason: Reason) -> None:
    """A repetition that keep_every keeps, and a broken upload between two repetitions, change nothing."""
    lot = Lot()
    for _ in range(20):
        lot.send(Reason.IDENTICAL, times=2)
        lot.send(reason)
    assert [event.event for event in lot.said] == ["camera.frozen"]
    lot.send(Reason.FIRST)
    assert [event.event for event in lot.said] == ["camera.frozen", "camera.unfrozen"]


def test_a_camera_that_sends_nothing_is_not_frozen() -> None:
    """Hours between two equal pictures make no frozen camera before the second one has come."""
    lot = Lot()
    lot.send(Reason.CHANGED)
    lot.now_s += 20 * 3600
    assert not lot.said
    lot.send(Reason.IDENTICAL)
    assert [event.event for event in lot.said] == ["camera.frozen"]


def test_cameras_freeze_apart() -> None:
    """One camera's pictures say nothing of another's."""
    lot = Lot()
    for _ in range(10):
        lot.send(Reason.IDENTICAL, camera="a", minutes=5)
        lot.send(Reason.UNCHANGED, camera="b", minutes=5)
    assert [event.fields["camera"] for event in lot.said] == ["a"]
    assert lot.freezing.since_s() == {"a": 1300.0}


def test_the_time_may_be_changed_and_taken_away() -> None:
    """A live edit of frozen_after counts from the last other picture; without it nothing is said."""
    lot = Lot(after=None)
    lot.send(Reason.IDENTICAL, times=100)
    assert not lot.said
    lot.freezing.retune(Duration.parse("2h"))
    lot.send(Reason.IDENTICAL)
    assert [event.event for event in lot.said] == ["camera.frozen"]
    lot.freezing.retune(None)
    lot.send(Reason.IDENTICAL, camera="b", times=100)
    assert len(lot.said) == 1


def test_names_from_outside_do_not_make_the_list_grow() -> None:
    """Only so many cameras are followed; the others are never called frozen."""
    lot = Lot()
    for _ in range(2):
        for number in range(MOST_CAMERAS + 50):
            lot.send(Reason.IDENTICAL, camera=f"c{number}", minutes=1)
    assert len(lot.said) == MOST_CAMERAS
