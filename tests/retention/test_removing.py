import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from framegate.folders import opened_below
from framegate.ingest.reading import look_at
from framegate.model import FileKey
from framegate.retention.removing import remove_version, version_exists

NOBODY = 65_534


@contextmanager
def powerless() -> Iterator[None]:
    """Be somebody who may not do everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def write(folder: Path, name: str, data: bytes = b"data") -> FileKey:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    key = look_at(folder, name)
    assert key is not None
    return key


@pytest.mark.parametrize("name", ["a.jpg", "gate/inner/a.jpg", os.fsdecode(b"\xff/\xfe\n.jpg")])
def test_the_version_that_was_judged_is_removed(tmp_path: Path, name: str) -> None:
    """The file goes, and the folders that it leaves empty stay."""
    key = write(tmp_path, name)
    with opened_below(tmp_path) as root:
        assert version_exists(root, key)
        assert remove_version(root, key)
        assert not version_exists(root, key)
        assert not remove_version(root, key)
    assert (tmp_path / name).parent.is_dir()


@pytest.mark.parametrize("change", ["grew", "touched", "renamed", "gone"])
def test_another_version_is_left(tmp_path: Path, change: str) -> None:
    """What changed by a byte or a nanosecond is another file, and stays."""
    key = write(tmp_path, "gate/a.jpg")
    path = tmp_path / key.name
    if change == "grew":
        path.write_bytes(b"data!")
        os.utime(path, ns=(key.mtime_ns, key.mtime_ns))
    elif change == "touched":
        os.utime(path, ns=(key.mtime_ns, key.mtime_ns + 1))
    elif change == "renamed":
        (tmp_path / "gate").rename(tmp_path / "other")
    else:
        path.unlink()
    before = sorted(tmp_path.rglob("*"))
    with opened_below(tmp_path) as root:
        assert not version_exists(root, key)
        assert not remove_version(root, key)
    assert sorted(tmp_path.rglob("*")) == before


def test_no_link_is_followed(tmp_path: Path) -> None:
    """A link in place of the file, or of a folder above it, leads to no removal."""
    drop = tmp_path / "drop"
    key = write(drop, "gate/a.jpg")
    outside = tmp_path / "outside"
    (drop / "gate").rename(outside)
    (drop / "gate").symlink_to(outside)
    with opened_below(drop) as root:
        assert not version_exists(root, key)
        assert not remove_version(root, key)
        link = drop / "b.jpg"
        link.symlink_to(outside / "a.jpg")
        there = look_at(drop, "b.jpg")
        assert there is not None
        assert not remove_version(root, there)
    assert link.is_symlink()
    assert (outside / "a.jpg").exists()


def test_what_is_no_file_is_left(tmp_path: Path) -> None:
    """A folder or a FIFO of a frame's name is not removed."""
    (tmp_path / "a.jpg").mkdir()
    os.mkfifo(tmp_path / "b.jpg")
    with opened_below(tmp_path) as root:
        for name in ("a.jpg", "b.jpg"):
            key = look_at(tmp_path, name)
            assert key is not None
            assert not remove_version(root, key)
            assert (tmp_path / name).exists()


def test_a_file_that_may_not_be_removed_is_an_error(tmp_path: Path) -> None:
    """Without permission the kernel's word is passed on, and the file stays."""
    key = write(tmp_path, "gate/a.jpg")
    (tmp_path / "gate").chmod(0o555)
    with opened_below(tmp_path) as root, powerless(), pytest.raises(PermissionError):
        remove_version(root, key)
    assert (tmp_path / key.name).exists()


def test_what_may_not_be_looked_at_is_not_gone(tmp_path: Path) -> None:
    """A folder that may not be searched says nothing about what is in it."""
    key = write(tmp_path, "gate/a.jpg")
    (tmp_path / "gate").chmod(0)
    with opened_below(tmp_path) as root, powerless(), pytest.raises(PermissionError):
        version_exists(root, key)
    (tmp_path / "gate").chmod(0o755)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Neither success nor failure costs a descriptor."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        key = write(tmp_path, "gate/inner/a.jpg")
        with opened_below(tmp_path) as root:
            assert remove_version(root, key)
            assert not remove_version(root, key)
            assert not remove_version(root, FileKey("gate/none/a.jpg", 1, 1))
    assert len(os.listdir("/proc/self/fd")) == before
