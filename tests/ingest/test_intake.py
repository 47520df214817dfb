import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot
from framegate.events.watch import FilesUnmatched
from framegate.ingest import sweeper, sweeping
from framegate.ingest.judged import JudgedFiles
from framegate.ingest.queue import backlog
from framegate.keep.ledger import LEDGER_NAME
from framegate.model import Origin, Reason
from running import Site, running, wait_until
from stepping import Stepped
from troubles import descriptors_left, powerless

MANY = 60


@pytest.fixture
def picture() -> bytes:
    return Lot(width=160, height=90).jpeg()


@pytest.fixture
def stepped(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stepped]:
    """A daemon whose sweeps advance by ten files a turn."""
    monkeypatch.setattr(sweeping, "BATCH", 10)
    monkeypatch.setattr(sweeper, "SLICE_S", 0.0)
    daemon = Stepped(site)
    yield daemon
    if daemon.daemon is not None:
        daemon.stop()


def lay_many(folder: Path, picture: bytes) -> list[str]:
    """Fill a folder with frames, the first the oldest; return their names."""
    folder.mkdir(exist_ok=True)
    for number in range(MANY):
        (folder / f"a{number:02}.jpg").write_bytes(picture)
        os.utime(folder / f"a{number:02}.jpg", (1_700_000_000 + number,) * 2)
    return [f"a{number:02}.jpg" for number in range(MANY)]


def names(stepped: Stepped) -> list[str]:
    return [event.entry.key.name for event in stepped.verdicts()]


def turn(stepped: Stepped) -> None:
    assert stepped.daemon is not None
    stepped.daemon.turn(0)


def is_sweeping(stepped: Stepped) -> bool:
    assert stepped.daemon is not None
    return stepped.daemon._intake._sweeper.is_under_way


def test_a_live_frame_does_not_wait_for_a_sweep(stepped: Stepped, picture: bytes) -> None:
    """While a sweep of a large folder of judged frames is under way, a frame that comes is judged."""
    for number in range(MANY):
        (stepped.site.drop / f"a{number:02}.jpg").write_bytes(picture)
    stepped.start()
    stepped.go(10)
    assert len(names(stepped)) == MANY
    stepped.now_s += 30
    turn(stepped)
    assert is_sweeping(stepped)
    (stepped.site.drop / "live.jpg").write_bytes(picture)
    stepped.hint("live.jpg", Origin.CLOSED)
    turn(stepped)
    assert is_sweeping(stepped)
    assert names(stepped)[-1] == "live.jpg"


def test_a_live_frame_waits_for_the_first_sweep(stepped: Stepped, picture: bytes) -> None:
    """What comes while a start still lists the folder is judged after the older frames that stand there."""
    for number in range(MANY):
        (stepped.site.drop / f"a{number:02}.jpg").write_bytes(picture)
        os.utime(stepped.site.drop / f"a{number:02}.jpg", (1_700_000_000 + number,) * 2)
    stepped.start()
    turn(stepped)
    assert is_sweeping(stepped)
    (stepped.site.drop / "live.jpg").write_bytes(picture)
    stepped.hint("live.jpg", Origin.CLOSED)
    stepped.go(10)
    assert names(stepped) == [*(f"a{number:02}.jpg" for number in range(MANY)), "live.jpg"]


def test_a_live_frame_waits_while_lost_frames_are_looked_for(stepped: Stepped, picture: bytes) -> None:
    """After an overflow live frames come after what it hid, and wait for that no longer than settle_s."""
    stepped.start()
    stepped.go(10)
    for number in range(MANY):
        (stepped.site.drop / f"a{number:02}.jpg").write_bytes(picture)
        os.utime(stepped.site.drop / f"a{number:02}.jpg", (1_700_000_000 + number,) * 2)
    assert stepped.daemon is not None
    stepped.daemon._intake.inbox.request_sweep()
    (stepped.site.drop / "live.jpg").write_bytes(picture)
    stepped.hint("live.jpg", Origin.CLOSED)
    turn(stepped)
    assert is_sweeping(stepped)
    assert not names(stepped)
    stepped.go(10)
    assert names(stepped)[0] == "a00.jpg"
    assert names(stepped)[-1] == "live.jpg"


def test_a_frame_that_is_judged_during_a_sweep_is_judged_once(stepped: Stepped, picture: bytes) -> None:
    """A frame that a sweep has listed and an event names before its end gets one verdict."""
    for number in range(MANY):
        (stepped.site.drop / f"a{number:02}.jpg").write_bytes(picture)
    stepped.start()
    stepped.go(10)
    stepped.now_s += 30
    (stepped.site.drop / "new.jpg").write_bytes(picture)
    turn(stepped)
    stepped.hint("new.jpg", Origin.CLOSED)
    stepped.go(40)
    assert names(stepped).count("new.jpg") == 1


