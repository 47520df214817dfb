"""Pictures that take much memory, of which several are in hand."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.speed.frames import View
from benchmarks.speed.processes import used_by

MOST_BYTES_OF_4K = 160_000_000

SIDE = 9_000
DECODED_BYTES = 3 * SIDE * SIDE


@pytest.mark.slow
def test_large_pictures_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    """Threads that examine frames ahead multiply the speed, and not the memory of the largest pictures."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    for number in range(4):
        picture = np.full((SIDE, SIDE, 3), 60 + number, np.uint8)
        (tmp_path / "in" / f"{number}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    folders = os.fspath(tmp_path / "in"), os.fspath(tmp_path / "out")
    used = used_by([sys.executable, "-m", "framegate", "scan", *folders])
    assert DECODED_BYTES < used.peak_bytes < 3 * DECODED_BYTES, "not two at once: 4.1 times"


@pytest.mark.slow
def test_a_scan_of_4k_fits_a_small_box(tmp_path: Path) -> None:
    """With ``classic``, which decodes every pixel, a scan on two cores takes under 160 MB."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    view = View(3840, 2160)
    for number in range(10):
        (tmp_path / "in" / f"{number:02}.jpg").write_bytes(view.jpeg(number))
    two_cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))
    folders = os.fspath(tmp_path / "in"), os.fspath(tmp_path / "out")
    used = used_by(
        ["taskset", "-c", two_cores, sys.executable, "-m", "framegate", "scan", *folders, "500", "5000"]
    )
    assert len(os.listdir(tmp_path / "out")) > 1
    assert used.peak_bytes < MOST_BYTES_OF_4K
