"""What the inner functions may cost, as a ratio to what they cannot do without: the same on every machine.

``python -m pytest -n 0 tests/benchmarks/test_inner_speed.py`` measures. In a parallel run, where nothing
can be measured, each function runs once. The bounds are about twice what was measured, in CPU time.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.ledger import entry
from benchmarks.speed.frames import View
from framegate import DetectionSettings, Judge, decode
from framegate.config.telling.log import LogSettings
from framegate.events.frames import FrameDecided
from framegate.keep.ledger import Ledger
from framegate.model import ChangeScore, Picture, Region, Verdict
from framegate.telemetry.log import log_listener
from framegate.telemetry.log_stream import LogStream

pytest.importorskip("pytest_benchmark")
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.benchmark(timer=time.thread_time)

ROUNDS = 40
LINES, ROWS = 50, 500
SECOND_NS = 10**9

SETTINGS = {
    "adaptive": DetectionSettings.preset("adaptive"),
    "classic": DetectionSettings.preset("classic", min_contour_area="500px", score_threshold="0.5%"),
}


@pytest.fixture(scope="module")
def quiet() -> list[bytes]:
    """Four frames of 1080p in which nothing but leaves and noise moves."""
    view = View(1920, 1080)
    return [view.jpeg(0) for _ in range(4)]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Let OpenCV work in the thread whose CPU time is measured."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


def check_ratio(
    benchmark: BenchmarkFixture,
    measured: Callable[[], object],
    needed: Callable[[], object],
    most: float,
) -> None:
    """Measure by turns; the best round of the one may take so many times what the best of the other takes."""
    needed_s: list[float] = []

    def before_each_round() -> None:
        begun_s = time.thread_time()
        needed()
        needed_s.append(time.thread_time() - begun_s)

    benchmark.pedantic(measured, setup=before_each_round, rounds=ROUNDS, warmup_rounds=2)  # type: ignore[no-untyped-call]
    if benchmark.stats is not None:
        ratio = benchmark.stats.stats.min / min(needed_s)
        benchmark.extra_info["ratio"] = round(ratio, 3)
        assert ratio <= most, f"{ratio:.2f} times as long as {min(needed_s) * 1e6:.0f} us"


@pytest.mark.parametrize(("preset", "most"), [("adaptive", 1.0), ("classic", 0.12)])
def test_judging_a_quiet_frame_costs_little_beside_decoding_it(
    benchmark: BenchmarkFixture, quiet: list[bytes], preset: str, most: float
) -> None:
    """All that is done to a frame in which nothing happens is small beside the decoder's work."""
    settings = SETTINGS[preset]
    pictures = [decoded(data, settings) for data in quiet]
    judge, number = Judge(settings), count()

    def judge_next() -> Verdict:
        at = next(number)
        return judge.judge(f"{at}.jpg", at * SECOND_NS, pictures[at % len(pictures)]).verdict

    verdicts = [judge_next() for _ in range(20)]  # it learns first which leaves move
    assert verdicts[-4:] == [Verdict.DROPPED] * 4
    check_ratio(benchmark, judge_next, partial(decode_plainly, quiet[0], reduction_of(pictures[0])), most)


@pytest.mark.parametrize(("preset", "most"), [("adaptive", 1.3), ("classic", 1.3)])
def test_a_picture_costs_little_more_than_its_pixels(
    benchmark: BenchmarkFixture, quiet: list[bytes], preset: str, most: float
) -> None:
    """Looking whether a file is whole and undamaged is little work beside making its pixels."""
    settings = SETTINGS[preset]
    reduction = reduction_of(decoded(quiet[0], settings))
    check_ratio(
        benchmark, partial(decoded, quiet[0], settings), partial(decode_plainly, quiet[0], reduction), most
    )


def test_a_log_line_costs_little_more_than_its_json(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The line about a kept frame, with eight regions, is a few times the work of encoding its fields."""
    regions = tuple(Region(x, 2, 3, 4, 5.0) for x in range(8))
    event = FrameDecided(entry(0), 7.125, ChangeScore(1.25, 0.2, "%", regions, 2880.0, (640, 360)))
    fields = {
        "timestamp": "2026-11-27T12:00:00.000000Z",
        "level": "info",
        "event": event.event,
        **event.fields,
    }
    with (tmp_path / "log").open("wb") as file:
        listen = log_listener(LogStream(file.fileno()), LogSettings(format="json"))
        check_ratio(
            benchmark, lambda: [listen(event) for _ in range(LINES)],
            lambda: [json.dumps(fields, default=str) for _ in range(LINES)], most=4.5,
        )  # fmt: skip


def test_a_row_of_the_ledger_costs_little_more_than_an_insert(
    benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    """A dropped frame in the ledger, with all that is counted and remembered, is a few plain inserts."""
    numbers, plain_numbers = count(), count()
    with closing(Ledger(tmp_path / "ledger.sqlite3")) as ledger, closing(plain_table(tmp_path)) as plain:

        def note() -> None:
            for _ in range(ROWS):
                ledger.note(entry(next(numbers)))
            ledger.flush()

        def insert() -> None:
            values = [plain_row(next(plain_numbers)) for _ in range(ROWS)]
            with plain:
                plain.executemany("INSERT INTO frame VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

        check_ratio(benchmark, note, insert, most=5.5)


def decoded(data: bytes, settings: DetectionSettings) -> Picture:
    picture = decode(data, settings)
    assert isinstance(picture, Picture), picture
    return picture


def reduction_of(picture: Picture) -> int:
    """Return how many pixels of a side became one; 0 for a gray picture."""
    return 0 if picture.pixels.ndim == 2 else round(picture.size[0] / picture.pixels.shape[1])


def decode_plainly(data: bytes, reduction: int) -> None:
    flags = {
        0: cv2.IMREAD_GRAYSCALE,
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }
    assert cv2.imdecode(np.frombuffer(data, np.uint8), flags[reduction]) is not None


def plain_table(folder: Path) -> sqlite3.Connection:
    """Return a table of frames, with the index that finds a name, as anybody would make it."""
    table = sqlite3.connect(folder / "plain.sqlite3")
    table.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE frame (id INTEGER PRIMARY KEY, name BLOB, size INTEGER, mtime INTEGER, camera TEXT,"
        " verdict TEXT, reason TEXT, score REAL, threshold REAL, sha256 BLOB);"
        "CREATE INDEX by_name ON frame (name);"
    )
    return table


def plain_row(number: int) -> tuple[object, ...]:
    of = entry(number)
    key, reason = of.key, of.reason
    name = os.fsencode(key.name)
    return (
        name,
        key.size_bytes,
        key.mtime_ns,
        of.camera,
        reason.verdict,
        reason,
        of.score,
        of.threshold,
        of.sha256,
    )
