"""What the ledger costs when it holds a million rows."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ledger import ROWS, Measure, measures
from benchmarks.speed.options import Options
from benchmarks.speed.tables import Table

HEAD = ("what", "CPU us each", "us each")
ROWS_QUICK = 50_000


def ledger(options: Options) -> Iterator[Table]:
    """Yield the table of ``benchmarks/ledger.py``."""
    rows = ROWS_QUICK if options.quick else ROWS
    with TemporaryDirectory(prefix="framegate-speed-") as home:
        found = [_told(one, options) for one in measures(Path(home, "ledger.sqlite3"), rows)]
    yield Table(
        "ledger",
        f"A ledger of {rows:,} rows",
        HEAD,
        tuple((one.what, one.cpu_us, one.wall_us) for one in found),
    )


def _told(one: Measure, options: Options) -> Measure:
    options.say(f"ledger: {one.what}")
    return one
