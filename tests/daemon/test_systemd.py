import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from framegate.daemon.systemd import MOST_WAIT_S, PINGS, Notifier
from framegate.deadlines import NEVER_S
from invariants import check
from managers import Manager, listening
from oracle import DETECTION, shot, upload
from running import WITHIN_S, Site, started

WATCHDOG_S = 30.0


@pytest.fixture(params=["plain", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A manager at an address of each kind that systemd uses."""
    address = str(tmp_path / "notify") if request.param == "plain" else f"@framegate-test-{os.getpid()}"
    with listening(address) as manager:
        yield manager


def notifier(manager: Manager, **environ: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.address, **environ})


def test_the_manager_is_told_of_each_state(manager: Manager) -> None:
    """Ready, reloading with the time that systemd asks for, a line of status, and stopping are messages."""
    ours = notifier(manager)
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    for say in (ours.ready, ours.reloading, ours.ready, ours.stopping):
        say()
    ready, reloading, ready_again, stopping = manager.take(1)
    assert (ready, ready_again, stopping) == ("READY=1", "READY=1", "STOPPING=1")
    first, stamp = reloading.split("\n")
    assert first == "RELOADING=1"
    assert before_us <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(1) // 1000


def test_a_status_is_said_when_it_changes_and_is_one_line(manager: Manager) -> None:
    """A status that is as it was is not sent again, and no line break in it says anything else."""
    ours = notifier(manager)
    for line in ("1 frame", "1 frame", "a\nREADY=1\r\nSTOPPING=1\u2028\x0bb", "bad\udcff"):
        ours.status(line)
    assert manager.take(1) == ["STATUS=1 frame", "STATUS=a READY=1 STOPPING=1 b", "STATUS=bad\\udcff"]


@pytest.mark.parametrize("pid", [None, str(os.getpid())], ids=["unsaid", "ours"])
def test_the_watchdog_hears_three_pings_in_its_time(manager: Manager, pid: str | None) -> None:
    """However often the loop turns, WATCHDOG=1 is said at every third of the watchdog's time."""
    environ = {"WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)), **({} if pid is None else {"WATCHDOG_PID": pid})}
    ours = notifier(manager, **environ)
    pings_s = []
    for now_s in range(100, 161):
        ours.ping(now_s)
        pings_s += [now_s] * len(manager.take())
        assert now_s < ours.deadline_s() <= now_s + WATCHDOG_S / PINGS
    assert pings_s[0] == 100
    assert {later - earlier for earlier, later in pairwise(pings_s)} == {WATCHDOG_S / PINGS}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ""},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "-5"},
    ],
    ids=["none", "another process", "no process", "no number", "zero", "negative"],
)
def test_who_is_asked_for_no_ping_gives_none(manager: Manager, environ: dict[str, str]) -> None:
    """Without a watchdog, or with one that is meant for another process, there is no ping and no deadline."""
    ours = notifier(manager, **environ)
    for now_s in (0.0, 1e9):
        ours.ping(now_s)
        assert ours.deadline_s() == NEVER_S
    ours.ready()
    assert manager.take(1) == ["READY=1"]


def everything(ours: Notifier) -> list[Callable[[], None]]:
    return [ours.ready, ours.reloading, ours.stopping, lambda: ours.status("x"), lambda: ours.ping(5.0)]


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "@nobody-listens", "@", "x" * 200])
def test_where_nobody_listens_nothing_is_raised(address: str) -> None:
    """No socket, a dead one, or an address that is none: the daemon goes on in silence."""
    for say in everything(Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"})):
        say()


def test_a_manager_that_has_ended_is_no_trouble(tmp_path: Path) -> None:
    """A socket whose listener is gone raises nothing, and one that comes back in its place is heard."""
    address = tmp_path / "notify"
    with listening(address) as manager:
        ours = notifier(manager)
    ours.ready()
    address.unlink()
    ours.ready()
    with listening(address) as again:
        ours.ready()
        assert again.take(1) == ["READY=1"]


def test_a_manager_that_does_not_listen_holds_nobody_up(manager: Manager) -> None:
    """When the manager's queue is full a message is given up after a moment: frames come first."""
    ours = notifier(manager)
    address = "\0" + manager.address[1:] if manager.address.startswith("@") else manager.address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, suppress(BlockingIOError):
        other.setblocking(False)
        while True:
            other.sendto(b"x", address)
    began_s = time.monotonic()
    ours.ready()
    assert time.monotonic() - began_s < MOST_WAIT_S + WITHIN_S


def test_the_daemon_tells_its_manager_of_its_whole_life(site: Site, tmp_path: Path) -> None:
    """Ready before the backlog is done, reloading and ready at each SIGHUP, refused or not, then stopping."""
    site.configure(detection=DETECTION)
    shots = [shot(number, number % 2, size_bytes=200_000) for number in range(300)]
    for taken in shots:
        upload(taken, site.drop)
    with listening(tmp_path / "notify") as manager:
        through = ("env", f"NOTIFY_SOCKET={manager.address}")
        with started(site, through=through) as daemon:
            manager.wait_for("READY=1")
            daemon.drain()
            assert len(daemon.verdicts()) < len(shots)
            assert not [said for said in manager.heard if said.startswith("RELOADING")]
            good = site.config.read_bytes()
            for number, text in enumerate((good, b"nonsense", good), 1):
                site.config.write_bytes(text)
                daemon.process.send_signal(signal.SIGHUP)
                manager.wait_for("RELOADING=1\nMONOTONIC_USEC=", number)
                manager.wait_for("READY=1", number + 1)
            daemon.wait_for("config.refused")
            daemon.wait_for_verdicts(len(shots))
            assert daemon.stop() == 0  # systemd kills it after 30 s; this waits for 20
            manager.wait_for("STOPPING=1")
    states = [said.partition("\n")[0] for said in manager.heard if not said.startswith("STATUS")]
    assert states == ["READY=1", *["RELOADING=1", "READY=1"] * 3, "STOPPING=1"]
    check(site, shots, acknowledged=daemon.lines)


def test_the_daemon_lives_for_its_watchdog_also_in_a_backlog(site: Site, tmp_path: Path) -> None:
    """The pings come in time while hundreds of frames are judged, and while nothing happens at all."""
    site.configure(detection=DETECTION)
    shots = [shot(number, number % 2, size_bytes=200_000) for number in range(300)]
    for taken in shots:
        upload(taken, site.drop)
    with listening(tmp_path / "notify") as manager:
        through = ("env", f"NOTIFY_SOCKET={manager.address}", "WATCHDOG_USEC=6000000")
        with started(site, through=through) as daemon:
            heard_at_s: list[float] = []
            for _ in range(4):
                manager.wait_for("WATCHDOG=1", len(heard_at_s) + 1)
                heard_at_s.append(time.monotonic())
            daemon.wait_for_verdicts(len(shots))
            assert daemon.stop() == 0
    assert max(later - earlier for earlier, later in pairwise(heard_at_s)) < 6
