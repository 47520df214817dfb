"""Pictures that take much memory, of which several are in hand."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

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
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "framegate", "scan", os.fspath(tmp_path / "in"), os.fspath(tmp_path / "out")],
        os.environ,
    )
    _, status, usage = os.wait4(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert DECODED_BYTES < 1024 * usage.ru_maxrss < 3 * DECODED_BYTES, "not two at once: 4.1 times"
