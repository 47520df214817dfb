import os
import subprocess
import sys
from pathlib import Path

import pytest

import forked
from framegate.commands.demo.scene import Lot


@pytest.fixture
def lot(tmp_path: Path) -> Path:
    """A config, and two frames in its drop folder."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (tmp_path / "results").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (drop / name).write_bytes(Lot(width=320, height=180, seed=ord(name[0])).jpeg())
    config = tmp_path / "lot.toml"
    config.write_text(f"version = 1\n[drop]\nfolder = '{drop}'\n[results]\nfolder = '{tmp_path}/results'\n")
    return config


def framegate(*arguments: object, code: int) -> "subprocess.CompletedProcess[str]":
    done = forked.framegate(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_no_output_is_written_over_what_a_command_reads(lot: Path) -> None:
    """The config, a frame that is compared, a frame in the drop folder: all stay as they are."""
    drop, before = lot.parent / "drop", lot.read_bytes()
    frame = (drop / "b.jpg").read_bytes()
    png = lot.parent / "b.png"
    png.write_bytes(frame)
    link = lot.parent / "link.html"
    link.symlink_to(lot)
    for arguments in (
        ("report", "-c", lot, "-o", lot),
        ("report", "-c", lot, "-o", link),
        ("report", "-c", lot, "-o", drop / "b.jpg"),
        ("scan", "-c", lot, "-n", "--stats", lot),
        ("scan", "-c", lot, "-n", "--stats", drop / "new.csv"),
        ("suggest", "-c", lot, "--overlay", drop / "b.jpg"),
        ("suggest", "-c", lot, "--overlay", lot.parent / "other.jpg"),
        ("explain", drop / "a.jpg", png, "--overlay", png),
    ):
        assert framegate(*arguments, code=2).stderr.startswith("framegate: "), arguments
    assert (lot.read_bytes(), (drop / "b.jpg").read_bytes(), png.read_bytes()) == (before, frame, frame)
    assert sorted(path.name for path in drop.iterdir()) == ["a.jpg", "b.jpg"]


def test_a_page_goes_through_a_link_and_into_a_pipe(lot: Path) -> None:
    """What stands in the way of the page stays what it is."""
    page, link, pipe = (lot.parent / name for name in ("page.html", "link.html", "pipe"))
    link.symlink_to(page)
    framegate("report", "-c", lot, "-o", link, code=0)
    assert link.is_symlink()
    assert page.read_text("utf-8").startswith("<!")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", os.fspath(pipe)], stdout=subprocess.PIPE)
    framegate("report", "-c", lot, "-o", pipe, code=0)
    assert reader.communicate()[0].startswith(b"<!")
    assert pipe.is_fifo()


def test_a_page_that_cannot_be_so_small_says_so(lot: Path) -> None:
    """Without any picture it is as large as it is."""
    done = framegate("report", "-c", lot, "-o", lot.parent / "page.html", "--max-size", "10kB", code=0)
    assert "even without a picture it takes more than 10,000 bytes" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this machine has no /dev/full")
@pytest.mark.parametrize("command", ["replay", "suggest", "config", "check", "report"])
def test_standard_output_on_a_full_disk_is_one_sentence(lot: Path, command: str) -> None:
    """Exit code 1, and no traceback, whether much is printed or little."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "framegate", command, "-c", lot],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=lot.parent,
        )  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last) == (1, "framegate: standard output: No space left on device")
    assert "Traceback" not in done.stderr
