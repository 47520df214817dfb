import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

import pytest

from framegate.commands.demo.uploads import write_at_once
from framegate.config.load import load
from framegate.daemon.loop import Daemon
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.keep.disk import Disk, Step, TidyStep
from framegate.model import Origin
from invariants import check, lines_of
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site, contents, running, scanned
from stepping import FaultyDisk, Stepped


class FullDisk(Disk):
    """A disk that is full while ``is_full`` is set."""

    def __init__(self) -> None:
        self.is_full = threading.Event()

    def reach(self, step: Step | TidyStep) -> None:
        if step is Step.WRITE and self.is_full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Heard:
    """The events of a daemon that runs in a thread."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self._incoming: Queue[LogEvent] = Queue()

    def __call__(self, event: LogEvent) -> None:
        self._incoming.put(event)

    def wait_for(self, wanted: Callable[[LogEvent], bool], count: int = 1) -> list[LogEvent]:
        while len(found := [event for event in self.events if wanted(event)]) < count:
            try:
                self.events.append(self._incoming.get(timeout=15))
            except Empty:
                raise AssertionError(f"only {[event.event for event in self.events]}") from None
        return found


def named(name: str) -> Callable[[LogEvent], bool]:
    return lambda event: event.event == name


def verdict(event: LogEvent) -> bool:
    return isinstance(event, FrameDecided)


@contextmanager
def daemon_in_thread(site: Site, disk: Disk) -> Iterator[Heard]:
    heard = Heard()
    ready: Queue[Daemon] = Queue()

    def serve() -> None:  # the ledger belongs to the thread that opens it
        daemon = Daemon(load(site.config), heard, disk=disk)
        ready.put(daemon)
        daemon.run()

    thread = threading.Thread(target=serve)
    thread.start()
    daemon = ready.get(timeout=10)
    try:
        heard.wait_for(named("daemon.started"))
        yield heard
    finally:
        daemon.stop()
        thread.join(15)
    assert not thread.is_alive()


def test_a_full_disk_pauses_the_intake_and_loses_nothing(
    site: Site, tmp_path: Path, morning: list[bytes]
) -> None:
    """While results cannot be written no frame is judged twice or lost; when they can, all are, in order."""
    disk = FullDisk()
    with daemon_in_thread(site, disk) as heard:
        write_at_once(site.drop / "lot_0001.jpg", morning[0])
        heard.wait_for(verdict)
        disk.is_full.set()
        for number, data in enumerate(morning[1:], 2):
            write_at_once(site.drop / f"lot_{number:04d}.jpg", data)
        (paused,) = heard.wait_for(named("intake.paused"))
        assert "No space left" in paused.fields["error"]
        during = contents(site.results)
        disk.is_full.clear()
        heard.wait_for(named("intake.resumed"))
        verdicts = heard.wait_for(verdict, len(morning))
    assert during == {"lot_0001.jpg": morning[0]}
    names = [event.entry.key.name for event in verdicts if isinstance(event, FrameDecided)]
    assert names == sorted(names)
    assert len(names) == len(set(names)) == len(morning)
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")


def test_a_pause_is_said_once(site: Site, morning: list[bytes]) -> None:
    """However often it is tried again, a pause is one line when it begins and one when it ends."""
    disk = FullDisk()
    disk.is_full.set()
    tries = []
    reach = disk.reach

    def counted(step: Step | TidyStep) -> None:
        if step is Step.WRITE:
            tries.append(step)
            if len(tries) == 3:
                disk.is_full.clear()
        reach(step)

    disk.reach = counted  # type: ignore[method-assign]
    with daemon_in_thread(site, disk) as heard:
        write_at_once(site.drop / "a.jpg", morning[0])
        heard.wait_for(named("frame.kept"))
        heard.wait_for(named("intake.resumed"))
    assert len(tries) == 3
    assert [e.event for e in heard.events if e.event.startswith("intake.")] == [
        "intake.paused",
        "intake.resumed",
    ]


def test_a_drop_folder_that_goes_and_comes_back_is_swept_again(site: Site, morning: list[bytes]) -> None:
    """A drop folder that vanishes ends nothing; when it is there again, sweeps find its frames."""
    site.configure(drop="sweep_s = 0.2")
    with daemon_in_thread(site, Disk()) as heard:
        site.drop.rmdir()
        heard.wait_for(named("drop.absent"))
        site.drop.mkdir()
        heard.wait_for(named("drop.back"))
        write_at_once(site.drop / "a.jpg", morning[0])
        heard.wait_for(named("frame.kept"))


POWERLESS = () if os.getuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Root reads what it likes; without these two capabilities it is an owner like another."""


@pytest.mark.skipif(not all(map(shutil.which, POWERLESS[:1])), reason="root without setpriv reads any file")
def test_a_file_that_may_not_be_read_is_tried_again(site: Site, morning: list[bytes]) -> None:
    """A file without read permission is announced once, waits, and is judged when it may be read."""
    with running(site, through=POWERLESS) as daemon:
        frame = site.home / "frame"
        frame.write_bytes(morning[0])
        frame.chmod(0)
        frame.rename(site.drop / "a.jpg")
        daemon.wait_for("frame.postponed", reason="unreadable", level="warning")
        (site.drop / "a.jpg").chmod(0o644)
        daemon.wait_for("frame.kept", frame="a.jpg")
    assert len([line for line in daemon.lines if line["event"] == "frame.postponed"]) == 1


