"""The order of judging where a sweep and the uploads cross: the oracle's, whatever a listing has missed."""

from threading import Event

import pytest

from invariants import check
from oracle import DETECTION, shot, upload
from running import Site, running

FRAMES = 1500
UPLOAD_INTERVAL_S = 0.003
BYSTANDERS = [f"bystander_{number}.txt" for number in range(5000)]
"""They make the folder so long that the kernel lists it in pieces, between which frames arrive."""


@pytest.mark.slow
def test_a_frame_that_the_listing_has_missed_comes_before_a_later_one_that_it_has_not(site: Site) -> None:
    """Sweeps that meet a busy upload put no frame before an older one of its camera."""
    site.configure(drop="settle_s = 2\nsweep_s = 0.1", detection=DETECTION)
    for name in BYSTANDERS:
        (site.drop / name).touch()
    shots = [shot(number, number % 2, size_bytes=700) for number in range(FRAMES)]
    pause = Event()
    with running(site) as daemon:
        for taken in shots:
            upload(taken, site.drop)
            pause.wait(UPLOAD_INTERVAL_S)
        daemon.wait_for_verdicts(len(shots))
    check(site, shots, bystanders=BYSTANDERS, acknowledged=daemon.lines)
