import os
import threading
import time
from pathlib import Path

from framegate.ingest.names import NameRules
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.observer_probe import ObserverProbe
from framegate.ingest.watch.watcher import Watcher, identity_of
from troubles import LIBC

IN_CREATE = 0x100


def test_an_instance_without_a_watch_hears_nothing(drop: Path) -> None:
    """That the kernel refused the watch is seen, though watchdog does not say so."""
    probe = ObserverProbe()
    fd = LIBC.inotify_init()
    probe.measure()
    assert probe.is_watching_nothing
    assert LIBC.inotify_add_watch(fd, os.fsencode(drop), IN_CREATE) > 0
    probe.measure()
    assert not probe.is_watching_nothing
    os.close(fd)
    assert probe.fault() == "the kernel no longer watches the folder"


def test_what_was_there_before_is_not_its_own(drop: Path) -> None:
    """Descriptors and threads of others are neither judged nor closed."""
    theirs = LIBC.inotify_init()
    ends = os.pipe()
    probe = ObserverProbe()
    probe.measure()
    assert not probe.is_watching_nothing
    LIBC.inotify_add_watch(theirs, os.fsencode(drop), IN_CREATE)
    assert probe.fault() is None
    probe.end_threads(0.0)
    probe.close_leftovers()
    for fd in (theirs, *ends):
        os.close(fd)


def test_a_pipe_alone_is_not_its_own() -> None:
    """Pipes that somebody opened meanwhile stay open when watchdog has cleaned up after itself."""
    probe = ObserverProbe()
    fd = LIBC.inotify_init()
    ends = os.pipe()
    probe.measure()
    os.close(fd)
    probe.close_leftovers()
    for end in ends:
        os.close(end)


def test_a_renewed_watch_is_a_watch(drop: Path) -> None:
    """Watches have new numbers when watchdog 7.1 renews them after an overflow: that is no complaint."""
    probe = ObserverProbe()
    fd = LIBC.inotify_init()
    first = LIBC.inotify_add_watch(fd, os.fsencode(drop), IN_CREATE)
    probe.measure()
    assert LIBC.inotify_rm_watch(fd, first) == 0
    assert LIBC.inotify_add_watch(fd, os.fsencode(drop), IN_CREATE) != first
    assert probe.fault() is None
    os.close(fd)


def test_looking_at_many_folders_stays_cheap(drop: Path, rules: NameRules) -> None:
    """With thousands of folders inside, the kernel's long list is read only now and then."""
    for number in range(6000):
        (drop / str(number)).mkdir()
    inbox = Inbox()
    watcher = Watcher(drop, rules, inbox, recursive=True)
    watcher.start()
    identity, costs_s = identity_of(drop), []
    for _ in range(30):
        begun_s = time.thread_time()
        assert watcher.fault(identity) is None
        costs_s.append(time.thread_time() - begun_s)
    watcher.stop()
    inbox.close()
    assert sum(costs_s) < 5 * costs_s[0]


def test_it_knows_watchdogs_threads_from_others(drop: Path, rules: NameRules) -> None:
    """A thread of somebody else's that began and ended meanwhile is no complaint."""
    watcher = Watcher(drop, rules, Inbox(), recursive=True)
    ends = threading.Event()
    other = threading.Thread(target=ends.wait)
    probe = ObserverProbe()
    other.start()
    watcher.start()
    probe.measure()
    ends.set()
    other.join()
    assert probe.fault() is None
    watcher.stop()
    assert probe.fault() == "3 of watchdog's 3 threads ended"
