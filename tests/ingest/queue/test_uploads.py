import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot
from framegate.ingest.pending import Pending
from framegate.ingest.queue import backlog
from framegate.ingest.queue import uploads as queue
from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.model import Arrival, Candidate, FileKey, NotYet, Origin, Unsettled
from running import Site, wait_until
from stepping import Stepped
from troubles import powerless

MANY = 40
"""More than the small window has room for."""


@pytest.fixture
def uploads() -> Uploads:
    return Uploads(SettlingRules(2.0, 60.0), lambda key: Candidate(key, "cam", 0))


@pytest.fixture
def stepped(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stepped]:
    """A daemon with room for a few files, which may read only what modes let it."""
    monkeypatch.setattr(backlog, "MOST_IN_HAND", 16)
    monkeypatch.setattr(backlog, "MOST_BY_SWEEP", 12)
    monkeypatch.setattr(backlog, "REFILL_BELOW", 4)
    daemon = Stepped(site)
    with powerless():
        yield daemon
        daemon.stop()


def lay(drop: Path, name: str, data: bytes, mode: int = 0o644) -> None:
    (drop / name).write_bytes(data)
    (drop / name).chmod(mode)


def names_of(stepped: Stepped) -> list[str]:
    return [event.entry.key.name for event in stepped.verdicts()]


@pytest.fixture
def picture() -> bytes:
    return Lot(width=160, height=90).jpeg()


def test_files_without_permission_do_not_stop_the_line(stepped: Stepped, picture: bytes) -> None:
    """However many files of a camera may not be read, the frames behind them are judged."""
    drop = stepped.site.drop
    for number in range(MANY):
        lay(drop, f"a{number:02}.jpg", picture, mode=0)
    stepped.start()
    stepped.go(10)
    lay(drop, "good.jpg", picture)
    stepped.hint("good.jpg", Origin.CLOSED)
    stepped.go(5)
    assert names_of(stepped) == ["good.jpg"]


def test_files_that_become_readable_are_judged_in_their_order(stepped: Stepped, picture: bytes) -> None:
    """Mended permissions, of which nothing was heard, are found by the next try, oldest frame first."""
    drop = stepped.site.drop
    for number in range(MANY):
        lay(drop, f"a{number:02}.jpg", picture, mode=0)
        os.utime(drop / f"a{number:02}.jpg", (1_700_000_000 + number,) * 2)
    stepped.start()
    stepped.go(300)
    for file in drop.iterdir():
        file.chmod(0o644)
    inbox = stepped.daemon._intake.inbox  # type: ignore[union-attr]
    heard: list[Arrival] = []

    def are_all_lost() -> bool:
        heard.extend(inbox.take(0.1))
        return len(heard) >= MANY

    wait_until(are_all_lost)
    stepped.go(130)
    assert names_of(stepped) == [f"a{number:02}.jpg" for number in range(MANY)]


def test_a_file_that_is_heard_of_is_tried_at_once(stepped: Stepped, picture: bytes) -> None:
    """A mended permission that is heard of does not wait for the minute to end."""
    lay(stepped.site.drop, "a.jpg", picture, mode=0)
    stepped.start()
    stepped.go(300)
    (stepped.site.drop / "a.jpg").chmod(0o644)
    stepped.hint("a.jpg", Origin.CREATED)
    stepped.go(2)
    assert names_of(stepped) == ["a.jpg"]


def test_a_file_that_stays_unreadable_is_one_warning_and_ever_fewer_tries(
    stepped: Stepped, picture: bytes
) -> None:
    """It is said once that a file may not be read; it is tried some ten times in five minutes."""
    lay(stepped.site.drop, "a.jpg", picture, mode=0)
    stepped.start()
    stepped.go(300)
    levels = [event.level for event in stepped.events if event.event == "frame.postponed"]
    assert levels.count("warning") == 1
    assert 6 < len(levels) < 14


def test_a_folder_that_may_not_be_listed_is_said_once(stepped: Stepped, picture: bytes) -> None:
    """Folders without permission are one warning each; mended, they are heard from then on."""
    closed = stepped.site.drop / "night"
    closed.mkdir(mode=0o755)
    lay(closed, "a.jpg", picture)
    closed.chmod(0)
    stepped.start()
    stepped.go(200)
    assert [e.fields["folder"] for e in stepped.events if e.event == "folder.unlisted"] == ["night"]
    closed.chmod(0o755)
    stepped.go(60)
    assert names_of(stepped) == ["night/a.jpg"]
    assert not stepped.count("watch.missed")
    lay(closed, "b.jpg", picture)

    def is_heard() -> bool:
        stepped.go(1)
        return len(names_of(stepped)) == 2

    wait_until(is_heard)


