"""The real daemon on real file systems that fill up, fail, refuse, and are not what they seem."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from cameras import FlatCamera, configure
from disks import (
    POWERLESS,
    Ballast,
    ToolError,
    device_of,
    loop_disk,
    memory_disk,
    mounted,
    need,
    run_tool,
    tracing,
    unmount_when_free,
)
from framegate.daemon.lock import FolderLock, is_served
from framegate.errors import AlreadyServed
from framegate.keep.delivery import ResultsFolder
from framegate.model import EncodedFrame
from invariants import check, visible
from oracle import Shot, scene_jpeg, upload
from running import WITHIN_S, RunningDaemon, Site, contents, started, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("disks")]

SEED = 20260311
Action = Callable[[], object]


@pytest.fixture
def camera(site: Site) -> FlatCamera:
    """A camera that has the site's drop folder to itself."""
    configure(site)
    return FlatCamera(site, SEED)


def check_a_pause(
    site: Site, camera: FlatCamera, disturb: Action, mend: Action, through: tuple[str, ...] = ()
) -> str:
    """Disturb a daemon in mid-run, mend what was disturbed, and insist that nothing else tells of it.

    Returns:
        Why it paused, in the daemon's words.
    """
    with started(site, through) as daemon:
        camera.take(6)
        daemon.wait_for_verdicts(6)
        disturb()
        camera.take(1, is_new_scene=True)
        camera.take(7)
        (paused,) = daemon.wait_for("intake.paused")
        check_that_all_is_whole(site, camera)
        mend()
        daemon.wait_for("intake.resumed")
        camera.take(4)
        daemon.wait_for_verdicts(18)
        assert daemon.stop() == 0
    check_one_pause(daemon)
    check(site, camera.shots, acknowledged=daemon.lines)
    return str(paused["error"])


def check_one_pause(daemon: RunningDaemon) -> None:
    """Insist on one pause, on one verdict a frame, and on nothing but JSON in the log."""
    intake = [line["event"] for line in daemon.lines if line["event"].startswith("intake.")]
    assert intake == ["intake.paused", "intake.resumed"]
    frames = [line["frame"] for line in daemon.verdicts()]
    assert sorted(frames) == sorted(set(frames))
    assert daemon.noise == []


def check_that_all_is_whole(site: Site, camera: FlatCamera) -> None:
    """Insist that what a reader of the results sees now are whole frames that are to be kept."""
    assert visible(site.results).items() <= camera.expected().items()


def check_an_undisturbed_run(site: Site, camera: FlatCamera) -> None:
    """Run over a backlog and live frames; insist that all is as it has to be."""
    camera.take(4)
    with started(site) as daemon:
        camera.take(10)
        daemon.wait_for_verdicts(14)
        assert daemon.stop() == 0
    assert not [line for line in daemon.lines if line["level"] not in {"info", "debug"}]
    check(site, camera.shots, acknowledged=daemon.lines)


def on(disk: Path, site: Site, *folders: str, min_free: str = "0B") -> None:
    """Move folders of a site to a disk, below its root: while it is not mounted they are not there."""
    for folder in folders:
        (disk / folder).mkdir()
        setattr(site, folder, disk / folder)
    configure(site, min_free=min_free)


# Full disks


@pytest.mark.parametrize(
    ("min_free", "left_bytes"),
    [
        pytest.param("0B", 0, id="to-the-last-byte"),
        pytest.param("0B", 10_000, id="less-than-a-frame"),
        pytest.param("1MB", 500_000, id="below-min_free"),
    ],
)
def test_full_results_pause_the_intake(
    site: Site, camera: FlatCamera, tmp_path: Path, min_free: str, left_bytes: int
) -> None:
    """While the results disk is full nothing partial is seen; when it has room again, all frames follow."""
    with memory_disk(tmp_path / "disk", "4m") as disk:
        on(disk, site, "results", min_free=min_free)
        ballast = Ballast(disk)
        check_a_pause(site, camera, lambda: ballast.fill(left_bytes), ballast.release)


