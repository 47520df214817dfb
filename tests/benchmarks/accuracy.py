"""How well framegate and others find the frames that changed: ``python tests/benchmarks/accuracy.py [DATA]``.

DATA is the folder with the footage; without it $FRAMEGATE_DATA, else ``../shared/data`` beside the checkout.
For each set and filter the table has the frames that changed and those that did not, recall, false keeps,
the area under the ROC curve of the scores, and how many frames were kept of all. At the end the sets are
pooled by what they are about. framegate alone, ``--rows classic adaptive``, takes about two minutes.

``--old`` adds the ``adaptive`` that came before the present one, of 1d29081:

    git worktree add /tmp/old 1d29081
    python -m venv /tmp/old/.venv && /tmp/old/.venv/bin/pip install /tmp/old
    python tests/benchmarks/accuracy.py --old /tmp/old/.venv/bin/framegate

The other rows need imagehash, scikit-image, ffmpeg and pybgs, which needs the headers of OpenCV (Debian's
libopencv-dev); what is not installed is skipped with a line.
"""

import argparse
import csv
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import Figures, Filter, Outcome, figures
from benchmarks.product import OLD_SCORE, ScanError, framegate
from benchmarks.rivals import RivalError, rivals
from benchmarks.sets import FrameSet, all_sets

REPOSITORY = Path(__file__).resolve().parents[2]

PRESENT = (sys.executable, "-m", "framegate")

POOLS = {
    "planted": ("planted",),
    "light": ("light",),
    "lots": ("lots", "row lot"),
    "leaves": ("leaves",),
    "shake": ("shake",),
    "rooms": ("rooms",),
}
"""By group; the empty days of the lot are asked for light and, against the busy day, for lots."""

SUMMARY_HEAD = f"{'recall/false/AUC':20} " + " ".join(f"{pool:>14}" for pool in POOLS)

Results = dict[str, list[Outcome]]
"""What each filter decided, by its name."""


def main() -> None:
    arguments = _arguments()
    data = Path(arguments.data)
    if not (data / "lot_busy").is_dir():
        sys.exit(f"no footage in {data}: name the folder that holds lot_busy, or set FRAMEGATE_DATA")
    sets = [s for s in all_sets(data, Path(arguments.cache)) if _is_wanted(s.row, s.name, arguments.sets)]
    results: Results = {}
    print(SUMMARY_HEAD, file=sys.stderr)
    for chosen in _filters(arguments):
        began_s = time.perf_counter()
        try:
            results[chosen.name] = [Outcome(frames, chosen.judge(frames)) for frames in sets]
        except (RivalError, ScanError) as error:
            print(f"{chosen.name}: left out, {error}", file=sys.stderr)
            continue
        pooled = _pooled(chosen.name, results[chosen.name])
        print(f"{pooled}   {time.perf_counter() - began_s:.0f} s", file=sys.stderr)
    lines = list(_rows(results))
    summary = [_pooled(name, outcomes) for name, outcomes in results.items()]
    print("\n".join([*_in_columns(lines), "", SUMMARY_HEAD, *summary]))
    if arguments.csv:
        _write(arguments.csv, lines)
    if arguments.verdicts:
        _write_verdicts(arguments.verdicts, results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("FRAMEGATE_DATA") or REPOSITORY.parent / "shared" / "data"
    parser.add_argument("data", nargs="?", default=default, help="the folder with the footage")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only filters that begin so")
    parser.add_argument("--sets", nargs="+", default=[], metavar="SET", help="only sets that begin so")
    parser.add_argument("--old", metavar="COMMAND", help="how to start the framegate of 1d29081")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the table to this file")
    parser.add_argument(
        "--verdicts", type=Path, metavar="FILE", help="also write every verdict and its truth"
    )
    cache = Path(tempfile.gettempdir(), "framegate-accuracy")
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help=f"for the frames ({cache})")
    return parser.parse_args()


