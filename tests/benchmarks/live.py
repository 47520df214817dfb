"""How late live frames are while a large folder is swept.

``PYTHONPATH=tests python tests/benchmarks/live.py [FILES ...]``

The daemon runs over a drop folder in which so many judged files stand, and five frames a second are
renamed in, for a minute. Prints for each size how long the start and the first sweep took; how late those
frames were that came during rounds, and those that came while events were lost, when every file is looked
at (median and worst, from the rename to the line of the verdict), how many such sweeps there were, and the
longest in seconds of work; the daemon's CPU in percent of a core, and its memory.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from benchmarks.sweep import fill
from framegate.commands.demo.scene import Lot
from framegate.keep.ledger import LEDGER_NAME, Ledger
from invariants import rss_bytes
from oracle import Shot, upload
from running import RunningDaemon, Site, started

SIZES = (50_000, 500_000)
INTERVAL_S, SWEEP_S = 0.2, 5.0
FRAMES = 150
"""Of each kind: half a minute, in which some six rounds, or three looks at everything, fall."""

LOSSES_EVERY = 50


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def shots(first: int, picture: bytes) -> Iterator[Shot]:
    for number in range(first, first + FRAMES):
        now_ns = int(datetime.now(UTC).timestamp() * 1e9)
        yield Shot(f"live_2026-11-27_{number:07d}.jpg", picture, now_ns, 0, "live")


def lateness_s(daemon: RunningDaemon, site: Site, first: int, losses_every: int) -> list[float]:
    """Upload frames, and lose events at times; return how long each waited for its verdict."""
    picture, pause = Lot(width=160, height=90).jpeg(), Event()
    uploaded_at: dict[str, datetime] = {}
    for number, taken in enumerate(shots(first, picture)):
        if losses_every and number % losses_every == 0:
            (site.drop / f"folder_{number}").mkdir()  # what came with it, no event names: all is looked at
        upload(taken, site.drop)
        uploaded_at[taken.name] = datetime.now(UTC)
        pause.wait(INTERVAL_S)
    daemon.wait_for_verdicts(first + FRAMES, within_s=60)
    decided_at = {line["frame"]: datetime.fromisoformat(line["timestamp"]) for line in daemon.verdicts()}
    return [(decided_at[name] - moment).total_seconds() for name, moment in uploaded_at.items()]


def measure(home: Path, files: int) -> str:
    """Run a daemon over so many judged files; return a row of the table."""
    site = Site(home)
    site.configure(drop=f"settle_s = 2\nsweep_s = {SWEEP_S}", rest="[log]\nlevel = 'debug'")
    ledger = Ledger(site.state / LEDGER_NAME)
    fill(site.drop, ledger, files)
    ledger.close()
    began_at = datetime.now(UTC)
    with started(site, ("/usr/bin/env",)) as daemon:
        ready_s = (datetime.now(UTC) - began_at).total_seconds()
        first = daemon.wait_for("sweep.ended", within_s=120)[0]
        before_s, at = cpu_s(daemon.process.pid), datetime.now(UTC)
        rounds = lateness_s(daemon, site, 0, 0)
        lost = lateness_s(daemon, site, FRAMES, LOSSES_EVERY)
        percent = 100 * (cpu_s(daemon.process.pid) - before_s) / (datetime.now(UTC) - at).total_seconds()
        sweeps = [line for line in daemon.lines if line["event"] == "sweep.ended"][1:]
        rss = rss_bytes(daemon.process.pid)
        daemon.stop()
    cells = [f"{files:>8}", f"{ready_s:>6.2f}s", f"{first['took_s']:>6.2f}s"]
    for late_s, cause in ((rounds, "round"), (lost, "events_lost")):
        cells += [f"{1000 * statistics.median(late_s):>5.0f}ms", f"{1000 * max(late_s):>6.0f}ms"]
        took_s = [line["took_s"] for line in sweeps if line["cause"] == cause]
        cells += [f"{len(took_s):>4}", f"{max(took_s, default=0):>6.2f}s"]
    return " ".join([*cells, f"{percent:>5.1f}%", f"{rss / 1e6:>6.0f}MB"])


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    print(f"{'':>24} | {'rounds':<26} | after lost events")
    columns = f"{'median':>7} {'worst':>8} {'n':>4} {'sweep':>7}"
    print(f"{'files':>8} {'ready':>7} {'first':>7} {columns} {columns} {'CPU':>6} {'memory':>8}")
    for files in sizes:
        with tempfile.TemporaryDirectory(prefix="framegate-live-") as home:
            print(measure(Path(home), files), flush=True)


if __name__ == "__main__":
    main()
