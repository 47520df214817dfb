import pytest

from flat_camera import FIRST_MTIME_NS, NS_PER_FRAME, configure, flat_jpeg, put
from running import Site, running

FOLDERS = 2000
"""So many take the sweep long enough to have frames arrive on both sides of where it is."""

FRAMES = 60


@pytest.mark.slow
def test_frames_that_arrive_during_a_sweep_are_judged_in_order(site: Site) -> None:
    """A sweep that meets a frame before it could meet an older one does not put it before that one."""
    configure(site)
    for number in range(FOLDERS):
        (site.drop / f"day_{number}").mkdir()
    names = [f"day_{number * 977 % FOLDERS}/lot.jpg" for number in range(FRAMES)]
    with running(site) as daemon:
        for number, name in enumerate(names):
            put(site.drop / name, flat_jpeg(100, b"%d" % number), FIRST_MTIME_NS + number * NS_PER_FRAME)
        daemon.wait_for_verdicts(FRAMES)
    assert [line["frame"] for line in daemon.verdicts()] == names
