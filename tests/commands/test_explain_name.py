import json
import os
import shutil
import sqlite3
import time
from pathlib import Path

import cv2
import pytest

from framegate.commands.explain.judged_frame import UnknownFrameError, past_of, run_explain_name
from framegate.commands.replay.found import Wanted
from framegate.commands.replay.run import run_replay
from framegate.config.load import load
from framegate.errors import ConfigError
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME
from framegate.model import Entry, Reason, Verdict
from replays import START_S, draw_frames, name_of
from running import Site, wait_until
from stepping import Stepped

NAMES = "camera_pattern = '^(?P<camera>c[0-9])'\nsettle_s = 0.1\ngive_up_s = 0.2"
CLOCK = 'ignore = [{ name = "clock", polygon = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.1], [0.0, 0.1]] }]'


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain") / "frames"
    draw_frames(folder)
    return folder


@pytest.fixture
def judged(daemon: Stepped, site: Site, frames: Path) -> Site:
    """A site whose daemon has judged a day of three cameras; at noon somebody has edited the config."""
    for first, detection in ((0, ""), (12, f'score_threshold = "4x"\n{CLOCK}')):
        site.configure(drop=NAMES, detection=detection)
        if daemon.daemon is None:
            daemon.start()
        else:
            daemon.daemon.reload()
        for number in range(first, first + 12):
            for camera in range(3):
                shutil.copy2(frames / name_of(camera, number), site.drop)
            daemon.go(5)
    daemon.stop()
    return site


def entries(site: Site) -> list[Entry]:
    with History(site.state / LEDGER_NAME) as history:
        return [row.entry for row in history.frames()]


@pytest.mark.slow
def test_every_frame_is_explained_by_the_numbers_that_decided(judged: Site) -> None:
    """Judged again up to it, each frame has the ledger's score to the bit, and the explanation shows it."""
    settings, found = load(judged.config).settings, entries(judged)
    assert {entry.config_revision for entry in found} == {1, 2}
    for entry in found:
        past = past_of(entry.key.name, settings)
        assert (past.entry, past.doubts) == (entry, [])
        if entry.score is not None:
            assert past.explanation is not None
            assert past.explanation.score is not None
            assert past.explanation.score.score == entry.score


def shown(name: str, site: Site, capsys: pytest.CaptureFixture[str]) -> str:
    run_explain_name(name, load(site.config), overlay_file=None, as_json=False)
    return capsys.readouterr().out