def test_what_goes_during_a_sweep_is_forgotten(stepped: Stepped, picture: bytes) -> None:
    """A file that settles and is gone at the next sweep is no longer pending."""
    stepped.site.configure(drop="sweep_s = 0.5\nsettle_s = 60")
    stepped.start()
    (stepped.site.drop / "a.jpg").write_bytes(picture[:100])
    stepped.hint("a.jpg", Origin.CREATED)
    turn(stepped)
    assert stepped.daemon is not None
    assert stepped.daemon._intake.pending()["default"].count == 1
    (stepped.site.drop / "a.jpg").unlink()
    stepped.go(2)
    assert not stepped.daemon._intake.pending()


def test_frames_in_a_folder_that_may_not_be_searched_are_pending(stepped: Stepped, picture: bytes) -> None:
    """A folder that shows its names and lets nobody at the files is said once, its frames are pending."""
    day = stepped.site.drop / "day"
    day.mkdir()
    for number in range(3):
        (day / f"{number}.jpg").write_bytes(picture)
    day.chmod(0o444)
    with powerless():
        stepped.start()
        stepped.go(100)
        assert stepped.count("folder.unlisted") == 1
        assert stepped.daemon is not None
        pending = stepped.daemon._intake.pending()["default"]
        assert (pending.count, pending.since_s) == (3, 1000.0)
        assert pending.why is not None
        assert "searched" in pending.why
        day.chmod(0o755)
        stepped.go(40)
        assert len(names(stepped)) == 3
        assert not stepped.daemon._intake.pending()


def test_a_slow_upload_is_judged_when_it_is_closed(site: Site, picture: bytes) -> None:
    """An upload longer than settle_s delays no other frame, and waits for nothing but its close."""
    site.configure(drop="settle_s = 1\ngive_up_s = 3600", rest="[log]\nlevel = 'debug'")
    with running(site) as daemon:
        with (site.drop / "slow.jpg").open("wb", buffering=0) as file:
            file.write(picture[:1000])
            daemon.wait_for("frame.postponed", frame="slow.jpg", reason="being_written")
            (site.drop / "other.jpg").write_bytes(picture)
            (other,) = daemon.wait_for("frame.kept", frame="other.jpg")
            file.write(picture[1000:])
            closed_at = datetime.now(UTC)
        (slow,) = daemon.wait_for("frame.dropped", frame="slow.jpg")
    assert datetime.fromisoformat(slow["timestamp"]) - closed_at < timedelta(seconds=0.8)
    assert other["timestamp"] < slow["timestamp"]


def test_a_sweep_remembers_what_is_judged(stepped: Stepped, picture: bytes) -> None:
    """What a sweep found judged is what stands in the folder and has its verdict."""
    for number in range(MANY):
        (stepped.site.drop / f"a{number:02}.jpg").write_bytes(picture)
    stepped.start()
    stepped.go(80)
    assert stepped.daemon is not None
    judged: JudgedFiles = stepped.daemon._intake._sweeper._judged
    assert len(judged) == MANY


def test_a_folder_that_goes_away_takes_no_frame_with_it(stepped: Stepped, picture: bytes) -> None:
    """Frames that wait for their turn when the drop folder is unmounted are judged when it is back."""
    drop, away = stepped.site.drop, stepped.site.drop.with_name("away")
    frames = lay_many(drop, picture)
    stepped.start()
    while not names(stepped):
        turn(stepped)
        stepped.now_s += 0.1
    assert len(names(stepped)) < MANY
    drop.rename(away)
    drop.mkdir()  # the empty folder that was under the mount
    stepped.go(5)
    drop.rmdir()
    stepped.go(5)
    away.rename(drop)
    stepped.go(10)
    assert names(stepped) == frames
    assert {event.entry.reason for event in stepped.verdicts()} == {Reason.FIRST, Reason.IDENTICAL}


def test_a_frame_that_comes_back_is_judged(stepped: Stepped, picture: bytes) -> None:
    """A frame that vanished before it could be read is judged when the same version is there again."""
    frame, away = stepped.site.drop / "a.jpg", stepped.site.home / "a.jpg"
    stepped.start()
    stepped.go(5)
    frame.write_bytes(picture)
    stepped.hint("a.jpg", Origin.CREATED)
    assert stepped.daemon is not None
    stepped.daemon._intake.gather(0)
    stepped.now_s += 2
    stepped.daemon._intake.gather(0)
    assert stepped.daemon._intake.has_ready
    frame.rename(away)
    stepped.go(0)
    away.rename(frame)
    stepped.go(40)
    assert [event.entry.reason for event in stepped.verdicts()] == [Reason.VANISHED, Reason.FIRST]


