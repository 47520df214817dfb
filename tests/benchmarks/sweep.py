"""How long a sweep of a folder full of judged frames takes: ``python tests/benchmarks/sweep.py [FILES ...]``.

Prints a row for each size: the first sweep, which asks the ledger for every file; a later one, which looks at
a tenth of them; one that looks at all of them, as after an overflow; and the longest piece in which a sweep
advances, for which a live frame may have to wait. Seconds are of CPU, but for the longest piece.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from framegate.config.settings import DropSettings
from framegate.ingest.judged import JudgedFiles
from framegate.ingest.names import NameRules
from framegate.ingest.sweeping import Sweep, entries_of
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason

SIZES = (50_000, 500_000)


def fill(drop: Path, ledger: Ledger, files: int) -> None:
    for number in range(files):
        name = f"c{number % 4}_2026-11-26_{number:07d}.jpg"
        os.close(os.open(drop / name, os.O_CREAT | os.O_WRONLY))
        mtime_ns = (drop / name).lstat().st_mtime_ns
        ledger.note(Entry(FileKey(name, 0, mtime_ns), "default", mtime_ns, Reason.EMPTY, mtime_ns, 1))
        if number % 500 == 0:
            ledger.flush()
    ledger.flush()


def swept(drop: Path, ledger: Ledger, judged: JudgedFiles, *, looks_at_all: bool) -> tuple[float, float]:
    """Sweep once; return seconds of CPU, and the longest piece in seconds."""
    rules = NameRules(DropSettings(folder=os.fspath(drop)))
    begun_s, longest_s = time.process_time(), 0.0
    judged.begin_sweep(looks_at_all=looks_at_all)
    sweep = Sweep(entries_of(drop, rules, recursive=True), rules, judged, ledger, lambda _name, _error: None)
    while True:
        piece_s = time.perf_counter()
        new = sweep.advance()
        longest_s = max(longest_s, time.perf_counter() - piece_s)
        if new is None:
            return time.process_time() - begun_s, longest_s
        assert not new, "all are judged"


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    print(f"{'files':>8} {'first':>8} {'later':>8} {'all':>8} {'piece':>8}")
    for files in sizes:
        with tempfile.TemporaryDirectory(prefix="framegate-bench-") as home:
            drop = Path(home, "drop")
            drop.mkdir()
            ledger = Ledger(Path(home, "ledger.sqlite3"))
            fill(drop, ledger, files)
            judged = JudgedFiles()
            first_s, piece_s = swept(drop, ledger, judged, looks_at_all=True)
            later = [swept(drop, ledger, judged, looks_at_all=False) for _ in range(3)]
            all_s, _ = swept(drop, ledger, judged, looks_at_all=True)
            ledger.close()
            later_s = sorted(cpu_s for cpu_s, _ in later)[1]
            longest_s = max(piece_s, *(piece for _, piece in later))
            print(f"{files:>8} {first_s:>7.2f}s {later_s:>7.3f}s {all_s:>7.2f}s {1000 * longest_s:>6.1f}ms")


if __name__ == "__main__":
    main()
