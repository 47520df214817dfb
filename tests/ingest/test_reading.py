import errno
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from forked import python
from framegate.ingest.reading import (
    Changed,
    ReadOutcome,
    Unreadable,
    has_writer,
    key_of,
    look_at,
    read_frame,
)
from framegate.model import EncodedFrame, FileKey, Reason

DATA = bytes(range(256)) * 40
MOST_BYTES = 1_000_000


def current_key(drop: Path, name: str) -> FileKey:
    return key_of(name, (drop / name).lstat())


def read(drop: Path, name: str, most_bytes: int = MOST_BYTES) -> ReadOutcome:
    return read_frame(drop, current_key(drop, name), most_bytes)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))


def make_link_to_a_file(path: Path) -> None:
    (path.parent / "target").write_bytes(DATA)
    path.symlink_to("target")


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "cam/north/a.jpg", "-a.jpg", "a\nb.jpg", os.fsdecode(b"\xff\xfe.jpg")],
    ids=["plain", "in-folders", "dash", "newline", "not-utf8"],
)
def test_a_file_is_read_byte_for_byte(drop: Path, name: str) -> None:
    """A regular file gives its bytes, under its name, with its modification time."""
    path = drop / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(DATA)
    os.utime(path, ns=(1, 1_616_694_872_510_000_001))
    assert read(drop, name) == EncodedFrame(name, DATA, 1_616_694_872_510_000_001)


def test_an_empty_file_is_read_as_empty(drop: Path) -> None:
    """Zero bytes are bytes: what they mean, decoding says."""
    (drop / "a.jpg").touch()
    assert read(drop, "a.jpg") == EncodedFrame("a.jpg", b"", current_key(drop, "a.jpg").mtime_ns)


def test_reading_changes_nothing(drop: Path) -> None:
    """The drop folder after a read is what it was before."""
    (drop / "a.jpg").write_bytes(DATA)
    (drop / "a.jpg").chmod(0o444)
    before = (drop / "a.jpg").stat()
    read(drop, "a.jpg")
    after = (drop / "a.jpg").stat()
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_mode) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_mode,
    )


ODD_FILES = [
    pytest.param(os.mkfifo, "a FIFO", id="fifo"),
    pytest.param(make_socket, "a socket or device", id="socket"),
    pytest.param(make_link_to_a_file, "a symbolic link", id="link-to-a-file"),
    pytest.param(lambda path: path.symlink_to("nowhere"), "a symbolic link", id="dangling-link"),
    pytest.param(lambda path: path.symlink_to(path.name), "a symbolic link", id="link-to-itself"),
    pytest.param(lambda path: path.symlink_to("/dev/zero"), "a symbolic link", id="link-to-a-device"),
    pytest.param(Path.mkdir, "a folder", id="folder"),
]


@pytest.mark.timeout(5)
@pytest.mark.parametrize(("make", "detail"), ODD_FILES)
def test_what_is_no_regular_file_is_named_and_not_waited_for(
    drop: Path, make: Callable[[Path], Any], detail: str
) -> None:
    """Whatever bears a frame's name, reading it returns at once and says what it is."""
    make(drop / "a.jpg")
    assert read(drop, "a.jpg") == Unreadable(Reason.NOT_A_REGULAR_FILE, detail)


@pytest.mark.timeout(5)
def test_a_fifo_with_a_writer_loses_nothing(drop: Path) -> None:
    """A FIFO that somebody else reads is not emptied by us."""
    os.mkfifo(drop / "a.jpg")
    fd = os.open(drop / "a.jpg", os.O_RDWR)
    os.write(fd, b"theirs")
    assert read(drop, "a.jpg") == Unreadable(Reason.NOT_A_REGULAR_FILE, "a FIFO")
    assert os.read(fd, 100) == b"theirs"
    os.close(fd)


def test_a_too_large_file_is_not_read(drop: Path) -> None:
    """A file beyond the limit costs neither time nor memory, and the operator reads both numbers."""
    (drop / "a.jpg").touch()
    os.truncate(drop / "a.jpg", 1 << 40)
    assert read(drop, "a.jpg") == Unreadable(
        Reason.TOO_LARGE, "1099511627776 bytes; drop.max_size is 1000000"
    )


