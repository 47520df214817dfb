import os
import subprocess
import sys

from framegate.daemon.lock import is_served
from framegate.errors import EXIT_TAKEN
from running import Site, started, wait_until


def test_a_drop_folder_that_is_missing_at_the_start_is_waited_for(site: Site, morning: list[bytes]) -> None:
    """A disk that is mounted after the boot: the daemon starts, says so, and serves it when it comes."""
    site.drop.rmdir()
    with started(site) as daemon:
        daemon.wait_for("drop.absent", folder=str(site.drop))
        site.drop.mkdir()
        daemon.wait_for("drop.back")
        (site.drop / "a.jpg").write_bytes(morning[0])
        daemon.wait_for("frame.kept")
        wait_until(lambda: is_served(site.drop))
        state = {**os.environ, "STATE_DIRECTORY": str(site.home / "other")}
        folders = ["--drop", str(site.drop), "--results", str(site.home / "r")]
        command = [sys.executable, "-m", "framegate", "run", *folders]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, env=state)
        assert second.returncode == EXIT_TAKEN, second.stderr
        assert daemon.stop() == 0
    assert site.kept_bytes() == {"a.jpg": morning[0]}
