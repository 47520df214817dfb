"""Frames that are delivered together stand where they would stand one by one, whatever fails."""

import errno
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.errors import SinkError
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk, Step, TidyStep
from framegate.keep.results.copies import MOST_AT_ONCE
from framegate.model import EncodedFrame
from running import contents
from stepping import FaultyDisk

CAPTURED_AT_NS = 1_616_694_872_510_000_000
MOMENT = "20210325T175432.510Z"
Frames = Sequence[tuple[EncodedFrame, int]]

CAM, GATE = [(f"cam/{number}.jpg", b"cam %d" % number) for number in range(4)], [("gate/0.jpg", b"gate")]


def frames_of(named: Sequence[tuple[str, bytes]]) -> Frames:
    return [(EncodedFrame(name, data, 5), CAPTURED_AT_NS) for name, data in named]


def put(folder: Path, named: Sequence[tuple[str, bytes]]) -> None:
    """Let files stand there before, as far as nothing is in their way."""
    for name, data in named:
        path = folder / name
        if not any(above.is_file() for above in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


class Card(FaultyDisk):
    """A disk that cannot hold a colon in a name."""

    def reach_name(self, name: str) -> None:
        if ":" in name:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def make_folder(self, name: str, parent_fd: int) -> None:
        self.reach_name(name)
        super().make_folder(name, parent_fd)

    def publish_unnamed(self, fd: int, name: str, folder_fd: int) -> None:
        self.reach_name(name)
        super().publish_unnamed(fd, name, folder_fd)

    def publish_temp(self, temp: str, name: str, folder_fd: int) -> None:
        self.reach_name(name)
        super().publish_temp(temp, name, folder_fd)


NAMES = st.sampled_from(
    [
        "a.jpg", "b.jpg", f"a_{MOMENT}.jpg", "a.jpg/b.jpg", "a.jpg_b.jpg", "x/a.jpg", "x/y/a.jpg", "x/y",
        "12:00.jpg", "12:00/a.jpg", "x/12:00.jpg",
    ]
)  # fmt: skip
NAMED = st.lists(st.tuples(NAMES, st.sampled_from([b"one", b"two", b"three"])), max_size=12)


@given(before=NAMED, named=NAMED, is_card=st.booleans(), has_unnamed=st.booleans())
def test_a_group_gets_the_names_that_its_frames_get_one_by_one(
    before: list[tuple[str, bytes]], named: list[tuple[str, bytes]], is_card: bool, has_unnamed: bool
) -> None:
    """Whatever stands there, and whatever two frames of a group want: all is as it is one by one."""
    with tempfile.TemporaryDirectory() as home:
        ways = []
        for way in ("one-by-one", "together"):
            folder = Path(home, way)
            folder.mkdir()
            put(folder, before)
            disk = Card() if is_card else FaultyDisk()
            disk.has_unnamed = has_unnamed
            results = ResultsFolder(folder, disk=disk)
            if way == "together":
                deliveries = results.deliver_all(frames_of(named))
            else:
                deliveries = [results.deliver(*each) for each in frames_of(named)]
            ways.append((deliveries, contents(folder)))
    assert ways[0] == ways[1]


class Watched(FaultyDisk):
    """The real disk, and its steps in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step | TidyStep] = []

    def reach(self, step: Step | TidyStep) -> None:
        self.steps.append(step)
        super().reach(step)


def test_each_folder_is_synced_once_when_all_its_names_are_there(results: Path) -> None:
    """A group in two folders waits for two folders, after the last of its files has its name."""
    disk = Watched()
    folder = ResultsFolder(results, disk=disk)
    folder.deliver_all(frames_of([("cam/first.jpg", b"1"), ("gate/first.jpg", b"2")]))
    disk.steps.clear()
    folder.deliver_all(frames_of([*CAM, *GATE]))
    names = [step for step in disk.steps if step in {Step.PUBLISH, Step.SYNC_FOLDER}]
    assert names == [Step.PUBLISH] * 5 + [Step.SYNC_FOLDER] * 2


class Turnstile(Disk):
    """A disk whose sync of a file ends only when so many others wait with it."""

    def __init__(self, together: int, most_wait_s: float = 20) -> None:
        self._barrier = threading.Barrier(together, timeout=most_wait_s)

    def sync_file(self, fd: int) -> None:
        self._barrier.wait()
        super().sync_file(fd)


def test_eight_copies_wait_for_the_medium_at_a_time(results: Path) -> None:
    """A card that can write several files at once is given several at once, but no more than eight."""
    frames = frames_of([(f"{number}.jpg", b"x" * number) for number in range(1, 17)])
    ResultsFolder(results, disk=Turnstile(MOST_AT_ONCE)).deliver_all(frames)
    assert len(contents(results)) == 16
    more = frames_of([(f"{number}.jpg", b"y" * number) for number in range(1, 10)])
    with pytest.raises(threading.BrokenBarrierError):
        ResultsFolder(results, disk=Turnstile(MOST_AT_ONCE + 1, most_wait_s=0.5)).deliver_all(more)


def test_a_frame_alone_is_delivered_in_the_thread_that_asks(results: Path) -> None:
    """A live frame pays for no other thread."""
    threads: set[str] = set()

    class Asking(Disk):
        def reach(self, step: Step | TidyStep) -> None:  # noqa: ARG002
            threads.add(threading.current_thread().name)

    ResultsFolder(results, disk=Asking()).deliver_all(frames_of(GATE))
    assert threads == {threading.current_thread().name}


STEPS = [step for step in Step if step not in {Step.INTEND, Step.TAKE_BACK, Step.FINISH, Step.FLUSH}]
WAYS = pytest.mark.parametrize("has_unnamed", [True, False], ids=["unnamed", "named"])


@WAYS
@pytest.mark.parametrize("at_reach", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_in_a_group_leaves_nothing_half_done(
    results: Path, step: Step, at_reach: int, *, has_unnamed: bool
) -> None:
    """Whichever step fails for whichever frame: what is there is whole, and the next try ends well."""
    standing = [("cam/1.jpg", b"cam 1"), ("cam/2.jpg", b"cam 2"), ("gate/0.jpg", b"gate")]
    put(results, standing if step is Step.SYNC_EXISTING else [])
    disk = FaultyDisk()
    disk.has_unnamed = has_unnamed
    disk.fail(step, lambda: OSError(errno.EIO, os.strerror(errno.EIO)), at_reach=at_reach)
    folder, frames = ResultsFolder(results, disk=disk), frames_of([*CAM, *GATE])
    before = len(os.listdir("/proc/self/fd"))
    try:
        folder.deliver_all(frames)
    except SinkError:
        assert disk.hits[step] == 1
    else:  # what failed has to be told
        assert not disk.hits[step]
        assert at_reach > 1 or (has_unnamed and step is Step.REMOVE_TEMP) or step is Step.SYNC_EXISTING
    assert len(os.listdir("/proc/self/fd")) <= before, "fewer: garbage of another test has been collected"
    assert visible(results).items() <= dict([*CAM, *GATE]).items()
    disk.heal()
    assert [folder.deliver(*each).name for each in frames] == [name for name, _ in (*CAM, *GATE)]
    assert contents(results) == dict([*CAM, *GATE])


def visible(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but the hidden ones."""
    return {name: data for name, data in contents(folder).items() if not Path(name).name.startswith(".")}


def eio() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


def test_when_a_folder_cannot_be_synced_all_our_names_in_it_are_taken_back(results: Path) -> None:
    """A second sync would falsely succeed: what we have named is written again; what stood there stays."""
    put(results, [CAM[0], ("gate/other.jpg", b"theirs")])
    disk = FaultyDisk()
    folder = ResultsFolder(results, disk=disk)
    folder.deliver_all(frames_of([("cam/first.jpg", b"1"), ("gate/first.jpg", b"2")]))
    disk.fail(Step.SYNC_FOLDER, eio, lasts=True)
    with pytest.raises(SinkError, match="Input/output error"):
        folder.deliver_all(frames_of([*CAM, *GATE]))
    there = {"cam/first.jpg", "cam/0.jpg", "gate/first.jpg", "gate/other.jpg"}
    assert contents(results).keys() == there
    disk.heal()
    assert [each.already_there for each in folder.deliver_all(frames_of([*CAM, *GATE]))] == [True] + 4 * [
        False
    ]


class Rival(Disk):
    """Another program takes a name after it was seen to be free."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sync_file(self, fd: int) -> None:
        super().sync_file(fd)
        self._path.write_bytes(b"theirs")


@pytest.mark.parametrize("position", [0, 2, 3])
def test_a_name_that_is_taken_at_the_last_moment_is_left_to_who_took_it(results: Path, position: int) -> None:
    """The frame takes the next name, and those after it in the group theirs."""
    (results / "cam").mkdir()
    name, _ = CAM[position]
    folder = ResultsFolder(results, disk=Rival(results / name))
    names = [delivery.name for delivery in folder.deliver_all(frames_of(CAM))]
    expected = [f"cam/{number}.jpg" for number in range(4)]
    expected[position] = f"cam/{position}_{MOMENT}.jpg"
    assert names == expected
    assert contents(results) == dict(zip(names, dict(CAM).values(), strict=True)) | {name: b"theirs"}


class DeceivedDisk(Disk):
    """A disk that fills up between the look at its free space and the writes."""

    def free_bytes(self, folder: str) -> int:
        super().free_bytes(folder)
        return 10**9


def test_a_disk_that_fills_up_within_a_group_loses_nothing(small_disk: Path) -> None:
    """What found room is whole, the rest has left no trace, and all is there after somebody made room."""
    (small_disk / "theirs").write_bytes(bytes(164 * 1024))
    named = [(f"{number}.jpg", os.urandom(30 * 1024)) for number in range(6)]
    folder, frames = ResultsFolder(small_disk, disk=DeceivedDisk()), frames_of(named)
    with pytest.raises(SinkError, match="No space left on device"):
        folder.deliver_all(frames)
    left = contents(small_disk)
    assert left.pop("theirs")
    assert left.items() <= dict(named).items()
    (small_disk / "theirs").unlink()
    assert [each.name for each in folder.deliver_all(frames)] == [name for name, _ in named]
    assert contents(small_disk) == dict(named)


def test_a_group_for_which_there_is_no_room_is_not_begun(results: Path) -> None:
    """The room for all of a group is asked for before the first byte is written."""

    class Nearly(Disk):
        def free_bytes(self, folder: str) -> int:  # noqa: ARG002
            return 5019

    frames = frames_of([("1.jpg", bytes(10)), ("2.jpg", bytes(10))])
    with pytest.raises(SinkError, match="min_free"):
        ResultsFolder(results, 5000, Nearly()).deliver_all(frames)
    assert contents(results) == {}


CRASHING = """
import os, signal, sys, threading
from pathlib import Path
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk
from framegate.model import EncodedFrame

class DyingDisk(Disk):
    left = int(sys.argv[3])
    lock = threading.Lock()

    def reach(self, step):
        with self.lock:
            if step == sys.argv[2]:
                self.left -= 1
                if not self.left:
                    os.kill(os.getpid(), signal.SIGKILL)

    if sys.argv[4] == "named":
        def open_unnamed(self, folder_fd):
            return None

frames = [(EncodedFrame(name, name.encode(), 5), 7) for name in sys.argv[5:]]
ResultsFolder(Path(sys.argv[1]), disk=DyingDisk()).deliver_all(frames)
"""


@WAYS
@pytest.mark.parametrize("at_reach", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_in_a_group_is_repaired_by_delivering_again(
    results: Path, step: Step, at_reach: int, run_python: Callable[..., Any], *, has_unnamed: bool
) -> None:
    """Killed anywhere, a group leaves whole frames or none; one by one they are brought to the end."""
    named = {name: name.encode() for name, _ in (*CAM, *GATE)}
    is_there_before = step is Step.SYNC_EXISTING or (step is Step.REMOVE_TEMP and has_unnamed)
    put(results, [*named.items()] if is_there_before else [])
    way = "unnamed" if has_unnamed else "named"
    died = run_python(CRASHING, results, step, at_reach, way, *named)
    assert died.returncode in ({-signal.SIGKILL} if at_reach == 1 else {-signal.SIGKILL, 0})
    assert visible(results).items() <= named.items()
    disk = FaultyDisk()
    disk.has_unnamed = has_unnamed
    folder = ResultsFolder(results, disk=disk)
    again = [folder.deliver(EncodedFrame(name, data, 5), 7).name for name, data in named.items()]
    assert again == [*named]
    assert contents(results) == named


NO_THREADS = """
import resource, sys
from pathlib import Path
from framegate.errors import SinkError
from framegate.keep.delivery import ResultsFolder
from framegate.model import EncodedFrame

results = ResultsFolder(Path(sys.argv[1]))
frames = [(EncodedFrame(f"{number}.jpg", b"%d" % number, 5), 7) for number in range(3)]
size = next(line for line in open("/proc/self/status") if line.startswith("VmSize"))
room = int(size.split()[1]) * 1024 + 2_000_000
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    results.deliver_all(frames)
except SinkError as error:
    print(error)
print([results.deliver(*each).name for each in frames])
"""


def test_where_no_thread_can_be_started_a_group_waits_and_goes_one_by_one(
    results: Path, run_python: Callable[..., Any]
) -> None:
    """A process at its limits is told as a disk that cannot be written, and a frame alone needs no thread."""
    done = run_python(NO_THREADS, results)
    assert done.returncode == 0, done.stderr.decode()
    told, delivered = done.stdout.decode().splitlines()
    assert told == f"cannot write to {results}: can't start new thread"
    assert delivered == "['0.jpg', '1.jpg', '2.jpg']"
