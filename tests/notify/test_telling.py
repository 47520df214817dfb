"""A real daemon tells: by real commands, and to a real server on this machine."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from forked import framegate
from framegate.notify.books import Book
from framegate.notify.notifications import IN_ORDER_S
from framegate.notify.queue import QUEUE_NAME
from framegate.notify.spool import SPOOL_NAME
from framegate.telemetry.status import from_json
from oracle import CAMERAS, DETECTION, Shot, expected, in_capture_order, shot, upload
from running import Site, running, started, wait_until
from web_server import WebServer, answers

DROP = f"settle_s = 0.05\n{CAMERAS}"
SCENES = (0, 1, 1, 2, 0, 3)


def notify(name: str, on: list[str], *, script: str = "", webhook: str = "", more: str = "") -> str:
    way = f'webhook = "{webhook}"' if webhook else f"command = {json.dumps(['sh', '-c', script])}"
    return f'[[notify]]\nname = "{name}"\non = {json.dumps(on)}\n{way}\nmost_per_hour = 100000\n{more}\n'


def listing(site: Site, name: str = "told") -> str:
    """Return a script that adds a frame to a list, in one write."""
    return f'printf "%s\\n" "$FRAMEGATE_FRAME" >> {site.home / name}'


def told(site: Site, name: str = "told") -> list[str]:
    path = site.home / name
    return path.read_text("utf-8").split("\n")[:-1] if path.exists() else []


def configure(site: Site, *tables: str) -> None:
    """Save a config as an editor does, in one step: it may be read at any time."""
    config = site.config
    site.config = config.with_suffix(".new")
    site.configure(drop=DROP, detection=DETECTION, rest="\n".join(tables))
    os.replace(site.config, config)
    site.config = config


def camera(site: Site, first: int, scenes: tuple[int, ...] = SCENES, name: str = "c1") -> list[Shot]:
    shots = [shot(first + at, scene, camera=name, folder=name) for at, scene in enumerate(scenes)]
    for taken in shots:
        upload(taken, site.drop)
    return shots


def books(site: Site) -> dict[str, Book]:
    """Return the books as the status has them, once they are there; they balance."""
    file = site.state / "status.json"
    if not file.exists():  # the daemon has just begun
        return {}
    status = from_json(file.read_bytes())
    for book in status.notify.values():
        ended = book.told + book.given_up + book.dropped + book.limited
        assert book.queued == ended + book.waiting, book
    return status.notify


def book(site: Site, name: str) -> Book:
    return books(site).get(name, Book())


def kept(shots: list[Shot]) -> list[str]:
    return [taken.name for taken in in_capture_order(expected(shots))]


def test_each_verdict_is_told_once_in_order_and_with_its_fields(site: Site, web: WebServer) -> None:
    """A command and a web address are told of the verdicts that they asked for, of their cameras."""
    configure(
        site,
        notify("all", ["kept", "dropped", "daemon.started"], webhook=web.url),
        notify("c2", ["kept"], script=listing(site), more='cameras = ["c2"]'),
    )
    with running(site) as daemon:
        shots = camera(site, 0) + camera(site, 100, name="c2")
        daemon.wait_for_verdicts(len(shots))
        wait_until(lambda: len(web.bodies) == len(shots) + 1 and len(told(site)) == len(kept(shots[6:])))
        wait_until(lambda: book(site, "all").told == len(shots) + 1)
    start, *verdicts = web.bodies
    assert start["event"] == "daemon.started"
    assert start["text"] == f"site: The daemon has started and watches its drop folder, {site.drop}"
    for name in ("c1", "c2"):
        of_camera = [taken.name for taken in in_capture_order(shots) if taken.camera == name]
        assert [body["frame"] for body in verdicts if body["camera"] == name] == of_camera
    told_kept = {body["frame"]: body["result"] for body in verdicts if body["event"] == "frame.kept"}
    assert told_kept == {name: f"{site.results}/{name}" for name in kept(shots)}
    assert told(site) == kept(shots[6:])
    assert len({body["id"] for body in web.bodies}) == len(web.bodies)
    assert web.most_at_once == 1


def test_killed_at_any_moment_it_tells_everything(site: Site, web: WebServer) -> None:
    """Kills lose no verdict and no event; what is told twice was in flight, at most one for each kill."""
    configure(
        site,
        notify("list", ["kept"], script=listing(site)),
        notify("web", ["kept", "dropped", "daemon.started"], webhook=web.url),
    )
    shots: list[Shot] = []
    kills = 5
    for life in range(kills):
        with started(site) as daemon:
            shots += camera(site, 10 * life)
            wait_until(lambda: len(told(site)) > 3 * life)  # noqa: B023
            daemon.kill()
    with running(site):
        wait_until(lambda: len(set(told(site))) == len(kept(shots)))
        wait_until(lambda: len(set(web.told("id"))) == len(shots) + kills + 1)
        wait_until(lambda: book(site, "web").waiting == book(site, "list").waiting == 0)
    assert set(web.told()) - {None} == {taken.name for taken in shots}
    assert list(dict.fromkeys(told(site))) == kept(shots)
    assert len(told(site)) - len(kept(shots)) <= kills
    assert len(web.bodies) - (len(shots) + kills + 1) <= kills
    assert book(site, "web").told == len(shots) + kills + 1


def test_what_is_told_again_after_a_lost_ledger_is_known_by_its_id(site: Site, web: WebServer) -> None:
    """When the ledger is removed its frames are judged and told again, each under the id that it had."""
    configure(site, notify("web", ["kept", "dropped"], webhook=web.url))
    with running(site) as daemon:
        shots = camera(site, 0)
        daemon.wait_for_verdicts(len(shots))
        wait_until(lambda: len(web.bodies) == len(shots))
        for file in site.state.glob("ledger.sqlite3*"):
            file.unlink()
        wait_until(lambda: len(web.bodies) == 2 * len(shots))
    ids: dict[tuple[str, str], set[str]] = {}
    for body in web.bodies:
        ids.setdefault((body["frame"], body["event"]), set()).add(body["id"])
    assert [len(each) for each in ids.values()] == [1] * len(ids)
    assert len(set.union(*ids.values())) == len(ids)


def test_the_end_is_told_at_once_or_after_the_next_start(site: Site) -> None:
    """The last verdict and the end are told before a stop is over; a way that hangs does not delay it."""
    hang = site.home / "hang"
    script = f"if test -e {hang}; then exec sleep 600; fi; {listing(site, 'slow')}"
    configure(
        site,
        notify("list", ["kept", "daemon.stopped"], script=listing(site)),
        notify("fails", ["daemon.stopped"], script="exit 1"),
        notify("slow", ["daemon.stopped"], script=script),
    )
    hang.touch()
    with running(site) as daemon:
        shots = camera(site, 0, (0,))
        daemon.wait_for_verdicts(1)
        assert daemon.stop() == 0
    assert told(site) == [shots[0].name, ""]
    assert told(site, "slow") == []
    assert daemon.lines[-1]["event"] == "daemon.stopped"
    hang.unlink()
    with running(site):
        wait_until(lambda: told(site, "slow") == [""])


def test_a_command_that_outlives_a_kill_is_ended_before_the_next(site: Site) -> None:
    """The command that a killed daemon has left running does not run beside the one of the next life."""
    script = f"echo $$ >> {site.home / 'pids'}; exec sleep 600"
    configure(site, notify("slow", ["kept"], script=script))
    pids = site.home / "pids"
    with started(site) as daemon:
        camera(site, 0, (0,))
        wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        daemon.kill()
    first = int(pids.read_text())
    os.kill(first, 0)
    with running(site):
        wait_until(lambda: pids.read_text().count("\n") == 2)
        assert not Path(f"/proc/{first}/cmdline").exists() or not Path(f"/proc/{first}/cmdline").read_bytes()
    second = Path(f"/proc/{pids.read_text().split()[1]}")  # a stop breaks off what is in flight
    wait_until(lambda: not second.exists() or not (second / "cmdline").read_bytes())
    assert from_json((site.state / "status.json").read_bytes()).notify["slow"].told == 0


def test_an_edit_counts_from_the_next_frame_on(site: Site, web: WebServer) -> None:
    """What waits goes to the new address; a new [[notify]] begins now, and a removed one is forgotten."""
    web.answer = answers(500, b"no")
    configure(site, notify("web", ["kept"], webhook=web.url), notify("gone", ["kept"], script="exit 1"))
    with running(site) as daemon:
        first = camera(site, 0)
        daemon.wait_for_verdicts(len(first))
        daemon.wait_for("notify.failed", notify="web", error="500 Internal Server Error: no")
        daemon.wait_for("notify.failed", notify="gone")
        configure(
            site,
            notify("web", ["kept"], script=listing(site, "web")),
            notify("new", ["kept"], script=listing(site, "new")),
        )
        daemon.wait_for("config.reloaded")
        second = camera(site, 100)
        daemon.wait_for_verdicts(len(first + second))
        wait_until(lambda: told(site, "web") == kept(first + second))
        daemon.wait_for("notify.recovered", notify="web")
        wait_until(lambda: told(site, "new") == kept(first + second)[len(kept(first)) :])
        wait_until(lambda: set(books(site)) == {"web", "new"} and book(site, "web").waiting == 0)
        configure(site)
        daemon.wait_for("config.reloaded", count=2)
        wait_until(lambda: not books(site))
    with running(site):  # a start without any removes the files
        assert not list(site.state.glob("notify*"))


def test_books_stand_in_the_order_of_the_config(site: Site) -> None:
    """In the status each [[notify]] stands where the config has it, also after a start and an edit."""
    names = ["d", "b", "e", "a"]
    for new in ("z", "c"):
        with running(site):
            names.insert(0, new)
            configure(site, *(notify(name, ["kept"], script="") for name in names))
            wait_until(lambda: list(books(site)) == names)


def test_a_broken_queue_is_told_once_and_frames_are_judged(site: Site) -> None:
    """Where nothing can be queued, judging goes on; when it can be again, nothing is missing."""
    configure(site, notify("list", ["kept", "daemon.started"], script=listing(site)))
    for name in (QUEUE_NAME, SPOOL_NAME):
        (site.state / name).mkdir()
    with running(site) as daemon:
        for name in (QUEUE_NAME, SPOOL_NAME):
            daemon.wait_for("output.unwritable", file=str(site.state / name))
        shots = camera(site, 0)
        daemon.wait_for_verdicts(len(shots))
        assert len(site.kept_bytes()) == len(kept(shots))
        for name in (QUEUE_NAME, SPOOL_NAME):
            shutil.rmtree(site.state / name)
        daemon.wait_for("output.restored", file=str(site.state / QUEUE_NAME))
        wait_until(lambda: told(site) == ["", *kept(shots)])
        daemon.drain()
        assert Counter(line["event"] for line in daemon.lines)["output.unwritable"] == 2


def test_too_many_are_summed_up(site: Site) -> None:
    """After most_per_hour messages no more are told; a full queue drops the oldest; both are counted."""
    configure(
        site,
        notify("few", ["kept"], script=listing(site)).replace("100000", "2"),
        notify("full", ["kept"], script="exit 1", more="most_waiting = 2"),
        notify("about", ["notify.dropped", "notify.failed"], script=listing(site, "about")),
        notify("loop", ["notify.failed"], script="exit 1"),
    )
    with running(site) as daemon:
        shots = camera(site, 0)
        daemon.wait_for_verdicts(len(shots))
        count = len(kept(shots))
        wait_until(lambda: book(site, "few").limited == count - 2)
        wait_until(lambda: book(site, "full").dropped == count - 2)
        daemon.wait_for("notify.dropped", notify="full", why="full")
        wait_until(lambda: len(told(site, "about")) == 3)  # of the failures of full and loop as well
        assert told(site) == kept(shots)[:2]
        assert book(site, "loop").queued == 1  # of the failure of full, not of its own


def test_an_event_comes_after_the_verdicts_before_it(daemon: Any, site: Site) -> None:
    """An event waits for the commit of the verdicts before it, at most some seconds; a kill loses it not."""
    configure(site, notify("list", ["kept", "camera.silent"], script=listing(site)))
    site.config.write_text(site.config.read_text().replace("settle_s", "silent_after = '1s'\nsettle_s"))
    daemon.start()
    shots = camera(site, 0, (0,))
    daemon.go(60)
    wait_until(lambda: told(site) == [shots[0].name, ""])
    assert daemon.count("camera.silent") == 1
    assert IN_ORDER_S < 60


def test_a_test_message_says_what_came_back(site: Site, web: WebServer) -> None:
    """``framegate notify --test`` tells by each, or by one, and its exit code says whether all were told."""
    configure(
        site,
        notify("good", ["kept"], script=f"cat > {site.home / 'body'}"),
        notify("web", ["kept"], webhook=web.url),
        notify("bad", ["kept"], script="echo no such host; exit 7"),
    )
    done = framegate("notify", "--test", "-c", site.config)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "good: told (exit code 0)",
        "web: told (200 OK)",
        "bad: failed (exit code 7: no such host)",
    ]
    body = json.loads((site.home / "body").read_text())
    assert (body["event"], body["to"]) == ("notify.test", "good")
    assert web.bodies[0]["text"] == "site: a test message of framegate notify --test"
    done = framegate("notify", "--test", "web", "-c", site.config, "--json")
    assert json.loads(done.stdout)["notify"] == {"web": {"told": True, "answer": "200 OK"}}
    assert done.returncode == 0
    assert framegate("notify", "-c", site.config).returncode == 2
    done = framegate("notify", "--test", "nobody", "-c", site.config)
    assert (done.returncode, done.stderr.count("it has good, web, bad")) == (1, 1)


def test_check_finds_a_program_that_is_missing(site: Site) -> None:
    """``framegate check`` says whether a command can be run; the daemon starts without it."""
    missing = notify("a", ["kept"], script="").replace('"sh"', '"no-such-program"')
    configure(site, missing, notify("b", ["kept"], script=""))
    done = framegate("check", "-c", site.config)
    assert done.returncode == 78
    assert "notify.a.command     no-such-program is not there" in done.stdout
    assert "notify.b.command" in done.stdout
    with running(site) as daemon:
        camera(site, 0, (0,))
        daemon.wait_for("notify.failed", notify="a")
