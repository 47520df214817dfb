import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framegate.commands.demo.scene import Lot
from framegate.daemon.lock import FolderLock
from framegate.daemon.standing import HUNG_S
from framegate.notify.books import Book
from framegate.telemetry.counters import RECENT_KEPT
from framegate.telemetry.status import FILE_NAME
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site, running, started, wait_until
from serving import WebServer, serving, write_status


def kept(server: WebServer, frames: int) -> bool:
    return bool(server.site()["totals"]["kept"] == frames)


def test_the_page_shows_what_a_daemon_does(site: Site) -> None:
    """Cameras by name, with counts, scores, the threshold now, and the last kept pictures, newest first."""
    site.configure(drop=CAMERAS, detection=DETECTION)
    with running(site) as daemon, serving(site) as server:
        for number in range(RECENT_KEPT + 2):
            upload(shot(number, number % 2, camera="c2"), site.drop)
        upload(shot(50, 0, camera="c1"), site.drop)
        upload(shot(51, None, camera="c1"), site.drop)
        daemon.wait_for_verdicts(RECENT_KEPT + 4)
        wait_until(lambda: kept(server, RECENT_KEPT + 3))
        shown = server.site()
        assert (shown["name"], shown["state"], shown["problems"]) == ("site", "serving", [])
        assert [camera["name"] for camera in shown["cameras"]] == ["c1", "c2"]
        c1, c2 = shown["cameras"]
        assert (c1["rejections"], c1["last_frame"]["verdict"]) == ({"undecodable": 1}, "rejected")
        assert (c2["threshold"], c2["unit"], len(c2["scores"])) == (50.0, "%", RECENT_KEPT + 1)
        assert [each["result"] for each in c2["kept"]] == [
            f"c2_{number:06}.jpg" for number in range(RECENT_KEPT + 1, 1, -1)
        ]
        assert server.get(f"/picture/{c2['kept'][0]['picture']}/320").body[8:12] == b"WEBP"
        _retuned(site, server)


def _retuned(site: Site, server: WebServer) -> None:
    text = site.config.read_text("utf-8")
    site.config.write_text(text.replace('"50%"', '"70%"'), "utf-8")
    wait_until(lambda: server.site()["cameras"][1]["threshold"] == 70.0)
    assert server.site()["cameras"][1]["thresholds"][-1] == 50.0


def test_what_was_kept_before_a_restart_is_shown_after_it(site: Site) -> None:
    """A daemon that has just started shows the last kept pictures of each camera."""
    site.configure(drop=CAMERAS, detection=DETECTION)
    with running(site) as daemon:
        for number in range(4):
            upload(shot(number, number % 2, camera="c1"), site.drop)
        daemon.wait_for_verdicts(4)
    with running(site), serving(site) as server:
        wait_until(lambda: kept(server, 4))
        (c1,) = server.site()["cameras"]
        assert [each["result"] for each in c1["kept"]] == [f"c1_{number:06}.jpg" for number in (3, 2, 1, 0)]


def test_a_results_folder_that_cannot_be_opened_is_told(site: Site) -> None:
    """Its pictures are not only gone one by one; when it is back, all is well."""
    write_status(site, {"c1": ["a.jpg"]})
    with serving(site) as server:
        server.wait_for_words("the daemon is not running: ")
        assert not re.search(r"\d\d:\d\d", server.words()[0])
        site.results.rename(site.home / "elsewhere")
        words = f"no picture can be shown: cannot open {site.results}: No such file or directory"
        assert server.words()[1:] == [words]
        (site.home / "elsewhere").rename(site.results)
        assert server.words()[1:] == []


def test_a_refused_config_is_shown_until_it_is_mended(site: Site) -> None:
    """Every error of an edit that was refused, with its line, as long as it is refused."""
    with running(site), serving(site) as server:
        good = site.config.read_text("utf-8")
        site.config.write_text(good + "\n[log]\nlevel = 'loud'\nformat = 'pretty'\n", "utf-8")
        server.wait_for_words("config refused: ")
        assert [words.partition(": ")[2].partition(":")[0] for words in server.words()] == [
            f"line {good.count(chr(10)) + 3}",
            f"line {good.count(chr(10)) + 4}",
        ]
        site.config.write_text(good, "utf-8")
        wait_until(lambda: not server.words())


