import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forked import framegate
from framegate.commands.demo.uploads import write_at_once
from running import RunningDaemon, Site, running, started, wait_until

TAKEN = 75


def configure(site: Site, name: str, *, drop: Path, state: Path) -> Path:
    """Write the config of another daemon over these folders, its results folder its own."""
    config = site.home / f"{name}.toml"
    config.write_text(
        f"version = 1\n[drop]\nfolder = '{drop}'\nsettle_s = 0.4\n"
        f"[results]\nfolder = '{site.home / name}'\nmin_free = '1MB'\n[state]\nfolder = '{state}'\n"
    )
    return config


def run(config: Path) -> "subprocess.CompletedProcess[str]":
    return framegate("run", "--config", config, timeout_s=20)


def assert_refused(done: "subprocess.CompletedProcess[str]", holder: RunningDaemon, what: str) -> None:
    """The second is told what is taken and by whom, in one line, and how it ended says: try again later."""
    assert done.returncode == TAKEN, done.stderr
    (line,) = done.stderr.splitlines()
    assert what in line
    assert re.search(rf"already served by (process {holder.process.pid}|another process)\b", line)
    if f"FLOCK  ADVISORY  WRITE {holder.process.pid} " in Path("/proc/locks").read_text("ascii"):
        assert f"process {holder.process.pid}" in line


@pytest.fixture
def bind_mount(site: Site) -> Iterator[Path]:
    """The drop folder, mounted at a second place."""
    place = site.home / "mount"
    place.mkdir()
    mount = ["mount", "--bind", os.fspath(site.drop), os.fspath(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", "--lazy", os.fspath(place)], check=True)


def test_a_second_daemon_over_the_same_drop_folder_is_refused(site: Site, morning: list[bytes]) -> None:
    """It would deliver every frame again, by its own ledger: it ends with 75, and the first goes on."""
    (site.home / "link").symlink_to(site.drop)
    with running(site) as daemon:
        for name, drop in (("second", site.drop), ("through-a-link", site.home / "link")):
            state = site.home / f"state of {name}"
            assert_refused(run(configure(site, name, drop=drop, state=state)), daemon, "drop folder")
        write_at_once(site.drop / "lot.jpg", morning[0])
        daemon.wait_for("frame.kept", frame="lot.jpg")
    assert not list(site.drop.glob("*lock*"))


def test_a_second_daemon_through_a_bind_mount_is_refused(site: Site, bind_mount: Path) -> None:
    """Under whatever mount it is the same folder: systemd makes such mounts for every service."""
    with running(site) as daemon:
        config = configure(site, "second", drop=bind_mount, state=site.home / "other state")
        assert_refused(run(config), daemon, "drop folder")


def test_a_second_daemon_with_the_same_state_folder_is_refused(site: Site) -> None:
    """Two drop folders, one ledger: the second daemon ends with 75, and frees its drop folder."""
    other = site.home / "other drop"
    other.mkdir()
    with running(site) as daemon:
        config = configure(site, "second", drop=other, state=site.state)
        assert_refused(run(config), daemon, "state folder")
        assert_refused(run(config), daemon, "state folder")


def test_a_killed_daemon_gives_its_folders_back_at_once(site: Site) -> None:
    """After SIGKILL the next start needs no cleaning up by hand."""
    with started(site) as daemon:
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)
    with running(site) as daemon:
        daemon.wait_for("daemon.started")


def test_a_stopped_daemon_hands_over_to_one_that_is_tried_again(site: Site) -> None:
    """What systemd does with 75 works: tried until the first has stopped, the second serves."""
    config = configure(site, "second", drop=site.drop, state=site.home / "other state")
    with running(site) as daemon:
        assert run(config).returncode == TAKEN
    assert daemon.process.returncode == 0
    command = [sys.executable, "-m", "framegate", "run", "--config", os.fspath(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as second:
        (follower := RunningDaemon(second)).wait_for("daemon.started")
        wait_until(lambda: second.poll() is None)
        assert follower.stop() == 0