def test_an_absent_drop_folder_keeps_nobody_busy(site: Site) -> None:
    """While the drop folder is away the daemon waits from look to look, and does not spin."""
    daemon = Stepped(site)
    daemon.start()
    daemon.go(5)
    site.drop.rmdir()
    daemon.go(100)
    assert daemon.daemon is not None
    assert daemon.daemon.wait_s() > 0.1
    daemon.stop()
    assert daemon.count("drop.absent") == 1


def test_a_ledger_that_was_removed_is_said_to_be_gone(site: Site, morning: list[bytes]) -> None:
    """When somebody removes the state folder the daemon says so, waits for it, and loses no frame."""
    site.configure(drop="sweep_s = 0.5")
    with daemon_in_thread(site, Disk()) as heard:
        write_at_once(site.drop / "a.jpg", morning[0])
        heard.wait_for(verdict)
        shutil.rmtree(site.state)
        heard.wait_for(named("ledger.gone"))
        write_at_once(site.drop / "b.jpg", morning[4])
        heard.wait_for(named("intake.paused"))
        site.state.mkdir()
        heard.wait_for(named("intake.resumed"))
        heard.wait_for(verdict, 2)
    assert set(contents(site.results)) == {"a.jpg", "b.jpg"}


@pytest.mark.parametrize("sweep_s", [0.5, 3600], ids=["sweeping", "nothing due"])
def test_a_pause_ends_when_something_can_be_written_and_not_before(site: Site, sweep_s: float) -> None:
    """Tries come 1, 2, 4, 8 and 16 s apart, whether sweeps meet the same trouble or nothing is due."""
    site.configure(drop=f'watch = "poll"\npoll_s = {sweep_s}', detection=DETECTION)
    daemon = Stepped(site)
    daemon.start()
    daemon.go(5)
    shutil.rmtree(site.state)
    upload(shot(1, 0), site.drop)
    daemon.go(2)
    daemon.hint(shot(1, 0).name, Origin.MOVED)
    daemon.go(20)
    assert (daemon.count("intake.paused"), daemon.count("intake.resumed")) == (1, 0)
    site.state.mkdir()
    daemon.go(16)
    assert (daemon.count("intake.paused"), daemon.count("intake.resumed")) == (1, 1)
    daemon.stop()


def test_frames_that_are_put_back_hold_up_no_others(site: Site, morning: list[bytes]) -> None:
    """What has no end yet is put back, and the whole frames behind it are judged in the same turn."""
    for number in range(8):
        data = morning[0]
        (site.drop / f"{number}.jpg").write_bytes(data if number % 2 else data[: len(data) // 2])
    daemon = Stepped(site)
    daemon.start()
    assert daemon.daemon is not None
    while not daemon.count("frame.postponed"):
        daemon.now_s += 0.1
        daemon.daemon.turn(0)
    judged = [verdict.entry.key.name for verdict in daemon.verdicts()]
    daemon.stop()
    assert judged == ["1.jpg", "3.jpg", "5.jpg", "7.jpg"]


@pytest.mark.parametrize("pattern", ["", CAMERAS], ids=["include", "camera_pattern"])
def test_an_edit_during_a_pause_loses_no_frame(site: Site, pattern: str) -> None:
    """While a frame is held because the disk is full, names are read anew: each is judged once."""
    site.configure(detection=DETECTION, min_free="0B")
    disk = FaultyDisk()
    daemon = Stepped(site, disk)
    daemon.start()
    shots = [shot(number, number % 2) for number in range(6)]
    upload(shots[0], site.drop)
    daemon.go(40)
    disk.fail(Step.WRITE, lambda: OSError(errno.ENOSPC, "full"), lasts=True)
    for taken in shots[1:]:
        upload(taken, site.drop)
    daemon.go(40)
    assert daemon.count("intake.paused") == 1
    for include in ("*.jpg", "*.jp*"):
        site.configure(drop=f"include = ['{include}']\n{pattern}", detection=DETECTION, min_free="0B")
        daemon.go(5)
    assert daemon.count("config.reloaded") == 2
    disk.heal()
    daemon.go(100)
    daemon.stop()
    check(site, shots, acknowledged=lines_of(daemon.events))


@pytest.mark.parametrize("where", ["beside the ledger", "beside the results"])
def test_a_config_among_its_own_files_wakes_nobody_for_ever(site: Site, where: str) -> None:
    """What the daemon writes beside its config makes no work that makes more of it."""
    folder = site.state if where == "beside the ledger" else site.results
    site.config = site.config.rename(folder / "site.toml")
    site.configure(detection=DETECTION, min_free="0B")
    daemon = Stepped(site)
    daemon.start()
    upload(shot(1, 0), site.drop)
    daemon.go(60)
    assert daemon.daemon is not None
    turns = 0
    while daemon.daemon._intake.inbox._poll.poll(0) and turns < 20:
        daemon.daemon.turn(0)
        turns += 1
    assert turns < 5
    daemon.stop()
    assert len(daemon.verdicts()) == 1
