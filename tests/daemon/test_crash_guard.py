import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bench import Bench, lay
from forked import python
from framegate.ahead import Ahead
from framegate.config.detection import DetectionSettings
from framegate.config.load import load
from framegate.daemon import crash_guard
from framegate.daemon.crash_guard import DEATHS_BEFORE_TRIAL, CrashGuard, survives_trial
from framegate.examining import Examined
from framegate.model import Candidate, FileKey, Reason
from running import Site

KEY = FileKey("lot.jpg", 10, 20)
MOST_TOGETHER = 70
"""More frames than are in hand at once on 16 cores."""

OTHER = FileKey("other.jpg", 10, 20)

DIES = """
import os, signal, sys
from pathlib import Path
from framegate.model import FileKey
from framegate.daemon.crash_guard import CrashGuard

flight = CrashGuard(Path(sys.argv[1]))
for name in sys.argv[2:]:
    flight.mark([FileKey(each, 10, 20) for each in name.split("+") if each])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "in-flight"


@pytest.fixture
def dies(path: Path) -> Callable[..., None]:
    """Run a process that marks these frames, one after the other, and is killed.

    Names with a plus between them are marked together; an empty name clears.
    """

    def run(*names: str) -> None:
        assert python(DIES, path, *names).returncode == -signal.SIGKILL

    return run


def deaths(path: Path, key: FileKey = KEY) -> int:
    """Ask as the next run would, and leave all as it was."""
    before = path.read_bytes()
    with closing(CrashGuard(path)) as flight:
        count = flight.deaths_of(key)
    path.write_bytes(before)
    return count


def test_a_frame_is_charged_with_each_death_in_a_row(path: Path, dies: Callable[..., None]) -> None:
    """Killed while a frame is examined, again and again, the count goes up by one each time."""
    for count in range(1, DEATHS_BEFORE_TRIAL + 2):
        dies(KEY.name)
        assert deaths(path) == count
    assert deaths(path, OTHER) == 0
    assert deaths(path, FileKey(KEY.name, 11, 20)) == deaths(path, FileKey(KEY.name, 10, 21)) == 0


def test_the_frames_before_it_do_not_clear_the_suspect(path: Path, dies: Callable[..., None]) -> None:
    """After a crash lazy frames are judged again first: the suspect keeps its count until it is its turn."""
    dies("a.jpg", "b.jpg", KEY.name)
    dies("a.jpg", "b.jpg", "", KEY.name)
    assert deaths(path) == 2


@pytest.mark.parametrize("last", ["other.jpg", ""], ids=["another-frame", "none"])
def test_a_death_elsewhere_ends_the_row(path: Path, dies: Callable[..., None], last: str) -> None:
    """When the process ends while another frame, or none, is examined, the former suspect is cleared."""
    dies(KEY.name)
    dies(KEY.name, last)
    assert deaths(path) == 0


def test_each_of_the_frames_in_hand_is_a_suspect(path: Path, dies: Callable[..., None]) -> None:
    """Which of the frames in hand ended the process is not known: each is charged, and cleared by itself."""
    dies(f"{KEY.name}+{OTHER.name}")
    assert deaths(path) == deaths(path, OTHER) == 1
    dies(KEY.name, OTHER.name)
    assert (deaths(path), deaths(path, OTHER)) == (0, 2)


def test_an_orderly_end_leaves_no_suspect(path: Path) -> None:
    """Closing clears: a stop in the middle of a frame is no death."""
    with closing(CrashGuard(path)) as flight:
        flight.mark([KEY])
    assert deaths(path) == 0


def test_without_a_suspect_clearing_writes_nothing(path: Path) -> None:
    """A daemon that waits does not wear out the memory card."""
    with closing(CrashGuard(path)) as flight:
        flight.mark([KEY])
        flight.mark([])
        os.utime(path, (1, 1))
        flight.mark([])
    assert path.stat().st_mtime == 1


@pytest.mark.parametrize(
    "name",
    [
        os.fsdecode(b"l\xf6t\xff.jpg"),
        "a\nb\r\x00\x1b.jpg".replace("\x00", ""),
        '"],[".jpg',
        "/".join(["\N{GRINNING FACE}" * 60] * 17),
        os.fsdecode(b"/".join([b"\xff" * 200] * 20)),
    ],
    ids=["not-utf8", "control-characters", "json", "longest", "longest-not-utf8"],
)
def test_names_of_any_bytes_are_known_again(path: Path, name: str) -> None:
    """Whatever Linux allows in a name, and however long, its frame is charged and no other."""
    flight = CrashGuard(path)
    flight.mark([FileKey(name, 10, -(2**63))] * MOST_TOGETHER)
    assert flight._fd is not None
    os.close(flight._fd)
    assert deaths(path, FileKey(name, 10, -(2**63))) == 1
    assert path.stat().st_size < crash_guard._MOST_RECORD_BYTES


def test_a_short_record_over_a_long_one_is_read_alone(path: Path, dies: Callable[..., None]) -> None:
    """The record is written in place: what a longer one left behind is not read."""
    dies("long" * 50 + ".jpg", KEY.name)
    assert deaths(path) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"nonsense\n", b"[]\n", b'[["a", 1]]\n', b"\xff\xfe\x00", b"{}\n", b'[["a", "x", 1, 1]]\n',
     b"null\n", b'[["lot.jpg", 10, 20, 1, null]]\n', b'["lot.jpg", 10, 20, 1, 0]\n', b"[" * 30_000],
)  # fmt: skip
def test_a_record_that_makes_no_sense_accuses_nobody(path: Path, content: bytes) -> None:
    """What a power cut or an editor left in the file does not stop the start, and is written over."""
    path.write_bytes(content)
    assert deaths(path) == 0
    with closing(CrashGuard(path)) as flight:
        flight.mark([KEY])
        assert deaths(path) == 1


@contextmanager
def no_room() -> Iterator[None]:
    """Let the kernel refuse every write to a file: no fixture, for pytest itself writes to one perhaps."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)


