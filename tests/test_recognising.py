"""A version of a file is its content: what was done to a judged file makes no frame of it, other bytes do."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate.events.frames import FrameCompleted
from framegate.keep.disk import Step
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Origin, Reason, Verdict
from running import Site, contents
from stepping import Crash, FaultyDisk, Stepped

CLASSIC = 'preset = "classic"\nmin_contour_area = "20px"\nscore_threshold = "1%"\n'
NOON_NS = 1_700_000_000 * 10**9
HOUR_NS = 3600 * 10**9
TRAILER = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 40


def picture(car: int, ending: str = ".png") -> bytes:
    """Return a photo of a wall with a car somewhere."""
    wall = np.full((90, 160, 3), 100, np.uint8)
    wall[30:60, car : car + 40] = (20, 200, 230)
    return cv2.imencode(ending, wall)[1].tobytes()


CARS = [0, 0, 60, 60, 110]
KEPT = ["0.png", "2.png", "4.png"]
AS_BEFORE = {Reason.UNCHANGED, Reason.IDENTICAL}


def put(path: Path, data: bytes, mtime_ns: int) -> None:
    """Write a file aside and rename it to its place, as rsync does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.utime(part, ns=(mtime_ns, mtime_ns))
    part.rename(path)


@pytest.fixture
def judged(site: Site, daemon: Stepped) -> Stepped:
    """A daemon that has judged five frames, of which it kept three."""
    site.configure(detection=CLASSIC, min_free="0B")
    for number, car in enumerate(CARS):
        put(site.drop / f"{number}.png", picture(car), NOON_NS + number * 10**9)
    daemon.start()
    daemon.go(5)
    assert [event.entry.key.name for event in daemon.verdicts() if event.entry.result] == KEPT
    return daemon


def ledger_of(daemon: Stepped) -> Ledger:
    assert daemon.daemon is not None
    return daemon.daemon._ledger


def last_of(daemon: Stepped, name: str) -> Entry:
    entry = ledger_of(daemon).last_of(name)
    assert entry is not None
    return entry


