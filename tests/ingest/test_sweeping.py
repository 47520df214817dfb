import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from forked import python
from framegate.ingest.names import NameRules
from framegate.ingest.reading import key_of
from framegate.ingest.sweeping import entries_of, frames_of


def make(drop: Path, *names: str) -> None:
    for name in names:
        (drop / name).parent.mkdir(parents=True, exist_ok=True)
        (drop / name).write_bytes(name.encode("utf-8", "surrogateescape"))


def found(drop: Path, rules: NameRules, *, recursive: bool = True) -> list[str]:
    return sorted(key.name for key in frames_of(drop, rules, recursive=recursive))


def test_a_sweep_finds_every_frame_in_every_folder(drop: Path, rules: NameRules) -> None:
    """Frames are found at any depth, whatever bytes their names have, and nothing else is."""
    odd = os.fsdecode(b"cam \xff\n/l\xf6t.jpg")
    frames = ["a.jpg", "B.JPG", "cam/a.jpg", "cam/2021/03/a.png", odd]
    make(drop, *frames, "readme.txt", "a.jpg.part", ".hidden.jpg", "cam/b.tmp")
    assert found(drop, rules) == sorted(frames)


def test_a_sweep_tells_the_version_of_each_file(drop: Path, rules: NameRules) -> None:
    """The key of a swept file is the one that a look at it gives."""
    make(drop, "cam/a.jpg")
    os.utime(drop / "cam" / "a.jpg", ns=(1, 1_616_694_872_510_000_001))
    assert list(frames_of(drop, rules, recursive=True)) == [
        key_of("cam/a.jpg", (drop / "cam" / "a.jpg").lstat())
    ]


def test_hidden_folders_are_passed_over(drop: Path, rules: NameRules) -> None:
    """Thumbnails and trash of file servers are no frames."""
    make(drop, ".Trash/a.jpg", "cam/.thumbs/deep/a.jpg", "cam/a.jpg")
    assert found(drop, rules) == ["cam/a.jpg"]


def test_excluded_folders_are_not_even_listed(drop: Path, rules: NameRules) -> None:
    """What is inside an excluded folder costs nothing, and that it may not be listed is no trouble."""
    make(drop, "@eaDir/a.jpg/XL.jpg", "cam/#recycle/a.jpg", "lost+found/a.jpg", "cam/a.jpg")
    listed = [name for name, _ in entries_of(drop, rules, recursive=True)]
    assert listed == ["cam/a.jpg"]


def test_a_flat_sweep_stays_in_the_folder(drop: Path, rules: NameRules) -> None:
    """With recursive = false, folders inside do not count."""
    make(drop, "a.jpg", "cam/b.jpg")
    assert found(drop, rules, recursive=False) == ["a.jpg"]


def test_links_to_folders_are_not_followed(drop: Path, tmp_path: Path, rules: NameRules) -> None:
    """A link to a folder leads neither out of the drop folder nor round in circles."""
    make(tmp_path, "elsewhere/secret.jpg")
    make(drop, "cam/a.jpg")
    (drop / "out").symlink_to(tmp_path / "elsewhere")
    (drop / "cam" / "round").symlink_to(drop)
    assert found(drop, rules) == ["cam/a.jpg"]


def test_a_drop_folder_that_is_a_link_is_swept(drop: Path, tmp_path: Path, rules: NameRules) -> None:
    """The drop folder itself may be a link."""
    make(drop, "cam/a.jpg")
    (tmp_path / "link").symlink_to(drop)
    assert found(tmp_path / "link", rules) == ["cam/a.jpg"]


def test_what_is_no_regular_file_is_found_too(drop: Path, rules: NameRules) -> None:
    """FIFOs, sockets and links with a frame's name are found, so that each gets its verdict."""
    os.mkfifo(drop / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(drop / "socket.jpg"))
    (drop / "dangling.jpg").symlink_to("../nowhere")
    (drop / "folder.jpg").mkdir()
    assert found(drop, rules) == ["dangling.jpg", "fifo.jpg", "socket.jpg"]


@pytest.mark.parametrize("replace_by", [None, Path.touch], ids=["missing", "a-file"])
def test_a_missing_drop_folder_is_told_from_an_empty_one(
    drop: Path, rules: NameRules, replace_by: Callable[[Path], None] | None
) -> None:
    """An unmounted drop folder is an error: else every waiting frame would count as gone."""
    drop.rmdir()
    if replace_by:
        replace_by(drop)
    with pytest.raises(OSError):
        list(frames_of(drop, rules, recursive=True))


def test_what_vanishes_under_the_sweep_is_passed_over(drop: Path, rules: NameRules) -> None:
    """Folders and files that are removed while the sweep goes on do not stop it."""
    make(drop, *(f"{number}/{letter}.jpg" for number in range(5) for letter in "abc"), "z.jpg")
    swept = frames_of(drop, rules, recursive=True)
    first = next(swept).name
    for number in range(5):
        shutil.rmtree(drop / str(number))
    rest = [key.name for key in swept]
    assert len({first, *rest}) < 16
    assert "z.jpg" in {first, *rest}


AS_NOBODY = """
import os, sys
from pathlib import Path
from framegate.ingest.names import NameRules
from framegate.ingest.sweeping import entries_of, frames_of
from framegate.config.settings import DropSettings

if not os.geteuid():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
rules = NameRules(DropSettings(folder=sys.argv[1]))
print(*sorted(key.name for key in frames_of(Path(sys.argv[1]), rules, recursive=True)))
"""


def test_a_folder_that_may_not_be_listed_is_passed_over() -> None:
    """One camera's folder without permission does not hide the others."""
    drop = Path(tempfile.mkdtemp(prefix="framegate-test-"))
    drop.chmod(0o755)
    try:
        make(drop, "closed/a.jpg", "open/b.jpg", "c.jpg")
        (drop / "closed").chmod(0)
        said = python(AS_NOBODY, drop)
    finally:
        (drop / "closed").chmod(0o755)
        shutil.rmtree(drop)
    assert (said.stdout, said.stderr) == (b"c.jpg open/b.jpg\n", b"")


def test_thousands_of_frames_are_found_without_using_up_descriptors(drop: Path, rules: NameRules) -> None:
    """A backlog of 5,000 frames in 100 folders is found whole, and no folder stays open."""
    make(drop, *(f"cam{number % 100}/{number}.jpg" for number in range(5000)))
    before = len(os.listdir("/proc/self/fd"))
    assert len(set(found(drop, rules))) == 5000
    assert len(os.listdir("/proc/self/fd")) == before
