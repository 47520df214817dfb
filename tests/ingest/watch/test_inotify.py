import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from framegate.ingest.watch import inotify
from framegate.ingest.watch.inotify import FolderEvents
from troubles import no_inotify_instances, usual_limits


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Two empty folders."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return os.fspath(tmp_path / "a"), os.fspath(tmp_path / "b")


@pytest.fixture
def events(folders: tuple[str, str]) -> Iterator[FolderEvents]:
    """The events of both folders."""
    with usual_limits():
        events = FolderEvents(folders)
    yield events
    events.close()


def test_without_events_nothing_is_waited_for(events: FolderEvents) -> None:
    """A reading of nothing ends at once."""
    assert list(events.read()) == []


def test_each_step_of_a_save_is_told_with_its_path(events: FolderEvents, folders: tuple[str, str]) -> None:
    """Made, written and closed are three events, and a rename has one on either side."""
    path, other = os.path.join(folders[0], "x"), os.path.join(folders[1], "y")
    with open(path, "wb", buffering=0) as file:
        file.write(b"1")
    os.rename(path, other)
    assert list(events.read()) == [
        (path, inotify.IN_CREATE),
        (path, inotify.IN_MODIFY),
        (path, inotify.IN_CLOSE_WRITE),
        (path, inotify.IN_MOVED_FROM),
        (other, inotify.IN_MOVED_TO),
    ]
    assert list(events.read()) == []


def test_the_end_of_a_folder_is_told(events: FolderEvents, folders: tuple[str, str]) -> None:
    """A folder that is moved, or removed, says so by its own path."""
    os.rename(folders[0], f"{folders[0]}-before")
    os.rmdir(folders[1])
    told = [(path.rstrip("/"), mask) for path, mask in events.read()]
    assert (folders[0], inotify.IN_MOVE_SELF) in told
    assert (folders[1], inotify.IN_DELETE_SELF) in told
    assert (folders[1], inotify.IN_IGNORED) in told


def test_names_of_any_bytes_come_as_they_are(events: FolderEvents, folders: tuple[str, str]) -> None:
    """Names that are no UTF-8 are told apart, and hundreds of events come from one reading."""
    names = [os.path.join(folders[0], os.fsdecode(b"\xff%d" % number) + "n" * 200) for number in range(400)]
    for name in names:
        os.mkfifo(name)
    assert [path for path, _ in events.read()] == names


def test_what_cannot_be_watched_is_an_error_and_leaves_nothing_open(folders: tuple[str, str]) -> None:
    """A folder that is gone, and a kernel without instances, are OSErrors; no descriptor stays open."""
    before = os.listdir("/proc/self/fd")
    with usual_limits(), pytest.raises(FileNotFoundError):
        FolderEvents([folders[0], f"{folders[1]}-gone"])
    with no_inotify_instances(), pytest.raises(OSError, match="Too many") as refused:
        FolderEvents(folders)
    assert refused.value.errno == errno.EMFILE
    assert os.listdir("/proc/self/fd") == before
