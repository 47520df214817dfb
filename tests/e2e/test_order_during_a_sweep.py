from dataclasses import replace

import pytest

from oracle import DETECTION, shot, upload
from running import Site, running

FOLDERS = 2000
"""So many take the sweep long enough to have frames arrive on both sides of where it is."""

FRAMES = 60


@pytest.mark.slow
def test_frames_that_arrive_during_a_sweep_are_judged_in_order(site: Site) -> None:
    """A sweep that meets a frame before it could meet an older one does not put it before that one."""
    site.configure(detection=DETECTION)
    for number in range(FOLDERS):
        (site.drop / f"day_{number}").mkdir()
    shots = [
        replace(shot(number, 0), name=f"day_{number * 977 % FOLDERS}/lot.jpg") for number in range(FRAMES)
    ]
    with running(site) as daemon:
        for taken in shots:
            upload(taken, site.drop)
        daemon.wait_for_verdicts(FRAMES)
    assert [line["frame"] for line in daemon.verdicts()] == [taken.name for taken in shots]
