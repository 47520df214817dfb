"""What is forked for the tests is what a shell would start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from forked import framegate
from running import Site, started


@pytest.mark.parametrize("arguments", [("check",), ("config", "--no-such-option")])
def test_a_forked_command_ends_and_prints_as_one_of_its_own(arguments: tuple[str, ...]) -> None:
    """Exit code, output and errors are those of an interpreter of its own."""
    command = [os.path.join(os.path.dirname(sys.executable), "framegate"), *arguments]
    alone = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd="/")
    forked = framegate(*arguments, cwd=Path("/"))
    assert (forked.returncode, forked.stdout, forked.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_a_forked_daemon_is_our_child(site: Site) -> None:
    """It can be signalled and waited for, and tells by which signal it ended."""
    with started(site) as daemon:
        assert daemon.process.poll() is None
        status = Path(f"/proc/{daemon.process.pid}/status").read_text("ascii")
        assert f"PPid:\t{os.getpid()}\n" in status
        daemon.process.send_signal(signal.SIGKILL)
        assert daemon.process.wait(10) == -signal.SIGKILL


def test_what_a_forked_command_is_given_is_not_left_to_the_next(tmp_path: Path) -> None:
    """Environment and folder are those of the order, and of no other."""
    (tmp_path / "c.toml").write_text("version = 1\n[drop]\nfolder = 'a'\n[results]\nfolder = 'b'\n")
    assert f"{tmp_path}/a" in framegate("config", env={"FRAMEGATE_CONFIG": str(tmp_path / "c.toml")}).stdout
    assert framegate("config", env={"FRAMEGATE_CONFIG": ""}, cwd=tmp_path).returncode == 78