def test_a_paused_intake_and_an_absent_folder_are_shown(site: Site) -> None:
    """What keeps a daemon from judging is shown in its words."""
    site.configure(min_free="900TB")
    with running(site), serving(site) as server:
        upload(shot(1, 0), site.drop)
        words = server.wait_for_words("intake paused: ")
        assert "900" in words
        assert words.endswith(": frames wait, nothing is lost; it is tried again")
        site.config.write_text(site.config.read_text("utf-8").replace("900TB", "1MB"), "utf-8")
        wait_until(lambda: kept(server, 1))
        site.drop.rename(site.home / "elsewhere")
        words = f"the drop folder {site.drop} is absent: framegate waits until it is there"
        assert server.wait_for_words("the drop folder ") == words
        (site.home / "elsewhere").rename(site.drop)


def test_a_silent_camera_is_shown_until_it_sends_again(site: Site) -> None:
    """Its problem has its name, and a phone can go to its card; the other camera has none."""
    site.configure(drop=f"silent_after = '1s'\n{CAMERAS}", detection=DETECTION)
    with running(site), serving(site) as server:
        upload(shot(1, 0, camera="c1"), site.drop)
        server.wait_for_words("silent: c1 has sent nothing for ")
        shown = server.site()
        assert [problem["camera"] for problem in shown["problems"]] == ["c1"]
        (c1,) = shown["cameras"]
        assert c1["silent_s"] >= 1
        assert c1["problems"] == [problem["words"] for problem in shown["problems"]]
        site.configure(drop=CAMERAS, detection=DETECTION)
        wait_until(lambda: server.site()["cameras"][0]["silent_s"] is None)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_that_has_ended_is_shown_as_stopped(site: Site, ending: signal.Signals) -> None:
    """At once, whatever its last status says, for the lock's word counts; and whether it was stopped."""
    with started(site) as daemon, serving(site) as server:
        upload(shot(1, 0), site.drop)
        wait_until(lambda: kept(server, 1))
        daemon.process.send_signal(ending)
        wait_until(lambda: server.site()["state"] == "stopped")
        how = "it ended without a stop, and " if ending is signal.SIGKILL else ""
        assert server.words()[0] == f"the daemon is not running: {how}what is shown here is what it said last"
        assert len(server.site()["cameras"][0]["kept"]) == 1


def test_a_daemon_without_a_sign_of_life_is_shown_as_hung(site: Site) -> None:
    """One that holds its lock and has not written its status for long hangs."""
    lock = FolderLock(os.fspath(site.state), "state folder")
    with serving(site) as server:
        _write_aged(site, -600)
        first = server.get("/now.json")
        assert first.json["sites"][0]["state"] == "serving"
        _write_aged(site, 3 * HUNG_S)
        later = server.get("/now.json", If_None_Match=first.headers["etag"])
        shown = later.json["sites"][0]
        assert shown["state"] == "hung"
        assert re.match(
            r"the daemon \(process 1\) has not reported for \d+[sm]: ", shown["problems"][0]["words"]
        )
    lock.release()


def test_how_long_a_daemon_hangs_counts_on(site: Site) -> None:
    """Each answer has the age of now, and another ETag with it, though the status file stays as it is."""
    lock = FolderLock(os.fspath(site.state), "state folder")
    with serving(site) as server:
        _write_aged(site, 2 * HUNG_S)
        before = server.get("/now.json")
        wait_until(lambda: server.words() != _words(before.json))
        later = server.get("/now.json", If_None_Match=before.headers["etag"])
        assert later.status == 200
        assert _seconds(_words(later.json)) > _seconds(_words(before.json)) >= 2 * HUNG_S
        assert later.json["sites"][0]["written_at_s"] == before.json["sites"][0]["written_at_s"]
    lock.release()


def _words(document: Any) -> list[str]:
    return [problem["words"] for problem in document["sites"][0]["problems"]]


def _seconds(words: list[str]) -> int:
    return int(re.search(r"has not reported for (\d+)s", words[0])[1])  # type: ignore[index]


