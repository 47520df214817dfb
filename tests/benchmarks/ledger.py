"""What the ledger costs when it holds many rows: ``python tests/benchmarks/ledger.py [ROWS]``.

A million rows take a minute or two to write, below the folder for temporary files ($TMPDIR).
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from framegate.keep.ledger import MOST_PENDING_ROWS, Ledger
from framegate.model import Entry, FileKey, Reason

ROWS = 1_000_000

CAMERAS = 20
FRAMES_A_DAY = 8_640
"""Of one camera, which has a folder for each day."""

KEYS_AT_ONCE = 2_000


def key(number: int) -> FileKey:
    """Return a file of one of the cameras, which upload in turn."""
    camera, frame = number % CAMERAS, number // CAMERAS
    name = f"c{camera:02d}/day{frame // FRAMES_A_DAY:05d}/image_{frame:08d}.jpg"
    return FileKey(name, 100_000 + number % 7_919, 1_780_000_000_000_000_000 + number * 10**9)


def entry(number: int) -> Entry:
    """Return its decision: one frame in fifty is kept."""
    of = key(number)
    is_kept = number // CAMERAS % 50 == 0
    return Entry(
        of, of.name[:3], of.mtime_ns, Reason.CHANGED if is_kept else Reason.UNCHANGED, of.mtime_ns, 1,
        score=0.05, threshold=0.2, reference=key(number % CAMERAS).name,
        sha256=bytes(32) if is_kept else None, result=of.name if is_kept else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """What something costs each time, in microseconds."""

    what: str
    cpu_us: float
    wall_us: float


def measured(what: str, times: int, call: Callable[[], object]) -> Measure:
    """Call once; return the time it takes divided by a number of times."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    call()
    wall_us = (time.perf_counter() - wall_s) / times * 1e6
    return Measure(what, (time.process_time() - cpu_s) / times * 1e6, wall_us)


def write(ledger: Ledger, numbers: range) -> None:
    """Record frames as dropped frames are recorded: many in a commit."""
    for number in numbers:
        ledger.note(entry(number))
        if ledger.is_crowded:
            ledger.flush()
    ledger.flush()


def keep(ledger: Ledger, numbers: range) -> None:
    """Record frames as kept frames are recorded: each with a durable commit."""
    for number in numbers:
        decided = replace(entry(number), reason=Reason.CHANGED, result=None)
        ledger.intend(decided)
        ledger.finish(decided.key, decided.key.name)
    ledger.flush()


def ask(ledger: Ledger, keys: list[FileKey]) -> None:
    """Ask as a sweep does, some at a time."""
    for start in range(0, len(keys), KEYS_AT_ONCE):
        ledger.unknown(keys[start : start + KEYS_AT_ONCE])


def ask_one_by_one(ledger: Ledger, keys: list[FileKey]) -> None:
    """Ask as an event does."""
    for each in keys:
        ledger.knows(each)


def measures(path: Path, rows: int) -> Iterator[Measure]:
    """Build a ledger of so many rows; yield what it costs to use it."""
    ledger = Ledger(path)
    yield measured("build: note + flush, a row", rows, lambda: write(ledger, range(rows)))
    ledger.close()
    yield measured("open", 1, lambda: Ledger(path).close())
    with closing(Ledger(path)) as ledger:
        yield measured("totals", 10, lambda: [ledger.totals() for _ in range(10)])
        yield measured("latest(30)", 10, lambda: [ledger.latest(30) for _ in range(10)])
        yield measured("memory_of", 100, lambda: [ledger.memory_of("c07") for _ in range(100)])
        yield from asking(ledger, rows)
        more = range(rows, rows + 20 * MOST_PENDING_ROWS)
        yield measured("dropped: note + flush, a frame", len(more), lambda: write(ledger, more))
        some = range(more.stop, more.stop + 500)
        yield measured("kept: intend + finish, a frame", len(some), lambda: keep(ledger, some))


def asking(ledger: Ledger, rows: int) -> Iterator[Measure]:
    """Yield what it costs to ask for files."""
    mixed = random.Random(1)
    known = [key(number) for number in mixed.sample(range(rows), min(rows, 5_000))]
    yield measured("knows, known key", len(known), lambda: ask_one_by_one(ledger, known))
    unknown = [replace(each, mtime_ns=1) for each in known]
    yield measured("knows, unknown key", len(unknown), lambda: ask_one_by_one(ledger, unknown))
    for count in sorted({min(rows, 50_000), min(rows, 500_000)}):
        keys = sorted(key(number) for number in range(count))
        yield measured(f"unknown, {count:,} known keys, by name", count, partial(ask, ledger, keys))
        mixed.shuffle(keys)
        yield measured(f"unknown, {count:,} known keys, shuffled", count, partial(ask, ledger, keys))
        new = [replace(each, mtime_ns=1) for each in keys]
        yield measured(f"unknown, {count:,} unknown keys, shuffled", count, partial(ask, ledger, new))


def main() -> None:
    """Measure with as many rows as the command line says."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    print(f"{rows:,} rows{'':<40} {'CPU us each':>17} {'wall us each':>12}")
    with tempfile.TemporaryDirectory(prefix="framegate-ledger-") as folder:
        for one in measures(Path(folder, "ledger.sqlite3"), rows):
            print(f"{one.what:<52} {one.cpu_us:12,.1f} {one.wall_us:12,.1f}", flush=True)


if __name__ == "__main__":
    main()