def test_a_disk_without_room_holds_up_no_frame(path: Path) -> None:
    """A mark that cannot be written is done without."""
    with no_room(), closing(CrashGuard(path)) as flight:
        flight.mark([KEY])
        assert flight.deaths_of(KEY) == 0
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "occupy",
    [
        pytest.param(Path.mkdir, id="folder"),
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), id="link"),
        pytest.param(lambda path: path.parent.rmdir(), id="no-state-folder"),
    ],
)
def test_a_mark_that_cannot_be_made_stops_no_start(tmp_path: Path, occupy: Callable[[Path], None]) -> None:
    """Where there is no file for the mark, the daemon does without."""
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "in-flight"
    occupy(path)
    with closing(CrashGuard(path)) as flight:
        flight.mark([KEY])
        flight.mark([])
        assert flight.deaths_of(KEY) == 0


MOST = 10_000_000
DETECTION = DetectionSettings()


def test_a_good_frame_survives_its_trial(tmp_path: Path, morning: list[bytes]) -> None:
    """A frame that was there by chance when the daemon was killed decodes in a process of its own."""
    (tmp_path / "lot.jpg").write_bytes(morning[0])
    assert survives_trial(tmp_path / "lot.jpg", MOST, MOST, DETECTION)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.write_bytes(b"no picture"), id="no-picture"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty", marks=pytest.mark.slow),
        pytest.param(os.mkfifo, id="fifo"),
        pytest.param(Path.mkdir, id="folder", marks=pytest.mark.slow),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="link", marks=pytest.mark.slow),
        pytest.param(lambda _: None, id="gone", marks=pytest.mark.slow),
    ],
)
def test_what_is_no_picture_survives_too(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A trial asks only whether the process lives: what is wrong with a file is for the daemon to find."""
    make(tmp_path / "lot.jpg")
    assert survives_trial(tmp_path / "lot.jpg", MOST, MOST, DETECTION)


@pytest.mark.parametrize("name", ["-c", os.fsdecode(b"l\xf6t\n.jpg")])
def test_a_frame_of_any_name_survives_its_trial(tmp_path: Path, morning: list[bytes], name: str) -> None:
    """No name is taken for an option, nor does any end the process that tries it."""
    (tmp_path / name).write_bytes(morning[0])
    assert survives_trial(tmp_path / name, MOST, MOST, DETECTION)


def test_a_limit_of_the_config_holds_in_the_trial(tmp_path: Path, morning: list[bytes]) -> None:
    """A file that the daemon would not read, or not decode, is not read or decoded in its trial either."""
    (tmp_path / "huge.jpg").write_bytes(morning[0])
    os.truncate(tmp_path / "huge.jpg", 1 << 40)
    assert survives_trial(tmp_path / "huge.jpg", MOST, MOST, DETECTION)
    (tmp_path / "lot.jpg").write_bytes(morning[0])
    assert survives_trial(tmp_path / "lot.jpg", MOST, 1.0, DETECTION)


def test_a_trial_that_hangs_is_not_survived(
    tmp_path: Path, morning: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that never comes back counts as one that dies."""
    monkeypatch.setattr(crash_guard, "TRIAL_TIMEOUT_S", 0.001)
    (tmp_path / "lot.jpg").write_bytes(morning[0])
    assert not survives_trial(tmp_path / "lot.jpg", MOST, MOST, DETECTION)


def test_where_no_process_can_be_had_nobody_is_guilty(
    tmp_path: Path, morning: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that cannot be held proves nothing."""
    (tmp_path / "lot.jpg").write_bytes(morning[0])
    monkeypatch.setattr(sys, "executable", os.fspath(tmp_path / "no-python"))
    assert survives_trial(tmp_path / "lot.jpg", MOST, MOST, DETECTION)


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from framegate.daemon import trial
from framegate.daemon.crash_guard import survives_trial
from framegate.ahead import Ahead
from framegate.config.detection import DetectionSettings

size = next(line for line in open("/proc/self/status") if line.startswith("VmPeak"))
room = int(size.split()[1]) * 1024 + 200_000_000
resource.setrlimit(resource.RLIMIT_AS, (room, room))
print(survives_trial(Path(sys.argv[1]), 1 << 40, 1e9, DetectionSettings()))
"""


def test_where_memory_is_short_nobody_is_guilty(tmp_path: Path) -> None:
    """A trial that ends for want of memory ends by itself: the frame is no crasher, and is tried again."""
    (tmp_path / "huge.jpg").touch()
    os.truncate(tmp_path / "huge.jpg", 2_000_000_000)
    said = python(LITTLE_MEMORY, tmp_path / "huge.jpg")
    assert (said.stdout, said.stderr) == (b"True\n", b"")


def test_a_trial_that_was_asked_to_end_proves_nothing(
    tmp_path: Path, morning: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is stopped during a trial does not condemn the frame; a crash does."""
    (tmp_path / "lot.jpg").write_bytes(morning[0])
    ends = tmp_path / "python"
    ends.write_text('#!/bin/sh\nkill -$(cat "$0.signal") $$\n', "ascii")
    ends.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(ends))
    for name, is_survived in {"TERM": True, "INT": True, "SEGV": False, "KILL": False}.items():
        Path(f"{ends}.signal").write_text(name, "ascii")
        assert survives_trial(tmp_path / "lot.jpg", MOST, MOST, DETECTION) is is_survived


# --- the guard --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_crasher", [True, False], ids=["crasher", "harmless"])
def test_a_frame_is_refused_only_when_its_trial_dies_too(
    site: Site, path: Path, monkeypatch: pytest.MonkeyPatch, *, is_crasher: bool
) -> None:
    """After two deaths the frame is tried in a process of its own, and refused if that one dies."""
    settings, candidate = load(site.config).settings, Candidate(KEY, "default", 0)
    python = site.home / "python"
    python.write_text(f"#!/bin/sh\n{'kill -SEGV $$' if is_crasher else 'exit 1'}\n", "ascii")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(python))
    for number in range(1, DEATHS_BEFORE_TRIAL + 1):
        record = [KEY.name, KEY.size_bytes, KEY.mtime_ns, KEY.ctime_ns, number - 1]
        path.write_text(json.dumps([record]) + "\n", "ascii")
        with closing(CrashGuard(path)) as guard:
            refusal = guard.refusal(candidate, settings)
            assert guard.refusal(Candidate(OTHER, "default", 0), settings) is None
        is_refused = is_crasher and number == DEATHS_BEFORE_TRIAL
        assert (None if refusal is None else refusal.reason) == (Reason.CRASHER if is_refused else None)


def test_a_frame_in_hand_is_marked_until_its_batch_ends(
    site: Site, path: Path, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """Each frame is marked before it is read, until the batch has ended."""
    lay(site, morning[:2])
    with closing(CrashGuard(path)) as guard:
        box = bench()
        with closing(Ahead(box.pipeline.examine, box.settings, guard=guard)) as ahead, ahead.batch():
            for candidate in box.candidates():
                examined = ahead.take(candidate)
                assert isinstance(examined, Examined)
                box.pipeline.conclude(examined)
                assert deaths(path, candidate.key) == 1
        assert all(deaths(path, event.entry.key) == 0 for event in box.decided)
    assert len(box.decided) == 2


def test_a_refused_frame_is_rejected_unread(
    site: Site, path: Path, bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guard refuses is rejected as a crasher; whatever else is wrong with the file is not seen."""
    lay(site, [b""])
    box = bench()
    (candidate,) = box.candidates()
    key = candidate.key
    record = [key.name, key.size_bytes, key.mtime_ns, key.ctime_ns, DEATHS_BEFORE_TRIAL - 1]
    path.write_text(json.dumps([record]) + "\n", "ascii")
    python = site.home / "python"
    python.write_text("#!/bin/sh\nkill -SEGV $$\n", "ascii")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(python))
    with closing(CrashGuard(path)) as guard:
        with closing(Ahead(box.pipeline.examine, box.settings, guard=guard)) as ahead:
            refused = ahead.take(candidate)
        assert isinstance(refused, Examined)
        box.pipeline.conclude(refused)
    assert [event.entry.reason for event in box.decided] == [Reason.CRASHER]
