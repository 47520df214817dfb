"""Where what a daemon has judged is gone, a replay goes on exactly from what the daemon knew on a day."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framegate.cameras.camera import Camera
from framegate.commands.explain.judged_frame import past_of
from framegate.commands.replay.found import Wanted
from framegate.commands.replay.run import run_replay
from framegate.config.load import load
from framegate.config.settings import Settings
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME, Ledger
from framegate.model import Entry, Moment, Reason, Verdict
from framegate.tune.footage.beginning import entry_of
from framegate.tune.footage.recorded import Recording, other_verdicts, recording
from framegate.tune.ladder import with_threshold
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.judging import Lines
from framegate.tune.replay.outcomes import Line, Start, begun_of
from living import NAMES, Day
from pictures import png
from running import Site
from stepping import Stepped

DAY_NS = 86_400 * 10**9
EDITS = ["", 'keep_every = "4m"', "max_kept_per_hour = 4", ""]
CLASSIC = 'preset = "classic"\nscore_threshold = "1%"\nmin_contour_area = "20px"'
LATE = 'score_threshold = "5x"\nkeep_every = "7m"'

Living = Callable[..., None]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Living:
    """Let a daemon live days: by an edit each, and by a last one, made in the first hour of the last day."""
    now_ns = time.time_ns

    def living(site: Site, late: str | None = None) -> None:
        day, daemon = Day(5), Stepped(site)
        for number, edit in enumerate(EDITS):
            monkeypatch.setattr(time, "time_ns", lambda days=number: now_ns() + days * DAY_NS)
            site.configure(drop=NAMES, detection=edit)
            if number % 2 == 0:
                daemon.start()
            assert daemon.daemon is not None
            daemon.daemon.reload()
            for hour in range(3):
                day.upload(site.drop, 10)
                daemon.go(70)
                if hour == 0 and late is not None and edit is EDITS[-1]:
                    site.configure(drop=NAMES, detection=late)
                    daemon.daemon.reload()
            if number % 2:
                daemon.stop()

    return living


def entries(site: Site) -> list[Entry]:
    with History(site.state / LEDGER_NAME) as history:
        return [row.entry for row in history.frames()]


def recorded(site: Site) -> Recording:
    with History(site.state / LEDGER_NAME) as history:
        return recording(history, load(site.config).settings)


def checkpoints(site: Site) -> dict[str, list[int]]:
    with History(site.state / LEDGER_NAME) as history:
        return {camera: [each.frame for each in history.checkpoints(camera)] for camera in ("c0", "c1")}


def delete_dropped(site: Site, day: int) -> None:
    """Delete the inputs of the frames that were dropped before the checkpoint of a day."""
    last = {camera: rows[day] for camera, rows in checkpoints(site).items()}
    with History(site.state / LEDGER_NAME) as history:
        for row in history.frames():
            if row.id <= last[row.entry.camera] and row.entry.reason.verdict is Verdict.DROPPED:
                (site.drop / row.entry.key.name).unlink(missing_ok=True)


def forget_deleted(site: Site) -> None:
    """Forget the rows of what has left the folder, as a daemon does a day later."""
    ledger = Ledger(site.state / LEDGER_NAME)
    gone = [row for row in ledger.presence.after(0, 10**6) if not (site.drop / row.entry.key.name).exists()]
    ledger.presence.prune([row for row in gone if row.entry.reason.verdict is Verdict.DROPPED])
    ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize("is_forgotten", [False, True], ids=["known", "forgotten"])
def test_after_what_is_gone_a_replay_is_exact(site: Site, live: Living, *, is_forgotten: bool) -> None:
    """The dropped frames of two days are deleted; from the checkpoint after them all comes out the same."""
    live(site)
    assert {len(rows) for rows in checkpoints(site).values()} == {len(EDITS)}
    whole = recorded(site)
    assert all(frame.start is None for frame in whole.frames)
    delete_dropped(site, 2)
    if is_forgotten:
        forget_deleted(site)
    found = recorded(site)
    assert found.doubts == {}
    starts = {frame.candidate.camera: frame.start for frame in found.frames if frame.start is not None}
    assert {*starts} == {"c0", "c1"}
    assert len(whole.frames) - len(found.frames) > 40
    assert is_forgotten or sum(each.frames for each in starts.values()) + len(found.frames) == len(
        whole.frames
    )
    assert found.was.earlier, "none of the frames is compared with an earlier one"
    line = Line("as then", load(site.config).settings, found.revisions)
    again = replay(found.frames, [line], masks=found.masks)
    assert other_verdicts(found.was, again.outcomes[0]) == []
    assert again.is_exact


@pytest.mark.slow
def test_other_settings_go_on_as_after_an_edit_at_the_checkpoint(
    site: Site, live: Living, tmp_path: Path
) -> None:
    """A daemon whose config is edited just then decides what the replay has said, also from the cache."""
    other = Site(tmp_path / "other")
    live(site)
    live(other, LATE)
    delete_dropped(site, 3)
    found = recorded(site)
    late = load(site.config).settings.model_copy(update={"detection": load(other.config).settings.detection})
    was = {entry.key.name: (entry.reason, entry.score, entry.reference) for entry in entries(other)}
    store = FactStore(tmp_path / "cache.sqlite")
    for _ in ("from the pictures", "from the cache"):
        result = replay(found.frames, [Line("late", late)], store=store)
        outcome = result.outcomes[0]
        assert len(found.frames) > 10
        for number, frame in enumerate(found.frames):
            score = None if np.isnan(outcome.scores[number]) else float(outcome.scores[number])
            decided = outcome.reason_of(number), score, result.reference_of(outcome, number)
            assert decided == was[frame.name]
    store.close()


@pytest.mark.slow
def test_a_frame_is_explained_by_the_checkpoint_before_it(site: Site, live: Living) -> None:
    """Though frames of each earlier day are gone, each later frame is explained to the bit."""
    live(site)
    delete_dropped(site, 2)
    after = [entry_of(frame) for frame in recorded(site).frames if frame.settled is None]
    settings = load(site.config).settings
    for entry in after[::3]:
        past = past_of(entry.key.name, settings)
        assert past.doubts == []
        if entry.score is not None:
            assert past.explanation is not None
            assert past.explanation.score is not None
            assert past.explanation.score.score == entry.score
            assert past.reference is not None
            assert past.reference.key.name == entry.reference


@pytest.mark.slow
def test_a_checkpoint_that_is_of_no_use_is_told_or_passed_over(site: Site, live: Living) -> None:
    """Of a damaged one the next is taken; where there is none, or the preset is another, it is said."""
    live(site)
    delete_dropped(site, 1)
    first = recorded(site)
    with sqlite3.connect(site.state / LEDGER_NAME) as db:
        for camera, rows in checkpoints(site).items():
            db.execute(
                "UPDATE checkpoint SET state = x'00' WHERE camera = ? AND frame = ?", (camera, rows[1])
            )
    second = recorded(site)
    assert second.doubts == {}
    assert len(second.frames) < len(first.frames)
    site.configure(drop=NAMES, detection=CLASSIC)
    store = FactStore(site.home / "cache.sqlite")
    for _ in ("judged", "remembered"):
        cold = replay(second.frames, [Line("classic", load(site.config).settings)], store=store)
        assert {*cold.inexact} == {"c0", "c1"}
    store.close()
    with sqlite3.connect(site.state / LEDGER_NAME) as db:
        db.execute("DELETE FROM checkpoint")
    third = recorded(site)
    assert {*third.doubts} == {"c0", "c1"}
    assert Reason.FIRST in {entry_of(frame).reason for frame in third.frames}


@pytest.mark.slow
def test_where_a_camera_begins_is_told(site: Site, live: Living, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and in JSON: the frame with which a camera begins, and how many are left out before it."""
    live(site)
    delete_dropped(site, 2)
    found = recorded(site)
    config = load(site.config)
    run_replay(config, None, Wanted(None, is_cached=False))
    words = capsys.readouterr().out
    run_replay(config, None, Wanted(None, as_json=True, is_cached=False))
    told = json.loads(capsys.readouterr().out)
    assert told["exact"]
    assert {*told["begins"]} == {"c0", "c1"}
    for camera, frame, start in begun_of(found.frames):
        assert told["begins"][camera] == {"frame": frame.name, "frames_before": start.frames}
        assert (
            f"{camera} begins with {frame.name}, by what the daemon knew then; {start.frames} frames" in words
        )
    assert "exact: from there on, every frame that the daemon has judged is there\n" in words