def _is_wanted(row: str, name: str, wanted: list[str]) -> bool:
    return not wanted or any(row.startswith(one) or name.startswith(one) for one in wanted)


def _filters(arguments: argparse.Namespace) -> Iterator[Filter]:
    """Yield the filters that are asked for, without looking for the others."""
    own = [
        framegate("classic 5000/50000", PRESENT, 5000, 50000),
        framegate("classic 500/5000", PRESENT, 500, 5000),
        framegate("adaptive", PRESENT),
    ]
    if arguments.old:
        own.append(framegate("old adaptive", shlex.split(arguments.old), score_column=OLD_SCORE))
    yield from (one for one in own if one.name.startswith("old") or _is_wanted(one.name, "", arguments.rows))
    if not arguments.rows or any(not row.startswith(("classic", "adaptive")) for row in arguments.rows):
        others = rivals(lambda sentence: print(sentence, file=sys.stderr))
        yield from (one for one in others if _is_wanted(one.name, "", arguments.rows))


def _rows(results: Results) -> Iterator[tuple[str, str, Figures]]:
    """Yield set, filter and figures: all filters of a set together, then those of each pool."""
    outcomes = next(iter(results.values()), [])
    for row in dict.fromkeys(outcome.frames.row for outcome in outcomes):
        for name, judged in results.items():
            yield row, name, figures([one for one in judged if one.frames.row == row])
    for pool in POOLS:
        for name, judged in results.items():
            pooled = [one for one in judged if _is_in(one.frames, pool)]
            if pooled:
                yield f"all {pool}", name, figures(pooled)


def _is_in(frames: FrameSet, pool: str) -> bool:
    return frames.group in POOLS[pool] or f"row {frames.row}" in POOLS[pool]


def _in_columns(rows: list[tuple[str, str, Figures]]) -> Iterator[str]:
    heads = f"{'changed':>7} {'not':>5} {'recall':>6} {'false':>6} {'AUC':>6} {'kept':>10}"
    yield f"{'set':20} {'filter':20} {heads}"
    before = ""
    for row, name, found in rows:
        if row != before and before:
            yield ""
        yield (
            f"{row if row != before else '':20} {name:20} {found.positives:>7} {found.negatives:>5}"
            f" {_decimal(found.recall, 2):>6} {_decimal(found.false_keeps, 2):>6} {_decimal(found.auc, 3):>6}"
            f" {f'{found.kept}/{found.frames}':>10}"
        )
        before = row


def _pooled(name: str, outcomes: list[Outcome]) -> str:
    """Return a filter's line of the last table: recall/false keeps/AUC of each pool."""
    found = [figures([one for one in outcomes if _is_in(one.frames, pool)]) for pool in POOLS]
    cells = [f"{_decimal(f.recall, 2)}/{_decimal(f.false_keeps, 2)}/{_decimal(f.auc, 3)}" for f in found]
    return f"{name:20} " + " ".join(f"{cell:>14}" for cell in cells)


def _decimal(value: float | None, places: int) -> str:
    """Return a share without its leading zero."""
    return "-" if value is None else f"{value:.{places}f}".removeprefix("0")


def _write(path: Path, rows: list[tuple[str, str, Figures]]) -> None:
    columns = ("positives", "negatives", "recall", "false_keeps", "auc", "kept", "frames")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["set", "filter", *columns])
        table.writerows(
            [row, name, *(getattr(found, column) for column in columns)] for row, name, found in rows
        )


def _write_verdicts(path: Path, results: Results) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["filter", "set", "frame", "reference", "changed", "score", "kept"])
        for name, outcomes in results.items():
            for outcome in outcomes:
                for frame in outcome.judged:
                    verdict = (frame.name, frame.reference, outcome.changed(frame), frame.score, frame.kept)
                    table.writerow([name, outcome.frames.name, *verdict])


if __name__ == "__main__":
    main()
