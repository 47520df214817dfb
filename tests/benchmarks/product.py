"""framegate's own rows: each set is scanned by the program itself, as an operator would."""

import csv
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Filter, Judged
from benchmarks.sets import FrameSet

SCORE_COLUMNS = ("score", "score_percent")
"""The second until the version of ``--old``; the first after it."""


class ScanError(Exception):
    """framegate could not scan a set."""


def framegate(name: str, command: Sequence[str], *areas_px: float) -> Filter:
    """Return framegate as a filter.

    Args:
        name: of the row.
        command: how to start it.
        areas_px: least contour area and score threshold of the preset ``classic``; without them the defaults
            judge.
    """

    def judge(frames: FrameSet) -> list[Judged]:
        with tempfile.TemporaryDirectory(prefix="framegate-accuracy-") as home:
            stats = Path(home, "stats.csv")
            asked = ["scan", str(frames.folder), str(Path(home, "results")), *map(str, areas_px), "--dry-run"]
            scanned = subprocess.run(
                [*command, *asked, "--stats", str(stats)],
                capture_output=True,
                env={**os.environ, "HOME": home},
                text=True,
            )
            if scanned.returncode:
                raise ScanError(f"{name}, {frames.name}: {scanned.stderr.strip() or scanned.stdout.strip()}")
            with stats.open(newline="", encoding="utf-8") as table:
                return judged(list(csv.DictReader(table)))

    return Filter(name, judge)


def judged(rows: Sequence[dict[str, str]]) -> list[Judged]:
    """Read what ``--stats`` wrote; a row that names no reference is asked against the last kept frame."""
    last_kept: str | None = None
    read: list[Judged] = []
    for row in rows:
        score = next((row[column] for column in SCORE_COLUMNS if row.get(column)), None)
        reference = None if row["verdict"] == "rejected" else row["reference"] or last_kept
        kept = row["verdict"] == "kept"
        read.append(Judged(row["frame"], reference, None if score is None else float(score), kept))
        last_kept = row["frame"] if kept else last_kept
    return read
