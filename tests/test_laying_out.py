"""Results under the names that ``results.layout`` gives them, through edits and crashes."""

import errno
import os

import pytest

from framegate.keep.disk import Step
from invariants import ledger_rows
from oracle import CAMERAS, DETECTION, Shot, expected, shot, upload
from running import Site, contents
from stepping import Crash, FaultyDisk, Stepped

BY_DAY = "{camera}/{captured_utc:%Y-%m-%d}/{name}"
FLAT = "{camera}-{captured_utc:%H%M%S}-{name}"
DAY = "2023-11-14"
"""Of the first frames of ``oracle``."""

SCENES = (0, 0, 1, 2)


def configure(site: Site, layout: str, *, drop: str = "") -> None:
    lines = f'watch = "poll"\nsettle_s = 0.5\n{CAMERAS}\n{drop}'
    site.configure(drop=lines, detection=DETECTION, results=f'layout = "{layout}"', min_free="0B")


@pytest.fixture
def shots(site: Site) -> list[Shot]:
    """Frames of two cameras, of which each has two of one name in folders of its own."""
    taken = []
    for camera in ("c1", "c2"):
        for number, scene in enumerate(SCENES, 1):
            each = shot(number, scene, camera=camera, size_bytes=3000 + number)
            folder = f"{camera}/{number}"
            taken.append(Shot(f"{folder}/picture.jpg", each.data, each.mtime_ns, scene, camera))
    for each in taken:
        upload(each, site.drop)
    return taken


def by_day(shots: list[Shot]) -> dict[str, bytes]:
    """Return what stands in the results by ``BY_DAY``: the first has the name, the others add their time."""
    named: dict[str, bytes] = {}
    for each in expected(shots):
        first = f"{each.camera}/{DAY}/picture.jpg"
        moment = f"20231114T221320.{each.mtime_ns // 10**6 % 1000:03d}Z"
        named[first if first not in named else f"{each.camera}/{DAY}/picture_{moment}.jpg"] = each.data
    return named


def live(daemon: Stepped) -> None:
    daemon.go(20)
    daemon.stop()


def edit(daemon: Stepped, layout: str) -> None:
    configure(daemon.site, layout)
    assert daemon.daemon is not None
    daemon.daemon.reload()
    daemon.go(10)


@pytest.mark.parametrize(
    ("step", "at_reach"),
    [
        (Step.INTEND, 1), (Step.PUBLISH, 1), (Step.PUBLISH, 3), (Step.SYNC_FOLDER, 2), (Step.FINISH, 3),
        (Step.FLUSH, 1),
    ],
)  # fmt: skip
def test_a_frame_keeps_its_name_though_the_layout_is_edited_while_the_daemon_is_dead(
    site: Site, disk: FaultyDisk, daemon: Stepped, shots: list[Shot], step: Step, at_reach: int
) -> None:
    """What was intended by one layout is delivered by that: no frame stands there twice."""
    configure(site, BY_DAY)
    disk.fail(step, Crash, at_reach=at_reach)
    daemon.start()
    with pytest.raises(Crash):
        live(daemon)
    daemon.crash()
    intended = {row.name for row in ledger_rows(site) if row.verdict == "kept"}
    configure(site, FLAT)
    daemon.start()
    daemon.go(20)
    daemon.stop()
    rows = [row for row in ledger_rows(site) if row.verdict == "kept"]
    results = contents(site.results)
    assert sorted(results.values()) == sorted(each.data for each in expected(shots))
    data = {each.name: each.data for each in shots}
    assert {row.result: data[row.name] for row in rows} == results
    for row in rows:
        assert row.result is not None
        if row.name in intended:
            assert row.result in by_day(shots)
        elif step is Step.INTEND:
            assert row.result.startswith(f"{row.name[:2]}-221320-picture")


def test_an_edit_names_the_frames_that_follow(site: Site, daemon: Stepped, shots: list[Shot]) -> None:
    """Results keep their names, and an upload that goes on completes the result that it has."""
    configure(site, BY_DAY)
    daemon.start()
    daemon.go(10)
    assert contents(site.results) == by_day(shots)
    edit(daemon, FLAT)
    assert contents(site.results) == by_day(shots)
    later = shot(100, 3, camera="c1")
    upload(later, site.drop)
    grown = site.drop / shots[0].name
    with grown.open("ab") as file:
        file.write(b"what came later")
    daemon.go(30)
    daemon.stop()
    after = by_day(shots) | {f"c1-221320-{later.name}": later.data}
    after[f"c1/{DAY}/picture.jpg"] += b"what came later"
    assert contents(site.results) == after


def test_a_group_that_waits_for_the_disk_keeps_its_names(
    site: Site, disk: FaultyDisk, daemon: Stepped, shots: list[Shot]
) -> None:
    """Frames that were decided by one layout wait for space, and get their names by it after an edit."""
    configure(site, BY_DAY)
    disk.fail(Step.FREE_SPACE, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), lasts=True)
    daemon.start()
    daemon.go(10)
    held = {row.name for row in ledger_rows(site) if row.verdict == "kept"}
    assert held
    edit(daemon, FLAT)
    assert contents(site.results) == {}
    disk.heal()
    daemon.go(60)
    daemon.stop()
    names = {row.name: row.result for row in ledger_rows(site) if row.verdict == "kept"}
    assert sorted(contents(site.results)) == sorted(filter(None, names.values()))
    assert {name for name, result in names.items() if result in by_day(shots)} == held
