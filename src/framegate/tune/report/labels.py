"""What a person has said about frames: ``labels.csv`` with the columns ``frame,expected[,within]``."""

import csv
from collections.abc import Mapping
from pathlib import Path

from framegate.errors import FramegateError

EXPECTED = {"kept": True, "dropped": False}


class LabelsError(FramegateError):
    """The file with the labels cannot be used."""


def labels_in(path: Path) -> Mapping[str, bool]:
    """Return whether each labelled frame is expected to be kept, by its name.

    Raises:
        LabelsError: the file cannot be read, or a line is not a label.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(line for line in file if not line.startswith("#")))
    except (OSError, UnicodeError, csv.Error) as error:
        raise LabelsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not rows or rows[0][:2] != ["frame", "expected"]:
        raise LabelsError(f'{path}: the first line has to be "frame,expected" or "frame,expected,within"')
    labels = {}
    for row in filter(None, rows[1:]):
        frame, expected, *_ = [*row, ""]
        if expected not in EXPECTED:
            raise LabelsError(f'{path}: write "kept" or "dropped" for {frame!r}, not {expected!r}')
        labels[frame] = EXPECTED[expected]
    return labels