def test_a_dropped_frame_is_explained_in_words(judged: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict, margin, the reference and its age, the place, what is ignored, the revision: all in words."""
    wanted = next(e for e in reversed(entries(judged)) if e.camera == "c0" and e.reason is Reason.UNCHANGED)
    words = shown(wanted.key.name, judged, capsys)
    assert wanted.score is not None
    assert "dropped: unchanged\n" in words
    assert f"<= threshold 4x: {100 - 25 * wanted.score:.0f} % short\n" in words
    assert "by revision 2 of the settings" in words
    assert f"compared with {wanted.reference}, taken " in words
    assert "where it changed most: at x " in words
    assert "ignored: clock\n" in words
    assert words.endswith("exact: judged again, it comes out the same\n")


def test_a_frame_is_found_by_its_path_and_by_its_result(judged: Site) -> None:
    """What a shell completes, in the drop folder or in the results folder, names the frame as well."""
    settings = load(judged.config).settings
    kept = next(e for e in entries(judged) if e.reason is Reason.CHANGED)
    assert kept.result is not None
    for name in (kept.key.name, judged.drop / kept.key.name, judged.results / kept.result):
        assert past_of(str(name), settings).entry == kept


def test_a_path_to_a_result_is_not_taken_for_the_input_of_its_name(
    daemon: Stepped, site: Site, frames: Path
) -> None:
    """Of an overwritten file the first frame was kept; another one has its name in the drop folder."""
    site.configure(drop=NAMES, detection='score_threshold = "100x"')
    daemon.start()
    for number in range(3):
        shutil.copy2(frames / name_of(0, number), site.drop / "c0.jpg")
        while len(daemon.verdicts()) <= number:  # the observer's thread has to have told of it
            daemon.go(1)
    daemon.stop()
    settings = load(site.config).settings
    assert past_of(str(site.results / "c0.jpg"), settings).entry.reason is Reason.FIRST
    assert past_of(str(site.drop / "c0.jpg"), settings).entry.reason is Reason.UNCHANGED


def test_without_the_frames_before_it_is_said_to_be_inexact(
    judged: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files are compared as if nothing had been learnt; verdict and score stay those of the ledger."""
    found = [e for e in entries(judged) if e.camera == "c0" and e.reason.verdict is Verdict.DROPPED]
    unchanged = [e for e in found if e.reason is Reason.UNCHANGED]
    (judged.drop / unchanged[0].key.name).unlink()
    with sqlite3.connect(judged.state / LEDGER_NAME) as db:
        db.execute("DELETE FROM checkpoint")  # from the day's it would be exact, if that came later
    last = unchanged[-1]
    run_explain_name(last.key.name, load(judged.config), overlay_file=None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["exact"], told["verdict"], told["score"]) == (False, "dropped", last.score)
    assert told["why_not_exact"] == [
        "1 frame is gone, input and result",
        "so the two files are compared as if nothing had been learnt",
    ]
    assert told["place"] is not None
    words = shown(unchanged[0].key.name, judged, capsys)
    assert words.endswith("not exact: its bytes are gone, input and result\n")
    assert "dropped: unchanged\n" in words


def test_what_was_touched_or_restored_is_there(judged: Site, tmp_path: Path) -> None:
    """Other times under the same names and bytes change nothing; other bytes of the same length do."""
    restored = tmp_path / "restored"
    shutil.copytree(judged.drop, restored, copy_function=shutil.copyfile)
    shutil.rmtree(judged.drop)
    shutil.move(restored, judged.drop)
    settings, found = load(judged.config).settings, entries(judged)
    compared = [e for e in found if e.reason is Reason.UNCHANGED]
    assert past_of(compared[-1].key.name, settings).doubts == []
    other = judged.drop / compared[0].key.name
    other.write_bytes(bytes(other.stat().st_size))
    assert past_of(other.name, settings).doubts == ["its bytes are gone, input and result"]


def test_a_drop_folder_that_is_away_is_said(judged: Site, tmp_path: Path) -> None:
    """A share that is not mounted is no folder without frames."""
    judged.drop.rename(tmp_path / "away")
    with pytest.raises(ConfigError, match="does not exist"):
        run_replay(load(judged.config), None, Wanted(None, is_cached=False))


def test_a_rejected_frame_and_a_first_one_are_explained(
    judged: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What was compared with nothing says so, and there is nothing to draw."""
    assert "rejected: truncated (" in shown(name_of(0, 3), judged, capsys)
    assert "kept: first\n" in shown(name_of(0, 0), judged, capsys)
    with pytest.raises(UnknownFrameError, match=r"nothing of c0_0000\.jpg can be drawn: it is first"):
        run_explain_name(name_of(0, 0), load(judged.config), overlay_file=tmp_path / "o.png", as_json=False)


def test_the_overlay_is_drawn_by_what_was_usual_then(judged: Site, tmp_path: Path) -> None:
    """The picture shows the frame beside what changed."""
    kept = next(e for e in entries(judged) if e.camera == "c0" and e.reason is Reason.CHANGED)
    drawn = tmp_path / "why.png"
    run_explain_name(kept.key.name, load(judged.config), overlay_file=drawn, as_json=True)
    picture = cv2.imread(os.fspath(drawn))
    assert picture is not None
    assert picture.shape[0] == 480


def test_what_the_daemon_has_decided_stands_for_before(
    judged: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A replay without FOLDER is of the ledger's frames, beside what the daemon kept of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    judged.configure(drop=NAMES, detection='score_threshold = "15x"')
    assert run_replay(load(judged.config), None, Wanted(None, as_json=True))
    told, found = json.loads(capsys.readouterr().out), entries(judged)
    assert (told["frames"], told["exact"], told["old"]["config"]) == (len(found), True, None)
    for camera, counts in told["old"]["cameras"].items():
        assert counts["kept"] == sum(e.camera == camera and e.reason.is_kept for e in found)
    assert told["new"]["config"] == str(judged.config)
    assert told["lost"], "15x keeps less than what was in force"
    assert not run_replay(load(judged.config), None, Wanted(None, labels=_unlike(found, tmp_path)))


def _unlike(found: list[Entry], folder: Path) -> Path:
    """Write a label that no replay fulfils."""
    dropped = next(e for e in found if e.reason is Reason.IDENTICAL)
    (folder / "labels.csv").write_text(f"frame,expected\n{dropped.key.name},kept\n")
    return folder / "labels.csv"


def test_an_unknown_name_is_one_sentence(judged: Site) -> None:
    """The ledger and the name are in it."""
    with pytest.raises(UnknownFrameError, match=r"the ledger in .*state does not know x\.jpg"):
        past_of("x.jpg", load(judged.config).settings)


def test_what_does_not_come_out_again_is_told(judged: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """A replay judges by the settings of then as well: where they give another verdict, it is not exact."""
    changed = next(e for e in reversed(entries(judged)) if e.camera == "c1" and e.reason is Reason.CHANGED)
    with sqlite3.connect(judged.state / LEDGER_NAME) as db:
        db.execute("UPDATE frame SET score = score + 1 WHERE name = ?", (os.fsencode(changed.key.name),))
    run_replay(load(judged.config), None, Wanted(None, as_json=True, is_cached=False))
    told = json.loads(capsys.readouterr().out)
    words = f"by the settings of then 1 of its frames come out otherwise, {changed.key.name} first"
    assert told["why_not_exact"] == [f"c1: {words}"]


def go_on_until(daemon: Stepped, verdicts: int) -> None:
    """Let time pass until so many frames are judged: a busy kernel reports their files late."""

    def are_there() -> bool:
        daemon.go(5)
        return len(daemon.verdicts()) == verdicts

    wait_until(are_there)


def test_an_edit_of_the_preset_is_no_doubt(
    daemon: Stepped,
    site: Site,
    frames: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By one config from the first frame on all is exact, though the daemon had two presets by turns."""
    classic = 'preset = "classic"\nscore_threshold = "1%"\nmin_contour_area = "20px"'
    for first, detection in ((0, ""), (8, classic)):
        site.configure(drop=NAMES, detection=detection)
        if daemon.daemon is None:
            daemon.start()
        assert daemon.daemon is not None
        daemon.daemon.reload()
        for number in range(first, first + 8):
            shutil.copy2(frames / name_of(0, number), site.drop)
            daemon.go(5)
        go_on_until(daemon, first + 8)
    daemon.stop()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in ("from the pictures", "as it is remembered"):
        run_replay(load(site.config), None, Wanted(None, as_json=True))
        told = json.loads(capsys.readouterr().out)
        assert told["frames"] == 16
        assert told["why_not_exact"] == []


def test_the_schedule_that_counted_is_named(
    daemon: Stepped, site: Site, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the verdict's line, and in the explanation, with the threshold of that hour."""
    soon, later = (time.strftime("%H:%M", time.localtime(START_S + 40 * 3 * n)) for n in (1, 2))
    night = f'[[schedule]]\nname = "night"\nhours = "{soon}-{later}"\n[schedule.detection]\n'
    site.configure(drop=NAMES, detection=f'{night}score_threshold = "9x"')
    for number in range(8):
        shutil.copy2(frames / name_of(0, number), site.drop)
    daemon.start()
    daemon.go(5)
    daemon.stop()
    settings = load(site.config).settings
    expected = {}
    for number in range(8):
        taken = time.strftime("%H:%M", time.localtime(START_S + 40 * number))
        expected[name_of(0, number)] = "night" if soon <= taken < later else None
    judged = {each.entry.key.name: each.schedule for each in daemon.verdicts()}
    compared = [each for each in daemon.verdicts() if each.entry.threshold is not None]
    assert {each.entry.threshold for each in compared} == {9.0, 2.3}
    assert all((each.entry.threshold == 9.0) == (each.schedule == "night") for each in compared)
    assert all(judged[name] in {schedule, None} for name, schedule in expected.items())
    name = next(each.entry.key.name for each in compared if each.schedule == "night")
    past = past_of(name, settings)
    assert (past.schedule, past.doubts) == ("night", [])
    run_explain_name(name, load(site.config), overlay_file=None, as_json=False)
    assert "revision 1 of the settings, schedule night" in capsys.readouterr().out
    run_explain_name(name, load(site.config), overlay_file=None, as_json=True)
    assert json.loads(capsys.readouterr().out)["schedule"] == "night"
    assert {each: past_of(each, settings).schedule for each in judged} == judged


@pytest.mark.parametrize("is_forgotten", [True, False], ids=["ledger begun anew", "frames before it gone"])
def test_the_schedule_is_named_though_not_all_is_known(
    daemon: Stepped, site: Site, frames: Path, *, is_forgotten: bool
) -> None:
    """By a daemon that has lost its ledger; and where frames before it are gone, so that two are compared."""
    names = [name_of(0, number) for number in (0, 1, 2, 4)]
    soon, later = (time.strftime("%H:%M", time.localtime(START_S + second)) for second in (60, 600))
    hours = f'hours = "{soon}-{later}"\n[schedule.detection]\nscore_threshold = "9x"\n{CLOCK}'
    site.configure(drop=NAMES, detection=f'[[schedule]]\nname = "night"\n{hours}')
    for name in names:
        shutil.copy2(frames / name, site.drop)
    daemon.start()
    daemon.go(5)
    daemon.stop()
    if is_forgotten:
        for file in site.state.glob(f"{LEDGER_NAME}*"):
            file.unlink()
        daemon.start()
        daemon.go(5)
        daemon.stop()
    else:
        (site.drop / names[1]).unlink()
        with sqlite3.connect(site.state / LEDGER_NAME) as db:
            db.execute("DELETE FROM checkpoint")
    past = past_of(names[3], load(site.config).settings)
    assert (past.schedule, past.entry.threshold, bool(past.doubts)) == ("night", 9.0, not is_forgotten)
    assert past.detection is not None
    assert [area.name for area in past.detection.ignore] == ["clock"]
    assert past.explanation is not None
    assert past.explanation.score is not None
    assert past.explanation.score.threshold == 9.0
