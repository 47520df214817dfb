import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archives import DrawnArchive, Scanned, at
from framegate.commands.demo.scene import Lot

pytestmark = [
    pytest.mark.skipif("FRAMEGATE_ARCHIVES" not in os.environ, reason="FRAMEGATE_ARCHIVES is not set"),
    pytest.mark.timeout(7200),
]
"""With ``-s`` they print what a scan has cost."""

CONFIG = """\
version = 1
[drop]
folder = "{drop}"
camera_pattern = '^(?P<camera>[^/]+)/'
[results]
folder = "{home}/results"
min_free = "1MB"
"""

CAMERAS, MONTHS, A_MONTH, WIDTH = 64, 3, int(os.environ.get("FRAMEGATE_A_MONTH", "40")), 480


TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Return for how long the cores have worked: what a scan costs, on a machine with nothing else to do.

    Workers are no children of the scan that asks for them, so the kernel does not add them up.
    """
    user, nice, system, _idle, _iowait, *interrupts = Path("/proc/stat").read_text("ascii").split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / TICKS_A_SECOND


def scanned(archive: DrawnArchive, to: str, *more: object) -> Scanned:
    """Return what a scan makes, in a process of its own; print its time, and the CPU of all."""
    before_s, started_s = busy_s(), time.perf_counter()
    command = [sys.executable, "-m", "framegate", *map(str, archive.arguments(to, *more))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    took_s, cpu_s = time.perf_counter() - started_s, busy_s() - before_s
    seen = json.loads(done.stdout)["seen"]
    print(f"{to}: {seen} frames, {took_s:.1f} s, {cpu_s:.1f} s of CPU, {1000 * cpu_s / seen:.2f} ms a frame")
    return archive.outcome(to, done.stdout)


def is_alike(archive: DrawnArchive) -> None:
    whole = scanned(archive, "one")
    for workers in (2, 4):
        assert scanned(archive, f"by_{workers}", "--workers", workers) == whole


def test_sixty_four_cameras_of_three_months_equal_one_process(tmp_path: Path) -> None:
    """By two workers and by four, the table and the results of 64 drawn cameras are those of one process."""
    archive = DrawnArchive(tmp_path)
    archive.drop.mkdir()
    archive.config_file.write_text(CONFIG.format(drop=archive.drop, home=tmp_path), "utf-8")
    for camera in range(CAMERAS):
        lot = Lot(width=WIDTH, height=WIDTH * 9 // 16, seed=camera)
        for number in range(MONTHS * A_MONTH):
            if number % 5 == 2:
                lot.parked[(number + camera) % 6] = number % 6
            if number % 5 == 4:
                lot.parked.pop((number + 1) % 6, None)
            lot.pedestrian = 0.1 * (number % 9) if number % 4 == camera % 4 else None
            month, place = divmod(number, A_MONTH)
            taken_s = at(1 + month, 1, 600 * place / A_MONTH + camera / 64)
            archive.add(f"c{camera:02}/{number:05}.jpg", lot.jpeg(), taken_s)
    is_alike(archive)


def test_real_frames_equal_one_process(tmp_path: Path) -> None:
    """By two workers and by four, the table and the results of every set of real frames are those of one."""
    if "FRAMEGATE_DATA" not in os.environ:
        pytest.skip("FRAMEGATE_DATA is not set")
    archive = DrawnArchive(tmp_path)
    archive.config_file.write_text(CONFIG.format(drop=archive.drop, home=tmp_path), "utf-8")
    files = sorted(Path(os.environ["FRAMEGATE_DATA"]).rglob("*.*"))
    for number, file in enumerate(files):
        if file.suffix.lower() in {".jpg", ".jpeg", ".png"}:
            name = file.relative_to(os.environ["FRAMEGATE_DATA"]).as_posix()
            archive.add(name, file.read_bytes(), at(1, 1, 0.5 * number))
    is_alike(archive)
