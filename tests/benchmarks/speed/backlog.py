"""How the daemon works off many small frames: those that wait at its start, and new ones that keep coming."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.speed.options import Options
from benchmarks.speed.processes import LoggingDaemon, cpu_s, default_site, logging_daemon
from benchmarks.speed.tables import Table
from invariants import rss_bytes
from oracle import HEIGHT, WIDTH, shot

HEAD = ("frames judged", "frames/s", "CPU ms a frame", "resident MB")
NOTE = "Frames a second and CPU since the row before."

BACKLOG, BACKLOG_QUICK = 50_000, 4_000
SOAK, SOAK_QUICK = 200_000, 4_000
ROW_EVERY, ROW_EVERY_QUICK = 10_000, 1_000

SCENE_LASTS = 50
"""Frames; then comes another scene, and its first frame is kept."""

SIZE_BYTES = 1200

MOST_AHEAD = 500
"""Frames without a verdict; the camera of the soak waits then, so that its own haste fills no queue."""

WITHIN_S = 600.0


def backlog(options: Options) -> Iterator[Table]:
    """Yield a table of a start with many frames waiting."""
    count = BACKLOG_QUICK if options.quick else BACKLOG
    with TemporaryDirectory(prefix="framegate-speed-") as home:
        site = default_site(Path(home))
        options.say(f"laying out a backlog of {count:,} frames")
        _upload(site.drop, range(count))
        with logging_daemon(site) as daemon:
            marks = [_marked(daemon, target, options) for target in (0, *_targets(count, options))]
    yield _table("backlog", f"A backlog at the start: {count:,} frames", marks)


def soak(options: Options) -> Iterator[Table]:
    """Yield a table of the memory while frames with new names keep coming."""
    count = SOAK_QUICK if options.quick else SOAK
    with TemporaryDirectory(prefix="framegate-speed-") as home:
        site = default_site(Path(home))
        with logging_daemon(site) as daemon:
            daemon.rest()
            marks, uploaded = [_mark(daemon)], 0
            for target in _targets(count, options):
                while daemon.judged() < target - MOST_AHEAD:
                    more = min(target, daemon.judged() + MOST_AHEAD)
                    _upload(site.drop, range(uploaded, more))
                    uploaded = max(uploaded, more)
                    half = uploaded - MOST_AHEAD // 2
                    daemon.wait_for(lambda half=half: daemon.judged() >= half, WITHIN_S)  # type: ignore[misc]
                _upload(site.drop, range(uploaded, target))
                uploaded = target
                marks.append(_marked(daemon, target, options))
    yield _table("soak", f"A soak: {count:,} new frames, as fast as they are judged", marks)


def _targets(count: int, options: Options) -> range:
    every = ROW_EVERY_QUICK if options.quick else ROW_EVERY
    return range(every, count + 1, every)


def _upload(drop: Path, numbers: range) -> None:
    """Upload frames as a plain copy does: under their names, with the time at which they are written."""
    for number in numbers:
        taken = shot(number, number // SCENE_LASTS % 4, size_bytes=SIZE_BYTES)
        (drop / taken.name).write_bytes(taken.data)


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a daemon was at a moment, and what it had used by then."""

    judged: int
    at_s: float
    cpu_s: float
    resident_bytes: int


def _mark(daemon: LoggingDaemon) -> _Mark:
    return _Mark(daemon.judged(), time.monotonic(), cpu_s(daemon.pid), rss_bytes(daemon.pid))


def _marked(daemon: LoggingDaemon, target: int, options: Options) -> _Mark:
    """Wait until so many frames are judged."""
    daemon.wait_for(lambda: daemon.judged() >= target, WITHIN_S)
    options.say(f"{target:,} judged")
    return _mark(daemon)


def _table(part: str, title: str, marks: list[_Mark]) -> Table:
    """Return a row for each mark but the first."""
    rows = []
    for before, after in pairwise(marks):
        frames = after.judged - before.judged
        cpu_ms = 1000 * (after.cpu_s - before.cpu_s) / frames
        rate = frames / (after.at_s - before.at_s)
        rows.append((after.judged, rate, cpu_ms, after.resident_bytes / 1e6))
    words = f"{title} of {WIDTH} x {HEIGHT}, one in {SCENE_LASTS} kept"
    return Table(part, words, HEAD, tuple(rows), (NOTE,))
