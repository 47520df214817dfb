"""framegate's own rows: each set is scanned by the program itself, as an operator would."""

import csv
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Filter, Judged
from benchmarks.sets import FrameSet

OLD_SCORE = "score_percent"
"""The column of ``--stats`` up to 1d29081."""


class ScanError(Exception):
    """framegate could not scan a set."""


def framegate(name: str, command: Sequence[str], *areas_px: float, score_column: str = "score") -> Filter:
    """Return framegate as a filter.

    Args:
        name: of the row.
        command: how to start it.
        areas_px: least contour area and score threshold of the preset ``classic``; without them the defaults
            judge.
        score_column: of ``--stats``.
    """

    def judge(frames: FrameSet) -> list[Judged]:
        with tempfile.TemporaryDirectory(prefix="framegate-accuracy-") as home:
            stats, config = Path(home, "stats.csv"), Path(home, "config.toml")
            config.write_text("version = 1\n", encoding="utf-8")  # the defaults, whatever is set up here
            folders = [str(frames.folder), str(Path(home, "results"))]
            options = ["--config", str(config), "--stats", str(stats), "--dry-run"]
            scanned = subprocess.run(
                [*command, "scan", *folders, *map(str, areas_px), *options], capture_output=True, text=True
            )
            if scanned.returncode:
                raise ScanError(f"{name}, {frames.name}: {scanned.stderr.strip() or scanned.stdout.strip()}")
            with stats.open(newline="", encoding="utf-8") as table:
                return judged(list(csv.DictReader(table)), score_column)

    return Filter(name, judge)


def judged(rows: Sequence[dict[str, str]], score_column: str) -> list[Judged]:
    """Read what ``--stats`` wrote; a row that names no reference is asked against the last kept frame."""
    last_kept: str | None = None
    read: list[Judged] = []
    for row in rows:
        score = float(row[score_column]) if row[score_column] else None
        reference = None if row["verdict"] == "rejected" else row["reference"] or last_kept
        kept = row["verdict"] == "kept"
        read.append(Judged(row["frame"], reference, score, kept))
        last_kept = row["frame"] if kept else last_kept
    return read
