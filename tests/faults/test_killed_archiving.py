"""``kill -9`` on the daemon at the steps of archiving, on one file system and on two: it must not matter."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from disks import folder_elsewhere
from faults.test_kill import Nursery, opened_nursery
from framegate.keep.disk import Step, TidyStep
from oracle import DETECTION, Shot, shot, upload
from running import Site, contents, wait_until

DEATHS: dict[str, list[Step | TidyStep]] = {
    "one": [TidyStep.MOVE_INPUT, TidyStep.MARK],
    "two": [Step.STAMP, TidyStep.REMOVE_INPUT],
}
"""Where each life ends. ``STAMP``, too, is the archive's: dropped frames have no result."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with opened_nursery() as nursery:
        yield nursery


@pytest.fixture(params=["one", "two"])
def archive(request: pytest.FixtureRequest, site: Site) -> Iterator[Path]:
    """An archive beside the drop folder, or on a file system of its own."""
    if request.param == "one":
        (site.home / "archive").mkdir()
        yield site.home / "archive"
        return
    with folder_elsewhere(site.home) as folder:
        yield folder


def test_killed_while_it_archives_it_loses_no_frame(site: Site, nursery: Nursery, archive: Path) -> None:
    """After each death every frame is in one of the two folders; the last life archives what is left."""
    way = "one" if archive.parent == site.home else "two"
    site.configure(
        drop=f'settle_s = 0.05\nsweep_s = 0.1\nafter_dropped = "archive"\narchive = "{archive}"',
        detection=DETECTION,
    )
    shots: list[Shot] = []

    def take(count: int) -> None:
        for _ in range(count):
            shots.append(shot(len(shots) + 1, 0, folder="gate"))
            upload(shots[-1], site.drop)

    take(1)  # the one that is kept, and stays
    first = nursery.bear(site)
    wait_until(lambda: bool(first.verdicts()))
    first.stop()
    assert first.end() == 0
    for step in DEATHS[way]:
        take(3)
        life = nursery.bear(site, die_at=step)
        assert life.end() == -signal.SIGKILL, f"no life comes to {step}"
        somewhere = contents(site.drop) | contents(archive)
        assert {name: somewhere.get(name) for name in (taken.name for taken in shots)} == {
            taken.name: taken.data for taken in shots
        }
    take(1)
    last = nursery.bear(site)
    archived = {taken.name: taken.data for taken in shots[1:-1]}
    wait_until(lambda: last.has_ended() or contents(archive) == archived)
    wait_until(lambda: last.has_ended() or len(contents(site.drop)) == 2)
    last.stop()
    assert last.end() == 0
    assert contents(archive) == archived
    assert contents(site.drop) == {taken.name: taken.data for taken in (shots[0], shots[-1])}