def test_an_edit_during_the_first_sweep_lets_no_live_frame_pass(stepped: Stepped, picture: bytes) -> None:
    """An edit restarts the first sweep, and live frames still wait for its end, however long it takes."""
    frames = lay_many(stepped.site.drop, picture)
    stepped.start()
    turn(stepped)
    assert is_sweeping(stepped)
    assert stepped.daemon is not None
    settings = stepped.daemon._reloader.config.settings
    drop = settings.drop.model_copy(update={"settle_s": 0.5})
    stepped.daemon._intake.retune(settings.model_copy(update={"drop": drop}))
    (stepped.site.drop / "live.jpg").write_bytes(picture)
    stepped.hint("live.jpg", Origin.CLOSED)
    turn(stepped)
    stepped.now_s += 5
    turn(stepped)
    assert is_sweeping(stepped)
    assert not names(stepped)
    stepped.go(10)
    assert names(stepped) == [*frames, "live.jpg"]


def test_a_sweep_that_fails_is_made_up_for(stepped: Stepped, picture: bytes) -> None:
    """When the folder cannot be listed after lost events, it is listed again soon."""
    stepped.site.configure(drop='watch = "poll"\npoll_s = 60\nsweep_s = 60')
    stepped.start()
    stepped.go(10)
    (stepped.site.drop / "a.jpg").write_bytes(picture)
    assert stepped.daemon is not None
    stepped.daemon._intake._sweeper.plan.request(stepped.now_s)
    with descriptors_left(1), open(os.devnull, "rb"):
        stepped.daemon._intake.gather(0)
    stepped.go(5)
    assert names(stepped) == ["a.jpg"]


def test_a_frame_that_an_event_named_is_not_missed(stepped: Stepped, picture: bytes) -> None:
    """A slow upload that a sweep lists before its event is read says nothing against the watch."""
    stepped.site.configure(drop="settle_s = 30\ngive_up_s = 60")
    lay_many(stepped.site.drop / "day", picture)
    stepped.start()
    stepped.go(90)
    assert len(names(stepped)) == MANY
    assert stepped.daemon is not None
    hinter = stepped.daemon._intake.watch._watcher._hinter
    assert hinter is not None
    hinter.is_muted = True  # the test gives the event, late
    with (stepped.site.drop / "slow.jpg").open("wb"):
        stepped.now_s += 30
        turn(stepped)  # lists the drop folder itself before the folder in it
        assert is_sweeping(stepped)
        stepped.hint("slow.jpg", Origin.CREATED)
        stepped.go(10)
    assert not stepped.count("watch.missed")


def test_a_sweep_does_not_go_back_to_an_older_version(stepped: Stepped, picture: bytes) -> None:
    """A frame that is completed and judged while a sweep lists the folder does not come into hand again."""
    stepped.site.configure(drop='watch = "poll"\npoll_s = 20\nsweep_s = 20')
    lay_many(stepped.site.drop / "day", picture)
    stepped.start()
    stepped.go(10)
    (stepped.site.drop / "new.jpg").write_bytes(picture[:100])
    stepped.now_s += 20
    turn(stepped)  # lists the drop folder itself before the folder in it
    (stepped.site.drop / "new.jpg").write_bytes(picture)
    stepped.hint("new.jpg", Origin.CLOSED)
    while is_sweeping(stepped):
        turn(stepped)
    assert "new.jpg" in names(stepped)
    assert stepped.daemon is not None
    assert not stepped.daemon._intake.pending()


def test_an_event_from_before_an_edit_is_judged_by_the_edit(stepped: Stepped, picture: bytes) -> None:
    """A file whose event was still unread when ``include`` was edited is no frame any more."""
    stepped.start()
    stepped.go(5)
    assert stepped.daemon is not None
    (stepped.site.drop / "a.jpg").write_bytes(picture)
    stepped.hint("a.jpg", Origin.CLOSED)
    settings = stepped.daemon._reloader.config.settings
    drop = settings.drop.model_copy(update={"include": ["*.png"]})
    stepped.daemon._intake.retune(settings.model_copy(update={"drop": drop}))
    stepped.go(5)
    assert not names(stepped)


def test_a_missing_folder_keeps_nobody_busy(stepped: Stepped, picture: bytes) -> None:
    """If a sweep finds the drop folder missing while frames are queued, the daemon waits for a check."""
    lay_many(stepped.site.drop, picture)
    stepped.start()
    while not names(stepped):
        turn(stepped)
        stepped.now_s += 0.1
    assert stepped.daemon is not None
    assert stepped.daemon._intake.has_ready
    stepped.site.drop.rename(stepped.site.drop.with_name("away"))
    stepped.daemon._intake._sweeper.plan.request_now(stepped.now_s)
    stepped.daemon._intake.watch.next_check_s = stepped.now_s + 1
    turn(stepped)
    assert stepped.count("drop.absent") == 1
    assert stepped.daemon.wait_s() > 0


