import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.planting import Picture
from benchmarks.sets import Cache, captured_at_s


@pytest.mark.parametrize(
    ("name", "moment_s"),
    [
        ("1366030801.jpg", 1366030801),
        ("2013-02-24_06_15_00.jpg", 1361686500),
        ("2023-06-13T03_11_46.jpg", 1686625906),
        ("collingwoodon_202310150840.jpg", 1697359200),
    ],
)
def test_names_say_when_a_frame_was_taken(name: str, moment_s: float) -> None:
    """Each spelling of the footage is read, whatever the number of the frame."""
    assert captured_at_s(name, 7) == moment_s


def test_frames_without_a_time_keep_their_order() -> None:
    """Frames of a video are seconds apart."""
    assert captured_at_s("in000570.jpg", 0) < captured_at_s("in000580.jpg", 1)


def test_frames_are_drawn_once(tmp_path: Path) -> None:
    """The second time nothing is drawn, and the copies carry the times at which the originals were taken."""
    drawn: list[str] = []

    def draw(frame: Path) -> Picture:
        drawn.append(frame.name)
        return np.zeros((8, 8, 3), np.uint8)

    frames = [tmp_path / "2013-02-24_06_15_00.jpg", tmp_path / "2013-02-24_06_20_00.jpg"]
    first = Cache(tmp_path / "cache").copies("window", frames, draw, ".png")
    assert Cache(tmp_path / "cache").copies("window", frames, draw, ".png") == first
    assert drawn == [frame.name for frame in frames]
    assert [os.stat(copy).st_mtime for copy in first] == [1361686500, 1361686800]
