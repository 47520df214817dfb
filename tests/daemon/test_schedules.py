"""A daemon with schedules: by which hour a frame counts, and what an edit of the hours does."""

import time

from oracle import DETECTION, Shot, shot, upload
from running import Site
from stepping import Stepped

HOUR_NS = 3600 * 10**9
POLLED = 'watch = "poll"\nsettle_s = 0.5'


def around_now(now_ns: int) -> str:
    """Return a schedule of the four hours around a time."""
    begin, end = (
        time.strftime("%H:%M", time.localtime((now_ns + hours * HOUR_NS) // 10**9)) for hours in (-2, 2)
    )
    return f'[[schedule]]\nname = "now"\nhours = "{begin}-{end}"\n[schedule.detection]\nkeep_every = "1h"\n'


def taken(number: int, mtime_ns: int) -> Shot:
    one = shot(number, number % 3)
    return Shot(one.name, one.data, mtime_ns, one.scene)


def scheduled(daemon: Stepped) -> list[str | None]:
    return [event.schedule for event in daemon.verdicts()]


def test_a_camera_whose_clock_lies_is_scheduled_by_arrival(site: Site, daemon: Stepped) -> None:
    """Twelve hours ahead, its frames count by when they come; one that comes late, by when it was taken."""
    now_ns = time.time_ns()
    site.configure(drop=POLLED, detection=DETECTION, rest=around_now(now_ns))
    daemon.start()
    upload(taken(1, now_ns - 12 * HOUR_NS), site.drop)
    daemon.go(6)
    for number in (2, 3):
        upload(taken(number, now_ns + 12 * HOUR_NS + number), site.drop)
        daemon.go(6)
    daemon.stop()
    assert scheduled(daemon) == [None, "now", "now"]
    assert daemon.count("camera.clock") == 1


def test_an_edit_that_removes_all_schedules_ends_them(site: Site, daemon: Stepped) -> None:
    """From the next frame on the camera is judged by its own settings, and compares with what it had kept."""
    now_ns = time.time_ns()
    site.configure(drop=POLLED, detection=DETECTION, rest=around_now(now_ns))
    daemon.start()
    upload(taken(1, now_ns), site.drop)
    daemon.go(6)
    site.configure(drop=POLLED, detection=DETECTION)
    assert daemon.daemon is not None
    daemon.daemon.reload()
    upload(taken(2, now_ns + 1), site.drop)
    daemon.go(6)
    daemon.stop()
    assert scheduled(daemon) == ["now", None]
    assert [event.entry.reference for event in daemon.verdicts()][1] == taken(1, 0).name
    assert not daemon.count("reference.lost")
