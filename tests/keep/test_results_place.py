"""Whether it is told that another folder stands where the results were."""

import shutil
import time

import pytest

from framegate.daemon.standing import StatusReader
from framegate.daemon.troubles import troubles_of
from oracle import DETECTION, shot, upload
from running import Site
from stepping import Stepped

POLLED = 'watch = "poll"\nsettle_s = 0.5'


@pytest.fixture
def kept(site: Site, daemon: Stepped) -> Stepped:
    """A daemon that has kept some frames."""
    site.configure(drop=POLLED, detection=DETECTION)
    daemon.start()
    for number in range(3):
        keep(daemon, site, number)
    return daemon


def keep(daemon: Stepped, site: Site, number: int) -> None:
    """Let the camera send a frame that is kept."""
    upload(shot(number, number % 3), site.drop)
    daemon.go(15)
    assert daemon.verdicts()[-1].entry.result is not None


def troubles(site: Site) -> list[str]:
    return troubles_of(StatusReader(site.state).read())


def test_a_results_folder_that_was_replaced_is_told_until_it_is_back(site: Site, kept: Stepped) -> None:
    """As where its disk is not mounted any more: the log says it once, the status until it is mounted."""
    away = site.results.rename(site.home / "away")
    site.results.mkdir()
    for number in (3, 4):
        keep(kept, site, number)
    assert kept.count("results.replaced") == 1
    (told,) = troubles(site)
    assert told.startswith(f"the results folder is another since {time.strftime('%Y-')}")
    shutil.rmtree(site.results)
    away.rename(site.results)
    kept.go(15)
    assert (kept.count("results.back"), troubles(site)) == (1, [])
    assert kept.count("results.replaced") == 1


def test_a_program_that_fetches_the_results_is_no_trouble(site: Site, kept: Stepped) -> None:
    """They are gone, and the folder is the same; also where it moves the whole folder away afterwards."""
    for path in site.results.iterdir():
        path.unlink()
    kept.go(15)
    site.results.rename(site.home / "fetched")
    site.results.mkdir()
    keep(kept, site, 3)
    assert (kept.count("results.replaced"), troubles(site)) == (0, [])


def test_results_that_were_moved_to_another_disk_are_no_trouble(site: Site, kept: Stepped) -> None:
    """The folder is another, and what was kept is in it: as on a share that is mounted anew."""
    old = site.results.rename(site.home / "old")
    shutil.copytree(old, site.results)
    keep(kept, site, 3)
    assert (kept.count("results.replaced"), troubles(site)) == (0, [])
