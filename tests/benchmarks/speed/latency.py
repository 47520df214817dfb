"""How long a live frame waits: from the writer's close to the durable copy, and to the line about it."""

import math
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from benchmarks.speed.frames import CHANGES_EVERY, SIZES, Size, drawn, name_of, with_comment
from benchmarks.speed.options import Options
from benchmarks.speed.processes import cpu_s, default_site
from benchmarks.speed.tables import Cell, Table
from framegate.ingest.watch.inotify import IN_CREATE, IN_MOVED_TO, FolderEvents
from running import Line, started

HEAD = (
    "frames", "to the copy: p50", "to the copy: p99", "to the copy: most",
    "to the line: p50", "to the line: p99", "to the line: most", "copies", "lines", "CPU ms a frame",
)  # fmt: skip
LIVE_SIZES = ("1080p", "480p")
INTERVAL_S = 0.2
FRAMES, FRAMES_QUICK = 300, 40
WARM_UP = 10
"""Frames that are not counted: the daemon imports and learns."""

NOTE = (
    "The copy is there when its name appears in the results folder: its bytes are on the disk by then. The"
    " log line follows when its name and the ledger are, too. A dropped frame has a line, but no copy."
)

WITHIN_S = 60.0
NAP_S = 0.2


@dataclass(frozen=True, slots=True)
class _Live:
    """Frames that were uploaded live: milliseconds from the close to the copy, and to the line; CPU in ms."""

    to_copy_ms: list[float]
    to_line_ms: list[float]
    cpu_ms: float


def live(options: Options) -> Iterator[Table]:
    """Yield a table of how late copies and lines are at five frames a second."""
    count = FRAMES_QUICK if options.quick else FRAMES
    rows = []
    for size in (one for one in SIZES if one.name in LIVE_SIZES):
        of_a_set = size.frames_quick if options.quick else size.frames
        pictures = [frame.read_bytes() for frame in drawn(size, of_a_set, options.cache, options.say).frames]
        for words, step in (("every frame", CHANGES_EVERY), (f"one frame in {CHANGES_EVERY}", 1)):
            options.say(f"{size.name}: {count} live frames, {words} changed")
            with TemporaryDirectory(prefix="framegate-speed-") as home:
                rows.append(_row(size, words, _uploaded(Path(home), pictures, step, count)))
    yield Table(
        "live",
        f"Live, {1 / INTERVAL_S:.0f} frames a second: milliseconds from the writer's close",
        HEAD,
        tuple(rows),
        (NOTE,),
    )


def _row(size: Size, words: str, found: _Live) -> tuple[Cell, ...]:
    cells: list[Cell] = [f"{size.name}, {words}"]
    for latencies in (found.to_copy_ms, found.to_line_ms):
        cells += [percentile(latencies, 50), percentile(latencies, 99), max(latencies, default=None)]
    return (*cells, len(found.to_copy_ms), len(found.to_line_ms), found.cpu_ms)


def _uploaded(home: Path, pictures: Sequence[bytes], step: int, count: int) -> _Live:
    """Upload frames at their pace, each as one write; return what became of them."""
    site = default_site(home)
    closed_ns: dict[str, int] = {}
    with started(site, ("/usr/bin/env",)) as daemon, appearances(site.results) as appeared_ns:
        begun_s = time.monotonic()
        for number in range(WARM_UP + count):
            if number == WARM_UP:
                daemon.wait_for_verdicts(number, WITHIN_S)
                before_s, begun_s = cpu_s(daemon.process.pid), time.monotonic() - WARM_UP * INTERVAL_S
            data = with_comment(pictures[number * step % len(pictures)], f"frame {number}")
            Event().wait(max(0.0, begun_s + number * INTERVAL_S - time.monotonic()))
            closed_ns[name_of(number)] = _written(site.drop / name_of(number), data)
        lines = daemon.wait_for_verdicts(WARM_UP + count, WITHIN_S)
        used_s = cpu_s(daemon.process.pid) - before_s
        daemon.stop()
    counted = dict(list(closed_ns.items())[WARM_UP:])
    said_ns = {line["frame"]: _moment_ns(line) for line in lines}
    return _Live(
        [(appeared_ns[name] - at) / 1e6 for name, at in counted.items() if name in appeared_ns],
        [(said_ns[name] - at) / 1e6 for name, at in counted.items()],
        1000 * used_s / count,
    )


def _written(path: Path, data: bytes) -> int:
    """Write a file at once; return the moment before it was closed, in nanoseconds of the epoch."""
    with path.open("wb", buffering=0) as file:
        file.write(data)
        return time.time_ns()


def _moment_ns(line: Line) -> int:
    return round(datetime.fromisoformat(line["timestamp"]).timestamp() * 1e6) * 1000


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that at least so many percent of the values do not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@contextmanager
def appearances(folder: Path) -> Iterator[dict[str, int]]:
    """Give the moments at which names appear in a folder, in nanoseconds of the epoch."""
    moments_ns: dict[str, int] = {}
    is_over = Event()

    def follow(events: FolderEvents) -> None:
        while not is_over.is_set():
            if select.select([events.fd], [], [], NAP_S)[0]:
                now_ns = time.time_ns()
                for path, mask in events.read():
                    if mask & (IN_CREATE | IN_MOVED_TO):
                        moments_ns.setdefault(Path(path).name, now_ns)

    with closing(FolderEvents([str(folder)])) as events:
        thread = Thread(target=partial(follow, events))
        thread.start()
        try:
            yield moments_ns
        finally:
            is_over.set()
            thread.join()