def test_results_without_inodes_pause_the_intake(site: Site, camera: FlatCamera, tmp_path: Path) -> None:
    """A disk that has room for bytes but not for another file is a full disk."""
    with memory_disk(tmp_path / "disk", "4m,nr_inodes=64") as disk:
        on(disk, site, "results")
        crumbs = tmp_path / "disk" / "crumbs"
        crumbs.mkdir()
        why = check_a_pause(site, camera, lambda: crumble(crumbs), lambda: sweep_up(crumbs))
    assert os.strerror(errno.ENOSPC) in why


def crumble(folder: Path) -> None:
    """Make empty files until no more can be made."""
    try:
        for number in range(1000):
            (folder / str(number)).touch()
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017 - which one it is that fails is not the point


def sweep_up(folder: Path) -> None:
    """Remove every file."""
    for crumb in folder.iterdir():
        crumb.unlink()


def test_a_full_ledger_pauses_the_intake(site: Site, camera: FlatCamera, tmp_path: Path) -> None:
    """While a decision cannot be recorded nothing is published; when it can, all frames follow."""
    with memory_disk(tmp_path / "disk", "1m") as disk:
        on(disk, site, "state")
        ballast = Ballast(disk)
        why = check_a_pause(site, camera, ballast.fill, ballast.release)
    assert "ledger" in why


# Disks that fail


@contextmanager
def fragile_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount an ext4 that turns read-only at its first error."""
    with loop_disk(tmp_path / "disk", tmp_path / "disk.img", "ext4", "errors=remount-ro") as disk:
        yield disk


def fail(disk: Path) -> None:
    """Let an ext4 find an error in itself."""
    trigger_of(disk).write_text("a test", "ascii")


def need_trigger(disk: Path) -> None:
    """Skip the test where ext4 cannot be told to find an error."""
    if not trigger_of(disk).exists():
        pytest.skip("this kernel does not let ext4 fail on request")


def trigger_of(disk: Path) -> Path:
    return Path("/sys/fs/ext4", Path(device_of(disk)).name, "trigger_fs_error")


def repair(disk: Path) -> None:
    """Do what an operator does about a failed disk, while the daemon runs: unmount, check, mount."""
    device = device_of(disk)
    unmount_when_free(disk)
    checked = subprocess.run(["e2fsck", "-f", "-y", device], capture_output=True, text=True)
    assert checked.returncode in {0, 1}, checked.stdout
    run_tool("mount", device, disk)


def test_a_results_disk_that_failed_is_repaired_under_the_daemon(
    site: Site, camera: FlatCamera, tmp_path: Path
) -> None:
    """When ext4 has turned read-only after an error, the daemon lets go of it, and waits for the repair."""
    need("e2fsck")
    with fragile_disk(tmp_path) as disk:
        on(disk, site, "results")
        need_trigger(disk)
        check_a_pause(site, camera, lambda: fail(disk), lambda: repair(disk))


@pytest.mark.parametrize("folders", [("state",), ("results", "state")], ids="-and-".join)
def test_a_ledger_disk_that_failed_is_repaired_between_two_runs(
    site: Site, camera: FlatCamera, tmp_path: Path, folders: tuple[str, ...]
) -> None:
    """The ledger's disk fails: the daemon pauses, ends when asked, and goes on after the repair."""
    need("e2fsck")
    with fragile_disk(tmp_path) as disk:
        on(disk, site, *folders)
        need_trigger(disk)
        with started(site) as daemon:
            camera.take(6)
            daemon.wait_for_verdicts(6)
            fail(disk)
            camera.take(8, is_new_scene=True)
            daemon.wait_for("intake.paused")
            check_that_all_is_whole(site, camera)
            assert daemon.stop() == 0
        assert daemon.noise == []
        repair(disk)
        with started(site) as daemon:
            (last,) = camera.take(1, is_new_scene=True)
            daemon.wait_for("frame.kept", frame=last.name)
            assert daemon.stop() == 0
        check(site, camera.shots, acknowledged=daemon.lines)


def test_results_made_read_only_pause_the_intake(site: Site, camera: FlatCamera, tmp_path: Path) -> None:
    """A results disk that is remounted read-only is waited for until it is remounted read-write."""
    with fragile_disk(tmp_path) as disk:
        on(disk, site, "results")
        why = check_a_pause(site, camera, lambda: remount(disk, "ro"), lambda: remount(disk, "rw"))
    assert os.strerror(errno.EROFS) in why


