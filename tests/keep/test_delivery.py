import errno
import hashlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framegate.errors import SinkError
from framegate.keep.delivery import NoDelivery, ResultsFolder
from framegate.keep.disk import Disk, Step, TidyStep
from framegate.keep.names import portable
from framegate.keep.results import folders
from framegate.model import Delivery, EncodedFrame
from troubles import descriptors_left

CAPTURED_AT_NS = 1_616_694_872_510_000_000
MOMENT = "20210325T175432.510Z"
MTIME_NS = 1_700_000_000_123_456_789
JPEG = b"\xff\xd8 the bytes of a frame \xff\xd9" * 50
OTHER = b"\xff\xd8 quite another frame \xff\xd9"


def frame(name: str = "lot.jpg", data: bytes = JPEG) -> EncodedFrame:
    return EncodedFrame(name, data, MTIME_NS)


def deliver(folder: Path, name: str = "lot.jpg", data: bytes = JPEG, disk: Disk | None = None) -> Delivery:
    return ResultsFolder(folder, disk=disk).deliver(frame(name, data), CAPTURED_AT_NS)


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, the hidden ones too."""
    return {os.fspath(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def visible(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but the hidden ones."""
    return {name: data for name, data in files(folder).items() if not Path(name).name.startswith(".")}


class UnnamedDisk(Disk):
    """The real disk: temporary files have no name."""


class NamedDisk(Disk):
    """The real disk, as it is where there is no O_TMPFILE."""

    def open_unnamed(self, folder_fd: int) -> int | None:  # noqa: ARG002
        return None


WAYS = [pytest.param(UnnamedDisk, id="unnamed"), pytest.param(NamedDisk, id="named")]


@pytest.mark.parametrize("way", WAYS)
def test_a_result_is_the_source_byte_for_byte_and_nanosecond_for_nanosecond(
    results: Path, way: type[Disk]
) -> None:
    """A delivered frame has the bytes and the modification time of its source."""
    assert deliver(results, disk=way()) == Delivery("lot.jpg", already_there=False)
    assert files(results) == {"lot.jpg": JPEG}
    assert (results / "lot.jpg").stat().st_mtime_ns == MTIME_NS


@pytest.mark.parametrize("way", WAYS)
def test_a_result_has_the_path_of_its_source(results: Path, way: type[Disk]) -> None:
    """Folders of the drop folder are made anew in the results folder."""
    assert deliver(results, "gate/north/lot.jpg", disk=way()).name == "gate/north/lot.jpg"
    assert deliver(results, "gate/south.jpg", OTHER, disk=way()).name == "gate/south.jpg"
    assert files(results) == {"gate/north/lot.jpg": JPEG, "gate/south.jpg": OTHER}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_bytes_are_delivered_once(results: Path, way: type[Disk]) -> None:
    """Delivering again, as after a crash, finds the result and writes nothing."""
    deliver(results, disk=way())
    inode = (results / "lot.jpg").stat().st_ino
    assert deliver(results, disk=way()) == Delivery("lot.jpg", already_there=True)
    assert files(results) == {"lot.jpg": JPEG}
    assert (results / "lot.jpg").stat().st_ino == inode


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(OTHER, id="shorter"),
        pytest.param(JPEG + b"more", id="begins-alike-and-is-longer"),
        pytest.param(JPEG[:-1], id="cut-off"),
        pytest.param(b"", id="empty"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_another_content_keeps_its_name(results: Path, way: type[Disk], held: bytes) -> None:
    """When another content holds the name, the capture time is appended and the other is left alone."""
    (results / "lot.jpg").write_bytes(held)
    delivered = deliver(results, disk=way())
    assert delivered == Delivery(f"lot_{MOMENT}.jpg", already_there=False)
    assert files(results) == {"lot.jpg": held, delivered.name: JPEG}


@pytest.mark.parametrize("way", WAYS)
def test_the_third_content_of_a_name_gets_a_number(results: Path, way: type[Disk]) -> None:
    """Frames of the same name and capture time are numbered, and each is found again under its own."""
    contents = [b"one", b"two", b"three", b"four"]
    names = [deliver(results, data=data, disk=way()).name for data in contents]
    assert names == ["lot.jpg", f"lot_{MOMENT}.jpg", f"lot_{MOMENT}_2.jpg", f"lot_{MOMENT}_3.jpg"]
    again = [deliver(results, data=data, disk=way()) for data in contents]
    assert again == [Delivery(name, already_there=True) for name in names]
    assert files(results) == dict(zip(names, contents, strict=True))


@pytest.mark.parametrize(
    ("name", "second"),
    [
        pytest.param("lot", f"lot_{MOMENT}", id="no-suffix"),
        pytest.param(".lot", f".lot_{MOMENT}", id="leading-dot"),
        pytest.param(".lot.jpg", f".lot_{MOMENT}.jpg", id="leading-dot-and-suffix"),
        pytest.param("lot.", f"lot_{MOMENT}.", id="trailing-dot"),
        pytest.param("lot.2021.03.jpg", f"lot.2021.03_{MOMENT}.jpg", id="many-dots"),
        pytest.param("-rf", f"-rf_{MOMENT}", id="leading-dash"),
        pytest.param("a\nb\x1b.jpg", f"a\nb\x1b_{MOMENT}.jpg", id="control-characters"),
        pytest.param(
            os.fsdecode(b"l\xf6t\xff.jpg"), os.fsdecode(b"l\xf6t\xff_") + f"{MOMENT}.jpg", id="not-utf8"
        ),
        pytest.param(os.fsdecode(b"lot.\xff"), f"lot_{MOMENT}." + os.fsdecode(b"\xff"), id="suffix-not-utf8"),
    ],
)
def test_unusual_names_are_delivered_and_told_apart(results: Path, name: str, second: str) -> None:
    """Every name that Linux allows is a result's name, and the suffix stays at its end in a collision."""
    assert deliver(results, name).name == name
    assert deliver(results, name, OTHER).name == second
    assert files(results) == {name: JPEG, second: OTHER}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("n" * 251 + ".jpg", id="long-stem"),
        pytest.param("n" * 255, id="no-suffix"),
        pytest.param("." + "n" * 254, id="leading-dot"),
        pytest.param(os.fsdecode(b"\xff" * 251 + b".jpg"), id="not-utf8"),
        pytest.param("ü" * 125 + "n.jpg", id="two-byte-letters"),
        pytest.param("n." + "s" * 253, id="long-suffix"),
    ],
)
def test_names_of_255_bytes_stay_within_255_bytes(results: Path, name: str) -> None:
    """A collision of the longest names shortens the stem rather than fail."""
    assert len(os.fsencode(name)) == 255
    names = [deliver(results, name, data).name for data in (b"one", b"two", b"three")]
    assert [len(os.fsencode(name)) <= 255 for name in names] == [True] * 3
    assert files(results) == dict(zip(names, (b"one", b"two", b"three"), strict=True))