def test_notifications_that_fail_are_a_problem(site: Site) -> None:
    """Where one looks when the phone gets nothing stands why, as text, until it is over."""
    failing = Book(queued=3, told=1, waiting=2, failing="exit code 7: no such host\x1b[2J")
    write_status(site, {}, notify={"phone": failing, "mail": Book(queued=1, told=1)})
    with serving(site) as server:
        assert server.words()[1:] == ["notify phone fails: exit code 7: no such host\\x1b[2J"]
        write_status(site, {}, notify={"phone": replace(failing, failing=None)})
        wait_until(lambda: server.words()[1:] == [])


def _write_aged(site: Site, age_s: float) -> None:
    write_status(site, {})
    status = site.state / FILE_NAME
    document = json.loads(status.read_bytes())
    document["at_s"] -= age_s
    status.write_text(json.dumps(document), "utf-8")


def test_sites_without_a_readable_status_say_why(tmp_path: Path) -> None:
    """No daemon has run; its status is damaged; several sites of one name are told apart."""
    never, damaged = Site(tmp_path / "never"), Site(tmp_path / "damaged")
    (damaged.state / FILE_NAME).write_text("{", "utf-8")
    with serving(never, damaged) as server:
        sites = server.now()["sites"]
        assert [site["state"] for site in sites] == ["unknown", "unknown"]
        assert [site["name"] for site in sites] == [str(never.config), str(damaged.config)]
        whys = [problem["words"] for site in sites for problem in site["problems"]]
        assert whys[0] == f"no daemon has run with the state folder {never.state}"
        assert "status.json" in whys[1]
        assert "restart it" in whys[1]
        write_status(never, {"c1": ["a.jpg"]})
        assert server.site()["state"] == "stopped"


def test_nothing_is_sent_twice_to_a_client_that_has_it(site: Site) -> None:
    """The same ETag is answered with 304 and no body, until something has changed."""
    write_status(site, {"c1": ["a.jpg"]})
    with serving(site) as server:
        first = server.get("/now.json")
        again = server.get("/now.json", If_None_Match=f'"other", {first.headers["etag"]}')
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        write_status(site, {"c1": ["a.jpg", "b.jpg"]})
        changed = server.get("/now.json", If_None_Match=first.headers["etag"])
        assert changed.status == 200
        assert [each["result"] for each in changed.json["sites"][0]["cameras"][0]["kept"]] == [
            "b.jpg",
            "a.jpg",
        ]


HOSTILE = {
    "bytes": os.fsdecode(b"c\xff\xfe"),
    "markup": "</script><img src=x onerror=alert(1)>",
    "lines": "a\nb\r\x1b[2J",
    "backwards": "\u202egpj.exe\u2066",
}


def test_hostile_names_are_text_and_valid_json(site: Site) -> None:
    """Whatever a name has in it, the document is pure Unicode on one line, and every picture has its key."""
    folder = os.fsdecode(b"f\xff")
    names = {camera: [f"{folder}/{camera}.jpg".replace("</", "")] for camera in HOSTILE.values()}
    write_status(site, names, paused=f"{HOSTILE['bytes']} {HOSTILE['backwards']}")
    picture = Lot(width=64, height=48).jpeg()
    for (name,) in names.values():
        if name.isprintable() or name.startswith(folder):
            _plant(site.results, name, picture)
    with serving(site) as server:
        reply = server.get("/now.json")
        text = reply.body.decode("ascii")
        assert not any(c in text for c in "\n\r\x1b")
        shown = _texts(reply.json)
        assert all(words.isprintable() and words.encode("utf-8") for words in shown)
        assert HOSTILE["markup"] in shown
        cameras = reply.json["sites"][0]["cameras"]
        assert len({camera["name"] for camera in cameras}) == len(HOSTILE)
        keys = [camera["kept"][0]["picture"] for camera in cameras]
        assert all(server.get(f"/picture/{key}/320").status == 200 for key in keys)


def _plant(root: Path, name: str, data: bytes) -> None:
    place = Path(os.fsdecode(os.fsencode(root) + b"/" + name.encode("utf-8", "surrogateescape")))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


def _texts(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [word for key, value in part.items() for word in (key, *_texts(value))]
    if isinstance(part, list):
        return [word for value in part for word in _texts(value)]
    return [part] if isinstance(part, str) else []