def remount(disk: Path, mode: str) -> None:
    """Change a mounted disk to ``ro`` or ``rw`` as soon as nobody writes to it."""

    def is_done() -> bool:
        try:
            run_tool("mount", "-o", f"remount,{mode}", disk)
        except ToolError:
            return False
        return True

    wait_until(is_done)


def test_an_unmounted_results_disk_is_waited_for(site: Site, camera: FlatCamera, tmp_path: Path) -> None:
    """Nothing is written below the mount point of a results disk that was taken out."""
    with fragile_disk(tmp_path) as disk:
        on(disk, site, "results")
        device = device_of(disk)

        def put_back() -> None:
            assert contents(disk) == {}
            run_tool("mount", device, disk)

        check_a_pause_blind(site, camera, lambda: unmount_when_free(disk), put_back)


def check_a_pause_blind(site: Site, camera: FlatCamera, disturb: Action, mend: Action) -> None:
    """As ``check_a_pause``; the results cannot be seen meanwhile."""
    assert "No such file" in check_a_pause(site, camera, disturb, mend)


# Disks that are not what they seem


def test_results_may_be_on_another_file_system(site: Site, tmp_path: Path) -> None:
    """Drop folder on ext4, results on tmpfs: bytes are copied, never linked across."""
    with (
        loop_disk(tmp_path / "ext4", tmp_path / "ext4.img", "ext4") as drop_disk,
        memory_disk(tmp_path / "tmpfs", "8m") as results_disk,
    ):
        on(results_disk, site, "results")
        on(drop_disk, site, "drop")
        check_an_undisturbed_run(site, FlatCamera(site, SEED))


def test_bind_mounts_of_one_file_system_are_served(site: Site, tmp_path: Path) -> None:
    """Bind mounts show one device but refuse renames and links between them, as under systemd."""
    with loop_disk(tmp_path / "disk", tmp_path / "disk.img", "ext4") as disk, all_bound(disk, site):
        assert site.drop.stat().st_dev == site.results.stat().st_dev
        refuses_links(site.drop, site.results)
        configure(site)
        check_an_undisturbed_run(site, FlatCamera(site, SEED))


@contextmanager
def all_bound(disk: Path, site: Site) -> Iterator[None]:
    """Mount a folder of the disk over each folder of a site."""
    for name in ("drop", "results", "state"):
        (disk / name).mkdir()
    with (
        mounted(disk / "drop", site.drop, "bind"),
        mounted(disk / "results", site.results, "bind"),
        mounted(disk / "state", site.state, "bind"),
    ):
        yield


def refuses_links(one: Path, other: Path) -> None:
    """Make sure that the two are what they are here for."""
    (one / "probe").touch()
    for move in (os.rename, os.link):
        with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
            move(one / "probe", other / "probe")
    (one / "probe").unlink()


@pytest.mark.parametrize("kind", ["btrfs", "xfs", "exfat", "vfat"])
def test_results_may_be_on_any_file_system(site: Site, camera: FlatCamera, tmp_path: Path, kind: str) -> None:
    """Results are the same on disks that share blocks, and on cards without links or unnamed files."""
    with loop_disk(tmp_path / "disk", tmp_path / "disk.img", kind) as disk:
        on(disk, site, "results")
        check_an_undisturbed_run(site, camera)


@pytest.mark.parametrize("kind", ["exfat", "vfat"])
def test_a_card_that_cannot_hold_a_name_stops_nothing(site: Site, tmp_path: Path, kind: str) -> None:
    """Times with colons, and names that are no text, are delivered to a card under names that it can hold."""
    names = ("10:00/a.jpg", "b?.jpg", os.fsdecode(b"c\xf6.jpg"), "d.jpg")
    shots = [Shot(name, scene_jpeg(scene, 0), scene * 10**9, scene) for scene, name in enumerate(names)]
    with loop_disk(tmp_path / "disk", tmp_path / "disk.img", kind) as disk:
        on(disk, site, "results")
        with started(site) as daemon:
            for taken in shots:
                upload(taken, site.drop)
            results = {line["frame"]: line["result"] for line in daemon.wait_for("frame.kept", len(shots))}
            assert daemon.stop() == 0
        assert contents(site.results) == {results[taken.name]: taken.data for taken in shots}
    assert results["d.jpg"] == "d.jpg"


