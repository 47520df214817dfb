"""A drop folder that goes away takes its frames along, and brings them back: none of them has vanished."""

import pytest

from framegate.ahead import MOST_FRAMES
from framegate.keep.disk import Step
from framegate.model import Origin
from oracle import shot, upload
from running import Site
from stepping import Crash, FaultyDisk, Stepped

FRAMES = 60


def names(stepped: Stepped) -> list[str]:
    return [event.entry.key.name for event in stepped.verdicts()]


@pytest.mark.parametrize("is_replaced", [True, False])
def test_frames_in_hand_come_back_with_their_folder(site: Site, *, is_replaced: bool) -> None:
    """A disk that goes while frames wait for their judgement loses none of them, whatever is at its place."""
    stepped = Stepped(site)
    stepped.start()
    stepped.go(10)
    drop, away = site.drop, site.drop.with_name("away")
    for number in range(FRAMES):
        taken = shot(number, 0)
        upload(taken, drop)
        stepped.hint(taken.name, Origin.CLOSED)
    assert stepped.daemon is not None
    stepped.daemon.turn(0)
    judged = len(names(stepped))
    assert 0 < judged < FRAMES
    drop.rename(away)
    if is_replaced:
        drop.mkdir()
    stepped.go(10)
    assert judged <= len(names(stepped)) <= judged + MOST_FRAMES, "those that were read by then"
    if is_replaced:
        drop.rmdir()
    away.rename(drop)
    stepped.go(60)
    stepped.stop()
    assert names(stepped) == [shot(number, 0).name for number in range(FRAMES)]
    assert {event.event for event in stepped.verdicts()} == {"frame.kept", "frame.dropped"}


def test_an_unfinished_delivery_waits_for_a_disk_that_is_mounted_late(site: Site) -> None:
    """A frame that was to be kept when the power went is kept when its disk comes, minutes after the boot."""
    disk = FaultyDisk()
    stepped = Stepped(site, disk)
    stepped.start()
    stepped.go(10)
    taken = shot(1, 0)
    upload(taken, site.drop)
    stepped.hint(taken.name, Origin.CLOSED)
    disk.fail(Step.WRITE, Crash)
    with pytest.raises(Crash):
        stepped.go(10)
    stepped.crash()
    site.drop.rename(away := site.drop.with_name("away"))
    stepped.start()
    stepped.go(100)
    assert not names(stepped)
    away.rename(site.drop)
    stepped.go(100)
    stepped.stop()
    assert [(event.event, event.entry.key.name) for event in stepped.verdicts()] == [
        ("frame.kept", taken.name)
    ]
    assert site.kept_bytes() == {taken.name: taken.data}
