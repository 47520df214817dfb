"""How fast framegate is, in tables: ``PYTHONPATH=tests python -m benchmarks.speed [--only scan,live]``.

Prints Markdown to standard output, in the end the README's two tables; and to standard error how far it is.
All parts take about half an hour, ``--quick`` a few minutes; let the machine do nothing else meanwhile. What
is not installed is skipped with a line: ffmpeg, imagehash (``pip install -e '.[rivals]'``), dvr-scan, and
strace, which makes the card slow.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.speed import backlog, cameras, latency, resting, rows, scanning, slow_card
from benchmarks.speed.digest import digest
from benchmarks.speed.options import Options
from benchmarks.speed.tables import Table, circumstances, load_warning, quick_warning

PARTS: dict[str, Callable[[Options], Iterator[Table]]] = {
    "scan": scanning.scan,
    "cameras": cameras.cameras,
    "live": latency.live,
    "idle": resting.idle,
    "backlog": backlog.backlog,
    "soak": backlog.soak,
    "ledger": rows.ledger,
    "card": slow_card.card,
}

LEFT_OUT_WHEN_QUICK = {"soak"}

ROUNDS, ROUNDS_QUICK = 7, 2


def main() -> None:
    arguments = _arguments()
    load = os.getloadavg()[0]
    warnings = [each for each in (quick_warning(is_quick=arguments.quick), load_warning(load)) if each]
    for warning in warnings:
        _say(f"warning: {warning}")
    rounds = arguments.rounds or (ROUNDS_QUICK if arguments.quick else ROUNDS)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    _keep_bytecode(arguments.cache)
    options = Options(arguments.quick, rounds, arguments.cache, _say)
    where = circumstances(load)
    if not arguments.json:
        print("\n\n".join([where, *(f"Note: {warning}." for warning in warnings)]) + "\n", flush=True)
    tables = []
    for part in arguments.only:
        for table in PARTS[part](options):
            tables.append(table)
            if not arguments.json and not arguments.brief:
                print(table.markdown(), flush=True)
    if arguments.json:
        documents = [table.document() for table in tables]
        document = {"schema": 1, "measured": where, "warnings": warnings, "tables": documents}
        print(json.dumps(document, indent=1))
    else:
        print("\n".join(table.markdown() for table in digest(tables)))


def _keep_bytecode(cache: Path) -> None:
    """Let programs find their bytecode as installed ones do; where none may be written, start-up triples."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = os.fspath(cache / "bytecode")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer frames and rounds; leaves out the soak")
    parser.add_argument(
        "--only", type=_parts, metavar="PART[,PART ...]", help=f"of {', '.join(PARTS)}; without it all"
    )
    parser.add_argument("--rounds", type=int, help=f"of scans ({ROUNDS}, quick {ROUNDS_QUICK})")
    parser.add_argument("--brief", action="store_true", help="print no more than the tables of the README")
    parser.add_argument("--json", action="store_true", help="one document, with the figures as measured")
    cache = Path(tempfile.gettempdir(), "framegate-speed")
    parser.add_argument(
        "--cache", type=Path, default=cache, metavar="DIR", help=f"for drawn frames ({cache})"
    )
    arguments = parser.parse_args()
    if arguments.only is None:
        arguments.only = [p for p in PARTS if not (arguments.quick and p in LEFT_OUT_WHEN_QUICK)]
    return arguments


def _parts(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [part for part in chosen if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return chosen


BEGUN_S = perf_counter()


def _say(words: str) -> None:
    print(f"{perf_counter() - BEGUN_S:6.0f} s  {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