def test_an_older_frame_that_settles_later_comes_first(uploads: Uploads) -> None:
    """Whatever has settled is handed out oldest first, also what settled after younger ones were queued."""
    names = ["d.jpg", "b.jpg", "c.jpg", "a.jpg"]
    for number, name in enumerate(names):
        uploads.observe(FileKey(name, 10, ord(name[0])), Origin.CLOSED, 10.0 * number)
        uploads.settle(10.0 * number + 5)
    taken = []
    while (candidate := next(uploads.upcoming(), None)) is not None:
        taken.append(candidate.key.name)
        uploads.done(candidate)
    assert taken == sorted(names)


@pytest.mark.parametrize("origin", [Origin.TOUCHED, Origin.SWEEP])
def test_a_time_that_is_set_after_the_close_delays_nothing(uploads: Uploads, origin: Origin) -> None:
    """A closed file whose times change, as by FTP's MFMT, is tried at once; one that has grown is not."""
    uploads.observe(FileKey("a.jpg", 1, 5), Origin.CLOSED, 0.0)
    uploads.observe(FileKey("b.jpg", 1, 5), Origin.CLOSED, 0.0)
    uploads.observe(FileKey("a.jpg", 1, 3), origin, 0.1)
    uploads.observe(FileKey("b.jpg", 2, 3), origin, 0.1)
    assert [candidate.key for candidate in uploads.settle(0.1)] == [FileKey("a.jpg", 1, 3)]


def test_a_frame_whose_time_is_set_while_it_is_read_keeps_its_turn(uploads: Uploads) -> None:
    """It is read again before younger frames for settle_s, however late it was first read; then they go."""
    for name in ("a.jpg", "b.jpg"):
        uploads.observe(FileKey(name, 1, 0), Origin.CLOSED, 0.0)
    uploads.settle(0.0)
    for set_ns, now_s, next_name in ((1, 9.0, "a.jpg"), (2, 10.9, "a.jpg"), (3, 11.0, "b.jpg")):
        tried = next(uploads.upcoming())
        now = FileKey("a.jpg", 1, set_ns)
        uploads.put_back(Unsettled(tried, now, NotYet.CHANGED), now_s, writer_is_done=True)
        assert next(uploads.upcoming()).key.name == next_name


def test_a_frame_that_is_written_again_while_it_is_read_loses_its_turn(uploads: Uploads) -> None:
    """What a program has open, or what is no longer as long as it was, settles again."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        uploads.observe(FileKey(name, 1, 0), Origin.CLOSED, 0.0)
    uploads.settle(0.0)
    for now, is_done in ((FileKey("a.jpg", 1, 1), False), (FileKey("b.jpg", 2, 1), True)):
        tried = next(uploads.upcoming())
        uploads.put_back(Unsettled(tried, now, NotYet.CHANGED), 0.1, writer_is_done=is_done)
        assert uploads.is_settling(now.name)


def test_unfinished_uploads_do_not_stop_the_line(stepped: Stepped, picture: bytes) -> None:
    """A backlog of cut files is not waited for while it takes the room of the frames behind it."""
    drop = stepped.site.drop
    for number in range(MANY):
        lay(drop, f"a{number:02}.jpg", picture[: len(picture) // 2])
        os.utime(drop / f"a{number:02}.jpg", (1_700_000_000 + number,) * 2)
    lay(drop, "good.jpg", picture)
    stepped.site.configure(drop="give_up_s = 60")
    stepped.start()
    stepped.go(15)
    assert "good.jpg" in names_of(stepped)


def test_one_unfinished_upload_is_waited_for(stepped: Stepped, picture: bytes) -> None:
    """While there is room, a cut file has give_up_s to go on."""
    lay(stepped.site.drop, "a.jpg", picture[: len(picture) // 2])
    stepped.site.configure(drop="give_up_s = 60")
    stepped.start()
    stepped.go(55)
    assert not names_of(stepped)
    stepped.go(10)
    assert names_of(stepped) == ["a.jpg"]


def put_aside(uploads: Uploads, name: str, tries: int, now_s: float) -> None:
    """Let a file be found unreadable some times in a row, the last time at ``now_s``."""
    uploads.observe(FileKey(name, 1, 0), Origin.CLOSED, now_s)
    for _ in range(tries):
        uploads.observe(FileKey(name, 1, 0), Origin.CLOSED, now_s)
        for candidate in uploads.settle(now_s):
            uploads.put_aside(Unsettled(candidate, candidate.key, NotYet.UNREADABLE), now_s)


def test_pauses_grow_and_fall_on_common_instants(uploads: Uploads) -> None:
    """Files that were found unreadable at odd times come due together."""
    put_aside(uploads, "a", 9, 1000.3)
    put_aside(uploads, "b", 7, 1011.9)
    assert uploads.retry_deadline_s() == 1020
    uploads.take_up(1020, most=9)
    assert [c.key.name for c in uploads.settle(1020)] == ["a", "b"]
    assert uploads.retry_deadline_s() == math.inf


def test_no_more_come_due_than_there_is_room_for(uploads: Uploads) -> None:
    """What is due and has no room stays due."""
    for name in "abc":
        put_aside(uploads, name, 1, 10.0)
    assert len(uploads) == 0
    uploads.take_up(11, most=2)
    assert len(uploads) == 2
    assert uploads.retry_deadline_s() == 11


def test_another_version_does_not_wait(uploads: Uploads) -> None:
    """Only the version that could not be read waits."""
    put_aside(uploads, "a", 1, 10.0)
    assert uploads.is_waiting_as(FileKey("a", 1, 0))
    assert not uploads.is_waiting_as(FileKey("a", 2, 0))
    uploads.observe(FileKey("a", 2, 0), Origin.CLOSED, 10.5)
    assert [c.key.size_bytes for c in uploads.settle(10.5)] == [2]


def test_what_is_gone_is_forgotten(uploads: Uploads) -> None:
    """A sweep that does not see a file ends its wait and its count."""
    for name in "ab":
        put_aside(uploads, name, 1, 10.0)
    assert uploads.unseen({"b"}, 11.0) == ["a"]
    uploads.vanished("a")
    assert "a" not in uploads
    uploads.take_up(99, most=9)
    assert [c.key.name for c in uploads.settle(99)] == ["b"]


def test_there_is_an_end_to_what_is_put_aside(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more files are put aside than memory is meant for; the others are left to a later sweep."""
    monkeypatch.setattr(queue, "MOST_PUT_ASIDE", 2)
    for name in "abc":
        put_aside(uploads, name, 1, 10.0)
    assert len(uploads) == 0
    assert "c" not in uploads


