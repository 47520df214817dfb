from framegate.config.settings import DropSettings
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.events.watch import NamesUnread
from framegate.model import Entry, FileKey, Reason
from framegate.telemetry.unread_names import FIRST, UnreadNames


def drop_settings(**settings: object) -> DropSettings:
    return DropSettings.model_validate({"folder": "/drop", **settings})


def send(unread: UnreadNames, *names: str, camera: str = "default") -> None:
    """Have frames decided."""
    for name in names:
        entry = Entry(FileKey(name, 1, 1), camera, 0, Reason.UNCHANGED, 1, 1)
        unread(FrameDecided(entry, 1.0))


def odd(count: int) -> list[str]:
    return [f"cam_2021-3-6_{number}.jpg" for number in range(count)]


def test_a_pattern_that_reads_no_name_is_one_warning() -> None:
    """After the first 20 unread names of a camera there is one warning, and none for one odd name."""
    said: list[LogEvent] = []
    unread = UnreadNames(
        drop_settings(capture_time="%Y-%m-%d", camera_pattern="(?P<camera>c[0-9]+)"), said.append
    )
    send(unread, *odd(FIRST - 1), camera="a")
    assert said == []
    send(unread, *odd(2 * FIRST), camera="a")
    assert [(event.setting, event.camera) for event in said if isinstance(event, NamesUnread)] == [
        ("drop.capture_time", "a"),
        ("drop.camera_pattern", "a"),
    ]
    send(unread, "c1_2021-03-06.jpg", *odd(2 * FIRST), camera="c1")
    assert len(said) == 2
    assert unread.times.count == unread.cameras.count == FIRST - 1 + 4 * FIRST
    assert unread.times.example == min(odd(2 * FIRST))


def test_an_edit_of_the_pattern_begins_again() -> None:
    """A pattern that was edited and still reads nothing is a second warning; the counts begin at zero."""
    said: list[LogEvent] = []
    unread = UnreadNames(drop_settings(capture_time="%Y-%m-%d"), said.append)
    send(unread, *odd(FIRST))
    unread.retune(drop_settings(capture_time="%Y-%m-%d"))
    assert unread.times.count == FIRST
    unread.retune(drop_settings(capture_time="%Y%m%d"))
    assert unread.times.count == 0
    send(unread, *odd(FIRST))
    assert len(said) == 2


def test_who_asks_for_mtime_hears_nothing() -> None:
    """Where `mtime` is among the sources, and no camera is asked for, every name is right."""
    said: list[LogEvent] = []
    for times in ("mtime", ["%Y-%m-%d", "mtime"]):
        unread = UnreadNames(drop_settings(capture_time=times), said.append)
        send(unread, *odd(2 * FIRST))
        assert unread.times.count == unread.cameras.count == 0
    assert said == []