def test_a_file_of_exactly_the_limit_is_read(drop: Path) -> None:
    """The limit itself is allowed; one byte more is not."""
    (drop / "a.jpg").write_bytes(DATA)
    assert isinstance(read(drop, "a.jpg", most_bytes=len(DATA)), EncodedFrame)
    assert isinstance(read(drop, "a.jpg", most_bytes=len(DATA) - 1), Unreadable)


@pytest.mark.parametrize("name", ["a.jpg", "gone/a.jpg", "file/a.jpg"], ids=["file", "folder", "no-folder"])
def test_a_file_that_is_gone_has_vanished(drop: Path, name: str) -> None:
    """What was removed, with or without its folder, has vanished: that is ordinary."""
    (drop / "file").touch()
    assert read_frame(drop, FileKey(name, 10, 20), MOST_BYTES) == Unreadable(
        Reason.VANISHED, "no longer there"
    )


AS_NOBODY = """
import os, sys
from pathlib import Path
from framegate.ingest.reading import key_of, read_frame

if not os.geteuid():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
drop = Path(sys.argv[1])
read = read_frame(drop, key_of("a.jpg", (drop / "a.jpg").lstat()), 1000)
print(read.reason, read.detail)
"""


def test_a_file_that_we_may_not_read_is_unreadable() -> None:
    """A file of another user is told apart from a broken one."""
    drop = Path(tempfile.mkdtemp(prefix="framegate-test-"))
    drop.chmod(0o755)
    try:
        (drop / "a.jpg").write_bytes(DATA)
        (drop / "a.jpg").chmod(0)
        said = python(AS_NOBODY, drop)
    finally:
        shutil.rmtree(drop)
    assert (said.stdout, said.stderr) == (b"unreadable Permission denied\n", b"")


def test_a_file_that_a_file_server_has_leased_is_not_given_up(drop: Path) -> None:
    """A file under an oplock (Samba's kernel oplocks) is one to try again, no error of ours."""
    (drop / "a.jpg").write_bytes(DATA)
    former = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(drop / "a.jpg", os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        os.close(fd)
        pytest.skip(f"no leases here: {errno.errorcode[error.errno or 0]}")
    try:
        outcome = read(drop, "a.jpg")
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, former)
    assert isinstance(outcome, Changed) or (
        isinstance(outcome, Unreadable) and outcome.reason is Reason.UNREADABLE
    )


CHANGES = [
    pytest.param(lambda path: append(path, b"more"), id="grown"),
    pytest.param(lambda path: os.truncate(path, len(DATA) - 1), id="cut"),
    pytest.param(lambda path: os.truncate(path, 0), id="emptied"),
    pytest.param(lambda path: os.utime(path, ns=(5, 5)), id="mtime-alone"),
    pytest.param(lambda path: rewrite(path, DATA[::-1]), id="rewritten-at-the-same-size"),
]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def rewrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(7, 7))


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_before_it_was_read_is_not_judged(
    drop: Path, change: Callable[[Path], Any]
) -> None:
    """What settled is no longer there: the version that is has to settle anew."""
    path = drop / "a.jpg"
    path.write_bytes(DATA)
    settled = current_key(drop, "a.jpg")
    change(path)
    with at_the_read("c_call", lambda: None) as done:
        assert read_frame(drop, settled, MOST_BYTES) == Changed(current_key(drop, "a.jpg"))
    assert not done, "it was read although it is another"


@contextmanager
def at_the_read(moment: str, action: Callable[[], Any]) -> Iterator[list[str]]:
    """Do something at the very moment before or after the first bytes of a file are read, in this thread."""
    done: list[str] = []

    def profile(_frame: object, event: str, function: object) -> None:
        if function is os.read and event == moment and not done:
            done.append(event)
            action()

    sys.setprofile(profile)
    try:
        yield done
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "moment", [pytest.param("c_call", id="just-before"), pytest.param("c_return", id="just-after")]
)
def test_a_file_that_changes_while_it_is_read_is_not_judged(
    drop: Path, moment: str, change: Callable[[Path], Any]
) -> None:
    """Bytes of two versions never make one frame, whenever the writer strikes."""
    path = drop / "a.jpg"
    path.write_bytes(DATA)
    settled = current_key(drop, "a.jpg")
    with at_the_read(moment, lambda: change(path)) as done:
        outcome = read_frame(drop, settled, MOST_BYTES)
    assert done
    assert outcome == Changed(current_key(drop, "a.jpg"))