def test_a_shortened_utf8_name_is_utf8_still(results: Path) -> None:
    """Cutting a long name cuts whole letters: file systems and logs that insist on UTF-8 accept it."""
    name = "n" + "ü" * 125 + ".jpg"
    deliver(results, name)
    assert deliver(results, name, OTHER).name.isprintable()


@pytest.mark.parametrize(
    "occupy",
    [
        pytest.param(lambda path, secret: path.symlink_to(secret), id="link-to-the-same-bytes"),
        pytest.param(lambda path, secret: path.symlink_to(secret.parent / "new"), id="dangling-link"),
        pytest.param(lambda path, _: path.symlink_to(path.name), id="link-to-itself"),
        pytest.param(lambda path, _: os.mkfifo(path), id="fifo"),
        pytest.param(lambda path, _: path.mkdir(), id="folder"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_file_keeps_its_name(
    results: Path, tmp_path: Path, way: type[Disk], occupy: Callable[[Path, Path], Any]
) -> None:
    """A link, FIFO or folder at the name is not followed, not replaced and not waited for."""
    secret = tmp_path / "secret"
    secret.write_bytes(JPEG)
    occupy(results / "lot.jpg", secret)
    before = (results / "lot.jpg").lstat()
    assert deliver(results, disk=way()) == Delivery(f"lot_{MOMENT}.jpg", already_there=False)
    after = (results / "lot.jpg").lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    assert files(tmp_path)[f"results/lot_{MOMENT}.jpg"] == JPEG
    assert not (tmp_path / "new").exists()


class LateRival(Disk):
    """Somebody takes the name after we looked and before we publish."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def reach(self, step: Step | TidyStep) -> None:
        if step is Step.PUBLISH and not self.path.exists():
            self.path.write_bytes(b"theirs")


class LateRivalOfNamed(LateRival, NamedDisk):
    """The same, for the way by a named temporary file."""


@pytest.mark.parametrize(
    "rival", [pytest.param(LateRival, id="unnamed"), pytest.param(LateRivalOfNamed, id="named")]
)
def test_a_name_taken_at_the_last_moment_is_respected(results: Path, rival: type[LateRival]) -> None:
    """Between looking and publishing another may take the name: it keeps it, and we take the next."""
    delivered = deliver(results, disk=rival(results / "lot.jpg"))
    assert delivered.name == f"lot_{MOMENT}.jpg"
    assert files(results) == {"lot.jpg": b"theirs", delivered.name: JPEG}


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "/etc/lot.jpg", "../lot.jpg", "cam/../../lot.jpg", "cam//lot.jpg", "cam/", "./lot.jpg"],
    ids=lambda name: name or "empty",
)
def test_a_path_that_leads_out_is_refused(results: Path, tmp_path: Path, name: str) -> None:
    """No name leads out of the results folder: such a one is our own mistake, not the disk's."""
    with pytest.raises(ValueError, match="is not a path below a folder"):
        deliver(results, name)
    assert files(tmp_path) == {}


def test_a_link_to_a_folder_is_not_delivered_into(results: Path, tmp_path: Path) -> None:
    """A link in place of a camera's folder cannot lead results elsewhere: its name joins the frame's."""
    (tmp_path / "elsewhere").mkdir()
    (results / "cam").symlink_to(tmp_path / "elsewhere")
    assert deliver(results, "cam/lot.jpg").name == "cam_lot.jpg"
    assert files(tmp_path / "elsewhere") == {}


def test_a_file_where_a_folder_has_to_be_stops_nothing(results: Path) -> None:
    """A frame, and then a folder of the same name with frames in it, are all delivered, and found again."""
    deliver(results, "x/a.jpg", OTHER)
    for _ in range(2):
        assert deliver(results, "x/a.jpg/b.jpg").name == "x/a.jpg_b.jpg"
        assert deliver(results, "x/a.jpg/y/z/b.jpg").name == "x/a.jpg_y_z_b.jpg"
    assert files(results) == {"x/a.jpg": OTHER, "x/a.jpg_b.jpg": JPEG, "x/a.jpg_y_z_b.jpg": JPEG}
    folder = ResultsFolder(results)
    for name in ("x/a.jpg/b.jpg", "x/a.jpg_b.jpg", "x/a.jpg/y/z/b.jpg"):
        assert list(folder.standing(name, CAPTURED_AT_NS, len(JPEG))) == [JPEG]


def test_a_joined_name_that_is_taken_gets_the_capture_time(results: Path) -> None:
    """A joined name replaces nothing either."""
    deliver(results, "a.jpg", OTHER)
    deliver(results, "a.jpg_b.jpg", OTHER)
    assert deliver(results, "a.jpg/b.jpg").name == f"a.jpg_b_{MOMENT}.jpg"
    assert files(results)["a.jpg_b.jpg"] == OTHER


def test_joined_names_of_full_length_can_still_be_told_apart(results: Path) -> None:
    """Where two names together are too long they lose letters, and both frames are delivered."""
    longest = "f" * 251 + ".jpg"
    deliver(results, longest, OTHER)
    cut = deliver(results, f"{longest}/b.jpg").name
    assert cut.endswith(f"f_{MOMENT}.jpg")
    assert files(results) == {longest: OTHER, cut: JPEG}


def test_the_deepest_folder_takes_no_more_descriptors_than_the_first(results: Path) -> None:
    """Folders in folders, as deep as a path may be, do not use up what a process may open."""
    name = "d/" * 500 + "lot.jpg"
    with descriptors_left(8):
        assert deliver(results, name).name == name


class CardDisk(Disk):
    """The real disk, with the errors of a card that cannot hold some letters in a name."""

    def __init__(self, code: int) -> None:
        self.code = code

    def refuse(self, name: str) -> None:
        if ":" in name:
            raise OSError(self.code, os.strerror(self.code))

    def open_folder(self, name: str, parent_fd: int | None = None) -> int:
        if parent_fd is not None:
            self.refuse(name)
        return super().open_folder(name, parent_fd)

    def make_folder(self, name: str, parent_fd: int) -> None:
        self.refuse(name)
        super().make_folder(name, parent_fd)

    def publish_unnamed(self, fd: int, name: str, folder_fd: int) -> None:
        self.refuse(name)
        super().publish_unnamed(fd, name, folder_fd)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EILSEQ, errno.ENOENT, errno.ENAMETOOLONG])
def test_a_name_that_the_disk_cannot_hold_is_changed(results: Path, code: int) -> None:
    """A time with colons in a name stops no card: the letters give way, with a mark, the same every time."""
    disk = CardDisk(code)
    first = deliver(results, "12:00/12:00:05.jpg", disk=disk)
    assert re.fullmatch(r"12_00_[0-9a-f]{8}/12_00_05_[0-9a-f]{8}\.jpg", first.name)
    assert deliver(results, "12:00/12:00:05.jpg", disk=disk) == Delivery(first.name, already_there=True)
    found = ResultsFolder(results, disk=disk).standing("12:00/12:00:05.jpg", CAPTURED_AT_NS, len(JPEG))
    assert list(found) == [JPEG]


def test_names_that_lose_the_same_letters_stay_apart() -> None:
    """Two names that differ only in what a card cannot hold become two names."""
    names = ["a:b.jpg", "a?b.jpg", "a_b.jpg", os.fsdecode(b"a\xf6b.jpg"), "a_b.jpg."]
    assert len({portable([name])[0] for name in names}) == len(names)
    assert portable(["a_b.jpg"]) == ["a_b.jpg"]


class DiskWithSpace(Disk):
    """A disk that has so many bytes left."""

    def __init__(self, left_bytes: int) -> None:
        self.left_bytes = left_bytes

    def free_bytes(self, folder: str) -> int:
        super().free_bytes(folder)
        return self.left_bytes


def test_nothing_is_written_below_min_free(results: Path) -> None:
    """When less than min_free would be left, the operator reads how much there is and what was asked."""
    folder = ResultsFolder(results, 500_000_000, DiskWithSpace(123_000_000))
    with pytest.raises(SinkError, match=r"123MB free, .* results\.min_free = 500MB$"):
        folder.deliver(frame(), CAPTURED_AT_NS)
    assert files(results) == {}


def test_min_free_counts_the_frame_itself(results: Path) -> None:
    """The last frame that leaves min_free is written; one byte less of room, and it is not."""
    with pytest.raises(SinkError, match="min_free"):
        ResultsFolder(results, 5000, DiskWithSpace(5000 + len(JPEG) - 1)).deliver(frame(), CAPTURED_AT_NS)
    ResultsFolder(results, 5000, DiskWithSpace(5000 + len(JPEG))).deliver(frame(), CAPTURED_AT_NS)
    assert files(results) == {"lot.jpg": JPEG}


class FailingDisk(Disk):
    """A disk whose one step fails, every time."""

    def __init__(self, step: Step, code: int) -> None:
        self.step, self.code = step, code
        self.has_failed = False

    def reach(self, step: Step | TidyStep) -> None:
        if step is self.step:
            self.has_failed = True
            raise OSError(self.code, os.strerror(self.code))


class FailingNamedDisk(FailingDisk, NamedDisk):
    """The same, for the way by a named temporary file."""


FAILING = {UnnamedDisk: FailingDisk, NamedDisk: FailingNamedDisk}
ERRNOS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT]
STEPS = [step for step in Step if step not in {Step.INTEND, Step.TAKE_BACK, Step.FINISH, Step.FLUSH}]
"""Those of a delivery: the ledger has others, and nothing is taken back where nothing else failed."""

