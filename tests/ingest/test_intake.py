import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from framegate.commands.demo.scene import Lot
from framegate.config.settings import DropSettings
from framegate.ingest import sweeper, sweeping
from framegate.ingest.judged import JudgedFiles
from framegate.ingest.names import NameRules
from framegate.ingest.queue import backlog
from framegate.ingest.sweep_plan import BURST_HINTS, Cause, SweepPlan
from framegate.keep.ledger import LEDGER_NAME
from framegate.model import Origin
from running import Site, running
from stepping import Stepped
from troubles import powerless

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


@pytest.mark.parametrize("what", ["edit", "absence"])
def test_a_first_sweep_that_is_broken_off_is_still_the_first(
    stepped: Stepped, picture: bytes, what: str
) -> None:
    """Live frames wait for the frames of before the start, also when their listing has to begin again."""
    for number in range(MANY):
        dated(stepped, f"a{number:02}.jpg", picture, number)
    stepped.start()
    turn(stepped)
    daemon = stepped.daemon
    assert daemon is not None
    if what == "edit":
        stepped.site.configure(drop="settle_s = 0.1\nmax_size = '10MB'")
        daemon.reload()
    elif what == "absence":
        stepped.site.drop.rename(stepped.site.drop.with_name("away"))
        stepped.now_s += 2
        turn(stepped)
        stepped.site.drop.with_name("away").rename(stepped.site.drop)
        stepped.now_s += 2
    turn(stepped)
    turn(stepped)
    assert is_sweeping(stepped)
    assert daemon._intake._sweeper.held_until_s() == float("inf")


@pytest.fixture
def listed(stepped: Stepped, picture: bytes) -> str:
    """A frame that is half written when a round lists it; what events say of it, the test says."""
    stepped.site.configure(drop="settle_s = 50\ngive_up_s = 60")
    for number in range(MANY):
        dated(stepped, f"a{number:02}.jpg", picture, number)
    stepped.start()
    stepped.go(200)
    assert len(names(stepped)) == MANY
    assert stepped.daemon is not None
    intake = stepped.daemon._intake
    intake.watch._watcher.rules = NameRules(DropSettings(folder=intake._drop.folder, include=["nothing"]))
    (stepped.site.drop / "slow.jpg").write_bytes(picture[:100])
    stepped.now_s += 100
    turn(stepped)
    while (under_way := intake._sweeper._under_way) is not None and not under_way.selection._offered:
        turn(stepped)
    assert is_sweeping(stepped)
    return "slow.jpg"


def finish_sweep(stepped: Stepped) -> None:
    while is_sweeping(stepped):
        turn(stepped)


def test_an_upload_that_begins_during_a_sweep_is_not_missed_by_the_watch(
    stepped: Stepped, listed: str
) -> None:
    """What a round lists and an event names before the round ends says nothing against the watch."""
    stepped.hint(listed, Origin.CREATED)
    finish_sweep(stepped)
    stepped.go(10)
    assert stepped.count("watch.missed") == 0


def test_what_no_event_names_is_missed_by_the_watch(stepped: Stepped, listed: str) -> None:
    """A frame that only a round finds has been missed by the watch."""
    finish_sweep(stepped)
    stepped.go(10)
    assert (stepped.count("watch.missed"), listed in pending_names(stepped)) == (1, True)


def test_a_frame_listed_half_written_and_judged_since_is_not_taken_in_hand_again(
    stepped: Stepped, listed: str, picture: bytes
) -> None:
    """At its end a sweep goes by what stands in the folder then, and not by what it has listed before."""
    (stepped.site.drop / listed).write_bytes(picture)
    stepped.hint(listed, Origin.CLOSED)
    turn(stepped)
    assert names(stepped)[-1] == listed
    finish_sweep(stepped)
    assert not pending_names(stepped)


def test_a_file_that_is_removed_while_it_is_listed_is_not_taken_in_hand(
    stepped: Stepped, listed: str
) -> None:
    """What a sweep has listed, and is gone at its end, does not wait for a verdict."""
    (stepped.site.drop / listed).unlink()
    finish_sweep(stepped)
    assert not pending_names(stepped)


def pending_names(stepped: Stepped) -> list[str]:
    assert stepped.daemon is not None
    return [upload.candidate.key.name for upload in stepped.daemon._intake._uploads._all()]


@pytest.mark.parametrize(("seconds", "is_burst"), [(1, True), (30, False)])
def test_many_hints_in_a_short_time_ask_for_a_sweep(seconds: int, *, is_burst: bool) -> None:
    """A burst may have been longer than the kernel's queue; as many frames in half a minute are usual."""
    plan = SweepPlan()
    plan.begin(0.0)
    plan.end(0.0, Cause.FIRST, 0.1, interval_s=1000.0, settle_s=2.0)
    for number in range(BURST_HINTS):
        plan.count_hints(1, seconds * number / BURST_HINTS, settle_s=2.0)
    assert (plan.deadline_s() < 1000.0) == is_burst


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