def test_what_waits_says_why(uploads: Uploads) -> None:
    """The oldest pending frame of a camera tells since when it is known and what it waits for."""
    put_aside(uploads, "a", 1, 10.0)
    uploads.observe(FileKey("b", 1, 0), Origin.CREATED, 12.0)
    assert uploads.pending({}, 10.0) == {"cam": Pending(2, 10.0, "a: unreadable")}
    assert uploads.pending({"cam": Pending(3, 5.0)}, 10.0) == {"cam": Pending(5, 5.0)}


def test_a_file_that_was_readable_meanwhile_is_warned_of_again(uploads: Uploads) -> None:
    """Only failures in a row are one warning, with ever longer pauses: a read in between begins anew."""
    key = FileKey("a", 1, 0)
    firsts = []
    for now_s, why in ((10.0, NotYet.UNREADABLE), (12.0, NotYet.UNREADABLE), (16.0, NotYet.UNFINISHED)):
        uploads.observe(key, Origin.CLOSED, now_s)
        (candidate,) = uploads.settle(now_s)
        tried = Unsettled(candidate, key, why)
        if why is NotYet.UNREADABLE:
            firsts.append(uploads.put_aside(tried, now_s))
        else:
            uploads.put_back(tried, now_s)
    uploads.observe(key, Origin.CLOSED, 20.0)
    (candidate,) = uploads.settle(20.0)
    firsts.append(uploads.put_aside(Unsettled(candidate, key, NotYet.UNREADABLE), 20.0))
    assert firsts == [True, False, True]
    assert uploads.retry_deadline_s() == 21.0


def test_each_camera_is_told_by_its_oldest_frame_wherever_that_waits() -> None:
    """Frames in hand and those left in the folder are added up; the oldest of both gives time and reason."""
    uploads = Uploads(SettlingRules(2.0, 60.0), lambda key: Candidate(key, key.name[0], 0))
    for name, seen_s in (("a2", 7.0), ("a1", 4.0), ("a3", 9.0), ("b1", 6.0)):
        uploads.observe(FileKey(name, 1, 0), Origin.CLOSED, seen_s)
    left = {"b": Pending(5, 2.0, "left"), "c": Pending(1, 3.0)}
    assert uploads.pending(left, 9.0) == {
        "a": Pending(3, 4.0), "b": Pending(6, 2.0, "left"), "c": Pending(1, 3.0),
    }  # fmt: skip