LEAVES_RESULT = {Step.REMOVE_TEMP, Step.SYNC_EXISTING}
"""When these fail the result is there, whole, and not acknowledged; else there is none, or none any more."""


def prepare(results: Path, way: type[Disk], step: Step) -> None:
    """Bring about that a delivery reaches a step: some come only where the result is already."""
    if step is Step.SYNC_EXISTING or (way is UnnamedDisk and step is Step.REMOVE_TEMP):
        deliver(results, "cam/lot.jpg")


# No errno is forgiven here. EACCES from the real open of an existing file means that it is somebody else's,
# and EPERM or EOPNOTSUPP from the real O_TMPFILE or link that there is no such thing; but ``reach`` stands
# before those calls, so what it raises is always the disk's own failure.
@pytest.mark.parametrize("code", ERRNOS, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", WAYS)
def test_a_failing_step_leaves_nothing_half_done(
    results: Path, way: type[Disk], step: Step, code: int
) -> None:
    """Whichever step fails, and how: SinkError, nothing half-written visible, and the next try succeeds."""
    prepare(results, way, step)
    disk = FAILING[way](step, code)
    with pytest.raises(SinkError, match=f"^cannot write to {re.escape(str(results))}: {os.strerror(code)}$"):
        deliver(results, "cam/lot.jpg", disk=disk)
    assert disk.has_failed
    assert visible(results) == ({"cam/lot.jpg": JPEG} if step in LEAVES_RESULT else {})
    may_leave_temp = way is NamedDisk and step is Step.REMOVE_TEMP
    assert len(files(results)) == len(visible(results)) + may_leave_temp

    delivered = deliver(results, "cam/lot.jpg", disk=way())
    assert delivered == Delivery("cam/lot.jpg", already_there=step in LEAVES_RESULT)
    assert files(results) == {"cam/lot.jpg": JPEG}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", WAYS)
def test_a_failing_step_leaks_no_descriptor(results: Path, way: type[Disk], step: Step) -> None:
    """A disk that fails for a week does not use up our descriptors."""
    prepare(results, way, step)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(SinkError):
            deliver(results, "cam/lot.jpg", disk=FAILING[way](step, errno.EIO))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_write_that_stops_half_way_leaves_nothing(
    results: Path, way: type[Disk], largest_file: Callable[[int], Any]
) -> None:
    """When the kernel takes only the first bytes of a frame, none of them stays."""
    with largest_file(len(JPEG) // 2), pytest.raises(SinkError, match="File too large"):
        deliver(results, disk=way())
    assert files(results) == {}
    deliver(results, disk=way())
    assert files(results) == {"lot.jpg": JPEG}


class DeceivedDisk(DiskWithSpace):
    """A disk that fills up between the look at its free space and the write."""


class DeceivedNamedDisk(DeceivedDisk, NamedDisk):
    """The same, for the way by a named temporary file."""


@pytest.mark.parametrize(
    "deceived", [pytest.param(DeceivedDisk, id="unnamed"), pytest.param(DeceivedNamedDisk, id="named")]
)
def test_a_disk_that_is_really_full_takes_frames_again_when_there_is_space(
    small_disk: Path, deceived: type[DeceivedDisk]
) -> None:
    """A full disk refuses a frame without a trace, and takes the same frame after somebody made room."""
    disk = deceived(1_000_000_000)
    (small_disk / "theirs").write_bytes(bytes(250 * 1024))
    large = os.urandom(100 * 1024)
    with pytest.raises(SinkError, match="No space left on device"):
        deliver(small_disk, data=large, disk=disk)
    assert set(files(small_disk)) == {"theirs"}
    (small_disk / "theirs").unlink()
    deliver(small_disk, data=large, disk=disk)
    assert files(small_disk) == {"lot.jpg": large}


def test_a_missing_results_folder_is_a_sink_error(tmp_path: Path) -> None:
    """A results folder whose disk is not mounted is waited for, not made."""
    with pytest.raises(SinkError, match="No such file or directory"):
        deliver(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


class RecordingDisk(Disk):
    """The real disk, and its steps in their order."""

    def __init__(self) -> None:
        self.steps: list[Step | TidyStep] = []

    def reach(self, step: Step | TidyStep) -> None:
        self.steps.append(step)


class RecordingNamedDisk(RecordingDisk, NamedDisk):
    """The same, for the way by a named temporary file."""


@pytest.mark.parametrize(
    "recording", [pytest.param(RecordingDisk, id="unnamed"), pytest.param(RecordingNamedDisk, id="named")]
)
def test_content_is_on_the_medium_before_the_name_and_the_name_before_the_answer(
    results: Path, recording: type[RecordingDisk]
) -> None:
    """The file is synced before it is published, stamped before it is synced, its folder synced last."""
    disk = recording()
    deliver(results, disk=disk)
    order = [Step.WRITE, Step.STAMP, Step.SYNC_FILE, Step.PUBLISH, Step.SYNC_FOLDER]
    assert [step for step in disk.steps if step in order] == order
    assert disk.steps[-1] is Step.SYNC_FOLDER


def test_a_result_found_again_is_synced_before_it_is_acknowledged(results: Path) -> None:
    """Name and content may be younger than the crash: both are synced also when nothing is written."""
    deliver(results)
    disk = RecordingDisk()
    assert deliver(results, disk=disk).already_there
    assert disk.steps[-2:] == [Step.SYNC_EXISTING, Step.SYNC_FOLDER]
    assert Step.WRITE not in disk.steps


def test_a_folder_met_for_the_first_time_is_made_durable_once(results: Path) -> None:
    """A crash may have come between a folder's making and its sync: it is synced through its parent, once."""
    (results / "gate" / "north").mkdir(parents=True)
    disk = RecordingDisk()
    folder = ResultsFolder(results, disk=disk)
    syncs = []
    for name in ("gate/north/1.jpg", "gate/north/2.jpg", "gate/3.jpg", "gate/new/4.jpg", "gate/new/5.jpg"):
        disk.steps.clear()
        folder.deliver(frame(name), CAPTURED_AT_NS)
        syncs.append(disk.steps.count(Step.SYNC_FOLDER))
    assert syncs == [3, 1, 1, 1, 1]


def test_a_folder_whose_sync_failed_is_synced_again(results: Path) -> None:
    """Only what was synced is remembered as durable."""
    (results / "cam").mkdir()
    disk = FailingDisk(Step.SYNC_FOLDER, errno.EIO)
    folder = ResultsFolder(results, disk=disk)
    with pytest.raises(SinkError):
        folder.deliver(frame("cam/lot.jpg"), CAPTURED_AT_NS)
    recording = RecordingDisk()
    folder._disk = folder._folders._disk = recording
    folder.deliver(frame("cam/lot.jpg"), CAPTURED_AT_NS)
    assert recording.steps.count(Step.SYNC_FOLDER) == 2


def test_any_number_of_folders_takes_no_more_memory_than_a_thousand(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cameras that make a folder a minute do not fill the memory with their names."""
    monkeypatch.setattr(folders, "MOST_REMEMBERED_FOLDERS", 3)
    folder = ResultsFolder(results)
    for number in range(10):
        folder.deliver(frame(f"{number}/lot.jpg"), CAPTURED_AT_NS)
        assert len(folder._folders._durable) <= 3
    assert len(files(results)) == 10


def test_a_result_that_was_there_before_is_never_taken_back(results: Path) -> None:
    """When the folder's sync fails, only a name that we have just given is taken away again."""
    deliver(results)
    with pytest.raises(SinkError):
        deliver(results, disk=FailingDisk(Step.SYNC_FOLDER, errno.EIO))
    assert files(results) == {"lot.jpg": JPEG}


class FailingTwiceDisk(Disk):
    """A disk that can neither sync a folder nor take a name back."""

    def __init__(self) -> None:
        self.failed: list[Step | TidyStep] = []

    def reach(self, step: Step | TidyStep) -> None:
        if step in {Step.SYNC_FOLDER, Step.TAKE_BACK}:
            self.failed.append(step)
            code = errno.EROFS if step is Step.TAKE_BACK else errno.EIO
            raise OSError(code, os.strerror(code))


def test_a_name_that_cannot_be_taken_back_is_not_acknowledged(results: Path) -> None:
    """A disk that went read-only fails twice: the first error is told, and the next try ends well."""
    disk = FailingTwiceDisk()
    with pytest.raises(SinkError, match=os.strerror(errno.EIO)):
        deliver(results, disk=disk)
    assert disk.failed == [Step.SYNC_FOLDER, Step.TAKE_BACK]
    assert deliver(results).already_there
    assert files(results) == {"lot.jpg": JPEG}


CRASHING = """
import os, signal, sys
from pathlib import Path
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk
from framegate.model import EncodedFrame

class DyingDisk(Disk):
    def reach(self, step):
        if step == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)

    if sys.argv[3] == "NamedDisk":
        def open_unnamed(self, folder_fd):
            return None

name, captured_at_ns = sys.argv[4], int(sys.argv[5])
frame = EncodedFrame(name, sys.stdin.buffer.read(), 1)
ResultsFolder(Path(sys.argv[1]), disk=DyingDisk()).deliver(frame, captured_at_ns)
"""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", WAYS)
def test_a_crash_at_any_step_is_repaired_by_delivering_again(
    results: Path, way: type[Disk], step: Step, run_python: Callable[..., Any]
) -> None:
    """Killed anywhere, a delivery leaves nothing or the whole frame; the next leaves exactly the frame."""
    prepare(results, way, step)
    died = run_python(CRASHING, results, step, way.__name__, "cam/lot.jpg", CAPTURED_AT_NS, data=JPEG)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    is_there = step in LEAVES_RESULT | {Step.SYNC_FOLDER}  # the dead take nothing back
    assert visible(results) == ({"cam/lot.jpg": JPEG} if is_there else {})
    assert way is NamedDisk or files(results) == visible(results)

    deliver(results, "cam/lot.jpg", disk=way())
    assert files(results) == {"cam/lot.jpg": JPEG}


def test_a_temp_left_by_a_crash_does_not_endanger_the_result_it_became(
    results: Path, run_python: Callable[..., Any]
) -> None:
    """Killed between publishing and clearing up, then given new bytes under the name: both frames stand."""
    run_python(CRASHING, results, Step.REMOVE_TEMP, "NamedDisk", "lot.jpg", CAPTURED_AT_NS, data=JPEG)
    assert (results / "lot.jpg").read_bytes() == JPEG
    delivered = deliver(results, data=OTHER, disk=NamedDisk())
    assert files(results) == {"lot.jpg": JPEG, delivered.name: OTHER}


def temp_name(name: str) -> str:
    return f".framegate-{hashlib.blake2s(os.fsencode(name), digest_size=10).hexdigest()}.tmp"


def test_a_link_at_the_name_of_the_temp_is_not_followed_and_does_not_stop_us(
    results: Path, tmp_path: Path
) -> None:
    """What stands at our temporary name is cleared away, never written through."""
    (tmp_path / "secret").write_bytes(b"secret")
    (results / temp_name("lot.jpg")).symlink_to(tmp_path / "secret")
    deliver(results, disk=NamedDisk())
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert files(results) == {"lot.jpg": JPEG}


# A file system without hard links is rare on test machines (no vfat here): so the kernel refuses linkat(2)
# with the EPERM that vfat gives.
WITHOUT_LINKS = """
from pathlib import Path
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk
from framegate.model import EncodedFrame

class NamedDisk(Disk):
    def open_unnamed(self, folder_fd):
        return None

    def reach(self, step):
        if step == "publish" and sys.argv[3] == "late-rival":
            (Path(sys.argv[1]) / "lot.jpg").write_bytes(b"theirs")

refuse(NUMBER, errno.EPERM)
try:
    os.link(sys.executable, Path(sys.argv[1]) / "linked", src_dir_fd=0, dst_dir_fd=0)
    sys.exit(77)
except PermissionError:
    pass
frame = EncodedFrame("lot.jpg", sys.stdin.buffer.read(), 1)
print(ResultsFolder(Path(sys.argv[1]), disk=NamedDisk()).deliver(frame, int(sys.argv[2])).name)
"""


def deliver_without_links(results: Path, run_refused: Callable[..., str], rival: str = "no-rival") -> str:
    return run_refused("linkat", WITHOUT_LINKS, results, CAPTURED_AT_NS, rival, data=JPEG)


def test_a_frame_is_delivered_where_there_are_no_hard_links(
    results: Path, run_refused: Callable[..., str]
) -> None:
    """On a memory card without hard links a frame gets its name by a rename."""
    assert deliver_without_links(results, run_refused) == "lot.jpg"
    assert files(results) == {"lot.jpg": JPEG}


@pytest.mark.parametrize(
    "occupy",
    [
        pytest.param(lambda path: path.write_bytes(b"theirs"), id="file"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="dangling-link"),
        pytest.param(os.mkfifo, id="fifo"),
    ],
)
def test_nothing_is_replaced_where_there_are_no_hard_links(
    results: Path, run_refused: Callable[..., str], occupy: Callable[[Path], Any]
) -> None:
    """A rename would replace: so the name is looked at first."""
    occupy(results / "lot.jpg")
    before = (results / "lot.jpg").lstat()
    assert deliver_without_links(results, run_refused) == f"lot_{MOMENT}.jpg"
    after = (results / "lot.jpg").lstat()
    assert (after.st_ino, after.st_size, after.st_mode) == (before.st_ino, before.st_size, before.st_mode)
    assert (results / f"lot_{MOMENT}.jpg").read_bytes() == JPEG
    assert len(list(results.iterdir())) == 2


def test_a_name_taken_at_the_last_moment_is_respected_where_there_are_no_hard_links(
    results: Path, run_refused: Callable[..., str]
) -> None:
    """Between looking and renaming another may take the name: it keeps it."""
    assert deliver_without_links(results, run_refused, "late-rival") == f"lot_{MOMENT}.jpg"
    assert files(results)["lot.jpg"] == b"theirs"


def held_temp(folder: Path, name: str, data: bytes = b"half a fra") -> int:
    """Make the temporary file of another daemon that is alive; it lives as long as the descriptor."""
    folder_fd = os.open(folder, os.O_RDONLY)
    fd = NamedDisk().open_temp(temp_name(name), folder_fd)
    os.close(folder_fd)
    os.write(fd, data)
    return fd


def test_what_a_crash_left_is_cleared_away_at_the_next_start(
    results: Path, run_python: Callable[..., Any]
) -> None:
    """The temporary file of a killed process goes, in whichever folder, also if its frame never comes."""
    for name in ("lot.jpg", "cam/north/lot.jpg"):
        run_python(CRASHING, results, Step.SYNC_FILE, "NamedDisk", name, CAPTURED_AT_NS, data=JPEG)
    assert len(files(results)) == 2
    deliver(results, "kept.jpg")
    ResultsFolder(results, disk=NamedDisk()).clear_abandoned()
    assert files(results) == {"kept.jpg": JPEG}


def test_what_a_living_process_is_writing_is_not_cleared_away(results: Path) -> None:
    """Two daemons may share a results folder: one that starts leaves the other's temporary files alone."""
    fd = held_temp(results, "lot.jpg")
    ResultsFolder(results, disk=NamedDisk()).clear_abandoned()
    assert files(results) == {temp_name("lot.jpg"): b"half a fra"}
    os.close(fd)
    ResultsFolder(results, disk=NamedDisk()).clear_abandoned()
    assert files(results) == {}


def test_only_our_own_temporary_files_are_cleared_away(results: Path, tmp_path: Path) -> None:
    """Whatever else is hidden, or bears nearly such a name, is somebody else's; no link is followed."""
    ours = temp_name("lot.jpg")
    theirs = [".framegate-note.tmp", ours + ".bak", "a" + ours, ".hidden", ours.upper()]
    for name in theirs:
        (results / name).write_bytes(b"theirs")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ours).write_bytes(b"theirs")
    (results / "link").symlink_to(tmp_path / "elsewhere")
    (results / temp_name("other.jpg")).symlink_to(results / ".hidden")
    os.mkfifo(results / temp_name("fifo.jpg"))
    ResultsFolder(results, disk=NamedDisk()).clear_abandoned()
    assert set(files(results)) == {*theirs, temp_name("other.jpg")}
    assert (tmp_path / "elsewhere" / ours).exists()
    assert (results / ".hidden").read_bytes() == b"theirs"


def test_where_no_temporary_file_has_a_name_no_folder_is_walked(results: Path) -> None:
    """On a disk with O_TMPFILE there are none: a results folder of a million files starts at once."""
    (results / temp_name("lot.jpg")).write_bytes(b"old")
    ResultsFolder(results).clear_abandoned()
    assert files(results) == {temp_name("lot.jpg"): b"old"}


def test_a_results_folder_that_is_gone_cannot_be_cleared(tmp_path: Path) -> None:
    """Clearing up says in one sentence what stands in its way."""
    with pytest.raises(SinkError, match="cannot write to"):
        ResultsFolder(tmp_path / "gone").clear_abandoned()


def test_a_frame_that_another_daemon_is_writing_waits(results: Path) -> None:
    """Two daemons with a frame of one name each: neither publishes what the other has half written."""
    fd = held_temp(results, "lot.jpg")
    with pytest.raises(SinkError):
        deliver(results, data=OTHER, disk=NamedDisk())
    assert files(results) == {temp_name("lot.jpg"): b"half a fra"}
    os.close(fd)
    deliver(results, data=OTHER, disk=NamedDisk())
    assert files(results) == {"lot.jpg": OTHER}


def standing(folder: ResultsFolder, name: str, size_bytes: int = len(JPEG)) -> list[bytes]:
    return list(folder.standing(name, CAPTURED_AT_NS, size_bytes))


def test_what_a_frame_became_is_found_under_every_name_it_may_have_got(results: Path) -> None:
    """Whichever name a frame got in a collision, what stands there is found, up to the first that is free."""
    contents = [b"one", b"two", b"three"]
    for data in contents:
        deliver(results, "cam/lot.jpg", data)
    folder = ResultsFolder(results)
    assert standing(folder, "cam/lot.jpg") == contents
    assert standing(folder, f"cam/lot_{MOMENT}.jpg") == [b"two"]
    (results / "cam" / f"lot_{MOMENT}.jpg").unlink()
    assert standing(folder, "cam/lot.jpg") == [b"one"]
    (results / "cam" / "lot.jpg").unlink()
    assert standing(folder, "cam/lot.jpg") == []


def test_of_a_huge_file_that_stands_there_only_a_part_is_read(results: Path) -> None:
    """A file that cannot be the frame costs no more memory than the frame: one byte more shows it."""
    with (results / "lot.jpg").open("wb") as file:
        file.truncate(1 << 40)
    assert [len(data) for data in standing(ResultsFolder(results), "lot.jpg", 100)] == [101]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        pytest.param(lambda _: None, "lot.jpg", id="nothing-there"),
        pytest.param(lambda _: None, "cam/lot.jpg", id="no-folder"),
        pytest.param(lambda path: (path / "cam").touch(), "cam/lot.jpg", id="file-for-a-folder"),
        pytest.param(lambda path: path.rmdir(), "lot.jpg", id="no-results-folder"),
    ],
)
def test_where_nothing_was_delivered_nothing_stands(
    results: Path, make: Callable[[Path], Any], name: str
) -> None:
    """A result, a folder or a whole disk that is gone has nothing to give, and is no error."""
    make(results)
    assert standing(ResultsFolder(results), name) == []


def test_no_result_is_read_through_a_link(results: Path, tmp_path: Path) -> None:
    """A link in place of a folder or of a file is nobody's result."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lot.jpg").write_bytes(JPEG)
    (results / "cam").symlink_to(tmp_path / "elsewhere")
    (results / "lot.jpg").symlink_to(tmp_path / "elsewhere" / "lot.jpg")
    folder = ResultsFolder(results)
    assert standing(folder, "cam/lot.jpg") == []
    assert JPEG not in standing(folder, "lot.jpg")


def test_looking_for_a_result_leaks_no_descriptor(results: Path) -> None:
    """Also who stops at the first that fits gives everything back."""
    deliver(results, "cam/lot.jpg")
    folder = ResultsFolder(results)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        next(folder.standing("cam/lot.jpg", CAPTURED_AT_NS, len(JPEG)))
        standing(folder, "cam/gone.jpg")
        standing(folder, "gone/lot.jpg")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_dry_run_says_the_name_and_writes_nothing(tmp_path: Path) -> None:
    """Delivering nowhere names the first choice, touches no disk, and finds nothing again."""
    assert NoDelivery().deliver(frame("cam/lot.jpg"), CAPTURED_AT_NS) == Delivery(
        "cam/lot.jpg", already_there=False
    )
    assert list(NoDelivery().standing("cam/lot.jpg", CAPTURED_AT_NS, 100)) == []
    assert files(tmp_path) == {}
