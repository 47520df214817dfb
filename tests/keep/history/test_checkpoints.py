import json
import sqlite3
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from framegate import pipeline
from framegate.cameras.camera import Camera
from framegate.config.load import load
from framegate.detect.decoding import decode
from framegate.detect.detector import reduced
from framegate.ingest.sweeping import candidates_of
from framegate.keep.history import checkpoints
from framegate.keep.history.checkpoints import DAY_NS, MOST_A_CAMERA, Checkpoint
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME, Ledger
from framegate.model import Entry, FileKey, Moment, Picture, Reason
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site
from stepping import Stepped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path)
    yield opened
    opened.close()


NUMBERS = count(1)


def note(ledger: Ledger, camera: str, day: float, reason: Reason = Reason.UNCHANGED) -> None:
    """Let a frame have been decided on a day."""
    key = FileKey(f"{next(NUMBERS)}.jpg", 1, 2, 3)
    ledger.note(Entry(key, camera, 0, reason, int(day * DAY_NS), 4, sha256=b"x"))
    ledger.flush()


def checkpoint(ledger: Ledger, camera: str, day: float, state: bytes = b"state") -> None:
    note(ledger, camera, day)
    ledger.checkpoints.save(camera, lambda: state)


def frames_of(path: Path, camera: str) -> list[int]:
    with History(path) as history:
        return [each.frame for each in history.checkpoints(camera)]


def test_there_is_one_a_camera_and_day(ledger: Ledger, path: Path) -> None:
    """The first after a midnight is kept; a later one of the day is not even asked for."""
    for day in (20.5, 20.9, 21.1, 21.2):
        checkpoint(ledger, "a", day, f"{day}".encode())
    checkpoint(ledger, "b", 21.3)
    with History(path) as history:
        found = history.checkpoints("a")
        assert found == [Checkpoint("a", 1, 4), Checkpoint("a", 3, 4)]
        assert [history.state_at(each) for each in found] == [b"20.5", b"21.1"]
        assert history.state_at(Checkpoint("a", 2, 4)) is None
    assert frames_of(path, "b") == [5]
    ledger.checkpoints.save("b", lambda: pytest.fail("there is one"))
    ledger.checkpoints.save("x", lambda: pytest.fail("it has decided nothing"))


def test_it_stands_after_the_last_frame_that_it_depends_on(ledger: Ledger, path: Path) -> None:
    """What was rejected unseen, or came from other cameras, changes nothing that a camera knows."""
    note(ledger, "a", 20)
    note(ledger, "a", 21, Reason.TRUNCATED)
    note(ledger, "b", 21)
    ledger.checkpoints.save("a", lambda: b"")
    assert frames_of(path, "a") == [1]


def test_no_more_than_a_month_is_kept(ledger: Ledger, path: Path) -> None:
    """The oldest of a camera go, whatever the clock said; those of the others stay."""
    checkpoint(ledger, "b", 1)
    for day in (99, *range(1, MOST_A_CAMERA + 3)):
        checkpoint(ledger, "a", day)
    assert frames_of(path, "a") == list(range(5, MOST_A_CAMERA + 5))
    assert frames_of(path, "b") == [1]


