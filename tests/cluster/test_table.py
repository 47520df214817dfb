import csv
import random
from contextlib import suppress
from pathlib import Path

import pytest

import forked
from archives import DrawnArchive, Scanned
from framegate.commands.cluster import table as tables
from framegate.commands.cluster.done_parts import open_rows
from framegate.commands.cluster.table import merged_rows, table
from framegate.commands.stats_file import STATS_COLUMNS, StatsError


def row_of(name: str, score: str = "1.5") -> list[str]:
    values = {"frame": name, "camera": "c1", "captured_at": "2026-03-31T08:00:00.250Z", "score": score}
    return [values.get(column, "") for column in STATS_COLUMNS]


def test_many_files_are_merged_in_the_order_of_judging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time, then by name, whatever is in a name; also where there are more files than may be open."""
    monkeypatch.setattr(tables, "MOST_OPEN", 3)
    order = random.Random(1)
    names = ["plain", 'quo"ted', "com,ma", "line\nfeed", "\udcff bytes", "ä"]
    rows = sorted((order.randrange(-5, 5), f"{name}{number}") for name in names for number in range(20))
    files = [tmp_path / f"{number}.rows" for number in range(8)]
    of: dict[Path, list[list[object]]] = {path: [] for path in files}
    for moment, name in rows:
        of[order.choice(files)].append([moment, *row_of(name)])
    for path in files:
        with open_rows(path, "w") as file:
            csv.writer(file).writerows(of[path])
    assert list(merged_rows(files)) == [row_of(name) for _, name in rows]
    assert sorted(tmp_path.iterdir()) == files


def test_a_table_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    """A scan that fails leaves an older table, and no half one beside it."""
    path = tmp_path / "stats.csv"
    path.write_text("older", "utf-8")
    with suppress(KeyboardInterrupt), table(path) as write:
        write(row_of("a"))
        raise KeyboardInterrupt
    assert path.read_text("utf-8") == "older"
    with pytest.raises(StatsError, match="Not a directory"), table(path / "x.csv"):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_a_parquet_file_has_the_values_of_the_csv(
    archive: DrawnArchive, whole: Scanned, tmp_path: Path
) -> None:
    """Numbers are numbers, times are times of UTC, nothing is null; the columns are the same.

    A scan without workers writes the same file.
    """
    parquet = pytest.importorskip("pyarrow.parquet", reason="the Python package pyarrow is not installed")
    header, *rows = csv.reader(whole.table.decode("utf-8", "surrogateescape").splitlines(keepends=True))
    with table(tmp_path / "stats.parquet") as write:
        for row in rows:
            write(row)
    read = parquet.read_table(tmp_path / "stats.parquet")
    assert read.column_names == header
    for found, row in zip(read.to_pylist(), rows, strict=True):
        wanted = dict(zip(header, row, strict=True))
        taken = found.pop("captured_at").isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert taken == wanted.pop("captured_at")
        for name, value in found.items():
            text = wanted[name]
            if isinstance(value, float | int):
                assert value == float(text), name
            else:
                assert (value or "") == text, name
    by_one = tmp_path / "by_one.parquet"
    done = forked.framegate(
        "scan", archive.drop, tmp_path / "to", "-c", archive.config_file, "--stats", by_one
    )
    assert done.returncode == 0, done.stderr
    assert (
        parquet.read_table(by_one)
        .drop(["result"])
        .equals(parquet.read_table(tmp_path / "stats.parquet").drop(["result"]))
    )


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    """One sentence, and no table is left."""
    hidden = "import sys; sys.modules['pyarrow'] = None; sys.argv[0] = 'framegate'\n"
    run = "from framegate.cli import main; main()"
    (tmp_path / "in").mkdir()
    arguments = "scan", tmp_path / "in", tmp_path / "out", "--stats", tmp_path / "x.parquet"
    done = forked.python(hidden + run, *arguments)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"a Parquet file needs the Python package pyarrow: " in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["in"]
