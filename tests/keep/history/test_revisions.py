import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.load import load, parse
from framegate.config.settings import Settings
from framegate.keep.history.revisions import MOST_MASK_BYTES, Revision, Revisions, Snapshot
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason
from oracle import DETECTION, shot, upload
from running import Site
from stepping import Stepped

COLUMNS = "revision, since_ns, settings, masks, detectors"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def queried(path: Path, query: str) -> list[Any]:
    db = sqlite3.connect(path)
    found = db.execute(query).fetchall()
    db.close()
    return found


def saved(path: Path) -> list[Revision]:
    return [Revision(*row) for row in queried(path, f"SELECT {COLUMNS} FROM config ORDER BY revision")]


def settings_with(detection: str = "", more: str = "", drop: str = "") -> Settings:
    folders = f'[drop]\nfolder = "/d"\n{drop}\n[results]\nfolder = "/r"\n[state]\nfolder = "/s"\n'
    text = f"version = 1\n{folders}[detection]\n{detection}\n{more}"
    return parse(Path("/etc/site.toml"), text.encode()).settings


def snapshot(detection: str = "", masks: dict[str, bytes] | None = None, since_ns: int = 5) -> Snapshot:
    return Snapshot(settings_with(detection), masks or {}, {"adaptive": 2, "classic": 2}, since_ns)


A, B = 'score_threshold = "2x"', 'score_threshold = "3x"'


def entry(name: str, revision: int) -> Entry:
    return Entry(FileKey(name, 1, 2, 3), "c", 0, Reason.UNCHANGED, 7, revision)


@pytest.fixture
def reopened(path: Path) -> Iterator[Callable[[], Ledger]]:
    """Opens the ledger, after it has been closed."""
    opened: list[Ledger] = []

    def reopen() -> Ledger:
        for ledger in opened:
            ledger.close()
        opened.append(Ledger(path))
        return opened[-1]

    yield reopen
    for ledger in opened:
        ledger.close()


def test_what_comes_into_force_is_recorded_at_once(path: Path, reopened: Callable[[], Ledger]) -> None:
    """The number may be logged before a frame is judged by it, and must not come to mean something else."""
    ledger = reopened()
    ledger.put_in_force(snapshot(A))
    assert ledger.config_revision == 1
    (row,) = saved(path)
    assert (row.number, row.since_ns, row.settings()) == (1, 5, settings_with(A))
    assert row.detectors == {"adaptive": 2, "classic": 2}


def test_a_restart_with_the_same_settings_goes_on_with_their_number(
    path: Path, reopened: Callable[[], Ledger]
) -> None:
    """No row is added, and the time stays that of the first start with them."""
    for since_ns in (5, 6, 7):
        ledger = reopened()
        ledger.put_in_force(snapshot(A, since_ns=since_ns))
        assert ledger.config_revision == 1
    assert [(each.number, each.since_ns) for each in saved(path)] == [(1, 5)]


def test_what_comes_back_into_force_gets_a_new_number(path: Path, reopened: Callable[[], Ledger]) -> None:
    """Numbers rise with time, over restarts as well."""
    numbers = []
    for detection in (A, B, A, A):
        ledger = reopened()
        ledger.put_in_force(snapshot(detection))
        numbers.append(ledger.config_revision)
    assert numbers == [1, 2, 3, 3]
    assert [each.settings() for each in saved(path)] == [settings_with(each) for each in (A, B, A)]


def test_another_mask_or_detector_is_another_revision(path: Path, reopened: Callable[[], Ledger]) -> None:
    """The same settings decide otherwise with another picture in the mask file, and after an upgrade."""
    ledger = reopened()
    ledger.put_in_force(snapshot(masks={"/m.png": b"one"}))
    ledger.put_in_force(snapshot(masks={"/m.png": b"two"}))
    ledger.put_in_force(Snapshot(settings_with(), {"/m.png": b"two"}, {"adaptive": 3}, 5))
    assert [each.number for each in saved(path)] == [1, 2, 3]
    files = {sha256.hex(): data for sha256, data in queried(path, "SELECT sha256, data FROM mask")}
    assert [files[each.masks["/m.png"]] for each in saved(path)] == [b"one", b"two", b"two"]


def test_of_a_large_mask_only_the_digest_is_kept(path: Path, reopened: Callable[[], Ledger]) -> None:
    """Whoever wants to judge again learns that the mask is another one, and the ledger stays small."""
    ledger = reopened()
    large = bytes(MOST_MASK_BYTES + 1)
    ledger.put_in_force(snapshot(masks={"/m.png": large, "/n.png": large[:-1]}))
    assert queried(path, "SELECT length(data) FROM mask") == [(MOST_MASK_BYTES,)]
    assert saved(path)[0].masks.keys() == {"/m.png", "/n.png"}