@pytest.mark.parametrize("kind", ["ext4", "exfat", "vfat"])
def test_names_that_differ_in_case_alone_are_two_results(site: Site, tmp_path: Path, kind: str) -> None:
    """Where A.jpg and a.jpg are one name, both frames are kept, and neither replaces the other."""
    names = ("A.jpg", "a.jpg", "B.JPG")
    shots = [Shot(name, scene_jpeg(scene, 0), scene * 10**9, scene) for scene, name in enumerate(names)]
    frames = {taken.name: taken.data for taken in shots}
    with case_blind_disk(tmp_path, kind) as disk:
        on(disk, site, "results")
        if kind == "ext4":
            run_tool("chattr", "+F", site.results)
        is_case_blind(site.results)
        for _ in range(2):  # the second time without a memory
            with started(site) as daemon:
                for taken in shots:
                    upload(taken, site.drop)
                results = {line["result"]: frames[line["frame"]] for line in daemon.wait_for("frame.kept", 3)}
                assert daemon.stop() == 0
            assert contents(site.results) == results
            sweep_up(site.state)


@pytest.mark.parametrize("kind", ["ext4", "exfat", "vfat"])
def test_a_group_on_a_card_gets_the_names_of_frames_that_come_alone(tmp_path: Path, kind: str) -> None:
    """Two names that are one there, and names that it cannot hold, are told apart as if one by one."""
    names = ("A.jpg", "a.jpg", "x/12:00.jpg", "X/12:01.jpg", "x/b.jpg", "X/B.jpg", "x/c.jpg")
    frames = [(EncodedFrame(name, os.fsencode(name), 5 * 10**9), 7) for name in names]
    outcomes = []
    with case_blind_disk(tmp_path, kind) as disk:
        for way in ("alone", "together"):
            folder = disk / way
            folder.mkdir()
            if kind == "ext4":
                run_tool("chattr", "+F", folder)
            is_case_blind(folder)
            results = ResultsFolder(folder)
            if way == "alone":
                deliveries = [results.deliver(*frame) for frame in frames]
            else:
                deliveries = results.deliver_all(frames)
            outcomes.append(([delivery.name for delivery in deliveries], contents(folder)))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[1][1]) == len(names)


def case_blind_disk(tmp_path: Path, kind: str) -> AbstractContextManager[Path]:
    """Mount a disk on which names that differ in case alone are one name, or can be made so."""
    if kind == "ext4" and not Path("/sys/fs/ext4/features/casefold").exists():
        pytest.skip("this kernel's ext4 knows no casefold")
    options = ("-O", "casefold") if kind == "ext4" else ()
    return loop_disk(tmp_path / "disk", tmp_path / "disk.img", kind, mkfs_options=options)


def is_case_blind(folder: Path) -> None:
    """Make sure that the folder is what it is here for."""
    (folder / "Probe").touch()
    assert (folder / "probe").exists()
    (folder / "Probe").unlink()


# Logs and rights


