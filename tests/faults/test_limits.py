import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from framegate.commands.demo.scene import Lot, encoded
from framegate.commands.demo.uploads import write_at_once
from invariants import check, descriptors
from oracle import DETECTION, shot, upload
from running import RunningDaemon, Site, running, started

HOUR_S, DAY_S = 3600, 86_400
STOP_WITHIN_S = 25.0
"""systemd kills it after 30 s. A quiet machine takes less than 2 s, a busy one much more."""

WALL_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    FILE *file = clock == CLOCK_REALTIME ? fopen(getenv("WALL_OFFSET_FILE"), "r") : NULL;
    long offset_s = 0;
    if (file && fscanf(file, "%ld", &offset_s) == 1) now->tv_sec += offset_s;
    if (file) fclose(file);
    return failed;
}
"""
"""A wall clock that a test moves. Debian's libfaketime 0.9.10 breaks sleep() on this kernel (EINVAL)."""


@contextmanager
def limited(daemon: RunningDaemon, kind: int, limit: int) -> Iterator[None]:
    """Hold a running daemon to a limit for a while."""
    _soft, hard = resource.prlimit(daemon.process.pid, kind)
    resource.prlimit(daemon.process.pid, kind, (limit, hard))
    try:
        yield
    finally:
        resource.prlimit(daemon.process.pid, kind, (hard, hard))


def virtual_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def test_a_want_of_descriptors_loses_nothing(site: Site) -> None:
    """When the process may open no more files it waits, and goes on when it may."""
    site.configure(drop="sweep_s = 0.5", detection=DETECTION)
    shots = [shot(number, number % 3) for number in range(6)]
    with running(site) as daemon:
        upload(shots[0], site.drop)
        daemon.wait_for("frame.kept")
        with limited(daemon, resource.RLIMIT_NOFILE, descriptors(daemon.process.pid)):
            for taken in shots[1:]:
                upload(taken, site.drop)
            daemon.wait_for("intake.paused")
        daemon.wait_for_verdicts(len(shots))
    check(site, shots, acknowledged=daemon.lines)


def test_a_want_of_memory_rejects_nothing(site: Site) -> None:
    """A frame for which there is no memory now waits, and is judged when there is."""
    large = encoded(np.full((3000, 4000, 3), 90, np.uint8), ".png")
    site.configure(drop="sweep_s = 0.5")
    with running(site) as daemon:
        write_at_once(site.drop / "a.jpg", Lot(width=320, height=180).jpeg())
        daemon.wait_for("frame.kept", frame="a.jpg")
        with limited(daemon, resource.RLIMIT_AS, virtual_bytes(daemon.process.pid) + 8_000_000):
            write_at_once(site.drop / "b.png", large)
            daemon.wait_for("frame.postponed", frame="b.png", reason="unreadable")
        daemon.wait_for("frame.kept", frame="b.png", reason="size_changed")


@pytest.fixture
def wall_clock(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """A file that holds the wall clock's offset in seconds, and the command through which it counts."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler to make a wall clock with")
    source, library, offset = (tmp_path / name for name in ("wall.c", "wall.so", "offset"))
    source.write_text(WALL_CLOCK, "ascii")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    offset.write_text("0", "ascii")
    return offset, ("env", f"LD_PRELOAD={library}", f"WALL_OFFSET_FILE={offset}")


def test_a_clock_that_jumps_stalls_nothing_and_repeats_nothing(
    site: Site, wall_clock: tuple[Path, tuple[str, ...]]
) -> None:
    """An hour back, a day on: frames are judged as they come, once each, and in time."""
    offset, through = wall_clock
    site.configure(drop="sweep_s = 0.5", detection=DETECTION)
    shots = [shot(number, number % 4) for number in range(9)]
    with running(site, through=through) as daemon:
        for number, taken in enumerate(shots):
            offset.write_text(str((0, -HOUR_S, DAY_S)[number % 3]), "ascii")
            upload(taken, site.drop)
            daemon.wait_for_verdicts(number + 1)
    stamps = [line["timestamp"] for line in daemon.verdicts()]
    assert stamps != sorted(stamps)  # the clock did jump
    check(site, shots, acknowledged=daemon.lines)


def test_a_storm_of_signals_ends_it_once_and_well(site: Site) -> None:
    """However often it is hung up on and told to stop, it finishes its frame and ends with 0, at once."""
    site.configure(detection=DETECTION)
    shots = [shot(number, number % 2, size_bytes=50_000) for number in range(300)]
    with started(site) as daemon:
        for taken in shots:
            upload(taken, site.drop)
        daemon.wait_for_verdicts(20)
        for _ in range(1000):
            daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for_verdicts(25)
        for _ in range(50):
            daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(STOP_WITHIN_S) == 0
    with running(site) as again:
        daemon.drain()
        again.wait_for_verdicts(len(shots) - len(daemon.verdicts()))
    check(site, shots, acknowledged=[*daemon.lines, *again.lines])
