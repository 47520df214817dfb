import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest
from rich.console import Console

from forked import framegate
from framegate.config import load, state_folders_in_spite_of
from framegate.demo.uploads import write_at_once
from framegate.service.status_view import age, drawn, sparkline, status_of
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site, running, started, wait_until
from stepping import Stepped

FRAMEGATE = (sys.executable, "-m", "framegate")


COUNTS = {"kept": 3, "dropped": 1, "rejected": 1, "pending": 1}


def status(site: Site, *options: str) -> dict[str, Any]:
    done = framegate("status", "-c", site.config, "--json", *options)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def heed_ctrl_c() -> None:
    """Undo what a shell does to what it runs in the background, as in a CI."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def in_words(document: dict[str, Any], width: int = 80) -> str:
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(drawn(document, width))
    console.file.close()
    return console.export_text()


def balance(document: dict[str, Any]) -> bool:
    """Tell whether the books balance, of each camera and of all."""
    pages = [*document["cameras"].values(), document["totals"]]
    each = all(p["seen"] == p["kept"] + p["dropped"] + p["rejected"] + p["pending"] for p in pages)
    reasons = all(
        sum(p["reasons"].values()) == p["seen"] - p["pending"] for p in document["cameras"].values()
    )
    return each and reasons


def test_a_running_daemon_is_shown_as_it_is(site: Site) -> None:
    """Counts by camera and reason, what waits, the last frames and scores, and books that balance."""
    site.configure(drop=f"give_up_s = 600\n{CAMERAS}", detection=DETECTION)
    with running(site) as daemon:
        for number, (scene, camera) in enumerate([(0, "c1"), (0, "c1"), (1, "c1"), (2, "c2"), (None, "c2")]):
            upload(shot(number, scene, camera=camera), site.drop)
        (site.drop / "c1_cut.jpg").write_bytes(shot(9, 0).data[:700])
        daemon.wait_for_verdicts(5)
        wait_until(lambda: status(site)["totals"] == {"seen": 6, **COUNTS})
        now = status(site)
    assert now["running"]
    assert now["pid"] == daemon.process.pid
    assert (now["watch"], now["config_revision"], now["config_refused"], now["paused"]) == (
        "inotify",
        1,
        [],
        None,
    )
    c1, c2 = now["cameras"]["c1"], now["cameras"]["c2"]
    assert (c1["kept"], c1["dropped"], c1["pending"]) == (2, 1, 1)
    assert c2["reasons"] == {"first": 1, "undecodable": 1}
    assert c1["last_kept"]["frame"] == "c1_000002.jpg"
    assert len(c1["scores"]) == 2
    assert balance(now)


def test_what_a_daemon_has_left_is_shown_too(site: Site) -> None:
    """Without a daemon counts come from the ledger, and what waits from the folder; nothing is changed."""
    site.configure(detection=DETECTION)
    with running(site) as daemon:
        for number in range(4):
            upload(shot(number, number % 2), site.drop)
        daemon.wait_for_verdicts(4)
    upload(shot(5, 0), site.drop)
    before = {path: path.stat().st_mtime_ns for path in site.state.iterdir()}
    left = status(site)
    assert not left["running"]
    assert (left["totals"]["kept"], left["totals"]["pending"], left["totals"]["seen"]) == (4, 1, 5)
    assert left["oldest_pending_s"] > 0
    assert balance(left)
    assert {path: path.stat().st_mtime_ns for path in site.state.iterdir()} == before


def test_the_books_balance_after_a_kill(site: Site) -> None:
    """Killed in mid-work, the daemon counts on from what the ledger has, and counts nothing twice."""
    site.configure(detection=DETECTION)
    shots = [shot(number, number % 3) for number in range(40)]
    with started(site) as daemon:
        for taken in shots:
            upload(taken, site.drop)
        daemon.wait_for_verdicts(10)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)
    left = status(site)
    assert balance(left)
    assert left["totals"]["seen"] == len(shots)
    with running(site):
        wait_until(lambda: status(site)["totals"]["kept"] == len(shots))
        now = status(site)
    assert now["totals"] == {"seen": 40, "kept": 40, "dropped": 0, "rejected": 0, "pending": 0}


def test_a_refused_edit_is_shown_and_the_daemon_found_all_the_same(site: Site) -> None:
    """While the file is wrong, status reads it as far as it goes, and says what is wrong with it."""
    with running(site) as daemon:
        text = site.config.read_text("utf-8")
        for count, broken in enumerate(("settle_s = 1\n", '[drop]\nfolder = "x"\n', "= = =\n"), 1):
            site.config.write_text(text + broken, "utf-8")
            daemon.wait_for("config.refused", count)
            wait_until(lambda: bool(status(site)["config_refused"]))
            assert "line " in status(site)["config_refused"][0]
        site.config.write_text(text, "utf-8")
        daemon.wait_for("config.mended")
        wait_until(lambda: not status(site)["config_refused"])


@pytest.mark.parametrize("spoil", ["removed", "a folder", "empty", "only a comment", "no key of the state"])
def test_a_daemon_is_found_without_its_config(
    site: Site, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    """Whatever has become of the file, the daemon that goes on by it is shown; its folder is where it was."""
    monkeypatch.setenv("XDG_STATE_HOME", str(site.home))
    site.state = site.home / "framegate" / "lot"
    site.state.mkdir(parents=True)
    site.configure()
    with running(site):
        wait_until((site.state / "status.json").exists)
        text = site.config.read_text("utf-8")
        site.config.unlink()
        if spoil == "a folder":
            site.config.mkdir()
        elif spoil != "removed":
            misspelt = text.replace("[state]\nfolder", "[state]\nfoldr")
            broken = {"empty": "", "only a comment": "# off\n", "no key of the state": misspelt}
            site.config.write_text(broken[spoil], "utf-8")
        assert status(site)["running"]
        if site.config.is_dir():
            site.config.rmdir()


def test_ages_grow_while_nothing_happens(site: Site) -> None:
    """A frame that waits, and the daemon, are as old as they are, however long ago the file was written."""
    daemon = Stepped(site)
    daemon.start()
    (site.drop / "cut.jpg").write_bytes(shot(0, 0).data[:700])
    daemon.go(0.6)
    path = site.state / "status.json"
    written = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**written, "at_s": written["at_s"] - 100}), "utf-8")
    shown = status_of(site.config, lambda: load(site.config))
    daemon.stop()
    for age_of in (lambda s: s["uptime_s"], lambda s: s["cameras"]["default"]["oldest_pending_s"]):
        assert age_of(shown) >= age_of(written) + 100


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_a_narrow_terminal_is_shown_less_and_nothing_cut(site: Site, width: int) -> None:
    """The camera, what is kept and what waits are there at any width."""
    site.configure(drop="camera_pattern = '^(?P<camera>c.)'", detection=DETECTION)
    daemon = Stepped(site)
    daemon.start()
    for number in range(12):
        upload(shot(number, number % 4, camera="c1"), site.drop)
    daemon.go(8)
    words = in_words(status_of(site.config, lambda: load(site.config)), width)
    daemon.stop()
    row = next(line for line in words.splitlines() if line.startswith("c1"))
    assert len(row) <= width
    assert "12" in row.split()
    assert ("█" in row) == (width >= 80)


def test_a_state_folder_is_found_in_a_broken_file(site: Site) -> None:
    """The table [state], or else the drop folder, names the state folder, whatever else the file says."""
    site.config.write_text("[drop\n= =\n[state]\nfolder = 'mine'\n[drop]\nfolder = 3 3\n", "utf-8")
    assert next(state_folders_in_spite_of(site.config)) == site.home / "mine"


def test_a_person_reads_it_in_eighty_columns(site: Site) -> None:
    """What is wrong comes first and nothing is cut off; a name cannot write on the terminal."""
    site.configure(drop="camera_pattern = '^(?P<camera>c.)'", detection=DETECTION)
    daemon = Stepped(site)
    daemon.start()
    for number in range(30):
        upload(shot(number, number % 4, camera="c1"), site.drop)
    write_at_once(site.drop / "c\x1b.jpg", b"no picture")
    daemon.go(8)
    words = in_words(status_of(site.config, lambda: load(site.config)))
    daemon.stop()
    assert max(map(len, words.splitlines())) <= 80
    assert re.search(r"^c1 +30 +30 +0 +0 +0 +\d+s +\d+s +[▁-█]{20}$", words, re.MULTILINE)
    assert "rejected of c\\x1b: 1 undecodable" in words
    assert "\x1b" not in words


def test_trouble_stands_at_the_top(site: Site) -> None:
    """A paused intake, an absent folder and a refused config are said before the counts."""
    site.configure(detection=DETECTION)
    daemon = Stepped(site)
    daemon.start()
    upload(shot(0, 0), site.drop)
    shutil.rmtree(site.results)
    daemon.go(5)
    document = status_of(site.config, lambda: load(site.config))
    assert "No such file" in document["paused"]
    assert document["cameras"]["default"]["pending"] == 1
    assert in_words(document).splitlines()[1].startswith("intake paused: ")
    site.results.mkdir()
    daemon.go(70)
    assert status_of(site.config, lambda: load(site.config))["paused"] is None
    daemon.stop()


def test_where_nothing_has_run_it_says_so(site: Site) -> None:
    """A state folder without a ledger is an error in words."""
    done = framegate("status", "-c", site.config)
    assert done.returncode == 1
    assert done.stderr.startswith("framegate: no daemon has run with the state folder")


def test_watch_shows_it_until_it_is_interrupted(site: Site) -> None:
    """--watch goes on until Ctrl-C, and ends well."""
    site.configure(detection=DETECTION)
    with running(site):
        command = [*FRAMEGATE, "status", "-c", str(site.config), "--watch"]
        screen, terminal = pty.openpty()
        with subprocess.Popen(command, stdout=terminal, preexec_fn=heed_ctrl_c) as shown:  # noqa: PLW1509
            os.close(terminal)
            try:
                printed = b""
                while b"running for" not in printed:
                    printed += os.read(screen, 4096)
                shown.send_signal(signal.SIGINT)
                assert shown.wait(10) == 0
            finally:
                shown.kill()
                os.close(screen)


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0s"), (8, "8s"), (119, "119s"), (180, "3m"), (7300, "2h"), (200_000, "2d")]
)
def test_ages_are_short(seconds: float, words: str) -> None:
    """A span is written with one unit."""
    assert age(seconds) == words


def test_a_sparkline_is_as_tall_as_its_largest() -> None:
    """Scores are drawn from nothing to the largest."""
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""
