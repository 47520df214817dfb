"""Labels: what an operator wants of some frames, in ``labels.csv``, and whether a replay does it."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from framegate.config.quantities import Duration
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.model import Unit, Verdict
from framegate.tune.differences import judged
from framegate.tune.replay.outcomes import Outcome, Replay

HEADER = ("frame", "expected", "within")
"""The columns; the last may be left out."""


class LabelsError(FramegateError):
    """A file with labels cannot be used; the text names it, and the line."""

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

    line: int
    """Where it stands in its file, from 1."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A frame about which a replay decided otherwise than its label says."""

    frame: str
    expected: Verdict
    got: Verdict
    score: float | None
    """In ``unit``; None if the frame was compared with nothing."""

    threshold: float | None
    unit: Unit
    reference: str | None
    """Name of the frame that it was compared with."""

    zone: str | None = None
    schedule: str | None = None
    """The one whose own threshold that is; None without one."""


def read_labels(path: Path) -> list[Label]:
    """Return the labels in a CSV file, in its order.

    The header is ``frame,expected`` or ``frame,expected,within``, a line that begins with ``#`` is a comment.
    Semicolons and tabs separate as well: some spreadsheets write them.

    Raises:
        LabelsError: the file cannot be read, or a line is not a label.
    """
    labels: dict[str, Label] = {}
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for line, row in _rows(path, file):
                label = _label(path, line, row)
                if (former := labels.get(label.frame)) is not None:
                    raise _error(path, line, f"{label.frame} has a label already, in line {former.line}")
                labels[label.frame] = label
    except OSError as error:
        raise LabelsError(f"{path}: {error.strerror}") from error
    return [*labels.values()]


def failures(labels: Sequence[Label], replay: Replay, outcome: Outcome) -> tuple[list[Failure], list[Label]]:
    """Return what a line decided otherwise than the labels say, and the labels that name no replayed frame.

    Args:
        labels: of any frames.
        replay: the frames. If a name was judged more than once, its last version counts.
        outcome: of one line of the replay.
    """
    numbers = {frame.name: number for number, frame in enumerate(replay.frames)}
    unknown = [label for label in labels if label.frame not in numbers]
    near = _Nearness(replay, outcome)
    failed = [
        _failure(label, numbers[label.frame], replay, outcome)
        for label in labels
        if label.frame in numbers and not _passes(label, numbers[label.frame], outcome, near)
    ]
    return failed, unknown


def _rows(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows below the header, each with the number of its last line."""
    first, lines = _peeked(lines)
    delimiter = next((each for each in ";\t" if each in first and "," not in first), ",")
    uncommented = ("\n" if line.startswith("#") else line for line in lines)
    reader = csv.reader(uncommented, delimiter=delimiter, strict=True)
    header = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = tuple(cell.strip() for cell in row)
                if header not in {HEADER, HEADER[:2]}:
                    words = (
                        f"the header has to be frame,expected or frame,expected,within, not {','.join(row)}"
                    )
                    raise _error(path, reader.line_num, words)
                continue
            yield reader.line_num, row
    except csv.Error as error:
        raise _error(path, reader.line_num, str(error)) from error
    if header is None:
        raise LabelsError(f"{path}: it is empty: the first line has to be frame,expected")


def _peeked(lines: Iterable[str]) -> tuple[str, Iterator[str]]:
    """Return the first line that is no comment, and all lines."""
    seen: list[str] = []
    rest = iter(lines)
    for line in rest:
        seen.append(line)
        if line.strip() and not line.startswith("#"):
            return line, chain(seen, rest)
    return "", iter(seen)


def _label(path: Path, line: int, row: list[str]) -> Label:
    if not len(HEADER) - 1 <= len(row) <= len(HEADER):
        raise _error(path, line, f"needs a frame and kept or dropped, has {len(row)} columns")
    frame, expected, within = row[0], row[1].strip().lower(), "".join(row[2:]).strip()
    if expected not in {Verdict.KEPT, Verdict.DROPPED}:
        raise _error(path, line, f"expected is kept or dropped, not {expected!r}")
    if within and expected == Verdict.DROPPED:
        raise _error(path, line, "within is for frames that are to be kept")
    try:
        return Label(frame, Verdict(expected), float(Duration.parse(within)) if within else None, line)
    except ValueError as error:
        raise _error(path, line, f"within: {error}") from error


def _error(path: Path, line: int, words: str) -> LabelsError:
    return LabelsError(f"{path}: line {line}: {words}")


class _Nearness:
    """Finds kept frames by their capture times."""

    def __init__(self, replay: Replay, outcome: Outcome) -> None:
        self._replay, self._is_kept = replay, outcome.is_kept
        self._times: dict[str, list[int]] = {}

    def is_kept_within(self, number: int, within_s: float) -> bool:
        """Return whether a frame of the same camera, taken at most so many seconds away, is kept."""
        if not self._times:
            for kept in np.flatnonzero(self._is_kept).tolist():
                candidate = self._replay.frames[kept].candidate
                self._times.setdefault(candidate.camera, []).append(candidate.captured_at_ns)
        candidate = self._replay.frames[number].candidate
        times = self._times.get(candidate.camera, [])
        return any(abs(time_ns - candidate.captured_at_ns) <= within_s * 1e9 for time_ns in times)


def _passes(label: Label, number: int, outcome: Outcome, near: _Nearness) -> bool:
    if outcome.reason_of(number).verdict is label.expected:
        return True
    return label.within_s is not None and near.is_kept_within(number, label.within_s)


def _failure(label: Label, number: int, replay: Replay, outcome: Outcome) -> Failure:
    got = judged(replay, outcome, number)
    return Failure(
        label.frame,
        label.expected,
        got.verdict,
        got.score,
        got.threshold,
        got.unit,
        got.reference,
        got.zone,
        got.schedule,
    )
