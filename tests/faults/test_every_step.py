import errno
import os
from collections.abc import Callable, Sequence

import pytest

from framegate.keep.disk import Step
from invariants import check, lines_of, visible, whole_and_ours
from oracle import DETECTION, Shot, shot, upload
from running import Site, contents
from stepping import Crash, FaultyDisk, Stepped

ERRORS = [errno.ENOSPC, errno.EACCES]
"""One of the many that are all taken alike, and one of those that ``keep.disk`` tells apart."""

SCENES = (0, 0, 1, 1, 2, 0, 0)

ONLY_NAMED = {Step.REMOVE_TEMP}
"""Without a name there is nothing to remove, but what a crash has left."""


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def disk(request: pytest.FixtureRequest) -> FaultyDisk:
    """A disk with O_TMPFILE, and one without."""
    disk = FaultyDisk()
    disk.has_unnamed = request.param
    return disk


@pytest.fixture
def daemon(site: Site, disk: FaultyDisk) -> Stepped:
    """A daemon that polls, over frames in a sub-folder."""
    site.configure(drop='watch = "poll"\nsettle_s = 0.5', detection=DETECTION)
    return Stepped(site, disk)


@pytest.fixture
def shots() -> list[Shot]:
    """Seven frames of three scenes."""
    return [shot(number, scene, folder="gate") for number, scene in enumerate(SCENES, 1)]


def os_error(number: int) -> Callable[[], BaseException]:
    return lambda: OSError(number, os.strerror(number))


def arrange(step: Step, site: Site, shots: Sequence[Shot], disk: FaultyDisk) -> None:
    """Upload the frames, and see to it that the step is reached: two come only after something else."""
    for taken in shots:
        upload(taken, site.drop)
    if step is Step.SYNC_EXISTING:
        upload(shots[0], site.results)  # delivered before, as far as anybody can tell
    if step is Step.TAKE_BACK:
        disk.fail(Step.SYNC_FOLDER, os_error(errno.EIO))


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("step", list(Step))
def test_an_error_at_any_step_pauses_and_passes(
    site: Site, daemon: Stepped, disk: FaultyDisk, shots: list[Shot], step: Step, error: int
) -> None:
    """Whatever step fails, and however: the intake pauses and resumes by itself, and nothing differs."""
    arrange(step, site, shots, disk)
    disk.fail(step, os_error(error), lasts=True)
    daemon.start()
    daemon.go(5)
    assert disk.hits[step] or (disk.has_unnamed and step in ONLY_NAMED)
    before = contents(site.drop)
    assert not list(whole_and_ours(visible(site.results), shots, {}))
    disk.heal()
    daemon.go(70)
    assert daemon.count("intake.paused") == daemon.count("intake.resumed") <= 2
    daemon.stop()
    assert contents(site.drop) == before
    check(site, shots, acknowledged=lines_of(daemon.events))


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("at_reach", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_crash_at_any_step_changes_nothing(
    site: Site, daemon: Stepped, disk: FaultyDisk, shots: list[Shot], step: Step, at_reach: int
) -> None:
    """Whatever step the process ends at, the next life goes on as if there had been no other."""
    arrange(step, site, shots, disk)
    disk.fail(step, Crash, at_reach=at_reach)
    daemon.start()
    try:
        daemon.go(20)
        daemon.stop()
    except Crash:
        daemon.crash()
    assert disk.hits[step] or at_reach > 1 or (disk.has_unnamed and step in ONLY_NAMED)
    daemon.start()
    daemon.go(20)
    daemon.stop()
    check(site, shots, acknowledged=lines_of(daemon.events))
