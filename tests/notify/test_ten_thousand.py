"""Ten thousand kept frames, while whoever should be told of them hangs, fails, floods, or is away.

``FRAMEGATE_NOTIFY_FRAMES=10000`` runs it in full, which takes some minutes; a few hundred frames run always.
"""

import json
import os
import re
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from framegate.notify.books import Book
from framegate.telemetry.status import from_json
from oracle import CAMERAS, DETECTION, shot, upload
from running import RunningDaemon, Site, started, wait_until
from web_server import WebServer, answers

FRAMES = int(os.environ.get("FRAMEGATE_NOTIFY_FRAMES", "300"))
KILLS = 3
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
WITHIN_S = 60.0 + FRAMES / 10
MOST_GROWTH_BYTES = 30_000_000
MOST_FACTOR = 1.15 if FRAMES >= 10_000 else 1.5
AWAY_S = 60.0 if FRAMES >= 10_000 else 1.0

pytestmark = pytest.mark.timeout(4 * WITHIN_S)


def table(name: str, way: str, more: str = "") -> str:
    return f'[[notify]]\nname = "{name}"\non = ["kept"]\nmost_per_hour = 1000000\n{way}\n{more}\n'


def cpu_of_loop_s(daemon: RunningDaemon) -> float:
    """Return the CPU time of the daemon's first thread, which decides."""
    pid = daemon.process.pid
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def rss_bytes(daemon: RunningDaemon) -> int:
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+)", status)
    return int(kilobytes) * 1024


def books(site: Site) -> dict[str, Book]:
    books = from_json((site.state / "status.json").read_bytes()).notify
    for book in books.values():
        assert book.queued == book.told + book.given_up + book.dropped + book.limited + book.waiting, book
    return books


def site_of(home: Path, *tables: str) -> Site:
    """Return a site with a backlog."""
    site = Site(home)
    site.configure(drop=f"settle_s = 0.05\n{CAMERAS}", detection=DETECTION, rest="\n".join(tables))
    for number in range(FRAMES):
        upload(shot(number, number % 4, camera="c1", folder="c1", size_bytes=600), site.drop)
    return site


@dataclass
class Life:
    """What one life of the daemon has decided, and cost."""

    verdicts: list[tuple[str, str, str | None]]
    loop_s: float
    rss_bytes: int


def undisturbed(site: Site) -> Life:
    """Judge the whole backlog in one life."""
    with started(site) as daemon:
        before_s = cpu_of_loop_s(daemon)
        daemon.wait_for_verdicts(FRAMES, WITHIN_S)
        verdicts = [(line["frame"], line["reason"], line.get("reference")) for line in daemon.verdicts()]
        life = Life(verdicts, cpu_of_loop_s(daemon) - before_s, rss_bytes(daemon))
        assert daemon.stop() == 0
    return life


def away_for(web: WebServer, seconds: float) -> None:
    """Let a server be away for some time, from its first request on."""
    began_s: list[float] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        began_s.append(time.monotonic())
        is_away = began_s[-1] < began_s[0] + seconds
        (answers(503, b"away") if is_away else answers(200))(request)

    web.answer = answer


HANGS = json.dumps(["sh", "-c", "trap '' TERM; tail -f /dev/null"])


def deaf(web: WebServer) -> list[str]:
    """Return those who do not listen: a command that hangs, one that fails, one that floods, and a server."""
    return [
        table("hangs", f"command = {HANGS}", "timeout_s = 1"),
        table("fails", 'command = ["sh", "-c", "exit 1"]'),
        table("floods", 'command = ["sh", "-c", "yes"]', "timeout_s = 2"),
        table("away", f'webhook = "{web.url}"'),
    ]


def test_whoever_does_not_listen_changes_no_verdict(tmp_path: Path, web: WebServer) -> None:
    """The loop decides the same at the same cost, and in the same memory, as without any [[notify]]."""
    alone = undisturbed(site_of(tmp_path / "alone"))
    away_for(web, AWAY_S)
    site = site_of(tmp_path / "site", *deaf(web))
    beside = undisturbed(site)
    last = books(site)
    print(
        f"{FRAMES} kept frames: CPU of the loop {alone.loop_s:.2f} s alone, {beside.loop_s:.2f} s beside;"
        f" resident {alone.rss_bytes / 1e6:.0f} MB and {beside.rss_bytes / 1e6:.0f} MB; {last}"
    )
    assert beside.verdicts == alone.verdicts
    assert beside.loop_s < MOST_FACTOR * alone.loop_s + 0.3
    assert beside.rss_bytes - alone.rss_bytes < MOST_GROWTH_BYTES


def test_kills_in_between_lose_nothing(tmp_path: Path, web: WebServer) -> None:
    """Killed while it judges, and while it tells, it has told everything in the end, in order."""
    away_for(web, AWAY_S)
    site = site_of(tmp_path / "site", *deaf(web))
    decided: dict[str, None] = {}
    sizes = []
    for kill in range(KILLS):
        with started(site) as daemon:
            wanted = FRAMES * (kill + 1) // (KILLS + 1)
            wait_until(lambda: len(decided | dict.fromkeys(names_of(daemon))) >= wanted, WITHIN_S)  # noqa: B023
            daemon.kill()
            daemon.drain()
            decided |= dict.fromkeys(names_of(daemon))
    for kill in range(KILLS):
        with started(site) as daemon:
            wanted = FRAMES * (kill + 1) // (KILLS + 2)
            wait_until(lambda: books(site).get("away", Book()).told >= wanted, WITHIN_S)  # noqa: B023
            sizes.append(rss_bytes(daemon))
            daemon.kill()
    with started(site) as daemon:
        wait_until(lambda: books(site).get("away", Book()).told == FRAMES, WITHIN_S)
        sizes.append(rss_bytes(daemon))
        assert daemon.stop() == 0
    last = books(site)
    told = [body["frame"] for body, is_told in zip(web.bodies, web.statuses, strict=True) if is_told == 200]
    repeated = len(told) - len(set(told))
    print(
        f"{2 * KILLS} kills, {repeated} told twice; resident {[size // 10**6 for size in sizes]} MB; books:"
    )
    for name, book in last.items():
        print(f"  {name}: {book}")
    names = [f"c1/c1_{number:06}.jpg" for number in range(FRAMES)]
    assert list(dict.fromkeys(told)) == names
    assert repeated <= 2 * KILLS
    assert all(book.queued == FRAMES for book in last.values())
    assert {last[name].waiting for name in ("hangs", "fails", "floods")} == {FRAMES}
    assert max(sizes) - min(sizes) < MOST_GROWTH_BYTES


def names_of(daemon: RunningDaemon) -> list[str]:
    daemon.drain()
    return [line["frame"] for line in daemon.verdicts()]
