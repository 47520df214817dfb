import random
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from archives import DrawnArchive, Scanned, at
from framegate.commands.cluster.basis import Surroundings, UnlikeWorkerError, basis_of
from framegate.commands.cluster.done_parts import DoneParts, NotSharedError
from framegate.commands.cluster.judging import Scan, judge_month
from framegate.commands.cluster.months import Archive, archive_of, month_of
from framegate.commands.cluster.table import merged_rows, table
from framegate.commands.demo.scene import Lot
from framegate.config.load import load
from framegate.config.settings import Settings
from framegate.ingest.sweeping import candidates_of
from running import contents

STORMY = """\
version = 1
[drop]
folder = "{drop}"
[results]
folder = "{home}/results"
min_free = "1MB"
[detection]
{always}
[[schedule]]
name = "early"
hours = {hours}
[schedule.detection]
max_kept_per_hour = 2
"""


def listed(settings: Settings, seed: int = 0) -> Archive:
    """Return what is in the drop folder, found in any order."""
    surroundings = Surroundings.here(settings)
    candidates = candidates_of(settings)
    random.Random(seed).shuffle(candidates)
    basis = partial(basis_of, settings, surroundings=surroundings, source="here", is_dry_run=False)
    return archive_of(candidates, basis)


def scan_of(settings: Settings, folder: Path, word: str = "") -> Scan:
    return Scan(settings, None, DoneParts(folder), word, Surroundings.here(settings), is_dry_run=False)


def ids_of(archive: Archive) -> dict[tuple[str, str], str]:
    return {(camera, each.month): each.id for camera, months in archive.cameras.items() for each in months}


@pytest.mark.parametrize("seed", [1, 2])
def test_months_in_any_order_of_the_cameras_equal_one_process(
    archive: DrawnArchive, whole: Scanned, tmp_path: Path, seed: int
) -> None:
    """Whichever camera is first, table and results are those of one scan."""
    results = tmp_path / "results"
    results.mkdir()
    settings = load(archive.config_file, {"results.folder": results}).settings
    order = random.Random(seed)
    months = listed(settings, seed)
    parts = DoneParts(tmp_path / "parts")
    with parts.opened() as word:
        scan = scan_of(settings, parts.folder, word)
        waiting = {camera: list(chain) for camera, chain in months.cameras.items()}
        while waiting:
            camera = order.choice(sorted(waiting))
            judge_month(scan, waiting[camera].pop(0))
            if not waiting[camera]:
                del waiting[camera]
        with table(tmp_path / "stats.csv") as write:
            for same in months.by_month():
                for row in merged_rows([parts.rows_file(each.id) for each in same]):
                    write(row)
    assert (tmp_path / "stats.csv").read_bytes() == whole.table
    assert contents(results) == whole.results
    assert not parts.folder.exists()


def test_months_are_those_of_utc_whatever_a_clock_says(archive: DrawnArchive) -> None:
    """Each frame is in one month, in order, also one of 1601 or of the far future."""
    months = listed(archive.config.settings)
    long_ago, *others = (each.month for each in months.cameras["c3"])
    assert long_ago < "1902-01", "not every file system has 1601"
    assert others == ["2026-03", "2026-04", "2200-01"]
    walked = [candidate for same in months.by_month() for each in same for candidate in each.candidates()]
    assert sorted(walked, key=lambda each: each.order) == candidates_of(archive.config.settings)
    assert all(
        month_of(candidate.captured_at_ns) == each.month
        for chain in months.cameras.values()
        for each in chain
        for candidate in each.candidates()
    )


def test_an_id_names_all_that_verdicts_depend_on(own_archive: DrawnArchive) -> None:
    """A frame changes its camera's later months alone, a camera's setting that camera alone."""
    settings = own_archive.config.settings
    before = ids_of(listed(settings))
    assert ids_of(listed(settings, seed=3)) == before
    own_archive.add("c2/new.jpg", b"new", at(4, 1, 8))
    with_a_frame = ids_of(listed(settings))
    assert {key for key, id_ in before.items() if with_a_frame[key] != id_} == {("c2", "2026-04")}
    edited = own_archive.config_file.read_text("utf-8").replace('"2x"', '"2.1x"')
    own_archive.config_file.write_text(edited, "utf-8")
    with_an_edit = ids_of(listed(own_archive.config.settings))
    assert {camera for (camera, _), id_ in with_a_frame.items() if id_ not in with_an_edit.values()} == {"c3"}


