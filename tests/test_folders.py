import errno
import os
from pathlib import Path

import pytest

from framegate.folders import free_bytes, open_below, open_folder, opened_below


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def same(fd: int, folder: Path) -> bool:
    return os.path.samestat(os.fstat(fd), folder.stat())


@pytest.mark.parametrize("parts", [[], ["a"], ["a", "b"], [os.fsdecode(b"\xff"), "b"]])
def test_the_folder_at_the_end_of_the_path_is_opened(tmp_path: Path, parts: list[str]) -> None:
    """From a path or a descriptor the same folder is reached, and only it stays open."""
    folder = tmp_path.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    before = descriptors()
    with opened_below(tmp_path, parts) as fd:
        assert same(fd, folder)
        assert descriptors() == before + 1
    with opened_below(tmp_path) as root_fd, opened_below(root_fd, parts) as fd:
        assert same(fd, folder)
    assert descriptors() == before


@pytest.mark.parametrize("place", ["a", "a/b"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_no_link_and_no_file_is_opened_in_place_of_a_folder(tmp_path: Path, place: str, kind: str) -> None:
    """A link to a folder leads nowhere, wherever in the path it stands, and costs no descriptor."""
    (tmp_path / "elsewhere/b").mkdir(parents=True)
    where = tmp_path / "root" / place
    where.parent.mkdir(parents=True)
    where.symlink_to(tmp_path / "elsewhere") if kind == "link" else where.touch()
    before = descriptors()
    with pytest.raises(NotADirectoryError):
        open_below(tmp_path / "root", ["a", "b"])
    assert descriptors() == before


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    """Where the operator's setting leads is the operator's decision."""
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    with opened_below(tmp_path / "root") as fd:
        assert same(fd, tmp_path / "real")


def test_a_descriptor_stays_the_folder_that_was_opened(tmp_path: Path) -> None:
    """What is renamed, or mounted over, in the meantime changes nothing below an open folder."""
    (tmp_path / "root/a").mkdir(parents=True)
    with opened_below(tmp_path / "root") as root_fd:
        (tmp_path / "root").rename(tmp_path / "away")
        (tmp_path / "root/a").mkdir(parents=True)
        with opened_below(root_fd, ["a"]) as fd:
            assert same(fd, tmp_path / "away/a")


def test_an_error_of_the_one_who_opens_leaves_nothing_open(tmp_path: Path) -> None:
    """Each folder is opened by the given function, in turn; its errors are passed on."""
    (tmp_path / "a/b").mkdir(parents=True)
    seen: list[str] = []

    def open_one(name: str, above_fd: int | None) -> int:
        seen.append(name)
        if name == "b":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return open_folder(name, above_fd)

    before = descriptors()
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        open_below(tmp_path, ["a", "b"], open_one)
    assert seen == [os.fspath(tmp_path), "a", "b"]
    assert descriptors() == before


def test_the_free_space_is_what_an_ordinary_user_may_fill(tmp_path: Path) -> None:
    """What is reserved for root does not count, and a folder that is missing is an error."""
    space = os.statvfs(tmp_path)
    assert 0 <= free_bytes(tmp_path) <= space.f_bfree * space.f_frsize
    with pytest.raises(FileNotFoundError):
        free_bytes(tmp_path / "none")
