"""Pictures that take much memory, of which several are in hand."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.speed.processes import used_by

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