def frozen(site: Site, monkeypatch: pytest.MonkeyPatch, detection: str) -> None:
    """Let a camera freeze on a frame that is dropped, and go on; the day's checkpoint is after that frame."""
    now_ns, daemon, minute = time.time_ns, Stepped(site), 0

    def upload(data: bytes, seconds: float = 10) -> None:
        nonlocal minute
        minute += 1
        (site.drop / f"c0_2026-11-26_00_{minute:02}_00.png").write_bytes(data)
        daemon.go(seconds)

    site.configure(drop=NAMES, detection=detection)
    daemon.start()
    for number in range(12):
        upload(noisy(number))
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + DAY_NS)
    last = noisy(99, brighter=1)
    upload(last, 70)
    for number in range(6):
        upload(last if number < 2 else noisy(20 + number))
    daemon.stop()
    with History(site.state / LEDGER_NAME) as history:
        rows, checkpoint = [*history.frames()], history.checkpoints("c0")[-1]
    assert rows[checkpoint.frame - 1].entry.sha256 == rows[checkpoint.frame].entry.sha256
    assert rows[checkpoint.frame].entry.reason is Reason.IDENTICAL
    (site.drop / rows[1].entry.key.name).unlink()


def noisy(seed: int, brighter: int = 0) -> bytes:
    """Return a still scene with the noise of a camera, and perhaps a patch that is a bit brighter."""
    picture = np.random.default_rng(seed).normal(110, 3, (136, 240))
    picture[50:80, 100:130] += 6 * brighter
    return png(picture.clip(0, 255).astype(np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["", 'mask_file = "{mask}"'], ids=["", "mask"])
def test_a_camera_that_is_frozen_at_a_checkpoint_stays_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, mask: str
) -> None:
    """What repeats a frame of before is identical by the settings of then, and judged by all others."""
    file = site.home / "mask.png"
    file.write_bytes(png(np.pad(np.full((126, 240), 255, np.uint8), ((10, 0), (0, 0)))))
    frozen(site, monkeypatch, 'score_threshold = "4x"\n' + mask.format(mask=file))
    found, settings = recorded(site), load(site.config).settings
    assert found.frames[0].start is not None
    again = replay(found.frames, [Line("as then", settings, found.revisions)], masks=found.masks)
    assert other_verdicts(found.was, again.outcomes[0]) == []
    lines = [
        Line("in force", settings),
        *(Line("other", with_threshold(settings, t)) for t in (0.5, 2.0, 8.0)),
    ]
    alone = [replay(found.frames, [line]).outcomes[0] for line in lines]
    assert alone[1].reason_of(0) is Reason.CHANGED
    for one, outcome in zip(alone, replay(found.frames, lines).outcomes, strict=True):
        assert other_verdicts(one, outcome) == []


def test_what_was_kept_before_a_checkpoint_counts_though_its_rows_are_forgotten() -> None:
    """The last kept frames are those that the camera knew; only what came before is taken from the rows."""
    settings = Settings.model_validate({"version": 1, "drop": {"folder": "/d"}, "results": {"folder": "/r"}})
    detection = settings.detection.model_copy(update={"max_kept_per_hour": 3})
    settings = settings.model_copy(update={"detection": detection})
    camera = Camera("c", detection, None)
    times = [Moment(second * 10**9) for second in range(8)]
    camera.judge.pacing.restore(times[-3:], None, camera.judge.pacing.clock)
    start = Start(camera.state(), 1, (*times[:5], times[-1]), 0)
    lines = Lines("c", [settings], {}, start)
    assert [*lines.camera_of(0).judge.pacing.kept] == times[-3:]
