import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framegate.demo.uploads import write_at_once
from framegate.events import FrameDecided, happening
from framegate.model import ChangeScore, Entry, FileKey, Reason, Region
from framegate.service.logs import SteadyStream, log_listener
from running import Site, wait_until

KEPT = FrameDecided(
    Entry(
        FileKey("bad\udcff\n.jpg", 1234, 0), "c21", 1_700_000_000_250_000_000, Reason.CHANGED, 0, 3,
        score_percent=1.25, threshold_percent=0.2, reference="before.jpg", result="bad\udcff\n.jpg",
    ),
    7.125,
    ChangeScore(2880.0, 1.25, tuple(Region(x, 2, 3, 4, 5.0) for x in range(20)), (640, 360)),
)  # fmt: skip


def printed(tmp_path: Path, *events: object, **options: object) -> str:
    path = tmp_path / "log"
    with path.open("wb") as file:
        listen = log_listener(SteadyStream(file.fileno()), **options)  # type: ignore[arg-type]
        for event in events:
            listen(event)  # type: ignore[arg-type]
    return path.read_text("utf-8")


def test_a_frame_is_one_json_line_with_the_numbers_compared(tmp_path: Path) -> None:
    """A verdict's line has its event first, both compared numbers, the reference, and the largest regions."""
    (line,) = printed(tmp_path, KEPT).splitlines()
    fields = json.loads(line)
    assert list(fields)[:3] == ["timestamp", "level", "event"]
    assert {key: fields[key] for key in ("event", "camera", "frame", "reason", "reference")} == {
        "event": "frame.kept",
        "camera": "c21",
        "frame": "bad\udcff\n.jpg",
        "reason": "changed",
        "reference": "before.jpg",
    }
    assert (fields["score_percent"], fields["threshold_percent"]) == (1.25, 0.2)
    assert (fields["duration_ms"], fields["config_revision"]) == (7.12, 3)
    assert fields["captured_at"] == "2023-11-14T22:13:20.250Z"
    assert (fields["region_count"], len(fields["regions"])) == (20, 8)
    assert set(fields["regions"][0]) == {"x", "y", "width", "height", "area_px"}


def test_people_get_a_console_line_without_color_in_a_file(tmp_path: Path) -> None:
    """The console format is for eyes: no regions, and no escape codes outside a terminal."""
    text = printed(tmp_path, KEPT, output_format="console")
    assert "frame.kept" in text
    assert "score_percent=1.25" in text
    assert "regions" not in text
    assert "\x1b" not in text


def test_a_name_cannot_write_on_the_operators_terminal(tmp_path: Path) -> None:
    """What a terminal would obey in a file's name is printed as text, on the console as well."""
    name = "\x1b]0;owned\x07\x1b[31m\u202egpj.jpg"
    text = printed(tmp_path, happening("frame.postponed", frame=name), output_format="console")
    assert text.rstrip("\n").isprintable()
    assert r"\x1b]0;owned" in text


def test_lines_below_the_level_are_not_printed(tmp_path: Path) -> None:
    """The level keeps the log short."""
    events = [happening("sweep.finished", "debug"), happening("drop.absent", "warning")]
    assert "drop.absent" in (text := printed(tmp_path, *events, level="warning"))
    assert "sweep.finished" not in text


@pytest.mark.parametrize("broken", ["full disk", "closed pipe"])
def test_a_broken_output_is_counted_and_survived(broken: str) -> None:
    """A log on a full disk, or on a pipe that nobody reads, raises nothing."""
    if broken == "full disk":
        fd = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, fd = os.pipe()
        os.close(reader)
    stream = SteadyStream(fd)
    log_listener(stream)(KEPT)
    os.close(fd)
    assert stream.lost == 1


def test_a_daemon_with_a_full_log_disk_keeps_its_frames(site: Site, morning: list[bytes]) -> None:
    """The daemon does its work when not one line of its log can be written."""
    write_at_once(site.drop / "a.jpg", morning[0])
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "framegate", "run", "-c", str(site.config)]
        with subprocess.Popen(command, stderr=full, stdout=full) as process:
            try:
                wait_until((site.results / "a.jpg").exists)
                process.terminate()
                assert process.wait(10) == 0
            finally:
                process.kill()
    assert site.kept_bytes() == {"a.jpg": morning[0]}