@contextmanager
def unheard(site: Site, log: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the daemon with a log that fails: from the start, or after its first line."""
    command = ["sh", "-c", f'exec "$0" "$@" {log}', sys.executable, "-m", "framegate", "run"]
    command += ["--config", str(site.config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=site.home) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    "log",
    [
        pytest.param("2>/dev/full", id="full"),
        pytest.param("2>&-", id="closed"),
        pytest.param("", id="nobody-reads-any-more"),
    ],
)
def test_a_log_that_fails_does_not_disturb(site: Site, camera: FlatCamera, log: str) -> None:
    """A full or broken log, as when journald was stopped, costs its lines and nothing else."""
    with unheard(site, log) as process:
        assert process.stderr is not None
        assert ("daemon.started" in process.stderr.readline()) == (log == "")
        process.stderr.close()
        camera.take(13)
        camera.take(1, is_new_scene=True)
        wait_until(lambda: visible(site.results) == camera.expected())
        process.terminate()
        assert process.wait(WITHIN_S) == 0
    check(site, camera.shots)


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["not-written", "not-entered"])
def test_results_that_may_not_be_used_pause_the_intake(site: Site, camera: FlatCamera, mode: int) -> None:
    """Permissions taken away at run time are waited for, until they are given back."""
    need(*POWERLESS[:1])

    def change(mode: int) -> None:
        site.results.chmod(0o755)
        for folder in [*site.results.iterdir(), site.results]:
            folder.chmod(mode)

    why = check_a_pause(site, camera, lambda: change(mode), lambda: change(0o755), through=POWERLESS)
    assert os.strerror(errno.EACCES) in why


# System calls of the ledger that fail

ERRORS = ["ENOSPC", "EIO", "EROFS", "EDQUOT"]
WRITES, SYNCS = "pwrite64", "fsync,fdatasync"


def make_a_ledger(site: Site, camera: FlatCamera) -> None:
    """Run once, so that what fails in the next run is a commit."""
    with started(site) as daemon:
        camera.take(2)
        daemon.wait_for_verdicts(2)
        assert daemon.stop() == 0


def check_a_ledger_fault(site: Site, camera: FlatCamera, calls: str, inject: str) -> str:
    """Fail system calls on the ledger's log in mid-run; insist on one pause that ends by itself."""
    make_a_ledger(site, camera)
    through = tracing(calls, f"{calls}:{inject}", site.state / "ledger.sqlite3-wal")
    with started(site, through) as daemon:
        for number in range(1, 7):  # one at a time: each is a commit
            camera.take(1, is_new_scene=True)
            daemon.wait_for_verdicts(number)
        camera.take(6, is_new_scene=True)  # perhaps a single one
        daemon.wait_for_verdicts(12)
        (paused,) = daemon.wait_for("intake.paused")
        assert daemon.stop() == 0
    check_one_pause(daemon)
    check(site, camera.shots, acknowledged=daemon.lines)
    return str(paused["error"])


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("calls", [WRITES, SYNCS], ids=["write", "sync"])
def test_a_ledger_that_fails_once_pauses_the_intake(
    site: Site, camera: FlatCamera, calls: str, error: str
) -> None:
    """One failed write or sync of the ledger costs a pause; no frame is lost, doubled or reordered."""
    count = 15 if calls == WRITES else 4
    assert "ledger" in check_a_ledger_fault(site, camera, calls, f"error={error}:when={count}")


@pytest.mark.parametrize("calls", [WRITES, SYNCS], ids=["write", "sync"])
def test_a_ledger_that_fails_for_a_while_pauses_the_intake(
    site: Site, camera: FlatCamera, calls: str
) -> None:
    """The same when the next tries fail as well, and whatever is done to start anew."""
    first = 15 if calls == WRITES else 4
    check_a_ledger_fault(site, camera, calls, f"error=EIO:when={first}..{first + 2}")


@pytest.mark.parametrize("calls", [WRITES, SYNCS], ids=["write", "sync"])
def test_a_ledger_that_cannot_be_tidied_loses_nothing(site: Site, camera: FlatCamera, calls: str) -> None:
    """When the log cannot be carried over into the ledger, in mid-run or at the end, it stays the truth."""
    make_a_ledger(site, camera)
    through = tracing(calls, f"{calls}:error=EIO:when=1+", site.state / "ledger.sqlite3")
    with started(site, through) as daemon:
        camera.take(900, is_new_scene=True)  # in groups, each of which is one commit
        daemon.wait_for_verdicts(900, within_s=120)
        assert daemon.stop() == 0
    assert (site.state / "ledger.sqlite3-wal").stat().st_size > 1000 * 4096
    check(site, camera.shots)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_lock_is_seen_on_any_file_system(tmp_path: Path, kind: str) -> None:
    """Who holds a folder is found where the file system numbers its files by subvolume, too."""
    with loop_disk(tmp_path / "disk", tmp_path / "disk.img", kind) as disk:
        (disk / "drop").mkdir()
        assert not is_served(disk / "drop")
        lock = FolderLock(os.fspath(disk / "drop"), "drop folder")
        assert is_served(disk / "drop")
        with pytest.raises(AlreadyServed, match=f"by process {os.getpid()}"):
            FolderLock(os.fspath(disk / "drop"), "drop folder")
        lock.release()
