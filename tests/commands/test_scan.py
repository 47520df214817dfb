import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import forked
from framegate.cameras import cameras
from framegate.commands.scanning import scan
from framegate.commands.stats_file import STATS_COLUMNS, StatsError, StatsFile
from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.ingest.sweeping import candidates_of
from framegate.model import Candidate, Reason
from running import Site, contents

FIRST_COLUMNS = "frame,camera,captured_at,reference,score,threshold,verdict,reason"


def framegate(*arguments: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = forked.framegate(*arguments)
    assert done.returncode == code, done.stderr
    return done


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def frames(tmp_path: Path, morning: list[bytes]) -> Path:
    """A folder of frames, one of them cut, their mtimes ten seconds apart."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, data in enumerate([*morning, morning[0][:-100]]):
        path = folder / f"lot_{number:04d}.jpg"
        path.write_bytes(data)
        os.utime(path, (1_700_000_000 + 10 * number,) * 2)
    return folder


def test_every_frame_gets_a_row(frames: Path, tmp_path: Path, morning: list[bytes]) -> None:
    """The statistics have a row for each frame in order, numbers empty where nothing was compared."""
    stats = tmp_path / "s.csv"
    framegate("scan", frames, tmp_path / "out", "--stats", stats)
    assert stats.read_text("utf-8").splitlines()[0].startswith(FIRST_COLUMNS)
    rows = rows_of(stats)
    assert [row["frame"] for row in rows] == sorted(path.name for path in frames.iterdir())
    first, cut = rows[0], rows[-1]
    assert (first["verdict"], first["reason"], first["score"], first["reference"]) == (
        "kept",
        "first",
        "",
        "",
    )
    assert first["captured_at"] == "2023-11-14T22:13:20.000Z"
    assert (cut["verdict"], cut["reason"], cut["score"]) == ("rejected", "truncated", "")
    for row in rows[1:-1]:
        is_above = float(row["score"]) > float(row["threshold"])
        assert row["verdict"] == ("kept" if is_above else "dropped")
        assert row["reference"] < row["frame"]
    kept = {row["frame"] for row in rows if row["verdict"] == "kept"}
    assert set(contents(tmp_path / "out")) == kept
    assert len(rows) == len(morning) + 1


def test_a_row_names_the_schedule_that_counted(frames: Path, tmp_path: Path) -> None:
    """In the last column; empty outside of its hours, and where nothing was judged, as of a cut file."""
    begin, end = (time.strftime("%H:%M", time.localtime(1_700_000_000 + second)) for second in (40, 7200))
    hours = f'hours = "{begin}-{end}"\n[schedule.detection]\nkeep_every = "1h"\n'
    site = Site(tmp_path / "site")
    site.drop = frames
    site.configure(rest=f'[[schedule]]\nname = "night"\n{hours}')
    framegate("scan", "-c", site.config, "--dry-run", "--stats", tmp_path / "s.csv")
    rows = rows_of(tmp_path / "s.csv")
    assert [*rows[0]][-1] == "schedule"
    assert [row["schedule"] for row in rows] == [*4 * [""], *(len(rows) - 5) * ["night"], ""]


def test_a_second_scan_leaves_the_same_results(frames: Path, tmp_path: Path) -> None:
    """Scanned twice, the results folder is the same to the byte and to the times, and foreign files stay."""

    def state(folder: Path) -> dict[str, tuple[bytes, int, int]]:
        return {p.name: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.iterdir()}

    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "lot_0000.jpg").write_text("somebody else's")
    framegate("scan", frames, out)
    after_first = state(out)
    framegate("scan", frames, out)
    assert state(out) == after_first
    assert after_first["notes.txt"][0] == b"mine"
    assert after_first["lot_0000.jpg"][0] == b"somebody else's"
    assert after_first["lot_0000_20231114T221320.000Z.jpg"][0] == (frames / "lot_0000.jpg").read_bytes()


def test_a_scan_names_its_results_by_the_layout(frames: Path, tmp_path: Path) -> None:
    """By the config's layout, as the daemon does; a second scan finds them there."""
    site = Site(tmp_path / "site")
    site.drop = frames
    site.configure(results='layout = "{captured_utc:%Y/%j}/{name}"')
    for _ in range(2):
        framegate("scan", "-c", site.config)
        assert contents(site.results)["2023/318/lot_0000.jpg"] == (frames / "lot_0000.jpg").read_bytes()
        assert {Path(name).parent for name in contents(site.results)} == {Path("2023/318")}


def test_a_library_says_nothing_between_our_lines(tmp_path: Path) -> None:
    """What libtiff and libjpeg find wrong with a file is in its verdict, and not on the terminal."""
    shades = np.random.default_rng(3).integers(0, 255, (90, 160), np.uint8)
    tiff = cv2.imencode(".tif", shades, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes()
    jpeg = cv2.imencode(".jpg", shades)[1].tobytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.tif").write_bytes(tiff[:1000] + b"\xff" * 200 + tiff[1200:])
    (tmp_path / "in/b.jpg").write_bytes(jpeg[:2000] + jpeg[2500:])
    command = [sys.executable, "-m", "framegate", "scan", str(tmp_path / "in"), str(tmp_path / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True
    )  # OpenCV reads its level when it is imported
    assert "ERROR" not in done.stdout + done.stderr
    assert "orrupt" not in done.stdout + done.stderr


def test_json_is_one_object_whose_sums_balance(frames: Path, tmp_path: Path) -> None:
    """--json prints one summary, in which seen = kept + dropped + rejected."""
    summary = json.loads(framegate("scan", frames, tmp_path / "out", "--json").stdout)
    assert list(summary) == [
        "schema", "seen", "kept", "dropped", "rejected", "seconds", "cameras", "rejected_frames",
    ]  # fmt: skip
    assert (
        summary["seen"]
        == summary["kept"] + summary["dropped"] + summary["rejected"]
        == len(list(frames.iterdir()))
    )
    assert summary["kept"] == len(list((tmp_path / "out").iterdir()))


def test_a_frame_that_is_overwritten_under_the_scan_is_judged_as_it_is_then(
    site: Site, morning: list[bytes]
) -> None:
    """A version that is gone when its turn comes is not rejected: the one that is there is judged."""
    (site.drop / "a.jpg").write_bytes(b"an earlier version")
    settings = load(site.config).settings
    candidates = candidates_of(settings)
    (site.drop / "a.jpg").write_bytes(morning[0])
    events: list[LogEvent] = []
    summary = scan(settings, candidates, events.append)
    assert (summary.seen, summary.kept) == (1, 1)
    assert contents(site.results) == {"a.jpg": morning[0]}
    (event,) = events
    assert isinstance(event, FrameDecided)
    assert event.entry.key.size_bytes == len(morning[0])


def test_a_frame_that_is_gone_when_its_turn_comes_is_rejected(site: Site, morning: list[bytes]) -> None:
    """A finite folder has no later: every file that was listed gets its verdict."""
    for name in ("a.jpg", "b.jpg"):
        (site.drop / name).write_bytes(morning[0])
    settings = load(site.config).settings
    candidates = candidates_of(settings)
    (site.drop / "a.jpg").unlink()
    events: list[LogEvent] = []
    summary = scan(settings, candidates, events.append)
    assert (summary.seen, summary.kept, summary.rejected) == (2, 1, 1)
    reasons = [event.entry.reason for event in events if isinstance(event, FrameDecided)]
    assert reasons == [Reason.VANISHED, Reason.FIRST]


def test_a_copy_is_a_frame_of_its_own_in_a_scan(site: Site, morning: list[bytes]) -> None:
    """A copy is not taken for the file moved, though that one is deleted while the scan runs."""
    site.configure()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (site.drop / name).write_bytes(morning[0])
        os.utime(site.drop / name, (1_700_000_000,) * 2)
    settings, events = load(site.config).settings, list[LogEvent]()

    def delete_judged(event: LogEvent) -> None:
        events.append(event)
        if isinstance(event, FrameDecided) and event.entry.key.name == "a.jpg":
            (site.drop / "a.jpg").unlink()

    assert scan(settings, candidates_of(settings), delete_judged).seen == 3
    decided = [event.entry for event in events if isinstance(event, FrameDecided)]
    assert [entry.reason for entry in decided] == [Reason.FIRST, Reason.IDENTICAL, Reason.IDENTICAL]


def test_what_cannot_be_read_now_is_rejected_by_a_scan(site: Site) -> None:
    """What the daemon would try again later a scan rejects as unreadable, and says why."""
    folder, name = "/sys/kernel", "uevent_seqnum"  # its status has another size than its content
    if not os.path.isfile(f"{folder}/{name}"):
        pytest.skip(f"no {folder}/{name} here")
    site.config.write_text(
        f"version = 1\n[drop]\nfolder = '{folder}'\ninclude = ['{name}']\nrecursive = false\n"
        f"[results]\nfolder = '{site.results}'\nmin_free = '1MB'\n"
    )
    settings = load(site.config).settings
    events: list[LogEvent] = []
    assert scan(settings, candidates_of(settings), events.append).rejected == 1
    (event,) = events
    assert isinstance(event, FrameDecided)
    assert event.entry.reason is Reason.UNREADABLE
    assert "bytes" in event.entry.detail


def test_a_scan_of_many_cameras_decides_as_with_memory_for_all(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cameras that do not fit into memory are put away and come back, also where nothing is delivered."""
    for path in list(frames.iterdir()):
        for camera in "abc":
            shutil.copy2(path, frames / f"{camera}{path.name}")
        path.unlink()
    config = tmp_path / "many.toml"
    config.write_text(
        f"version = 1\n[drop]\nfolder = '{frames}'\ncamera_pattern = '^(?P<camera>[abc])'\n"
        f"[results]\nfolder = '{tmp_path}'\n[state]\nfolder = '{tmp_path}'\n"
    )
    settings = load(config).settings

    def decisions() -> list[tuple[object, ...]]:
        events: list[LogEvent] = []
        scan(settings, candidates_of(settings), events.append, dry_run=True)
        decided = [event.entry for event in events if isinstance(event, FrameDecided)]
        return [(e.key, e.reason, e.score, e.threshold, e.unit, e.reference) for e in decided]

    expected = decisions()
    monkeypatch.setattr(cameras, "budget_bytes", lambda: 1)
    assert decisions() == expected


def test_a_dry_run_decides_and_delivers_nothing(frames: Path, tmp_path: Path) -> None:
    """--dry-run gives the rows of a real scan and writes no result."""
    framegate("scan", frames, tmp_path / "out", "--stats", tmp_path / "real.csv")
    framegate("scan", frames, tmp_path / "none", "--dry-run", "--stats", tmp_path / "dry.csv")
    assert (tmp_path / "dry.csv").read_bytes() == (tmp_path / "real.csv").read_bytes()
    assert not list((tmp_path / "none").glob("*"))


def test_two_numbers_mean_classic_and_pixels(frames: Path, tmp_path: Path) -> None:
    """With the two numbers of the published program the threshold is that many pixels of the native size."""
    stats = tmp_path / "s.csv"
    framegate("scan", frames, tmp_path / "out", 500, 5000, "--stats", stats)
    for row in rows_of(stats)[1:-1]:
        assert float(row["threshold"]) == pytest.approx(100 * 5000 / (480 * 270))
        is_above = float(row["changed_px"]) > 5000
        assert row["verdict"] == ("kept" if is_above else "dropped")


def test_one_number_is_wrong_usage(frames: Path, tmp_path: Path) -> None:
    """One of the two numbers alone is refused with exit code 2."""
    assert "both numbers" in framegate("scan", frames, tmp_path / "out", 500, code=2).stderr


def test_folders_that_overlap_are_refused(frames: Path) -> None:
    """Results inside the drop folder would be frames again: exit code 78, naming both as they were typed."""
    (line,) = framegate("scan", frames, frames / "out", code=78).stderr.splitlines()
    assert line == f"framegate: OUT: {frames}/out is inside IN ({frames})"


def test_a_missing_folder_is_a_config_error(tmp_path: Path) -> None:
    """A drop folder that is not there ends the scan with exit code 78 and one sentence."""
    done = framegate("scan", tmp_path / "nowhere", tmp_path / "out", code=78)
    assert done.stderr == f"framegate: IN: {tmp_path}/nowhere does not exist\n"
    assert not (tmp_path / "out").exists()


def test_a_scan_takes_both_folders_from_its_config(site: Site, morning: list[bytes]) -> None:
    """With -c and without IN and OUT the folders are the file's; without -c nothing is scanned."""
    site.configure()
    (site.drop / "a.jpg").write_bytes(morning[0])
    assert json.loads(framegate("scan", "-c", site.config, "--json").stdout)["kept"] == 1
    assert contents(site.results) == {"a.jpg": morning[0]}
    assert "IN and OUT" in framegate("scan", code=2).stderr
    assert "IN and OUT" in framegate("scan", site.drop, code=2).stderr


def test_a_scan_says_what_became_of_each_camera_and_which_frames_were_rejected(
    frames: Path, tmp_path: Path
) -> None:
    """Two cameras are a table, the rejected frames are named by reason, and JSON has both."""
    for path in list(frames.iterdir()):
        shutil.copy2(path, frames / f"c2_{path.name}")
        path.rename(frames / f"c1_{path.name}")
    (frames / "c2_x.jpg").write_bytes(b"text")
    config = tmp_path / "c.toml"
    config.write_text("version = 1\n[drop]\ncamera_pattern = '^(?P<camera>c[12])'\n")
    done = framegate("scan", frames, tmp_path / "out", "-c", config)
    table = done.stdout.splitlines()[1:4]
    assert [line.split()[:2] for line in table] == [["camera", "seen"], ["c1", "13"], ["c2", "14"]]
    assert "rejected as truncated: 2 (c1_lot_0012.jpg, c2_lot_0012.jpg)" in done.stdout
    assert "rejected as undecodable: 1 (c2_x.jpg)" in done.stdout
    summary = json.loads(framegate("scan", frames, tmp_path / "out", "-n", "--json", "-c", config).stdout)
    counts = summary["cameras"].values()
    for key in ("seen", "kept", "dropped", "rejected"):
        assert sum(camera[key] for camera in counts) == summary[key]
    assert {frame["frame"]: frame["reason"] for frame in summary["rejected_frames"]} == {
        "c1_lot_0012.jpg": "truncated",
        "c2_lot_0012.jpg": "truncated",
        "c2_x.jpg": "undecodable",
    }


def test_a_table_that_meets_a_full_disk_ends_the_scan_in_one_sentence(frames: Path, tmp_path: Path) -> None:
    """--stats on a full disk is an error of the table: exit code 1, no traceback."""
    done = framegate("scan", frames, tmp_path / "out", "--stats", "/dev/full", code=1)
    assert done.stderr.splitlines()[-1] == "framegate: /dev/full: No space left on device"
    assert "Traceback" not in done.stderr


def test_a_scan_whose_table_cannot_be_written_does_not_go_on(site: Site, morning: list[bytes]) -> None:
    """When a row does not reach the disk, no further frame is judged for it."""
    (site.drop / "a.jpg").write_bytes(morning[0])
    settings = load(site.config).settings
    events: list[LogEvent] = []
    candidates = candidates_of(settings)
    scan(settings, candidates, events.append, dry_run=True)
    judged: list[Candidate] = []

    def judge_many(table: StatsFile) -> None:
        for candidate in table.while_written(candidates * 10_000):
            table(events[0])
            judged.append(candidate)

    with pytest.raises(StatsError), StatsFile(Path("/dev/full")) as table:
        judge_many(table)
    assert len(judged) < 1000


def test_a_scan_names_what_it_ignores(frames: Path, tmp_path: Path) -> None:
    """Files that no pattern of include matches are one line on standard error, with an example."""
    (frames / "c.gif").write_bytes(b"")
    (line,) = framegate("scan", frames, tmp_path / "none", "-n").stderr.splitlines()
    assert line.startswith("warning: 1 file matches no pattern of drop.include")
    assert "'c.gif'" in line


def test_a_scan_warns_when_the_mtimes_are_those_of_a_copy(frames: Path, tmp_path: Path) -> None:
    """Names that tell another order than the mtimes, or mtimes all at once, are one line with the setting."""
    names = sorted(path.name for path in frames.iterdir())

    def warned(rename: Callable[[int], str], mtime_s: Callable[[int], float]) -> str:
        folder = tmp_path / f"in-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for number, name in enumerate(names):
            shutil.copy(frames / name, folder / rename(number))
            os.utime(folder / rename(number), (mtime_s(number),) * 2)
        return framegate("scan", folder, tmp_path / "none", "-n").stderr

    dated, base_s = "lot_2023-11-14_22-13-{:02}.jpg".format, 1_700_000_000
    assert warned(dated, lambda n: base_s + 10 * n) == ""
    assert warned(dated, lambda n: base_s + n / 100) == ""
    assert 'capture_time = "%Y-%m-%d_%H-%M-%S"' in warned(dated, lambda n: base_s - 10 * n)
    assert warned("in{:06}.jpg".format, lambda n: base_s + 10 * n) == ""
    lines = warned("in{:06}.jpg".format, lambda n: base_s + n / 100).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("warning: frames are judged in the order of their mtimes, but all 13 lie")


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((), id="adaptive"),
        pytest.param((500, 5000), id="500/5000"),
        pytest.param((5000, 50000), id="5000/50000", marks=pytest.mark.slow),
    ],
)
def test_real_frames_all_get_a_verdict(shared_data: Path, tmp_path: Path, numbers: tuple[int, ...]) -> None:
    """All 57 stills of the empty lot get a verdict, and most of them are dropped."""
    stats = tmp_path / "s.csv"
    framegate("scan", shared_data / "lot_empty", tmp_path / "out", *numbers, "--stats", stats)
    rows = rows_of(stats)
    assert len(rows) == 57
    assert tuple(rows[0]) == STATS_COLUMNS
    kept = [row for row in rows if row["verdict"] == "kept"]
    assert len(contents(tmp_path / "out")) == len(kept) < len(rows) / 3
