import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import backlog, cameras, latency, resting, rows, scanning, slow_card
from benchmarks.speed.digest import digest
from benchmarks.speed.frames import CHANGES_EVERY, Size, View, drawn, with_comment
from benchmarks.speed.latency import appearances, percentile
from benchmarks.speed.processes import ProgramError, Used, used_by
from benchmarks.speed.programs import CLASSIC, ONE_SHOT, programs
from benchmarks.speed.rounds import Runs, rate, ratio, rounds_of
from benchmarks.speed.tables import Cell, Table, in_words, load_warning
from framegate import DetectionSettings
from invariants import rss_bytes
from pictures import decoded
from running import wait_until

FRAMES = 3 * CHANGES_EVERY


def used(*walls_s: float) -> tuple[Used, ...]:
    return tuple(Used(wall_s, 2 * wall_s, 0) for wall_s in walls_s)


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    """So many percent of the values, at least, are not above the percentile; of no values there is none."""
    assert percentile(range(100, 0, -1), percent) == value
    assert percentile([7.0], percent) == 7.0
    assert percentile([], percent) is None


def test_start_up_is_left_out_by_a_run_with_the_first_frames_alone() -> None:
    """What the first frames take, in the median round, is subtracted from what all take; the rest counts."""
    runs = Runs(11, 1, whole=used(12.0, 22.0), first=used(1.0, 2.0, 9.0))
    assert runs.wall_s(started=True) == [1.0, 2.0]
    assert runs.cpu_s(started=True) == [2.0, 4.0]
    assert runs.wall_s(started=False) == [12 / 11, 2.0]


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    """A slow round changes the ratio only if it is slow for one of the two; what is too short has none."""
    assert ratio([1.0, 10.0, 3.0], [2.0, 20.0, 3.0]) == 0.5
    assert ratio([1.0, -1.0], [1.0, 1.0]) is None
    assert rate([0.5, 0.25, 4.0]) == 2.0
    assert rate([-0.5]) is None


def test_each_contender_runs_once_a_round_in_changing_order() -> None:
    """None is always the first, for which the machine is still cool, nor always behind the same one."""
    order: list[str] = []
    names = "abcde"

    def called(name: str) -> str:
        order.append(name)
        return name

    returned = rounds_of({name: partial(called, name) for name in names}, 4, order.append)
    assert returned == {name: [name] * 4 for name in names}
    rounds = " ".join(order).split("round")[1:]
    assert all(sorted(one.split()[-5:]) == list(names) for one in rounds)
    assert len({tuple(one.split()[-5:]) for one in rounds}) > 1


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"),
        ("scan", "scan"),
        (50_000, "50,000"),
        (1234.5, "1,234"),
        (99.96, "100.0"),
        (5.254, "5.25"),
        (0.0123, "0.0123"),
        (0.0, "0.00"),
    ],
)
def test_a_figure_has_about_three_digits(cell: Cell, text: str) -> None:
    """No figure claims to be known better than it is."""
    assert in_words(cell) == text


def test_a_table_is_markdown_for_people_and_numbers_for_programs() -> None:
    """The README's table and the JSON document come from the same cells."""
    table = Table("scan", "Scan", ("program", "frames/s"), (("loop", 123.456), ("other", None)), ("A note.",))
    assert "| loop | 123 |\n| other | - |\n\nA note." in table.markdown()
    assert table.document()["rows"][0] == {"program": "loop", "frames/s": 123.456}


