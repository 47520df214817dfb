"""The watch over real file systems that come and go. Root only: mounts and limits are the machine's."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

from framegate.ingest.names import NameRules
from framegate.ingest.sweeping import frames_of
from framegate.ingest.watch.supervisor import LATE_S
from running import wait_until
from supervised import RESCAN_S, Supervise, Supervised
from troubles import limited, rename_at_a_stroke

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root may mount and set kernel limits"),
    pytest.mark.xdist_group("disks"),  # losetup finds a free device and takes it in two steps
]

TELLS_OF_OVERFLOW = not version("watchdog").startswith("6.")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if done.returncode:
        pytest.skip(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


def umount(folder: Path, *options: str) -> None:
    subprocess.run(["umount", *options, folder], check=True, capture_output=True, timeout=20)


@pytest.fixture
def drop(tmp_path: Path) -> Iterator[Path]:
    """A folder to mount at; whatever is mounted there when the test ends is unmounted."""
    folder = tmp_path / "drop"
    folder.mkdir()
    yield folder
    while os.path.ismount(folder):
        umount(folder, "-l")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """A small ext4 disk, as a device."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(8_000_000)
    run("mkfs.ext4", "-q", image)
    device = run("losetup", "--find", "--show", image)
    yield device
    subprocess.run(["losetup", "--detach", device], capture_output=True, timeout=20)


def tmpfs(folder: Path) -> None:
    run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)


def is_heard_anew(site: Supervised) -> None:
    """Assert that one look at the folder was enough to watch it anew and to want a sweep."""
    assert site.tick() == ["watch.rebuilt"]
    assert site.wishes()
    site.hears()
    assert site.tick() == []


def test_a_disk_that_is_mounted_late_is_heard(drop: Path, supervise: Supervise) -> None:
    """A file system mounted over the watched folder takes its place."""
    site = supervise(drop)
    tmpfs(drop)
    is_heard_anew(site)


def test_what_is_below_an_unmounted_disk_is_heard(drop: Path, supervise: Supervise) -> None:
    """After an unmount the folder below is watched: the camera may well write there."""
    tmpfs(drop)
    site = supervise(drop)
    umount(drop)
    is_heard_anew(site)


def test_a_lazy_unmount_is_noticed(drop: Path, supervise: Supervise) -> None:
    """A lazy unmount, while a file is still open there, leaves nobody listening to the old disk."""
    tmpfs(drop)
    site = supervise(drop)
    with (drop / "kept-open").open("wb"):
        umount(drop, "-l")
        is_heard_anew(site)


def test_watching_does_not_keep_a_disk_from_being_unmounted(drop: Path, supervise: Supervise) -> None:
    """No descriptor of the drop folder stays open: it can be unmounted at any time between two looks."""
    tmpfs(drop)
    site = supervise(drop)
    for _ in range(3):
        assert site.tick() == []
    umount(drop)  # fails when the disk is busy


def test_a_disk_that_went_and_came_back_is_heard(drop: Path, disk: str, supervise: Supervise) -> None:
    """A disk that is unmounted and mounted between two looks has the same device and inode: it is noticed."""
    run("mount", disk, drop)
    site = supervise(drop)
    site.hears()
    before = (drop.stat().st_dev, drop.stat().st_ino)
    umount(drop)
    run("mount", disk, drop)
    assert (drop.stat().st_dev, drop.stat().st_ino) == before
    assert site.tick() == ["watch.rebuilt"]
    assert site.happened[-1].fields["watch"] == "inotify"
    assert site.wishes()
    site.hears()


def test_another_disk_at_the_same_place_is_heard(drop: Path, disk: str, supervise: Supervise) -> None:
    """When a disk is replaced by another, the other is watched."""
    run("mount", disk, drop)
    site = supervise(drop)
    umount(drop)
    tmpfs(drop)
    is_heard_anew(site)


def test_a_folder_on_a_disk_that_goes_is_absent_until_it_is_back(
    drop: Path, disk: str, supervise: Supervise
) -> None:
    """A drop folder inside the disk is absent while the disk is away, and heard when it is back."""
    run("mount", disk, drop)
    (drop / "lot1").mkdir()
    site = supervise(drop / "lot1")
    site.hears()
    umount(drop)
    assert site.tick() == ["drop.absent"]
    run("mount", disk, drop)
    assert site.tick() == ["drop.back"]
    assert site.wishes()
    site.hears()


@pytest.mark.parametrize("root", ["/dev/shm", "/var/tmp"])
def test_every_file_system_here_can_be_watched(root: str, supervise: Supervise) -> None:
    """What the kernel prints of a watch is understood on each file system of this machine."""
    folder = Path(root, f"framegate-{os.getpid()}")
    folder.mkdir()
    try:
        site = supervise(folder)
        site.hears()
        assert site.tick() == []
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_other_disks_can_be_watched(kind: str, drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """A folder on a disk of another format is watched, and its unmounting noticed."""
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"no mkfs.{kind} here")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(400_000_000)
    run(f"mkfs.{kind}", image)
    run("mount", "-o", "loop", image, drop)
    site = supervise(drop)
    site.hears()
    assert site.tick() == []
    umount(drop)
    is_heard_anew(site)