def test_what_is_done_is_not_done_again(own_archive: DrawnArchive, tmp_path: Path) -> None:
    """A camera goes on after its last month that is done, as long as it is known what it knew by then."""
    settings = load(own_archive.config_file, {"results.folder": tmp_path}).settings
    parts = DoneParts(tmp_path / "parts")
    chain = listed(settings).cameras["c2"]
    ids = [month.id for month in chain]
    with suppress(KeyboardInterrupt), parts.opened() as word:
        scan = scan_of(settings, parts.folder, word)
        assert parts.done_of(ids) == 0
        assert judge_month(scan, chain[0]).total() == chain[0].frames
        assert parts.done_of(ids) == 1
        assert judge_month(scan, chain[0]).total() == 0
        judge_month(scan, chain[1])
        assert parts.done_of(ids) == len(ids) == 2
        assert parts.done_of([ids[0], "of other frames"]) == 0, "the state of its first month is not needed"
        raise KeyboardInterrupt
    assert parts.done_of(ids) == 2


@pytest.mark.parametrize("always", ["", "max_kept_per_hour = 2"], ids=["scheduled limit", "limit always"])
def test_a_schedule_that_begins_in_a_month_counts_what_was_kept_before_it(
    tmp_path: Path, always: str
) -> None:
    """A storm goes on though its frames were kept in the month before, and under another schedule."""
    archive = DrawnArchive(tmp_path)
    archive.drop.mkdir()
    (tmp_path / "results").mkdir()
    begins, ends = (datetime.fromtimestamp(at(4, 1, hour)) for hour in (0.1, 2))  # noqa: DTZ006 - as schedules
    hours = f'"{begins:%H:%M}-{ends:%H:%M}"'
    text = STORMY.format(drop=archive.drop, home=tmp_path, always=always, hours=hours)
    archive.config_file.write_text(text, "utf-8")
    lot = Lot(width=160, height=90, seed=1)
    for number in range(8):
        lot.parked.clear()
        lot.parked[number % 6] = 1
        archive.add(f"{number}.jpg", lot.jpeg(), at(4, 1, (number - 4.5) / 12))
    whole = archive.scanned("whole").table.decode().splitlines()[1:]
    assert [row for row in whole if ",storm," in row and row.endswith(",early")]
    settings = archive.config.settings
    rows: list[str] = []
    parts = DoneParts(tmp_path / "parts")
    with parts.opened() as word:
        for month in listed(settings).cameras["default"]:
            judge_month(scan_of(settings, parts.folder, word), month)
            rows += (",".join(row) for row in merged_rows([parts.rows_file(month.id)]))
    assert rows == whole


def test_a_worker_that_would_decide_otherwise_says_so(archive: DrawnArchive, tmp_path: Path) -> None:
    """Another library or mask, or another folder at the same path, ends the scan with a plain sentence."""
    settings = archive.config.settings
    here = Surroundings.here(settings)
    wanted = Surroundings(here.versions | {"numpy": "1.0"}, {"/masks/a.png": "00"})
    with pytest.raises(UnlikeWorkerError) as raised:
        here.require_like(wanted, "on box7")
    assert (
        f"on box7 may decide otherwise than this process: it has numpy {here.versions['numpy']}, not 1.0"
        in str(raised.value)
    )
    assert "its /masks/a.png is another file" in str(raised.value)
    here.require_like(here, "on box7")
    elsewhere = Surroundings(here.versions | {"the local time of": "NPT (12ab34)"}, here.masks)
    with pytest.raises(UnlikeWorkerError, match=r"it has the local time of .*, not NPT"):
        here.require_like(elsewhere, "on box7")
    (month, *_) = listed(settings).cameras["c1"]
    with pytest.raises(NotSharedError, match="does not see"):
        judge_month(scan_of(settings, tmp_path, "another"), month)
