"""What a person has said about frames: ``labels.csv`` with the columns ``frame,expected[,within]``."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from framegate.config.quantities import Duration
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.model import Verdict

EXPECTED = {Verdict.KEPT, Verdict.DROPPED}


class LabelsError(FramegateError):
    """The file with the labels cannot be used."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Label:
    """What is wanted of one frame."""

    frame: str
    """Its file's name, relative to its folder."""

    expected: Verdict
    """Kept or dropped."""

    within_s: float | None
    """If the frame is to be kept: one taken so many seconds before or after it, by the same camera, will do
    instead. None: the frame itself."""


def read_labels(path: Path) -> list[Label]:
    """Return the labels in a CSV file, in its order.

    Raises:
        LabelsError: the file cannot be read, or a line is not a label.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(_labels_in(line for line in file if not line.startswith("#")))
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        raise LabelsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _labels_in(lines: Iterable[str]) -> Iterator[Label]:
    rows = csv.reader(lines)
    if next(rows, [])[:2] != ["frame", "expected"]:
        raise ValueError('the first line has to be "frame,expected" or "frame,expected,within"')
    for row in filter(None, rows):
        frame, expected, within, *_ = [*row, "", ""]
        if expected not in EXPECTED:
            raise ValueError(f'write "kept" or "dropped" for {frame!r}, not {expected!r}')
        yield Label(frame, Verdict(expected), float(Duration.parse(within)) if within else None)
