"""The one table of verdicts, a CSV file or a Parquet file, and the rows of all parts for it."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from heapq import merge
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from framegate.commands.cluster.done_parts import open_rows
from framegate.commands.stats_file import STATS_COLUMNS, Rows, StatsError
from framegate.errors import MissingPackage

MOST_OPEN = 200
"""Files that are merged at a time: a process may open 1024 by default."""

GROUP_ROWS = 100_000
"""Rows that a Parquet file has together; some 20 MB of memory."""

PARQUET = ".parquet"
_NUMBERS = {"score": float, "threshold": float, "changed_px": float, "region_count": int}

Row = Sequence[str]
Write = Callable[[Row], object]


def merged_rows(files: Sequence[Path]) -> Iterator[Row]:
    """Yield the rows of some files, each in the order of judging, in the order in which one process judges.

    Args:
        files: as ``DoneParts.rows_file`` returns them. If there are very many, others are written beside the
            first, and removed.

    Raises:
        OSError: one cannot be read or written.
    """
    made: list[Path] = []
    try:
        while len(files) > MOST_OPEN:
            together = files[0].with_name(f"merged-{len(made)}")
            made.append(together)
            with open_rows(together, "w") as file:
                csv.writer(file).writerows(_merged(files[:MOST_OPEN]))
            files = [*files[MOST_OPEN:], together]
        for row in _merged(files):
            yield row[1:]
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def _merged(files: Sequence[Path]) -> Iterator[list[str]]:
    with ExitStack() as stack:
        rows = [csv.reader(stack.enter_context(open_rows(path, "r"))) for path in files]
        yield from merge(*rows, key=lambda row: (int(row[0]), row[1]))


@contextmanager
def table(path: Path | None) -> Iterator[Write]:
    """Yield a function that takes the rows; at the end of the block the table is there, whole.

    Args:
        path: of the table; what is there is replaced. One that ends with ``.parquet`` is a Parquet file.
            None: there is no table.

    Raises:
        StatsError: it cannot be written.
    """
    if path is None:
        yield lambda _row: None
        return
    is_special = path.exists() and not path.is_file()  # such as /dev/stdout
    target = path if is_special else path.resolve()
    beside = target if is_special else target.with_name(f".{target.name}.part")
    try:
        with _parquet(beside) if is_parquet(path) else _csv(beside) as write:
            yield write
        if not is_special:
            beside.replace(target)
    except OSError as error:
        raise StatsError(f"{path}: {error.strerror or error}") from error
    finally:
        if not is_special:
            with suppress(OSError):
                beside.unlink()


@contextmanager
def parquet_of_values(path: Path) -> Iterator[Rows]:
    """Yield a function that takes rows as ``stats_row`` returns them, for a Parquet file; see ``table``."""
    with table(path) as write:
        yield lambda row: write(["" if value is None else str(value) for value in row])


def is_parquet(path: Path) -> bool:
    """Return whether a table is to be a Parquet file."""
    return path.name.lower().endswith(PARQUET)


def require_parquet() -> None:
    """Require what writes Parquet files.

    Raises:
        MissingPackage: it is not there.
    """
    if find_spec("pyarrow") is None:
        words = f"a Parquet file needs the Python package pyarrow: {sys.prefix}/bin/pip install pyarrow"
        raise MissingPackage(words)


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with open_rows(path, "w") as file:
        writer = csv.writer(file)
        writer.writerow(STATS_COLUMNS)
        yield writer.writerow
        file.flush()
        if path.is_file():
            os.fsync(file.fileno())


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa  # noqa: PLC0415 - large, and few need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {name: pa.int64() if number is int else pa.float64() for name, number in _NUMBERS.items()}
    kinds["captured_at"] = pa.timestamp("ms", "UTC")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in STATS_COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        group: list[Row] = []

        def write_group() -> None:
            columns = [list(map(_value_of(name), column)) for name, column in _columns(group)]
            writer.write_table(pa.table(columns, schema=schema))
            group.clear()

        def write(row: Row) -> None:
            group.append(row)
            if len(group) >= GROUP_ROWS:
                write_group()

        yield write
        if group:
            write_group()


def _columns(rows: Sequence[Row]) -> Iterable[tuple[str, tuple[str, ...]]]:
    return zip(STATS_COLUMNS, zip(*rows, strict=True), strict=True)


def _value_of(column: str) -> Callable[[str], Any]:
    """Return the function that makes a value of a column's text; None of an empty one."""
    make = _NUMBERS.get(column, _moment if column == "captured_at" else _unicode)
    return lambda text: make(text) if text else None


def _moment(text: str) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (datetime.fromisoformat(text) - epoch) // timedelta(milliseconds=1) * timedelta(
        milliseconds=1
    )


def _unicode(text: str) -> str:
    """Return a text with escapes for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
