import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from disks import folder_elsewhere, memory_disk
from framegate.folders import opened_below
from framegate.ingest.reading import look_at
from framegate.keep.disk import Step, TidyStep
from framegate.model import Entry, Reason
from framegate.retention.archive.moving import Archive
from running import contents
from stepping import Crash, FaultyDisk

CAPTURED_AT_NS = 1_616_694_872_510_000_000
MOMENT = "20210325T175432.510Z"
MTIME_NS = 1_700_000_000_123_456_789
DATA = b"a frame " * 300_000
"""More than a piece."""


class OneDisk(FaultyDisk):
    """Drop folder and archive are on one file system, as here."""

    is_copied = False


class TwoDisks(OneDisk):
    """The archive is on another file system, as far as a move can tell."""

    is_copied = True

    def move(self, name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> None:  # noqa: ARG002
        self.reach(TidyStep.MOVE_INPUT)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


class TwoDisksNamed(TwoDisks):
    """The same, and new files have a temporary name."""

    has_unnamed = False


@pytest.fixture(params=[OneDisk, TwoDisks, TwoDisksNamed])
def disk(request: pytest.FixtureRequest) -> OneDisk:
    """A disk whose steps a test may fail."""
    made = request.param()
    assert isinstance(made, OneDisk)
    return made


class Place:
    """A drop folder and an archive."""

    def __init__(self, home: Path, disk: OneDisk) -> None:
        self.drop, self.folder, self.disk = home / "drop", home / "archive", disk
        self.drop.mkdir()
        self.folder.mkdir()
        self.archive = Archive(self.folder, 0, disk)

    def upload(self, name: str = "gate/a.jpg", data: bytes = DATA) -> Entry:
        """Put a file into the drop folder; return what was decided about it."""
        path = self.drop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
        key = look_at(self.drop, name)
        assert key is not None
        sha256 = hashlib.sha256(data).digest()
        return Entry(key, "c", CAPTURED_AT_NS, Reason.UNCHANGED, 0, 1, sha256=sha256)

    def take(self, entry: Entry, archive: Archive | None = None) -> str | None:
        used = archive or self.archive
        with opened_below(self.drop) as root_fd:
            used.require()
            name = used.take(root_fd, entry)
            used.sync(root_fd)
        return name

    def somewhere(self) -> list[bytes]:
        """Return the content of each file that has a name that people see."""
        folders = self.drop, self.folder
        return [
            data
            for folder in folders
            for name, data in contents(folder).items()
            if not Path(name).name.startswith(".")
        ]


@pytest.fixture
def place(tmp_path: Path, disk: OneDisk) -> Place:
    return Place(tmp_path, disk)


@pytest.mark.parametrize("name", ["a.jpg", "gate/2026/a.jpg", os.fsdecode(b"\xff/\xfe\n.jpg")])
def test_an_input_is_moved_below_the_archive_under_its_path(place: Place, name: str) -> None:
    """It has its bytes and its time there, and is gone from the drop folder; its old folder stays."""
    assert place.take(place.upload(name)) == name
    assert contents(place.folder) == {name: DATA}
    assert (place.folder / name).stat().st_mtime_ns == MTIME_NS
    assert contents(place.drop) == {}
    assert (place.drop / name).parent.is_dir()


def test_nothing_in_the_archive_is_replaced(place: Place) -> None:
    """Other bytes at the name stay, and so does what has the name with the capture time."""
    for data in (b"another's", b"a second one", DATA):
        taken = place.take(place.upload("gate/a.jpg", data))
    assert taken == f"gate/a_{MOMENT}_2.jpg"
    assert contents(place.folder) == {
        "gate/a.jpg": b"another's",
        f"gate/a_{MOMENT}.jpg": b"a second one",
        f"gate/a_{MOMENT}_2.jpg": DATA,
    }


@pytest.mark.parametrize("stand_in", ["folder", "link"])
def test_what_is_no_file_in_the_archive_is_neither_followed_nor_replaced(place: Place, stand_in: str) -> None:
    """A folder or a link at the name leaves it alone: the input gets the next name."""
    other = place.drop.parent / "other"
    other.mkdir()
    if stand_in == "folder":
        (place.folder / "a.jpg").mkdir()
    else:
        (place.folder / "a.jpg").symlink_to(other / "b.jpg")
    assert place.take(place.upload("a.jpg")) == f"a_{MOMENT}.jpg"
    assert contents(other) == {}


def test_the_same_bytes_in_the_archive_are_the_same_frame(place: Place) -> None:
    """What is sent again, or is in both places after a crash, is not archived twice."""
    place.take(place.upload())
    assert place.take(place.upload()) == "gate/a.jpg"
    assert contents(place.folder) == {"gate/a.jpg": DATA}
    assert contents(place.drop) == {}


def test_what_was_taken_before_a_crash_is_found_by_its_bytes(place: Place) -> None:
    """Also behind another file of its name, and if somebody has taken that one away."""
    place.take(place.upload("gate/a.jpg", b"another's"))
    entry = place.upload()
    for _ in range(2):
        assert place.take(entry, Archive(place.folder, 0, place.disk)) == f"gate/a_{MOMENT}.jpg"
        (place.folder / "gate/a.jpg").unlink(missing_ok=True)
    (place.folder / f"gate/a_{MOMENT}.jpg").write_bytes(DATA[:-1] + b"?")
    assert place.take(entry) is None


@pytest.mark.parametrize("change", ["grew", "touched", "linked", "gone"])
def test_another_version_is_left(place: Place, change: str) -> None:
    """What changed by a byte or a nanosecond since it was judged is no business of the archive."""
    entry = place.upload()
    path = place.drop / entry.key.name
    if change == "grew":
        path.write_bytes(DATA + b"!")
    elif change == "touched":
        os.utime(path, ns=(MTIME_NS, MTIME_NS + 1))
    elif change == "linked":
        path.rename(place.drop / "elsewhere.jpg")
        path.symlink_to(place.drop / "elsewhere.jpg")
    else:
        path.unlink()
    before = contents(place.drop)
    assert place.take(entry) is None
    assert contents(place.drop) == before
    assert contents(place.folder) == {}


STEPS = [
    Step.OPEN_FOLDER, Step.MAKE_FOLDER, Step.READ_EXISTING, Step.FREE_SPACE, Step.OPEN_TEMP, Step.WRITE,
    Step.STAMP, Step.SYNC_FILE, Step.PUBLISH, Step.REMOVE_TEMP, Step.SYNC_FOLDER, TidyStep.OPEN_ARCHIVE,
    TidyStep.MOVE_INPUT, TidyStep.REMOVE_INPUT,
]  # fmt: skip
ONLY_COPIED = {
    Step.FREE_SPACE, Step.OPEN_TEMP, Step.WRITE, Step.STAMP, Step.SYNC_FILE, Step.PUBLISH,
    TidyStep.REMOVE_INPUT,
}  # fmt: skip


def no_space() -> BaseException:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fault", [no_space, Crash], ids=["error", "crash"])
@pytest.mark.parametrize("step", STEPS)
def test_whatever_step_fails_the_frame_is_somewhere_and_goes_at_the_next_try(
    place: Place, step: Step | TidyStep, fault: Callable[[], BaseException]
) -> None:
    """In the drop folder, the archive or both, whole, and never in neither; then in the archive alone."""
    entry = place.upload()
    is_named = place.disk.is_copied and not place.disk.has_unnamed
    is_reached = (step not in ONLY_COPIED or place.disk.is_copied) and (
        step is not Step.REMOVE_TEMP or is_named
    )
    place.disk.fail(step, fault)
    if is_reached:
        with pytest.raises((OSError, Crash)):
            place.take(entry)
        assert set(place.somewhere()) == {DATA}
        assert place.disk.hits[step] == 1
    place.disk.heal()
    assert place.take(entry, Archive(place.folder, 0, place.disk)) == "gate/a.jpg"
    assert contents(place.folder) == {"gate/a.jpg": DATA}
    assert contents(place.drop) == {}


def test_a_copy_leaves_the_space_that_it_has_to(place: Place) -> None:
    """Another disk is not filled up: the input waits. On the same disk no space is needed."""
    entry = place.upload()
    archive = Archive(place.folder, 2**62, place.disk)
    if place.disk.is_copied:
        with pytest.raises(OSError, match=r"archive: full: .* less than results.min_free"):
            place.take(entry, archive)
        assert contents(place.folder) == {}
        assert contents(place.drop) == {"gate/a.jpg": DATA}
    else:
        assert place.take(entry, archive) == "gate/a.jpg"


def test_what_reads_otherwise_than_it_was_judged_is_not_archived(tmp_path: Path) -> None:
    """A copy is compared with what was judged before the input goes: a disk may read wrongly."""
    place = Place(tmp_path, TwoDisks())
    entry = place.upload()
    path = place.drop / entry.key.name
    other = place.upload("gate/a.jpg", DATA[:-1] + b"?")
    judged = Entry(other.key, "c", CAPTURED_AT_NS, Reason.UNCHANGED, 0, 1, sha256=entry.sha256)
    with pytest.raises(OSError, match="reads otherwise"):
        place.take(judged)
    assert path.exists()
    assert contents(place.folder) == {}


def test_an_archive_that_is_away_takes_nothing(place: Place) -> None:
    """Nothing is made in place of a folder that is missing, and nothing is taken for lost."""
    entry = place.upload()
    place.folder.rmdir()
    with pytest.raises(OSError, match="archive: No such file"):
        place.take(entry)
    assert not place.folder.exists()
    (place.drop / entry.key.name).unlink()
    with opened_below(place.drop) as root_fd, pytest.raises(OSError, match="archive: No such file"):
        place.archive.take(root_fd, entry)


def test_another_disk_for_real(tmp_path: Path) -> None:
    """Between two file systems the bytes and the time arrive, and the input goes."""
    place = Place(tmp_path, OneDisk())
    place.folder.rmdir()
    with folder_elsewhere(tmp_path) as folder:
        place.folder = folder
        assert place.take(place.upload(), Archive(folder, 0, OneDisk())) == "gate/a.jpg"
        assert contents(folder) == {"gate/a.jpg": DATA}
        assert (folder / "gate/a.jpg").stat().st_mtime_ns == MTIME_NS
        assert contents(place.drop) == {}


def test_a_disk_that_fills_up_within_a_copy_has_nothing_of_it(tmp_path: Path) -> None:
    """On a real file system without room the input stays, and no part of it is in the archive."""

    class Shared(OneDisk):
        """Another program fills it between the look at its space and the copy."""

        def free_bytes(self, folder: str) -> int:
            return super().free_bytes(folder) + len(DATA)

    place = Place(tmp_path, OneDisk())
    with memory_disk(tmp_path / "small", "320k") as small:
        archive = Archive(small, 0, Shared())
        entry = place.upload()
        with pytest.raises(OSError, match="No space left"):
            place.take(entry, archive)
        assert contents(small) == {}
        assert contents(place.drop) == {"gate/a.jpg": DATA}
        assert place.take(place.upload("gate/b.jpg", b"a small one"), archive) == "gate/b.jpg"


@pytest.mark.parametrize("is_renamed", [True, False], ids=["renamed", "overwritten"])
def test_what_comes_under_its_name_at_the_last_moment_goes_back_to_be_judged(
    tmp_path: Path, is_renamed: bool
) -> None:
    """Between the check and the move another upload may come: it is not carried off to the archive."""

    class Busy(OneDisk):
        """A camera sends the next picture just before the move."""

        def reach(self, step: Step | TidyStep) -> None:
            path = tmp_path / "drop" / "snapshot.jpg"
            if step is TidyStep.MOVE_INPUT and path.exists():
                (path.with_suffix(".new") if is_renamed else path).write_bytes(b"the next one")
                if is_renamed:
                    path.with_suffix(".new").rename(path)

    place = Place(tmp_path, Busy())
    entry = place.upload("snapshot.jpg")
    with pytest.raises(OSError, match="other bytes came under its name"):
        place.take(entry)
    assert contents(place.drop) == {"snapshot.jpg": b"the next one"}
    assert contents(place.folder) == {}
    assert place.take(entry) is None
