"""What the daemon uses while nothing happens: CPU, wake-ups and memory, beside many judged files."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from benchmarks.speed.options import Options
from benchmarks.speed.processes import cpu_s, default_site, logging_daemon, wake_ups
from benchmarks.speed.tables import Cell, Table
from benchmarks.sweep import fill
from framegate.keep.ledger import LEDGER_NAME, Ledger
from invariants import rss_bytes
from running import Site

HEAD = ("judged files", "% of a core", "wake-ups a second", "resident MB")
FILES = (1_000, 50_000)
WATCHED_S, WATCHED_QUICK_S = 60.0, 30.0
"""Whole sweeps, of which there is one each half a minute."""


def idle(options: Options) -> Iterator[Table]:
    """Yield a table of an idle daemon, with more and more judged files in its drop folder."""
    watched_s = WATCHED_QUICK_S if options.quick else WATCHED_S
    rows = []
    for files in FILES:
        options.say(f"idle for {watched_s:.0f} s beside {files:,} judged files")
        with TemporaryDirectory(prefix="framegate-speed-") as home:
            rows.append(_row(default_site(Path(home)), files, watched_s))
    yield Table(
        "idle",
        f"Idle for {watched_s:.0f} s, with the default settings",
        HEAD,
        tuple(rows),
    )


def _row(site: Site, files: int, watched_s: float) -> tuple[Cell, ...]:
    with closing(Ledger(site.state / LEDGER_NAME)) as ledger:
        fill(site.drop, ledger, files)
    with logging_daemon(site) as daemon:
        daemon.rest()
        used_s, woken, at_s = cpu_s(daemon.pid), wake_ups(daemon.pid), time.monotonic()
        Event().wait(watched_s)
        passed_s = time.monotonic() - at_s
        percent = 100 * (cpu_s(daemon.pid) - used_s) / passed_s
        return files, percent, (wake_ups(daemon.pid) - woken) / passed_s, rss_bytes(daemon.pid) / 1e6
