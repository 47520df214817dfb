import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from invariants import check
from oracle import DETECTION, Shot, shot, upload
from running import RunningDaemon, Site, running, wait_until
from troubles import limited

ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount and set kernel limits")


def tool(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=20)


def judge(site: Site, daemon: RunningDaemon, taken: Shot, drop: Path | None = None) -> None:
    """Upload a frame and wait for its verdict: long before the sweep that comes round would find it."""
    upload(taken, drop or site.drop)
    daemon.wait_for_verdicts(len(daemon.verdicts()) + 1, within_s=15)


@pytest.fixture
def shots(site: Site) -> list[Shot]:
    """Frames of two scenes; the sweep that comes round would take ten minutes to find one."""
    site.configure(drop="sweep_s = 600", detection=DETECTION)
    return [shot(number, number % 2) for number in range(4)]


def test_a_folder_that_is_replaced_is_watched_anew(site: Site, shots: list[Shot]) -> None:
    """Renamed away with a new one in its place, and removed and made again: frames are taken as before."""
    with running(site) as daemon:
        judge(site, daemon, shots[0])
        site.drop.rename(site.home / "old")
        site.drop.mkdir()
        judge(site, daemon, shots[1])
        shutil.rmtree(site.drop)
        daemon.wait_for("drop.absent")
        site.drop.mkdir()
        daemon.wait_for("drop.back")
        judge(site, daemon, shots[2])
    check(site, shots[:3], inputs=shots[2:3], acknowledged=daemon.lines)


def test_a_link_that_is_pointed_elsewhere_is_followed(site: Site, shots: list[Shot], tmp_path: Path) -> None:
    """A drop folder that is a link is watched where it leads, also when it leads elsewhere later."""
    site.drop.rmdir()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    site.drop.symlink_to(tmp_path / "one")
    with running(site) as daemon:
        judge(site, daemon, shots[0])
        (site.home / "next").symlink_to(tmp_path / "two")
        (site.home / "next").replace(site.drop)
        judge(site, daemon, shots[1])
    assert set(site.kept_bytes()) == {taken.name for taken in shots[:2]}


@ROOT_ONLY
def test_a_mount_that_comes_and_goes_is_followed(site: Site, shots: list[Shot]) -> None:
    """A file system that is mounted over the folder later, and unmounted again, loses no frame."""
    with running(site) as daemon:
        judge(site, daemon, shots[0])
        tool("mount", "-t", "tmpfs", "none", site.drop)
        try:
            judge(site, daemon, shots[1])
        finally:
            tool("umount", "--lazy", site.drop)
        judge(site, daemon, shots[2])
    assert [line["frame"] for line in daemon.verdicts()] == [taken.name for taken in shots[:3]]
    check(site, shots[:3], inputs=[shots[0], shots[2]], acknowledged=daemon.lines)


@ROOT_ONLY
def test_a_burst_that_overflows_the_kernels_queue_loses_nothing(site: Site, tmp_path: Path) -> None:
    """1,000 frames renamed in at once, through a queue of 16 events: each has its verdict."""
    site.configure(drop="sweep_s = 2\nsettle_s = 1", detection=DETECTION)
    shots = [shot(number, number // 100 % 4, size_bytes=1000) for number in range(1000)]
    spool = tmp_path / "spool"
    for taken in shots:
        upload(taken, spool)
    with ExitStack() as stack:
        with limited("max_queued_events", 16):  # read when the instance is made
            daemon = stack.enter_context(running(site))
        for taken in shots:
            (spool / taken.name).rename(site.drop / taken.name)
        daemon.wait_for_verdicts(len(shots), within_s=50)
    assert {line["frame"] for line in daemon.verdicts()} == {taken.name for taken in shots}
    assert daemon.tally().total() == len(shots)


@ROOT_ONLY
@pytest.mark.skipif(not shutil.which("bindfs"), reason="Debian's bindfs is not installed")
def test_a_share_is_polled_by_itself(site: Site, shots: list[Shot], tmp_path: Path) -> None:
    """Where the kernel does not see who writes, the daemon says so, and sweeps every poll_s."""
    site.configure(drop="sweep_s = 600\npoll_s = 0.5", detection=DETECTION)
    server = tmp_path / "server"
    server.mkdir()
    tool("bindfs", "--no-allow-other", server, site.drop)
    try:
        with running(site) as daemon:
            daemon.wait_for("watch.polling", mount_point=str(site.drop))
            for taken in shots:
                judge(site, daemon, taken, server)
        check(site, shots, acknowledged=daemon.lines)
    finally:
        tool("umount", "--lazy", site.drop)


THREAD_THAT_FAILS = """
from watchdog.observers.api import BaseObserver

def fail(*_):
    raise RuntimeError("this is a test")

BaseObserver.dispatch_events = fail
"""


def test_a_thread_that_fails_is_a_line_of_the_log(site: Site, tmp_path: Path) -> None:
    """A watcher's thread that ends with an exception is announced and told; frames are found without it."""
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / "sitecustomize.py").write_text(THREAD_THAT_FAILS, "ascii")
    told = tmp_path / "told"
    notify = f"[[notify]]\nname = 'list'\non = 'thread.failed'\ncommand = ['tee', '{told}']"
    site.configure(drop="sweep_s = 0.5", detection=DETECTION, rest=notify)
    with running(site, through=("env", f"PYTHONPATH={tmp_path / 'failing'}")) as daemon:
        judge(site, daemon, shot(0, 0))
        (line, *_) = daemon.wait_for("thread.failed", level="error")
        wait_until(lambda: told.exists() and "this is a test" in told.read_text("utf-8"))
    assert "this is a test" in line["error"]