def test_a_file_that_grows_without_end_is_read_no_further_than_it_settled(drop: Path) -> None:
    """A writer that is faster than we are cannot make us read for ever."""
    path = drop / "a.jpg"
    path.write_bytes(DATA)
    settled = current_key(drop, "a.jpg")
    with at_the_read("c_call", lambda: os.truncate(path, 1 << 40)):
        assert read_frame(drop, settled, MOST_BYTES) == Changed(current_key(drop, "a.jpg"))


def test_a_file_replaced_by_another_of_equal_looks_gives_one_of_them_whole(drop: Path) -> None:
    """A rename in the middle of a read leaves us the file that we opened."""
    (drop / "a.jpg").write_bytes(DATA)
    (drop / "new").write_bytes(DATA[::-1])
    settled = current_key(drop, "a.jpg")
    with at_the_read("c_call", lambda: (drop / "new").rename(drop / "a.jpg")) as done:
        assert read_frame(drop, settled, MOST_BYTES) == EncodedFrame("a.jpg", DATA, settled.mtime_ns)
    assert done


@pytest.mark.parametrize(
    "make",
    [
        *[pytest.param(*each.values[:1], id=each.id) for each in ODD_FILES],
        pytest.param(lambda path: path.write_bytes(DATA), id="regular"),
        pytest.param(lambda path: path.write_bytes(DATA * 200), id="too-large"),
    ],
)
def test_no_read_leaks_a_descriptor(drop: Path, make: Callable[[Path], Any]) -> None:
    """After a year of odd files there are as many descriptors left as on the first day."""
    make(drop / "a.jpg")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        read(drop, "a.jpg")
        read_frame(drop, FileKey("a.jpg", 1, 1), MOST_BYTES)
    assert len(os.listdir("/proc/self/fd")) == before


def test_looking_at_a_name_tells_its_version(drop: Path) -> None:
    """A look opens nothing: it says which version stands there, whatever kind it is."""
    (drop / "a.jpg").write_bytes(DATA)
    (drop / "link.jpg").symlink_to("a.jpg")
    os.mkfifo(drop / "fifo.jpg")
    names = ["a.jpg", "link.jpg", "fifo.jpg"]
    assert [look_at(drop, name) for name in names] == [current_key(drop, name) for name in names]
    assert look_at(drop, "gone.jpg") is None


def require_leases(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        pytest.skip(f"no leases here: {error}")
    finally:
        os.close(fd)


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR | os.O_APPEND], ids=["write", "append"])
@pytest.mark.parametrize("name", ["a.jpg", "cam/north/a.jpg"], ids=["plain", "in-folders"])
def test_a_file_that_is_open_for_writing_has_a_writer(drop: Path, name: str, flags: int) -> None:
    """Until its last writer has closed it, nobody says that a file is complete."""
    path = drop / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(DATA)
    require_leases(path)
    assert has_writer(drop, name) is False
    fd = os.open(path, flags)
    assert has_writer(drop, name) is True
    os.close(fd)
    assert has_writer(drop, name) is False


def test_a_reader_is_no_writer(drop: Path) -> None:
    """A backup program that reads a frame does not make it incomplete."""
    (drop / "a.jpg").write_bytes(DATA)
    require_leases(drop / "a.jpg")
    with (drop / "a.jpg").open("rb"):
        assert has_writer(drop, "a.jpg") is False


