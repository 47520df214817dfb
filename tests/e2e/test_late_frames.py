import random
from collections.abc import Callable
from pathlib import Path

import pytest

from forked import framegate
from framegate.cameras import cameras
from framegate.commands.status import status_of
from framegate.config.load import load
from oracle import CAMERAS, DETECTION, Shot, expected, shot, upload
from running import RunningDaemon, Site, running, scanned
from stepping import Stepped

SCENES = (0, 0, 1, 1, 2, 0, 0, 3)


def shots(camera: str = "default") -> list[Shot]:
    """Return frames in the order in which they were taken, a second apart or less."""
    return [shot(number, scene, camera=camera) for number, scene in enumerate(SCENES, 1)]


def newest_first(taken: list[Shot]) -> list[Shot]:
    return taken[::-1]


def shuffled(taken: list[Shot]) -> list[Shot]:
    return random.Random(7).sample(taken, len(taken))


def late_names(daemon: RunningDaemon) -> list[str]:
    return [line["frame"] for line in daemon.verdicts() if line.get("late")]


@pytest.mark.parametrize("order", [newest_first, shuffled])
def test_what_arrives_out_of_order_can_be_waited_for(
    site: Site, tmp_path: Path, order: Callable[[list[Shot]], list[Shot]]
) -> None:
    """With reorder_s files that are copied out of order give the results of a scan, and none is late."""
    site.configure(drop="reorder_s = 1.5", detection=DETECTION)
    taken = shots()
    with running(site) as daemon:
        for each in order(taken):
            upload(each, site.drop)
        verdicts = daemon.wait_for_verdicts(len(taken))
    assert [line["frame"] for line in verdicts] == [each.name for each in taken]
    assert late_names(daemon) == []
    kept = {each.name: each.data for each in expected(taken)}
    assert site.kept_bytes() == scanned(site, tmp_path / "scanned") == kept


def test_frames_that_come_out_of_order_are_marked_as_late(site: Site) -> None:
    """Judged, marked in the log, and counted is each frame that was taken before one that was judged."""
    site.configure(detection=DETECTION)
    taken = shots()
    with running(site) as daemon:
        for count, each in enumerate(newest_first(taken), 1):
            upload(each, site.drop)
            daemon.wait_for_verdicts(count)
    late = [each.name for each in newest_first(taken)[1:]]
    assert late_names(daemon) == late
    status = status_of(site.config, lambda: load(site.config))
    assert status.totals.late == status.cameras["default"].late == len(late)
    assert f"late: {len(late)} of default came after" in framegate("status", "-c", site.config).stdout


def let_arrive(stepped: Stepped, *arriving: Shot) -> list[bool]:
    """Let frames arrive one after the other; return for each whether it was late."""
    seen = len(stepped.verdicts())
    for each in arriving:
        upload(each, stepped.site.drop)
        stepped.go(60)
    return [event.entry.late for event in stepped.verdicts()[seen:]]


def test_what_is_newest_survives_a_restart_and_a_lack_of_memory(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops, kills and cameras that are put away change neither which frames are late nor their count."""
    site.configure(drop=CAMERAS, detection=DETECTION)
    monkeypatch.setattr(cameras, "budget_bytes", lambda: 1)
    ones, twos = shots("c1"), shots("c2")
    stepped = Stepped(site)
    stepped.start()
    assert let_arrive(stepped, ones[4], twos[4], ones[3], twos[5]) == [False, False, True, False]
    stepped.stop()
    stepped.start()
    assert let_arrive(stepped, ones[2], twos[3]) == [True, True]
    stepped.crash()
    stepped.start()
    assert let_arrive(stepped, ones[0], twos[6], twos[2]) == [True, False, True]
    assert stepped.daemon is not None
    assert stepped.daemon._ledger.late() == {"c1": 3, "c2": 2}
    stepped.stop()


def test_no_frame_is_late_since_the_ledger_was_lost(site: Site) -> None:
    """What is judged again for a ledger that was removed is in order; what is late then is still marked."""
    site.configure(detection=DETECTION)
    stepped = Stepped(site)
    stepped.start()
    taken = shots()
    assert let_arrive(stepped, *taken[1:]) == [False] * (len(taken) - 1)
    for file in site.state.glob("ledger.sqlite3*"):
        file.unlink()
    seen = len(stepped.verdicts())
    stepped.go(100)
    again = [event.entry for event in stepped.verdicts()[seen:]]
    assert [entry.key.name for entry in again] == [each.name for each in taken[1:]]
    assert not any(entry.late for entry in again)
    assert let_arrive(stepped, taken[0]) == [True]
    stepped.stop()


def test_a_rejected_frame_is_never_late(site: Site) -> None:
    """What is no picture has no place in an order: it is not marked, and makes no other frame late."""
    site.configure(detection=DETECTION)
    stepped = Stepped(site)
    stepped.start()
    assert let_arrive(stepped, shot(9, None), shot(5, 0), shot(3, None), shot(7, 0)) == [False] * 4
    stepped.stop()


def test_an_edit_of_reorder_s_takes_effect_on_what_waits(site: Site) -> None:
    """Frames that wait for older ones are judged as soon as the setting is removed, in their order."""
    site.configure(drop="reorder_s = 600", detection=DETECTION, rest='[log]\nlevel = "debug"')
    with running(site) as daemon:
        for each in newest_first(shots()):
            upload(each, site.drop)
        daemon.wait_for("frame.seen", len(SCENES))
        site.configure(detection=DETECTION)
        verdicts = daemon.wait_for_verdicts(len(SCENES))
    assert [line["frame"] for line in verdicts] == [each.name for each in shots()]
