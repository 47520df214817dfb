"""How many frames are kept in a second on a slow card: strace makes each fsync of the process wait.

A real daemon, with all that it syncs: results, folders and SQLite's log. The waits of several threads pass at
the same time, as on a card that takes several orders.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.speed.frames import CHANGES_EVERY, SIZES, drawn, lay, name_of, with_comment
from benchmarks.speed.options import Options
from benchmarks.speed.processes import default_site, used_by
from benchmarks.speed.programs import framegate_command, kept_in_json
from benchmarks.speed.tables import Cell, Table
from disks import tracing
from running import Line, Site, started

HEAD = ("frames", "kept frames/s", "times one by one", "kept")
FSYNC_MS = 12
CALLS = "fsync,fdatasync"

ALONE, ALONE_QUICK = 150, 30
TOGETHER, TOGETHER_QUICK = 600, 120
WITHIN_S = 120.0

Command = tuple[str, ...]


def card(options: Options) -> Iterator[Table]:
    """Yield a table of the frames kept in a second when each of them changed."""
    try:
        slowed = tracing(CALLS, f"{CALLS}:delay_exit={1000 * FSYNC_MS}")
    except pytest.skip.Exception as skipped:
        options.say(f"the slow card: skipped, {skipped}")
        return
    size = SIZES[0]
    count = size.frames_quick if options.quick else size.frames
    frames = drawn(size, count, options.cache, options.say).frames[::CHANGES_EVERY]
    pictures = [frame.read_bytes() for frame in frames]
    alone, together = (
        [with_comment(pictures[number % len(pictures)], f"frame {number}") for number in range(frames_of)]
        for frames_of in ((ALONE_QUICK, TOGETHER_QUICK) if options.quick else (ALONE, TOGETHER))
    )
    rows: list[tuple[str, float, int]] = []
    for words, rate_of, given in (
        ("live, each after the verdict of the one before", _one_by_one, alone),
        ("a backlog", _backlog, together),
        ("scan, its start-up included", _scan, together),
    ):
        options.say(f"the slow card: {words}")
        with TemporaryDirectory(prefix="framegate-speed-") as home:
            rows.append((words, *rate_of(Path(home), slowed, given)))
    one_by_one = rows[0][1]
    cells: list[tuple[Cell, ...]] = [(*row[:2], row[1] / one_by_one, row[2]) for row in rows]
    title = f"A slow card, {FSYNC_MS} ms for each fsync, {size.name}, every frame changed"
    yield Table("card", title, HEAD, tuple(cells))


def _one_by_one(home: Path, slowed: Command, frames: list[bytes]) -> tuple[float, int]:
    site = default_site(home)
    with started(site, slowed) as daemon:
        for number, data in enumerate(frames):
            (site.drop / name_of(number)).write_bytes(data)
            daemon.wait_for_verdicts(number + 1, WITHIN_S)
        return _kept_rate(daemon.verdicts())


def _backlog(home: Path, slowed: Command, frames: list[bytes]) -> tuple[float, int]:
    site = default_site(home)
    _lay_all(site.drop, frames)
    with started(site, slowed) as daemon:
        return _kept_rate(daemon.wait_for_verdicts(len(frames), WITHIN_S))


def _scan(home: Path, slowed: Command, frames: list[bytes]) -> tuple[float, int]:
    site = Site(home)
    _lay_all(site.drop, frames)
    used = used_by([*slowed, *framegate_command(site.drop, home)])
    kept = kept_in_json(used.output) or 0
    return kept / used.wall_s, kept


def _lay_all(drop: Path, frames: list[bytes]) -> None:
    for number, data in enumerate(frames):
        lay(drop, number, data)


def _kept_rate(verdicts: list[Line]) -> tuple[float, int]:
    """Return the frames kept in a second from the first verdict to the last, and how many were kept."""
    first, *kept = [
        datetime.fromisoformat(line["timestamp"]) for line in verdicts if line["event"] == "frame.kept"
    ]
    return len(kept) / (kept[-1] - first).total_seconds(), len(kept) + 1