def test_all_together_take_no_more_than_so_many_bytes(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With very many cameras the oldest checkpoints go, so that the disk does not fill up."""
    monkeypatch.setattr(checkpoints, "MOST_BYTES", 50)
    for number in range(9):
        checkpoint(ledger, f"c{number}", 1)
    with History(path) as history:
        kept = [number for number in range(9) if history.checkpoints(f"c{number}")]
    assert 2 <= len(kept) <= 5
    assert kept == list(range(9))[-len(kept) :]


def test_they_go_when_a_frame_after_them_is_forgotten(ledger: Ledger, path: Path) -> None:
    """The way from them to the present is cut off; a rejected frame, or another camera's, cuts nothing."""
    for day in (1, 2, 3):
        checkpoint(ledger, "a", day)
    note(ledger, "a", 3, Reason.EMPTY)
    note(ledger, "b", 3)
    rows = ledger.presence.after(0, 99)
    ledger.presence.prune(rows[3:])
    assert frames_of(path, "a") == [1, 2, 3]
    ledger.presence.prune(rows[:1])
    assert frames_of(path, "a") == [1, 2, 3]
    ledger.presence.prune(rows[1:2])
    assert frames_of(path, "a") == [2, 3]


def test_a_damaged_one_is_said_to_be(ledger: Ledger, path: Path) -> None:
    """A replay can then begin at another."""
    checkpoint(ledger, "a", 1)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE checkpoint SET state = x'beef'")
    db.close()
    with History(path) as history, pytest.raises(ValueError, match="after frame 1 is damaged"):
        history.state_at(history.checkpoints("a")[0])


class Clock:
    """The time module of the pipeline, some days ahead."""

    perf_counter = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self.ahead_ns = 0

    def time_ns(self) -> int:
        return time.time_ns() + self.ahead_ns


def configure(site: Site, detection: str) -> None:
    site.configure(drop=f'watch = "poll"\nsettle_s = 0.5\n{CAMERAS}', detection=detection)


SCENES = (0, 0, 1, 1, 2, 0, 0, 3, 1, 1, 1, 2)


@pytest.mark.parametrize("detection", [DETECTION, ""], ids=["classic", "adaptive"])
def test_from_each_checkpoint_the_daemons_verdicts_follow(
    site: Site, monkeypatch: pytest.MonkeyPatch, detection: str
) -> None:
    """Days, a restart and two cameras: whoever goes on from any of them decides as the daemon did."""
    clock = Clock()
    monkeypatch.setattr(pipeline, "time", clock)
    configure(site, detection)
    daemon = Stepped(site)
    daemon.start()
    for number, scene in enumerate(SCENES, 1):
        for camera in ("c1", "c2")[: 1 + number % 2]:
            upload(shot(number, scene, camera=camera, is_portrait=number % 5 == 0), site.drop)
        daemon.go(9)
        clock.ahead_ns += DAY_NS // 3
        if number == 5:
            daemon.stop()
            daemon.start()
    daemon.stop()
    settings = load(site.config).settings
    candidates = {each.key.name: each for each in candidates_of(settings)}
    with History(site.state / LEDGER_NAME) as history:
        rows = list(history.frames())
        for name in ("c1", "c2"):
            found = history.checkpoints(name)
            assert 4 <= len(found) <= 5
            for each in found:
                state = history.state_at(each)
                assert state is not None
                restored = Camera.restored(name, settings.detection_of(name), None, state)
                for row in rows:
                    if row.entry.camera == name and row.id > each.frame:
                        decided = judged(restored, candidates[row.entry.key.name].key, row.entry, site)
                        assert decided == (row.entry.reason, row.entry.score, row.entry.reference)


def judged(camera: Camera, key: FileKey, entry: Entry, site: Site) -> tuple[Any, ...]:
    """Return reason, score and reference of a frame, judged again."""
    data = (site.drop / key.name).read_bytes()
    moment = Moment(entry.captured_at_ns, entry.arrived_at_ns)
    assert entry.sha256 is not None
    decision = camera.decide_repeat(entry.sha256, moment)
    if decision is None:
        picture = decode(data, camera.judge.settings)
        assert isinstance(picture, Picture)
        decision = camera.decide(key, moment, reduced(picture, camera.judge.settings), entry.sha256)
    return decision.reason, decision.score and decision.score.score, decision.reference


def test_a_checkpoint_that_cannot_be_saved_stops_nothing(site: Site) -> None:
    """Judging goes on, and is not paused for it; the next day has a checkpoint again."""
    configure(site, DETECTION)
    Ledger(site.state / LEDGER_NAME).close()
    with sqlite3.connect(site.state / LEDGER_NAME) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON checkpoint BEGIN SELECT raise(ABORT, 'full'); END")
    db.close()
    daemon = Stepped(site)
    daemon.start()
    for number in (1, 2, 3):
        upload(shot(number, number, camera="c1"), site.drop)
        daemon.go(9)
    status = json.loads((site.state / "status.json").read_text("utf-8"))
    daemon.stop()
    assert (status["totals"]["kept"], status["paused"], daemon.count("intake.paused")) == (3, None, 0)
    assert frames_of(site.state / LEDGER_NAME, "c1") == []


def test_one_camera_is_saved_at_a_time(site: Site) -> None:
    """At midnight a hundred cameras do not hold up a frame together: each flush saves one of them."""
    configure(site, DETECTION)
    for number in range(1, 6):
        upload(shot(number, 0, camera=f"c{number}"), site.drop)
    daemon = Stepped(site)
    daemon.start()
    saved = []
    for number in range(6, 14):
        upload(shot(number, 0, camera="c1"), site.drop)
        daemon.go(6)
        with History(site.state / LEDGER_NAME) as history:
            saved.append(sum(len(history.checkpoints(f"c{each}")) for each in range(1, 6)))
    daemon.stop()
    assert all(now - before <= 2 for before, now in zip([0, *saved], saved, strict=False))
    assert saved[-1] == 5