def each_file(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what does the same to every frame of a drop folder."""

    def change_all(drop: Path) -> None:
        for path in sorted(drop.glob("*.png")):
            change(path)

    return change_all


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def replace_by_a_copy(path: Path) -> None:
    shutil.copyfile(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def move_to_its_day(path: Path) -> None:
    (path.parent / "2023-11-14").mkdir(exist_ok=True)
    path.rename(path.parent / "2023-11-14" / path.name)


def move_by_copying(path: Path) -> None:
    (path.parent / "archive").mkdir(exist_ok=True)
    shutil.copy2(path, path.parent / "archive" / path.name)
    path.unlink()


def shift_by_an_hour(path: Path) -> None:
    moment_ns = path.stat().st_mtime_ns + HOUR_NS
    os.utime(path, ns=(moment_ns, moment_ns))


def number_from_behind(drop: Path) -> None:
    """Rename as log rotation does: every name has another frame afterwards."""
    for number in reversed(range(len(CARS))):
        (drop / f"{number}.png").rename(drop / f"{number + 1}.png")


def swap(drop: Path) -> None:
    (drop / "1.png").rename(drop / "aside")
    (drop / "3.png").rename(drop / "1.png")
    (drop / "aside").rename(drop / "3.png")


CHANGES = {
    "a touch": each_file(os.utime),
    "a mode": each_file(lambda path: path.chmod(0o640)),
    "an owner": each_file(lambda path: os.chown(path, os.getuid(), os.getgid())),
    "a hard link": each_file(lambda path: path.with_name(path.name + ".linked").hardlink_to(path)),
    "the same bytes again": each_file(rewrite),
    "the same bytes by rename": each_file(replace_by_a_copy),
    "the clocks set forward": each_file(shift_by_an_hour),
    "a time of 1970": each_file(lambda path: os.utime(path, (0, 0))),
    "a day's folder": each_file(move_to_its_day),
    "a move to another disk": each_file(move_by_copying),
    "another ending": each_file(lambda path: path.rename(path.with_suffix(".jpg"))),
    "a rotation": number_from_behind,
    "a swap": swap,
}
LIVES = {
    "at once": lambda daemon: None,  # noqa: ARG005
    "when it is committed": lambda daemon: daemon.go(10),
    "while it is stopped": lambda daemon: daemon.stop(),
    "after a crash": lambda daemon: (daemon.go(10), daemon.crash()),
}


@pytest.mark.parametrize("moment", LIVES.values(), ids=LIVES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_done_to_judged_files_makes_no_frame_of_them(
    site: Site, judged: Stepped, change: Callable[[Path], None], moment: Callable[[Stepped], object]
) -> None:
    """Touched, moved or written again with the same bytes, a judged file gets no second verdict."""
    before = contents(site.results)
    moment(judged)
    change(site.drop)
    if judged.daemon is None:
        judged.start()
    judged.go(100)
    assert len(judged.verdicts()) == len(CARS)
    assert contents(site.results) == before
    judged.stop()
    judged.start()  # and nothing of it is looked at again
    known = judged.count("frame.known")
    judged.go(100)
    assert judged.count("frame.known") == known
    put(site.drop / "z.png", picture(CARS[-1]), NOON_NS + HOUR_NS)
    judged.go(40)
    assert judged.verdicts()[-1].entry.reason in AS_BEFORE  # the reference stands


def in_place(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


def by_rename(path: Path, data: bytes) -> None:
    path.with_name("copy").write_bytes(data)
    path.with_name("copy").rename(path)


@pytest.mark.parametrize("moment", LIVES.values(), ids=LIVES)
@pytest.mark.parametrize("watch", ["auto", "poll"])
@pytest.mark.parametrize("write", [in_place, by_rename])
def test_other_bytes_of_the_same_size_and_time_are_judged(
    site: Site,
    daemon: Stepped,
    write: Callable[[Path, bytes], None],
    watch: str,
    moment: Callable[[Stepped], object],
) -> None:
    """A file whose name, size and time are those of a judged one is judged by its bytes."""
    site.configure(drop=f'watch = "{watch}"\ninclude = ["*.bmp"]', detection=CLASSIC, min_free="0B")
    path = site.drop / "snapshot.bmp"
    put(path, picture(0, ".bmp"), NOON_NS)
    daemon.start()
    daemon.go(5)
    moment(daemon)
    write(path, picture(60, ".bmp"))
    os.utime(path, ns=(NOON_NS, NOON_NS))
    if daemon.daemon is None:
        daemon.start()
    daemon.go(100)
    assert [event.entry.reason for event in daemon.verdicts()] == [Reason.FIRST, Reason.CHANGED]


def test_a_close_is_believed_more_than_a_status(site: Site, judged: Stepped) -> None:
    """Where a file's status tells nothing, as within one tick of the kernel's clock, its close does."""
    ledger = ledger_of(judged)
    name = "1.png"
    before = last_of(judged, name)
    (site.drop / name).write_bytes(picture(60))
    status = (site.drop / name).stat()
    there = FileKey(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    ledger.renew(before, replace(before, key=there))
    judged.hint(name, Origin.CLOSED)
    judged.go(1)
    assert judged.verdicts()[-1].entry.key == there


def test_a_copy_beside_the_judged_file_is_a_frame(site: Site, judged: Stepped) -> None:
    """A copy leaves the file as it was: it is judged, and identical to the reference."""
    shutil.copy2(site.drop / "4.png", site.drop / "5.png")
    judged.go(40)
    assert judged.verdicts()[-1].entry.reason is Reason.IDENTICAL
    assert judged.verdicts()[-1].entry.reference == "4.png"


@pytest.mark.parametrize("watch", ["auto", "poll"])
def test_a_hard_link_makes_no_second_frame_of_the_original(site: Site, daemon: Stepped, watch: str) -> None:
    """After cp -al each link is a frame of its own, as a copy is; the linked files are judged already."""
    site.configure(drop=f'watch = "{watch}"', detection=CLASSIC, min_free="0B")
    for number, car in enumerate(CARS):
        put(site.drop / f"{number}.png", picture(car), NOON_NS + number * 10**9)
    daemon.start()
    daemon.go(10)
    (site.drop / "backup").mkdir()
    for number in range(len(CARS)):
        (site.drop / "backup" / f"{number}.png").hardlink_to(site.drop / f"{number}.png")
    daemon.go(100)
    names = [event.entry.key.name for event in daemon.verdicts()]
    assert sorted(names) == sorted(set(names))
    assert len(names) == 2 * len(CARS)


def test_a_frame_that_is_moved_to_another_camera_is_judged_for_it(site: Site, daemon: Stepped) -> None:
    """A sorter's inbox is no camera: in its camera's folder a frame is compared with the right ones."""
    drop = "camera_pattern = '^(?P<camera>c[0-9])/'"
    site.configure(drop=drop, detection=CLASSIC, min_free="0B")
    put(site.drop / "inbox/0.png", picture(0), NOON_NS)
    daemon.start()
    daemon.go(10)
    (site.drop / "c1").mkdir()
    (site.drop / "inbox/0.png").rename(site.drop / "c1/0.png")
    daemon.go(40)
    assert [event.entry.camera for event in daemon.verdicts()] == ["default", "c1"]


def test_a_camera_that_sends_the_same_bytes_under_one_name_is_frozen_and_not_silent(
    site: Site, daemon: Stepped
) -> None:
    """Each upload is heard of, though it is no new frame: the camera is there, its picture stands still."""
    site.configure(drop='silent_after = "30s"\nfrozen_after = "20s"', detection=CLASSIC, min_free="0B")
    daemon.start()
    for _ in range(12):
        (site.drop / "snapshot.png").write_bytes(picture(0))
        daemon.hint("snapshot.png", Origin.CLOSED)
        daemon.go(5)
    assert len(daemon.verdicts()) == 1
    assert daemon.count("camera.frozen") == 1
    assert daemon.count("camera.silent") == 0


def test_bytes_that_come_back_after_others_are_a_frame(site: Site, judged: Stepped) -> None:
    """Only the last content of a name counts: an older one that returns has been replaced meanwhile."""
    for car in (60, 0):
        put(site.drop / "4.png", picture(car), NOON_NS + HOUR_NS)
        judged.go(40)
    assert [event.entry.reason for event in judged.verdicts()[-2:]] == [Reason.CHANGED, Reason.CHANGED]


@pytest.mark.parametrize("restart", [False, True])
def test_a_time_that_is_set_soon_after_the_close_is_the_capture_time(
    site: Site, daemon: Stepped, restart: bool
) -> None:
    """What FTP's MFMT or Samba sets within settle_s counts for the order, and in the results."""
    site.configure(drop="settle_s = 60", detection=CLASSIC, min_free="0B")  # seconds of the real clock, too
    daemon.start()
    (site.drop / "a.png").write_bytes(picture(0))
    daemon.hint("a.png", Origin.CLOSED)
    daemon.go(3)
    if restart:
        daemon.stop()
    os.utime(site.drop / "a.png", ns=(NOON_NS, NOON_NS))
    if restart:
        daemon.start()
    daemon.go(100)
    (before,) = daemon.verdicts()
    now = last_of(daemon, "a.png")
    assert before.entry.captured_at_ns > NOON_NS
    assert now.captured_at_ns == NOON_NS
    assert (site.results / "a.png").stat().st_mtime_ns == NOON_NS
    put(site.drop / "b.png", picture(60), NOON_NS + 10**9)
    daemon.go(100)
    assert daemon.verdicts()[-1].entry.reference == "a.png"


def test_a_time_that_is_set_much_later_changes_no_capture_time(site: Site, judged: Stepped) -> None:
    """A restored backup or a clock that is changed is no news of when a frame was taken."""
    before = last_of(judged, "0.png")
    old = before.key
    ledger_of(judged).renew(before, replace(before, key=replace(old, ctime_ns=10**9)))
    os.utime(site.drop / "0.png", ns=(1, 1))
    judged.go(100)
    now = last_of(judged, "0.png")
    assert (now.key.mtime_ns, now.captured_at_ns) == (1, before.captured_at_ns)


def grown(judged: Stepped) -> list[FrameCompleted]:
    return [event for event in judged.events if isinstance(event, FrameCompleted)]


@pytest.mark.parametrize("moment", LIVES.values(), ids=LIVES)
@pytest.mark.parametrize("name", ["4.png", "3.png"], ids=["kept", "dropped"])
def test_an_upload_that_goes_on_completes_its_result(
    site: Site, judged: Stepped, name: str, moment: Callable[[Stepped], object]
) -> None:
    """Bytes that come behind a whole picture are appended to its result; there is no second verdict."""
    moment(judged)
    with (site.drop / name).open("ab") as file:
        file.write(TRAILER)
    if judged.daemon is None:
        judged.start()
    judged.go(100)
    assert len(judged.verdicts()) == len(CARS)
    assert [event.frame for event in grown(judged)] == [name]
    whole = (site.drop / name).read_bytes()
    assert sorted(contents(site.results)) == KEPT
    assert contents(site.results).get(name, whole) == whole
    judged.stop()
    judged.start()
    put(site.drop / "z.png", picture(CARS[-1]), NOON_NS + HOUR_NS)
    judged.go(40)
    assert judged.verdicts()[-1].entry.reason in AS_BEFORE  # the reference was found again


def test_a_longer_picture_is_another_frame(site: Site, judged: Stepped) -> None:
    """A file that begins with the same bytes and is another picture is judged."""
    cut = picture(0)[:-12]  # without its end: rejected, and completed later
    put(site.drop / "5.png", cut, NOON_NS + 5 * 10**9)
    judged.go(80)
    with (site.drop / "5.png").open("ab") as file:
        file.write(picture(0)[-12:])
    judged.go(80)
    assert [event.entry.reason for event in judged.verdicts()[-2:]] == [Reason.TRUNCATED, Reason.CHANGED]


def test_a_result_that_is_not_ours_any_more_is_delivered_again(site: Site, judged: Stepped) -> None:
    """Where another file stands at the result's name, the completed frame gets a name of its own."""
    (site.results / "4.png").write_bytes(b"another's")
    with (site.drop / "4.png").open("ab") as file:
        file.write(TRAILER)
    judged.go(40)
    (event,) = grown(judged)
    assert event.result not in {None, "4.png"}
    assert contents(site.results)["4.png"] == b"another's"
    assert contents(site.results)[event.result] == (site.drop / "4.png").read_bytes()


@pytest.mark.parametrize(
    "step", [Step.READ_EXISTING, Step.FREE_SPACE, Step.WRITE, Step.STAMP, Step.SYNC_FILE, Step.FLUSH]
)
@pytest.mark.parametrize("fault", ["error", "crash"])
def test_a_result_is_completed_whatever_step_fails(
    site: Site, judged: Stepped, disk: FaultyDisk, step: Step, fault: str
) -> None:
    """After an error or a crash at any step the result gets all bytes, and nothing else is written."""
    judged.go(10)
    error: Callable[[], BaseException] = Crash if fault == "crash" else lambda: OSError(errno.EIO, "I/O")
    disk.fail(step, error)
    with (site.drop / "4.png").open("ab") as file:
        file.write(TRAILER)
    try:
        judged.go(100)
    except Crash:
        judged.crash()
        judged.start()
        judged.go(100)
    assert sorted(contents(site.results)) == KEPT
    assert contents(site.results)["4.png"] == (site.drop / "4.png").read_bytes()
    assert len(judged.verdicts()) == len(CARS)


def test_deleted_inputs_that_come_again_are_deleted_again(site: Site, daemon: Stepped) -> None:
    """A mirror that restores what was deleted costs no verdict, and leaves nothing behind."""
    site.configure(drop='after_kept = "delete"\nafter_dropped = "delete"', detection=CLASSIC, min_free="0B")
    daemon.start()
    for _ in range(2):
        for number, car in enumerate(CARS):
            put(site.drop / f"{number}.png", picture(car), NOON_NS + number * 10**9)
        daemon.go(60)
    assert len(daemon.verdicts()) == len(CARS)
    assert not contents(site.drop)


@pytest.mark.parametrize("is_old", [False, True])
def test_an_input_was_moved_as_long_as_it_was_not_to_be_deleted(
    site: Site, daemon: Stepped, is_old: bool
) -> None:
    """With deletion by age a tidied-up file is known until it would have been deleted, then it is new."""
    site.configure(drop='after_kept = "7d"\nafter_dropped = "7d"', detection=CLASSIC, min_free="0B")
    put(site.drop / "1.png", picture(0), NOON_NS)
    put(site.drop / "2.png", picture(60), NOON_NS + 10**9)
    daemon.start()
    daemon.go(20)
    if is_old:
        with sqlite3.connect(site.state / "ledger.sqlite3") as db:
            db.execute("UPDATE frame SET decided_at_ns = decided_at_ns - ?", (8 * 24 * HOUR_NS,))
        db.close()
    (site.drop / "tidy").mkdir()
    (site.drop / "1.png").rename(site.drop / "tidy" / "1.png")
    daemon.go(60)
    daemon.stop()
    assert len(daemon.verdicts()) == (3 if is_old else 2)


def test_many_touched_files_hold_up_no_live_frame(site: Site, daemon: Stepped) -> None:
    """After a chmod of the whole folder a live frame is judged before the touched ones are compared."""
    site.configure(detection=CLASSIC, min_free="0B")
    data = picture(0)
    for number in range(1_000):
        put(site.drop / f"{number:05d}.png", data, NOON_NS + number)
    daemon.start()
    daemon.go(400)
    assert len(daemon.verdicts()) == 1_000
    for path in site.drop.iterdir():
        path.chmod(0o640)
    daemon.go(0.5)
    put(site.drop / "live.png", picture(60), NOON_NS + HOUR_NS)
    daemon.hint("live.png", Origin.MOVED)
    daemon.go(0)
    assert daemon.verdicts()[-1].entry.key.name == "live.png"
    assert daemon.verdicts()[-1].entry.reason.verdict is Verdict.KEPT
    daemon.go(400)
    assert len(daemon.verdicts()) == 1_001
