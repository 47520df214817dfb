import re
import subprocess
from pathlib import Path

import pytest

import forked
import lot_days
from lot_days import LotDays


def report(*arguments: object, code: int = 0, **env: str) -> "subprocess.CompletedProcess[str]":
    done = forked.framegate("report", *arguments, env=env)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> LotDays:
    return lot_days.drawn(tmp_path_factory.mktemp("lots"), frames=6, width=320)


def test_a_folder_is_enough(days: LotDays, tmp_path: Path) -> None:
    """Without a config, the page shows the folder's frames by the defaults; nothing else is written."""
    before = sorted(path.name for path in days.drop.rglob("*"))
    done = report(days.drop, "-o", tmp_path / "page.html", HOME=str(tmp_path / "home"))
    assert done.stdout.startswith(f"{tmp_path}/page.html: 18 frames, ")
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["page.html"]
    assert sorted(path.name for path in days.drop.rglob("*")) == before
    assert "<title>drop: choose a threshold</title>" in (tmp_path / "page.html").read_text("utf-8")


def test_the_page_has_the_name_of_its_config(days: LotDays, tmp_path: Path) -> None:
    """Where there is a config, its name is the title."""
    report("-c", days.config_file, "-o", tmp_path / "page.html")
    assert "<title>north: choose a threshold</title>" in (tmp_path / "page.html").read_text("utf-8")


def test_of_one_camera_the_page_has_its_frames_and_its_table(days: LotDays, tmp_path: Path) -> None:
    """What is copied from the page is of this camera, not of all; and the cache may stay away."""
    home = tmp_path / "home"
    arguments = "-c", days.config_file, "-o", tmp_path / "page.html", "--no-cache", "--camera"
    assert ": 6 frames, " in report(*arguments, "c1", HOME=str(home)).stdout
    page = (tmp_path / "page.html").read_text("utf-8")
    assert re.findall(r'"table":"([^"]*)"', page) == ["[camera.c1.detection]"]
    assert not home.exists()
    assert "there is no frame of camera c9" in report(*arguments, "c9", code=2).stderr


def test_what_cannot_be_shown_is_said(days: LotDays, tmp_path: Path) -> None:
    """No frame, a wrong size, wrong labels, no such folder: one sentence, and the usual exit code."""
    empty = tmp_path / "empty"
    empty.mkdir()
    output = tmp_path / "page.html"
    assert "there is no frame" in report(empty, "-o", output, code=2).stderr
    assert "500MB" in report(days.drop, "-o", output, "--max-size", "15", code=2).stderr
    assert "labels.csv" in report(days.drop, "-o", output, "--labels", tmp_path / "labels.csv", code=2).stderr
    assert "no-such" in report(tmp_path / "no-such", "-o", output, code=78).stderr
    assert "No such file" in report(days.drop, "-o", tmp_path / "no" / "page.html", code=1).stderr
    assert not output.exists()


def test_a_page_that_cannot_be_written_leaves_the_old_one(days: LotDays, tmp_path: Path) -> None:
    """A page is replaced whole or not at all."""
    output = tmp_path / "page.html"
    output.mkdir()
    (output / "old").touch()
    assert "Is a directory" in report(days.drop, "-o", output, code=1).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
