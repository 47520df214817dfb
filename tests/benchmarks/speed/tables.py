"""Tables of figures: as Markdown for people, as JSON for programs, and where they were measured."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

IDLE_LOAD = 0.5
"""Load average over a minute; above it, the machine has other work, and only ratios and CPU time count."""

REPOSITORY = Path(__file__).resolve().parents[3]

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """The figures of one part of the bench.

    Attributes:
        part: its name on the command line.
        title: what was measured, in a few words.
        head: of the columns, with units.
        rows: a cell for each column; None where there is nothing to say.
        notes: sentences that belong below the table.
        about: what it is about, where a part has several tables for the digest.
    """

    part: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    about: str = ""

    def column(self, name: str) -> list[Cell]:
        """Return the cells below a head."""
        return [row[self.head.index(name)] for row in self.rows]

    def cells(self, number: int) -> dict[str, str]:
        """Return the cells of a row, as text, by their heads."""
        return dict(zip(self.head, map(in_words, self.rows[number]), strict=True))

    def markdown(self) -> str:
        """Return the table as Markdown, with its title and notes."""
        lines = [self.head, ("---", *["---:"] * (len(self.head) - 1)), *self.rows]
        table = ["| " + " | ".join(map(in_words, line)) + " |" for line in lines]
        return "\n".join([f"**{self.title}**", "", *table, *("\n" + note for note in self.notes), ""])

    def document(self) -> dict[str, Any]:
        """Return the table for JSON, the figures as they were measured."""
        rows = [dict(zip(self.head, row, strict=True)) for row in self.rows]
        return {"part": self.part, "title": self.title, "rows": rows, "notes": list(self.notes)}


def in_words(cell: Cell) -> str:
    """Return a cell as text: about three digits of a number, a dash for None."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    size = abs(cell)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or not size else 4
    return f"{cell:,.{places}f}"


def load_warning(load: float) -> str | None:
    """Return a warning when a load average at the start says that the machine is not idle."""
    if load <= IDLE_LOAD:
        return None
    return (
        f"the load average was {load:.1f} at the start, so other work took part of the machine:"
        " trust the ratios and the CPU time, not the frames a second and the latencies"
    )


def quick_warning(*, is_quick: bool) -> str | None:
    """Return a warning when so little is measured that the figures say nothing."""
    if not is_quick:
        return None
    return "quick: it shows that every part works; it is too short for any figure to mean something"


def circumstances(load: float) -> str:
    """Return when, where and on what was measured, in a sentence."""
    today = datetime.now(UTC).date().isoformat()
    return (
        f"Measured on {today} at {_commit()}: {_processor()}, {len(os.sched_getaffinity(0))} cores,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()},"
        f" OpenCV {cv2.__version__}, load average {load:.1f} at the start."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "an unknown commit"