def test_an_overlay_can_be_watched(drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """In a container's file system, where inodes have two numbers, a sound watch is left in peace."""
    layers = tmp_path / "layers"
    layers.mkdir()
    tmpfs(layers)
    try:
        for name in ("upper", "work"):
            (layers / name).mkdir()
        lower = tmp_path / "lower"
        (lower / "lot1").mkdir(parents=True)
        options = f"lowerdir={lower},upperdir={layers}/upper,workdir={layers}/work"
        run("mount", "-t", "overlay", "-o", options, "overlay", drop)
        site = supervise(drop / "lot1")
        site.hears()
        assert [site.tick() for _ in range(3)] == [[]] * 3
        site.watch.stop()
        umount(drop)
    finally:
        umount(layers, "-l")


@contextmanager
def bound_by_fuse(behind: Path, drop: Path) -> Iterator[None]:
    if shutil.which("bindfs") is None:
        pytest.skip("no bindfs here")
    run("bindfs", behind, drop)
    try:
        yield
    finally:
        umount(drop, "-l")


def test_a_share_is_polled(drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """On a FUSE mount, whose other side the kernel does not see, watch = "auto" polls, and says so once."""
    behind = tmp_path / "behind"
    behind.mkdir()
    with bound_by_fuse(behind, drop):
        site = supervise(drop)
        assert site.announced == ["watch.polling"]
        assert site.happened[0].fields["file_system"].startswith("fuse")
        assert site.happened[0].fields["mount_point"] == os.fspath(drop)
        assert site.watch.mode == "poll"
        assert site.watch.sweep_interval_s(0.0) == site.settings.poll_s
        (behind / "a.jpg").write_bytes(b"a frame")
        found = frames_of(drop, NameRules(site.settings), recursive=True)
        assert [key.name for key in found] == ["a.jpg"]
        assert site.tick() == []


def test_that_a_share_is_polled_is_said_once(drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """A folder that comes and goes on the same share repeats nothing about the share."""
    behind = tmp_path / "behind"
    (behind / "lot1").mkdir(parents=True)
    with bound_by_fuse(behind, drop):
        site = supervise(drop / "lot1")
        assert site.announced == ["watch.polling"]
        (drop / "lot1").rmdir()
        assert site.tick() == ["drop.absent"]
        (drop / "lot1").mkdir()
        assert site.tick() == ["drop.back"]
        assert site.watch.mode == "poll"


def test_a_share_is_watched_when_that_is_asked_for(drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """With watch = "inotify" what is written through the mount is heard, as the operator knows best."""
    behind = tmp_path / "behind"
    behind.mkdir()
    with bound_by_fuse(behind, drop):
        site = supervise(drop, watch="inotify")
        assert site.announced == []
        assert site.watch.mode == "inotify"
        site.hears()
        assert site.tick() == []
        site.watch.stop()


def test_a_share_that_is_mounted_late_is_polled_and_a_disk_below_it_watched(
    drop: Path, tmp_path: Path, supervise: Supervise
) -> None:
    """Which of the two it is, is decided anew whenever another folder stands at the path."""
    behind = tmp_path / "behind"
    behind.mkdir()
    site = supervise(drop)
    assert site.watch.mode == "inotify"
    with bound_by_fuse(behind, drop):
        assert site.tick() == ["watch.polling", "watch.rebuilt"]
        assert site.watch.mode == "poll"
    is_heard_anew(site)
    assert site.watch.mode == "inotify"


def test_a_share_whose_server_died_is_absent(drop: Path, tmp_path: Path, supervise: Supervise) -> None:
    """A mount that answers nothing but errors is an absent folder, with the error for a reason."""
    behind = tmp_path / "behind"
    behind.mkdir()
    if shutil.which("bindfs") is None:
        pytest.skip("no bindfs here")
    server = subprocess.Popen(["bindfs", "-f", behind, drop], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.ismount(drop))
        site = supervise(drop)
    finally:
        server.kill()
        server.wait(10)
    assert site.tick() == ["drop.absent"]
    assert "not connected" in site.happened[-1].fields["error"]
    umount(drop, "-l")
    assert site.tick() == ["drop.back"]
    site.hears()


def rename_many(outside: Path, drop: Path, count: int) -> None:
    outside.mkdir()
    names = [f"b{number:05d}.jpg" for number in range(count)]
    for name in names:
        (outside / name).touch()
    rename_at_a_stroke((outside / name, drop / name) for name in names)


def test_an_overflow_is_noticed_and_the_watch_goes_on(
    drop: Path, tmp_path: Path, supervise: Supervise
) -> None:
    """A burst that the kernel cannot queue asks for a sweep; where watchdog is silent, one finds it."""
    with limited("max_queued_events", 16):  # read when the instance is made
        site = supervise(drop)
    rename_many(tmp_path / "outside", drop, 5000)
    site.hears_in_the_end()
    heard = {arrival.name for arrival in site.arrivals}
    missed = {path.name for path in drop.glob("b*.jpg")} - heard
    assert missed  # the burst was too much
    if TELLS_OF_OVERFLOW:
        assert site.watch.overflows >= 1
        assert site.tick() == ["watch.overflow"]
        assert site.wishes()
    else:
        site.watch.note_unannounced(missed, site.now_s)
        assert site.tick(LATE_S) == ["watch.missed"]
        assert site.watch.found_by_sweep == len(missed)
    site.hears()


def test_without_watches_the_folder_is_polled_and_nothing_leaks(drop: Path, supervise: Supervise) -> None:
    """When a user's watches are used up the folder is polled, and retries take no descriptor each."""
    with limited("max_user_watches", 0):
        site = supervise(drop)
        assert site.announced == ["watch.failed"]
        assert "max_user_watches" in site.happened[-1].fields["advice"]
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            assert site.tick(RESCAN_S) == []
        assert len(os.listdir("/proc/self/fd")) == before
    assert site.tick(RESCAN_S) == ["watch.restored"]
    site.hears()
