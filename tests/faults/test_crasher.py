import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from crashing import compiled_shim, marked
from framegate.commands.demo.uploads import write_at_once
from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Size
from framegate.daemon.crash_guard import DEATHS_BEFORE_TRIAL, survives_trial
from running import Site, running, scanned, started, wait_until


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def at_the_mark(shim: Path) -> Callable[[str], tuple[str, ...]]:
    """Return what to start a daemon through, so that it aborts or pauses where it reads the marker."""
    return lambda act: ("env", f"LD_PRELOAD={shim}", f"AT_THE_MARK={act}")


def fill(site: Site, frames: list[bytes], at: int) -> str:
    """Lay frames into the drop folder, one of them marked; return the name of that one."""
    for number, data in enumerate(frames):
        path = site.drop / f"lot_{number:04d}.jpg"
        write_at_once(path, marked(data) if number == at else data)
        os.utime(path, (1_700_000_000 + number,) * 2)
    return f"lot_{at:04d}.jpg"


def test_a_frame_that_crashes_the_daemon_is_rejected_at_its_third_try(
    site: Site, tmp_path: Path, morning: list[bytes], at_the_mark: Callable[[str], tuple[str, ...]]
) -> None:
    """A frame that ends the process ends it twice; the third start rejects it and goes on behind it."""
    crasher = fill(site, morning, at=5)
    for _ in range(DEATHS_BEFORE_TRIAL):
        with started(site, through=at_the_mark("abort")) as daemon:
            assert daemon.process.wait(20) == -signal.SIGABRT
    with running(site, through=at_the_mark("abort")) as daemon:
        (line,) = daemon.wait_for("frame.rejected")
        daemon.wait_for("frame.dropped", frame=f"lot_{len(morning) - 1:04d}.jpg")
    assert (line["frame"], line["reason"]) == (crasher, "crasher")
    assert "ended 2 times" in line["detail"]
    (site.drop / crasher).unlink()
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")

    with running(site, through=at_the_mark("abort")) as daemon:
        write_at_once(site.drop / "lot_9999.jpg", morning[-1])
        daemon.wait_for_verdicts(1)
    assert [line["frame"] for line in daemon.verdicts()] == ["lot_9999.jpg"], "it is rejected for good"


@pytest.mark.slow
def test_a_crasher_sent_again_is_tried_again(
    site: Site, morning: list[bytes], at_the_mark: Callable[[str], tuple[str, ...]]
) -> None:
    """A whole upload under the name of a crasher is another version, and is judged."""
    crasher = fill(site, morning[:1], at=0)
    for _ in range(DEATHS_BEFORE_TRIAL):
        with started(site, through=at_the_mark("abort")) as daemon:
            assert daemon.process.wait(20) == -signal.SIGABRT
    with running(site, through=at_the_mark("abort")) as daemon:
        daemon.wait_for("frame.rejected", reason="crasher")
        write_at_once(site.drop / crasher, morning[0])
        daemon.wait_for("frame.kept", frame=crasher)


def test_a_good_frame_that_was_in_flight_at_every_kill_is_judged(
    site: Site, tmp_path: Path, morning: list[bytes], at_the_mark: Callable[[str], tuple[str, ...]]
) -> None:
    """A frame during which others killed the daemon, however often, is tried apart and not rejected."""
    innocent = fill(site, morning, at=5)
    for _ in range(DEATHS_BEFORE_TRIAL + 1):
        with started(site, through=at_the_mark("pause")) as daemon:
            wait_until(lambda: innocent.encode() in (site.state / "in-flight").read_bytes())
            daemon.process.kill()
            assert daemon.process.wait(10) == -signal.SIGKILL
    with running(site) as daemon:
        daemon.wait_for("frame.dropped", frame=f"lot_{len(morning) - 1:04d}.jpg")
    assert daemon.tally()["rejected"] == 0
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")


def test_a_picture_that_takes_its_process_along_does_not_survive_its_trial(
    tmp_path: Path, morning: list[bytes], shim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial tells who dies from who lives, under the same conditions."""
    monkeypatch.setenv("LD_PRELOAD", os.fspath(shim))
    monkeypatch.setenv("AT_THE_MARK", "abort")
    (tmp_path / "good.jpg").write_bytes(morning[0])
    (tmp_path / "bad.jpg").write_bytes(marked(morning[0]))
    most_bytes = Size(10_000_000)  # as the settings have it
    assert survives_trial(tmp_path / "good.jpg", most_bytes, 1e8, DetectionSettings())
    assert not survives_trial(tmp_path / "bad.jpg", most_bytes, 1e8, DetectionSettings())


CRASHES_IN_SCORING = """
import os
from framegate.detect.adaptive.adaptive import Adaptive
Adaptive.score = lambda *_: os.abort()
"""


@pytest.mark.slow
def test_a_frame_that_crashes_the_scoring_is_rejected_too(
    site: Site, tmp_path: Path, morning: list[bytes]
) -> None:
    """The trial walks as far as the daemon does: what dies later than in the decoder is found as well."""
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASHES_IN_SCORING, "ascii")
    crashing = ("env", f"PYTHONPATH={tmp_path / 'site'}")
    fill(site, morning[:2], at=0)
    for _ in range(DEATHS_BEFORE_TRIAL):
        with started(site, through=crashing) as daemon:
            assert daemon.process.wait(20) == -signal.SIGABRT
    with running(site, through=crashing) as daemon:
        daemon.wait_for("frame.rejected", frame="lot_0001.jpg", reason="crasher")
    assert set(site.kept_bytes()) == {"lot_0000.jpg"}