def test_the_digest_says_what_the_parts_have_found() -> None:
    """The README's tables have each part's figures, all sizes of a scan beside each other."""

    def table(part: str, head: tuple[str, ...], *firsts: Cell, about: str = "") -> Table:
        cells = (
            (first, *(10.0 * number + at for at in range(1, len(head))))
            for number, first in enumerate(firsts)
        )
        return Table(part, part, head, tuple(cells), about=about)

    parts = [
        table("scan", scanning.HEAD, "decode loop, colour at 1/2", "one-shot program", about="480p"),
        table("scan", scanning.HEAD, "decode loop, colour at 1/4", "one-shot program", about="1080p"),
        table("scan", scanning.HEAD, "with start-up"),
        table("cameras", cameras.HEAD, 1, 1000),
        table("live", latency.HEAD, "1080p, every"),
        table("idle", resting.HEAD, 50_000),
        table("soak", backlog.HEAD, 100, 200, 300, 400),
        table("ledger", rows.HEAD, "open", "totals", "kept: intend + finish, a frame"),
        table("card", slow_card.HEAD, "one by one", "a backlog"),
    ]
    scans, others = digest(parts)
    assert scans.rows[0] == ("decode loop, as `adaptive` decodes", 1.0, 3.0, 5.0, 1.0, 3.0, 5.0)
    assert scans.rows[1] == ("one-shot program", 11.0, 13.0, 15.0, 11.0, 13.0, 15.0)
    assert len(scans.rows) == 2
    assert [measured for _, measured in others.rows] == [
        "13.0 of one camera's",
        "p50 1.00 ms, p99 2.00 ms; CPU 9.00 ms a frame",
        "1.00 % of a core, 3.00 MB",
        "31.0 frames/s, CPU 32.0 ms a frame; 13.0 MB after 200, 33.0 MB after 400",
        "1.00 us of CPU",
        "21.0 us of CPU",
        "11.0 frames/s, 12.0 times one by one",
    ]


def test_a_busy_machine_is_told_of() -> None:
    """Whoever reads the table learns that the machine had other work."""
    assert load_warning(0.2) is None
    assert "3.1" in (load_warning(3.1) or "")


def test_a_comment_changes_the_bytes_and_not_the_picture() -> None:
    """Frames with a number are new files to framegate, and the same work for every decoder."""
    plain = View(160, 120).jpeg(0)
    commented = [with_comment(plain, f"frame {number}") for number in range(2)]
    settings = DetectionSettings.preset("adaptive")
    pictures = {decoded(data, settings).pixels.tobytes() for data in (plain, *commented)}
    assert len({plain, *commented}) == 3
    assert len(pictures) == 1


def test_a_program_is_measured_without_its_starter() -> None:
    """The memory of the bench, which holds pictures, does not count as the program's."""
    ballast = np.ones(100 * 2**20, np.uint8)
    found = used_by([sys.executable, "-S", "-c", "print(sum(range(2_000_000)))"])
    assert found.output == "1999999000000\n"
    assert 0 < found.cpu_s <= found.wall_s * (os.cpu_count() or 1)
    assert found.peak_bytes < ballast.size < rss_bytes(os.getpid())


def test_a_program_that_fails_is_no_result() -> None:
    """A program that fails is reported with what it said: its time would look like a record."""
    with pytest.raises(ProgramError, match="nowhere"):
        used_by([sys.executable, "-c", "raise SystemExit('nowhere')"])


def test_an_appearance_has_its_moment(tmp_path: Path) -> None:
    """A file that is linked into the folder appears, with a moment in nanoseconds of the epoch."""
    folder = tmp_path / "results"
    folder.mkdir()
    (tmp_path / "hidden").write_bytes(b"frame")
    with appearances(folder) as moments_ns:
        os.link(tmp_path / "hidden", folder / "frame.jpg")
        wait_until(lambda: "frame.jpg" in moments_ns)
    assert abs(moments_ns["frame.jpg"] - (folder / "frame.jpg").stat().st_ctime_ns) < 60e9


def test_the_programs_look_through_the_same_frames(tmp_path: Path) -> None:
    """The preset ``classic`` and the one-shot program keep one in eight of them; a loop decodes them all."""
    frames = drawn(Size("small", 320, 240, FRAMES, FRAMES), FRAMES, tmp_path, lambda _words: None)
    kept = {
        one.name: one.kept(used_by(one.command(frames.folder)).output)
        for one in programs(frames, tmp_path, lambda _words: None)
        if one.name in {CLASSIC, ONE_SHOT, "decode loop, gray"}
    }
    assert kept == {CLASSIC: 3, ONE_SHOT: 3, "decode loop, gray": FRAMES}
