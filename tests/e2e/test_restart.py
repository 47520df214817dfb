import signal
from pathlib import Path

import pytest

from framegate.commands.demo.uploads import write_at_once
from running import Line, Site, running, scanned, started


def scores(lines: list[Line]) -> dict[str, tuple[str, float | None]]:
    return {line["frame"]: (line["reason"], line.get("score")) for line in lines}


def upload(site: Site, frames: list[bytes], first: int = 1) -> None:
    for number, data in enumerate(frames, first):
        write_at_once(site.drop / f"lot_{number:04d}.jpg", data)


def test_a_restart_changes_no_decision(site: Site, tmp_path: Path, morning: list[bytes]) -> None:
    """Stopped and started again between frames, the daemon scores as if it had not been."""
    undisturbed = Site(tmp_path / "undisturbed")
    with running(undisturbed) as daemon:
        upload(undisturbed, morning)
        expected = scores(daemon.wait_for_verdicts(len(morning)))

    seen: dict[str, tuple[str, float | None]] = {}
    for start in range(0, len(morning), 4):
        with running(site) as daemon:
            upload(site, morning[start : start + 4], start + 1)
            seen |= scores(daemon.wait_for_verdicts(4))
    assert seen == expected
    assert site.kept_bytes() == undisturbed.kept_bytes()


def test_a_killed_daemon_decides_the_same_again(site: Site, tmp_path: Path, morning: list[bytes]) -> None:
    """Killed with SIGKILL in the middle, the daemon ends with the results of an undisturbed run."""
    for count in (1, 3, 6, 9):
        run_and_kill(site, morning[:count])
    with running(site) as daemon:
        upload(site, morning[9:], 10)
        daemon.wait_for("frame.dropped", frame=f"lot_{len(morning):04d}.jpg")
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")


def run_and_kill(site: Site, frames: list[bytes]) -> None:
    """Run a daemon over frames, and kill it when it has logged its first verdict."""
    with started(site) as daemon:
        for number, data in enumerate(frames, 1):
            if not (path := site.drop / f"lot_{number:04d}.jpg").exists():
                write_at_once(path, data)
        daemon.wait_for_verdicts(1)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)


@pytest.mark.parametrize("left", ["in the results", "in the drop folder"])
def test_the_reference_comes_back(site: Site, morning: list[bytes], left: str) -> None:
    """After a restart a frame is compared with the last kept one, from whichever folder still has it."""
    with running(site) as daemon:
        upload(site, morning[:1])
        daemon.wait_for("frame.kept")
    (site.drop if left == "in the results" else site.results).joinpath("lot_0001.jpg").unlink()
    with running(site) as daemon:
        upload(site, morning[:1], first=2)
        (line,) = daemon.wait_for("frame.dropped")
    assert (line["reference"], line["reason"]) == ("lot_0001.jpg", "identical")


def test_a_reference_that_is_gone_is_said_to_be(site: Site, morning: list[bytes]) -> None:
    """When nothing has the reference any more the daemon says so, and keeps the next frame as the first."""
    with running(site) as daemon:
        upload(site, morning[:1])
        daemon.wait_for("frame.kept")
    for folder in (site.drop, site.results):
        (folder / "lot_0001.jpg").unlink()
    with running(site) as daemon:
        upload(site, morning[:1], first=2)
        daemon.wait_for("reference.lost", camera="default", frame="lot_0001.jpg")
        daemon.wait_for("frame.kept", reason="first")


def test_what_was_decided_is_not_decided_again(site: Site, morning: list[bytes]) -> None:
    """A second run over the same folder gives no second verdict for a frame that has one."""
    with running(site) as daemon:
        upload(site, morning)
        daemon.wait_for_verdicts(len(morning))
    with running(site) as daemon:
        upload(site, morning[-1:], first=len(morning) + 1)
        daemon.wait_for_verdicts(1)
    assert [line["frame"] for line in daemon.verdicts()] == [f"lot_{len(morning) + 1:04d}.jpg"]