def test_asking_for_writers_keeps_no_writer_waiting(drop: Path) -> None:
    """After the question a writer opens the file at once, and no signal comes."""
    (drop / "a.jpg").write_bytes(DATA)
    require_leases(drop / "a.jpg")
    assert has_writer(drop, "a.jpg") is False  # it did ask
    os.close(os.open(drop / "a.jpg", os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: None, id="missing"),
        pytest.param(lambda path: path.parent.joinpath("a.jpg").symlink_to("a.jpg"), id="link"),
        *[pytest.param(*each.values[:1], id=each.id) for each in ODD_FILES],
    ],
)
def test_of_what_is_no_regular_file_nothing_is_certain(drop: Path, make: Callable[[Path], Any]) -> None:
    """Where nobody can be asked for writers the answer is neither yes nor no, at once and without a leak."""
    make(drop / "a.jpg")
    before = len(os.listdir("/proc/self/fd"))
    assert has_writer(drop, "a.jpg") is None
    assert len(os.listdir("/proc/self/fd")) == before


ASK_AS_NOBODY = """
import os, sys
from pathlib import Path
from framegate.ingest.reading import has_writer

if not os.geteuid():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(has_writer(Path(sys.argv[1]), "a.jpg"))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file of another user")
def test_of_a_file_of_another_user_nothing_is_certain() -> None:
    """Who may read a file but not lease it is told neither that it has a writer nor that it has none."""
    drop = Path(tempfile.mkdtemp(prefix="framegate-test-"))
    drop.chmod(0o755)
    try:
        (drop / "a.jpg").write_bytes(DATA)
        (drop / "a.jpg").chmod(0o644)
        said = python(ASK_AS_NOBODY, drop)
    finally:
        shutil.rmtree(drop)
    assert (said.stdout, said.stderr) == (b"None\n", b"")


@pytest.mark.parametrize(
    ("name", "linked"),
    [("cam/a.jpg", "cam"), ("cam/in/a.jpg", "cam"), ("cam/in/a.jpg", "cam/in"), ("a/b/c/d/a.jpg", "a/b/c")],
)
def test_a_link_in_place_of_a_folder_is_not_followed(
    drop: Path, tmp_path: Path, name: str, linked: str
) -> None:
    """Whichever folder on the way to a frame became a link elsewhere, nothing is read through it."""
    path = drop / name
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    settled = current_key(drop, name)
    assert isinstance(read_frame(drop, settled, MOST_BYTES), EncodedFrame)
    (drop / linked).rename(tmp_path / "elsewhere")
    (drop / linked).symlink_to(tmp_path / "elsewhere")
    assert current_key(drop, name) == settled, "a path is what follows links"
    before = len(os.listdir("/proc/self/fd"))
    assert read_frame(drop, settled, MOST_BYTES) == Unreadable(Reason.VANISHED, "no longer there")
    assert has_writer(drop, name) is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_drop_folder_itself_may_be_a_link(drop: Path, tmp_path: Path) -> None:
    """The operator's own link to the drop folder is followed: it is the links below it that are not."""
    (drop / "cam").mkdir()
    for name in ("a.jpg", "cam/a.jpg"):
        (drop / name).write_bytes(DATA)
    (tmp_path / "link").symlink_to(drop)
    assert isinstance(read(tmp_path / "link", "a.jpg"), EncodedFrame)
    assert isinstance(read(tmp_path / "link", "cam/a.jpg"), EncodedFrame)


def test_a_modification_time_out_of_all_bounds_is_a_version_like_any_other(drop: Path) -> None:
    """The largest time that a file system can hold is read and compared without an error."""
    (drop / "a.jpg").write_bytes(DATA)
    os.utime(drop / "a.jpg", (0, 2**33))
    assert isinstance(read(drop, "a.jpg"), EncodedFrame)


LYING = ("/sys/kernel", "uevent_seqnum"), ("/proc/sys/kernel", "ostype")
"""Their status has another size than their content, as on a share whose server is ahead of its cache."""


@pytest.mark.parametrize(("folder", "name"), LYING, ids=["shorter-than-it-says", "longer-than-it-says"])
def test_a_file_whose_status_lies_is_tried_again_later(folder: str, name: str) -> None:
    """A content that is not as long as its status says is no frame, and no new version either."""
    if not Path(folder, name).is_file():
        pytest.skip(f"no {folder}/{name} here")
    outcome = read(Path(folder), name)
    assert isinstance(outcome, Unreadable)
    assert outcome.reason is Reason.UNREADABLE
    assert "bytes" in outcome.detail