def test_what_cannot_be_recorded_now_is_with_the_first_frame(
    path: Path, reopened: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings come into force on a disk that cannot be written; no row is there before the one it names."""
    monkeypatch.setattr("framegate.keep.database.LOCKED_S", 0.05)
    ledger = reopened()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    for detection in (A, B):
        ledger.put_in_force(snapshot(detection))
    assert (ledger.config_revision, saved(path)) == (2, [])
    db.close()
    ledger.note(entry("1.jpg", 1))
    ledger.note(entry("2.jpg", 2))
    assert saved(path) == []
    ledger.flush()
    assert [each.number for each in saved(path)] == [1, 2]
    assert queried(path, "SELECT config_revision FROM frame") == [(1,), (2,)]


def test_a_commit_that_fails_has_neither_frame_nor_settings(
    path: Path, reopened: Callable[[], Ledger]
) -> None:
    """A row and the settings that it names become durable together, or not at all."""
    db = sqlite3.connect(path)
    ledger = reopened()
    db.execute("CREATE TRIGGER full AFTER INSERT ON config BEGIN SELECT raise(ABORT, 'full'); END")
    db.commit()
    ledger.put_in_force(snapshot(A))
    ledger.note(entry("1.jpg", 1))
    with pytest.raises(Exception, match="full"):
        ledger.flush()
    assert queried(path, "SELECT count(*) FROM frame") == [(0,)]
    db.execute("DROP TRIGGER full")
    db.close()
    ledger.flush()
    assert [each.number for each in saved(path)] == [1]


def test_a_new_file_in_place_of_a_removed_one_has_the_settings_too(
    path: Path, reopened: Callable[[], Ledger]
) -> None:
    """When the ledger is removed under a daemon, its number goes on, and the mask is there again."""
    ledger = reopened()
    ledger.put_in_force(snapshot(A))
    ledger.put_in_force(snapshot(B, {"/m.png": b"mask"}))
    ledger.note(entry("1.jpg", 2))
    ledger.flush()
    for ending in ("", "-wal", "-shm"):
        os.unlink(f"{path}{ending}")
    ledger.follow()
    ledger.note(entry("2.jpg", 2))
    ledger.flush()
    (row,) = saved(path)
    assert (row.number, row.settings()) == (2, settings_with(B))
    assert queried(path, "SELECT data FROM mask") == [(b"mask",)]


def test_what_no_frame_uses_is_forgotten_but_for_what_is_in_force(
    path: Path, reopened: Callable[[], Ledger]
) -> None:
    """Settings, and masks that no others name, go with the last frame that was judged by them."""
    ledger = reopened()
    for detection, masks in ((A, {"m": b"1"}), (B, {"m": b"2"}), (A, {"m": b"2"}), (B, {})):
        ledger.put_in_force(snapshot(detection, masks))
    ledger.presence.forget_revisions({3}, before=4)
    assert [each.number for each in saved(path)] == [3, 4]
    assert queried(path, "SELECT data FROM mask") == [(b"2",)]
    ledger.presence.forget_revisions(set(), before=4)
    assert [each.number for each in saved(path)] == [4]
    assert queried(path, "SELECT data FROM mask") == []
    again = reopened()
    again.put_in_force(snapshot(A))
    assert again.config_revision == 5


def test_what_a_checkpoint_was_taken_by_stays_with_it(path: Path, reopened: Callable[[], Ledger]) -> None:
    """Whoever begins there needs the settings of then, also when the frame itself is forgotten."""
    ledger = reopened()
    for detection in (A, B, A):
        ledger.put_in_force(snapshot(detection))
    ledger.note(entry("1.jpg", 2))
    ledger.flush()
    ledger.checkpoints.save("c", lambda: b"state")
    ledger.presence.prune(ledger.presence.after(0, 9))
    ledger.presence.forget_revisions(set(), before=3)
    assert [each.number for each in saved(path)] == [2, 3]


ZONES = """
[[detection.zone]]
name = "gate"
polygon = [[0.1, 0.2], [0.5, 0], [1, 1]]
score_threshold = "1.8x"
[[detection.ignore]]
name = "clock"
polygon = [[0, 0], [0.3, 0], [0.3, 0.05]]
"""
CAMERAS = """
[camera."a.b".detection]
score_threshold = "0.000000000001x"
[camera.c2.detection]
preset = "classic"
score_threshold = "0.2%"
min_contour_area = "0px"
[metrics]
listen = ":9188"
[log]
level = "debug"
"""
CASES = [
    ("", ""),
    ('preset = "classic"\nscore_threshold = "1.25%"\nmin_contour_area = "500px"\nblur = 0', ""),
    ('mask_file = "m.png"\nkeep_every = "1.5h"\nmax_kept_per_hour = 7\nborder_mask = [0, 1.5, 0, 33.3]', ""),
    (ZONES, CAMERAS),
]


@pytest.mark.parametrize(("detection", "more"), CASES)
def test_settings_come_back_equal(detection: str, more: str) -> None:
    """Whatever is set, in whichever table: what is read from the ledger equals what was in force."""
    settings = settings_with(detection, more)
    noted = Revisions()
    noted.put_in_force(Snapshot(settings, {}, {}, 0))
    assert noted._in_force.settings() == settings


def test_when_inputs_are_deleted_comes_back_equal() -> None:
    """A time, a word and the default are each what they were."""
    settings = settings_with(drop='after_kept = "delete"\nafter_dropped = "1.5h"')
    noted = Revisions()
    noted.put_in_force(Snapshot(settings, {}, {}, 0))
    assert noted._in_force.settings() == settings


@given(
    amount=st.decimals(0, 99_999, places=6),
    unit=st.sampled_from("smhd"),
    size=st.decimals(0, 10**9, places=6),
    factor=st.sampled_from(["B", "kB", "MiB", "TB"]),
)
def test_quantities_come_back_equal(amount: object, unit: str, size: object, factor: str) -> None:
    """No duration and no size changes by being written and read again."""
    settings = settings_with(f'keep_every = "{amount}{unit}"' if amount else "")
    drop = settings.drop.model_copy(
        update={"max_size": type(settings.drop.max_size).parse(f"{size}{factor}")}
    )
    settings = settings.model_copy(update={"drop": drop})
    noted = Revisions()
    noted.put_in_force(Snapshot(settings, {}, {}, 0))
    assert noted._in_force.settings() == settings


def test_settings_of_another_version_are_said_to_be_unreadable() -> None:
    """After an upgrade that renamed a setting a replay can say so, and does not guess."""
    with pytest.raises(ValueError, match="colour"):
        Revision(1, 0, json.dumps({"version": 1, "colour": "red"}), "{}", "{}").settings()


@pytest.fixture
def daemon(site: Site) -> Stepped:
    return Stepped(site)


def configure(site: Site, more: str = "", detection: str = DETECTION) -> None:
    site.configure(drop='watch = "poll"\nsettle_s = 0.5', detection=f"{detection}\n{more}")


def test_each_frame_names_the_settings_that_judged_it(site: Site, daemon: Stepped) -> None:
    """Over edits and restarts, the row's revision stands for the settings in force, and so do all events."""
    for number, more in enumerate(("", "", "keep_every = '1h'", "", "keep_every = '2h'"), 1):
        configure(site, more)
        taken = shot(number, number % 3)
        upload(taken, site.drop)
        daemon.start()
        daemon.go(5)
        status = json.loads((site.state / "status.json").read_text("utf-8"))
        daemon.stop()
        (revision,) = queried(site.state / "ledger.sqlite3", "SELECT max(config_revision) FROM frame")[0]
        (started,) = [event for event in daemon.events if event.event == "daemon.started"][-1:]
        assert started.fields["revision"] == status["config_revision"] == revision
        last = saved(site.state / "ledger.sqlite3")[-1]
        assert (last.number, last.settings()) == (revision, load(site.config).settings)
    assert queried(site.state / "ledger.sqlite3", "SELECT config_revision FROM frame") == [
        (1,), (1,), (2,), (3,), (4,),
    ]  # fmt: skip
    assert [event.entry.config_revision for event in daemon.verdicts()] == [1, 1, 2, 3, 4]


def test_an_edit_is_logged_with_its_number_and_a_mask_that_changed_gets_one(
    site: Site, daemon: Stepped
) -> None:
    """What the log says stands in the ledger; whoever asks for a reload has the masks read again."""
    mask = site.home / "mask.png"
    assert cv2.imwrite(str(mask), np.full((9, 9), 255, np.uint8))
    configure(site)
    daemon.start()
    daemon.go(5)
    configure(site, f'mask_file = "{mask}"')
    daemon.go(5)
    before = mask.read_bytes()
    assert cv2.imwrite(str(mask), np.zeros((9, 9), np.uint8))
    assert daemon.daemon is not None
    daemon.daemon.reload()
    daemon.go(5)
    daemon.stop()
    said = [
        (each.event, each.fields["revision"]) for each in daemon.events if each.event.startswith("config.")
    ]
    assert said == [("config.reloaded", 2), ("config.unchanged", 3)]
    path = site.state / "ledger.sqlite3"
    files = {sha256.hex(): data for sha256, data in queried(path, "SELECT sha256, data FROM mask")}
    with_masks = [files[each.masks[str(mask)]] for each in saved(path) if each.masks]
    assert with_masks == [before, mask.read_bytes()]