def test_a_new_time_on_a_judged_file_is_no_missed_event(stepped: Stepped, picture: bytes) -> None:
    """A sweep that finds a judged frame with another mtime (FTP's MFMT) does not blame the watch."""
    stepped.start()
    (stepped.site.drop / "a.jpg").write_bytes(picture)

    def is_judged() -> bool:
        stepped.go(0.5)
        return names(stepped) == ["a.jpg"]

    wait_until(is_judged)
    os.utime(stepped.site.drop / "a.jpg", (1_700_000_000,) * 2)
    stepped.go(100)
    assert names(stepped) == ["a.jpg"]
    assert not stepped.count("watch.missed")


def dated(stepped: Stepped, name: str, picture: bytes, second: int) -> None:
    """Write a frame whose time is so many seconds after another's."""
    (stepped.site.drop / name).write_bytes(picture)
    os.utime(stepped.site.drop / name, (1_700_000_000 + second,) * 2)


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for twenty frames, of which a sweep takes fifteen."""
    monkeypatch.setattr(backlog, "MOST_IN_HAND", 20)
    monkeypatch.setattr(backlog, "MOST_BY_SWEEP", 15)
    monkeypatch.setattr(backlog, "REFILL_BELOW", 5)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("is_start", [True, False])
def test_a_live_frame_comes_after_a_backlog_larger_than_memory(
    stepped: Stepped, picture: bytes, *, is_start: bool
) -> None:
    """What comes while a backlog is listed, at the start or after an overflow, is judged after all of it."""
    stepped.site.configure(drop='watch = "poll"\npoll_s = 1000')
    if not is_start:
        stepped.start()
        stepped.go(10)
    for number in range(MANY):
        dated(stepped, f"a{number:02}.jpg", picture, number)
    if is_start:
        stepped.start()
    else:
        assert stepped.daemon is not None
        stepped.daemon._intake.inbox.request_sweep()
    turn(stepped)
    assert is_sweeping(stepped)
    for number in range(3):
        dated(stepped, f"live{number}.jpg", picture, MANY + number)
        stepped.hint(f"live{number}.jpg", Origin.CLOSED)
    turn(stepped)
    assert is_sweeping(stepped)
    stepped.go(60)
    assert names(stepped) == sorted(path.name for path in stepped.site.drop.iterdir())


def test_frames_are_judged_again_when_the_ledger_is_set_aside(stepped: Stepped, picture: bytes) -> None:
    """What a damaged ledger knew is judged again while the daemon runs, as the README says."""
    for number in range(MANY):
        dated(stepped, f"a{number:02}.jpg", picture, number)
    stepped.start()
    stepped.go(40)
    assert len(names(stepped)) == MANY
    assert stepped.daemon is not None
    stepped.daemon._ledger._database._give_up()  # SQLite would go by the pages that it has in memory
    (stepped.site.state / LEDGER_NAME).write_bytes(b"no database " * 10_000)
    dated(stepped, "b.jpg", picture, MANY)
    stepped.hint("b.jpg", Origin.CLOSED)
    stepped.go(100)
    assert stepped.count("ledger.damaged") == 1
    assert set(names(stepped)[MANY:]) == {path.name for path in stepped.site.drop.iterdir()}


def test_files_that_no_pattern_takes_are_told_of_once(stepped: Stepped, picture: bytes) -> None:
    """They are one line in the log after a start, and one after an edit; the last sweep's count stays."""
    for name in ("a.jpg", "b.jfif", "c.jfif", "d.jpg.part", ".e.jfif", "Thumbs.db"):
        (stepped.site.drop / name).write_bytes(picture)
    stepped.start()
    stepped.go(100)
    (event,) = [event for event in stepped.events if isinstance(event, FilesUnmatched)]
    assert event == FilesUnmatched(2, "b.jfif")
    assert stepped.daemon is not None
    assert stepped.daemon._reporting.status().unmatched_files == 2
    settings = stepped.daemon._reloader.config.settings
    drop = settings.drop.model_copy(update={"include": ["*.jpg", "b.*"]})
    stepped.daemon._intake.retune(settings.model_copy(update={"drop": drop}))
    stepped.go(100)
    events = [event for event in stepped.events if isinstance(event, FilesUnmatched)]
    assert events[1:] == [FilesUnmatched(1, "c.jfif")]
