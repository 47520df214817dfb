"""What has to be told while nothing can be written: warnings and errors, from memory."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from disks import Ballast, memory_disk
from framegate.notify.books import Book
from framegate.notify.spool import Spool
from notify.test_telling import book, camera, configure, kept, notify, told
from running import Site, running, wait_until
from web_server import WebServer, answers

PAUSE = ["intake.paused", "intake.resumed"]


@contextmanager
def moved_away(folder: Path) -> Iterator[None]:
    """Have a folder stand elsewhere."""
    away = folder.with_name("away")
    folder.rename(away)
    yield
    away.rename(folder)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Have a disk without room."""
    ballast = Ballast(folder)
    ballast.fill()
    yield
    ballast.release()


def check_an_alarm(site: Site, web: WebServer, unusable: Callable[[], AbstractContextManager[None]]) -> None:
    """Insist that a pause is told while it lasts, its end after it, and each once."""
    listing = f'printf "%s\\n" "$FRAMEGATE_EVENT" >> {site.home / "told"}'
    configure(site, notify("web", ["kept", *PAUSE], webhook=web.url), notify("list", PAUSE, script=listing))
    with running(site) as daemon:
        shots = camera(site, 0, (0,))
        wait_until(lambda: web.told() == kept(shots))
        with unusable():
            shots += camera(site, 10, (1,))
            daemon.wait_for("intake.paused")
            wait_until(lambda: told(site) == PAUSE[:1] == web.told("event")[1:2])
        wait_until(lambda: told(site) == PAUSE)
        wait_until(lambda: book(site, "list") == Book(queued=2, told=2))
        wait_until(lambda: book(site, "web") == Book(queued=4, told=4))
    assert [event for event in web.told("event") if event in PAUSE] == PAUSE
    assert [name for name in web.told() if name] == kept(shots)
    assert web.most_at_once == 1


@pytest.mark.slow
def test_a_pause_is_told_while_the_state_folder_is_away(site: Site, web: WebServer) -> None:
    """A state folder that was moved away is when an alarm is needed: it comes then, and nothing twice."""
    check_an_alarm(site, web, lambda: moved_away(site.state))


@pytest.mark.slow
@pytest.mark.xdist_group("disks")
def test_a_pause_is_told_while_the_disk_is_full(site: Site, web: WebServer, tmp_path: Path) -> None:
    """The same while the disk of the state folder has no room at all."""
    with memory_disk(tmp_path / "disk", "2m") as disk:
        site.state = disk / "state"
        site.state.mkdir()
        check_an_alarm(site, web, lambda: filled(disk))


@pytest.mark.slow
def test_who_is_away_meanwhile_is_told_later_and_no_limit_is_passed(site: Site, web: WebServer) -> None:
    """An alarm that could not be told from memory comes out of the queue; most_per_hour counts all."""
    web.answer = answers(500)
    few = notify("few", ["output.unwritable", *PAUSE], script=f"echo >> {site.home / 'told'}")
    configure(site, notify("web", PAUSE, webhook=web.url), few.replace("100000", "1"))
    with running(site) as daemon:
        with moved_away(site.state):
            camera(site, 0, (0,))
            daemon.wait_for("intake.paused")
            daemon.wait_for("notify.failed", notify="web")
        daemon.wait_for("intake.resumed")
        wait_until(lambda: book(site, "web").waiting == 2)
        ids = set(web.told("id"))
        web.bodies.clear()
        web.answer = answers(200)
        wait_until(lambda: book(site, "web").told == 2)
        wait_until(lambda: book(site, "few").waiting == 0 < book(site, "few").limited)
        assert book(site, "few").told == len(told(site)) == 1
    assert web.told("event") == PAUSE
    assert ids == {web.told("id")[0]}


def test_a_queue_that_is_broken_from_the_start_is_told(site: Site) -> None:
    """Where nothing could be queued yet, its trouble is told, once."""
    broken = site.state / "notify.sqlite3"
    broken.mkdir()
    configure(site, notify("list", ["output.unwritable"], script=f"echo >> {site.home / 'told'}"))
    with running(site) as daemon:
        wait_until(lambda: len(told(site)) == 1)
        broken.rmdir()
        daemon.wait_for("output.restored")
        wait_until(lambda: book(site, "list") == Book(queued=1, told=1))
    assert len(told(site)) == 1


def test_an_earlier_life_has_told_its_own(tmp_path: Path) -> None:
    """What a life before this one has left in the spool waits for the queue, which knows what was taken."""
    for event in ("a", "b"):
        spool = Spool(tmp_path / "events", lambda _event: None)
        spool.release(written := spool.write({"event": event, "level": "error"}))
    spool.release(spool.write({"event": "c", "level": "info"}))
    assert len(spool.waiting) == 3
    assert spool.urgent() == [written]
