import functools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from disks import memory_disk, mounted, need_root, run_tool
from forked import framegate
from framegate.commands.demo.uploads import write_at_once
from framegate.commands.status import run_status, status_of
from framegate.commands.status_text import drawn, sparkline
from framegate.config.load import load
from framegate.daemon.lock import FolderLock
from framegate.daemon.standing import NoStatusError, StatusReader
from framegate.daemon.troubles import age
from framegate.events.base import LogEvent
from framegate.ingest.pending import Pending
from framegate.keep.schema import THE_OTHERS
from framegate.model import Reason
from framegate.notify.books import Book
from framegate.telemetry.counters import MOST_CAMERAS, Counters
from framegate.telemetry.current_status import current_status
from framegate.telemetry.output_file import OutputFile
from framegate.telemetry.status import (
    CameraStatus,
    Status,
    Totals,
    Vitals,
    from_json,
)
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site, running, started, wait_until
from stepping import Stepped

FRAMEGATE = (sys.executable, "-m", "framegate")


COUNTS = {"kept": 3, "dropped": 1, "rejected": 1, "pending": 1, "late": 0}


def status(site: Site, *options: str) -> dict[str, Any]:
    done = framegate("status", "-c", site.config, "--json", *options)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def has_kept(site: Site, frames: int) -> bool:
    """Tell whether a daemon, which may just be starting, has kept so many frames."""
    done = framegate("status", "-c", site.config, "--json")
    return done.returncode == 0 and json.loads(done.stdout)["totals"]["kept"] == frames


def heed_ctrl_c() -> None:
    """Undo what a shell does to what it runs in the background, as in a CI."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def in_words(status: Status, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(drawn(status, width))
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
        wait_until(lambda: has_kept(site, len(shots)))
        now = status(site)
    assert now["totals"] == {"seen": 40, "kept": 40, "dropped": 0, "rejected": 0, "pending": 0, "late": 0}


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
    written = grown_old(site, by_s=10)
    shown = status_of(site.config, lambda: load(site.config))
    passed_s = 10 + time.time() - written["at_s"]
    daemon.stop()
    assert not shown.hung
    assert shown.uptime_s >= written["uptime_s"] + 10
    oldest_s = written["cameras"]["default"]["oldest_pending_s"]
    now_s = shown.cameras["default"].oldest_pending_s
    assert now_s is not None
    assert oldest_s + 10 <= now_s + 0.1
    assert now_s - 0.1 <= oldest_s + passed_s
    assert shown.oldest_pending_s == shown.cameras["default"].oldest_pending_s


def grown_old(site: Site, by_s: float) -> dict[str, Any]:
    """Let the status file be that old; return what it said."""
    path = site.state / "status.json"
    written: dict[str, Any] = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**written, "at_s": written["at_s"] - by_s}), "utf-8")
    return written


def test_a_daemon_that_does_not_report_is_said_to_hang(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock that is held and a status that is 45 s old: words, a JSON key, and no success."""
    daemon = Stepped(site)
    daemon.start()
    daemon.go(0.6)
    grown_old(site, by_s=45)
    load_it = functools.partial(load, site.config)
    assert not run_status(site.config, load_it, as_json=True, watch=False)
    document = json.loads(capsys.readouterr().out)
    assert (document["running"], document["hung"]) == (True, True)
    words = in_words(status_of(site.config, load_it), 200)
    said = (
        rf"the daemon \(process {os.getpid()}\) has not reported for \d+[sm]: it hangs, gets no CPU time, or"
    )
    assert re.search(said, words)
    daemon.go(20)
    assert run_status(site.config, load_it, as_json=True, watch=False)
    daemon.stop()


def test_a_full_state_folder_is_said_at_once(site: Site) -> None:
    """What keeps the daemon from reporting stands at the top before it counts as hanging, and goes again."""
    need_root()
    with memory_disk(site.state, "1m"):
        daemon = Stepped(site)
        daemon.start()
        daemon.go(2)
        load_it = functools.partial(load, site.config)
        assert status_of(site.config, load_it).state_unwritable is None
        filling = site.state / "filling"
        with suppress(OSError):
            filling.write_bytes(b"x" * 2_000_000)
        upload(shot(0, 0), site.drop)
        daemon.go(5)
        shown = status_of(site.config, load_it)
        assert (shown.running, shown.hung) == (True, False)
        why = f"the disk of {site.state} is full: frames wait in the drop folder until the daemon can write"
        assert in_words(shown, 300).splitlines()[1].startswith(why)
        grown_old(site, by_s=45)
        shown = status_of(site.config, load_it)
        assert (shown.running, shown.hung) == (True, False)  # it is known why
        assert in_words(shown, 300).splitlines()[1].startswith(why)
        assert not run_status(site.config, load_it, as_json=True, watch=False)
        filling.unlink()
        daemon.go(60)
        shown = status_of(site.config, load_it)
        assert (shown.state_unwritable, shown.totals.kept) == (None, 1)
        daemon.stop()


def test_a_read_only_disk_is_said_unless_only_the_reader_may_not_write(site: Site) -> None:
    """A disk that the kernel has made read-only is the daemon's trouble; a sandbox of the page is not."""
    need_root()
    with memory_disk(site.state, "1m"):
        daemon = Stepped(site)
        daemon.start()
        daemon.go(2)
        daemon.stop()
        lock = FolderLock(str(site.state), "state folder")
        with mounted(site.state, site.home / "sandbox", "bind", "ro") as sandbox:
            with pytest.raises(OSError, match="Read-only"):
                (sandbox / "a").touch()
            shown = StatusReader(sandbox).read()
            assert (shown.running, shown.state_unwritable) == (True, None)
        run_tool("mount", "-o", "remount,ro", site.state)
        assert StatusReader(site.state).read().state_unwritable == f"the disk of {site.state} is read-only"
        lock.release()


def test_a_daemon_whose_state_folder_is_gone_is_not_passed_over(site: Site) -> None:
    """While a daemon serves the drop folder it is never said that none runs, wherever its state is."""
    daemon = Stepped(site)
    daemon.start()
    daemon.go(2)
    load_it = functools.partial(load, site.config)
    shutil.rmtree(site.state)
    another = "it uses another state folder: give its -c, or restart it if state.folder was edited$"
    gone = f"^a daemon serves {site.drop}, but the state folder {site.state} is not there: .*, or {another}"
    with pytest.raises(NoStatusError, match=gone) as refusal:
        status_of(site.config, load_it)
    assert told_by_check(site) == [str(refusal.value)]
    site.state.mkdir()
    daemon.go(20)
    assert status_of(site.config, load_it).running
    assert told_by_check(site) == []
    site.state = site.home / "another"
    site.state.mkdir()
    site.configure()
    with pytest.raises(NoStatusError, match=f"not with the state folder {site.state}: {another}"):
        status_of(site.config, load_it)
    daemon.stop()
    assert told_by_check(site) == []
    with pytest.raises(NoStatusError, match=r"^no daemon has run with the state folder"):
        status_of(site.config, load_it)


def told_by_check(site: Site) -> list[str]:
    """Return what `framegate check` warns of about the state folder."""
    findings = json.loads(framegate("check", "-c", site.config, "--json").stdout)["findings"]
    return [
        each["message"] for each in findings if (each["key"], each["grade"]) == ("state.folder", "warning")
    ]


def test_what_waits_to_be_told_is_shown_of_a_daemon_that_was_stopped(site: Site) -> None:
    """The last run's books, in text and JSON; a daemon that was stopped has not been lost."""
    site.configure(rest='[[notify]]\nname = "phone"\non = ["daemon.started"]\ncommand = ["false"]')
    with running(site):
        wait_until(lambda: (site.state / "status.json").exists() and failing_of(site) is not None)
    left = status(site)
    book = left["notify"]["phone"]
    assert (left["running"], left["last_heard_at_s"]) == (False, None)
    assert (book["queued"], book["waiting"]) == (1, 1)
    words = in_words(status_of(site.config, lambda: load(site.config))).splitlines()
    assert words[0] == "not running"
    assert words[1].startswith("notify phone fails: ")
    assert "notify phone: 0 of 1 told, 1 waiting" in words


def failing_of(site: Site) -> str | None:
    """Return why the last try to tell the phone has failed."""
    book: dict[str, str | None] = status(site)["notify"].get("phone", {})
    return book.get("failing")


def test_a_daemon_that_ended_without_a_stop_is_told_from_one_that_was_stopped(site: Site) -> None:
    """After `kill -9` the first line says so, and when it was heard of last; after a stop it does not."""
    with started(site) as daemon:
        wait_until((site.state / "status.json").exists)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)
    left = status_of(site.config, lambda: load(site.config))
    assert left.last_heard_at_s == json.loads((site.state / "status.json").read_bytes())["at_s"]
    heard = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(left.last_heard_at_s))
    words = f"not running: ended without a stop, last heard of at {heard}"
    assert in_words(left).splitlines()[0] == words
    with running(site):
        pass
    left = status_of(site.config, lambda: load(site.config))
    assert in_words(left).splitlines()[0] == "not running"


def test_a_ledger_that_is_gone_is_missed(site: Site) -> None:
    """Where a daemon has left its status it is not said that none has run."""
    with running(site):
        pass
    for file in site.state.glob("ledger*"):
        file.unlink()
    gone = f"^a daemon has run with the state folder {site.state}, but its ledger ledger.sqlite3 is gone"
    with pytest.raises(NoStatusError, match=gone):
        status_of(site.config, lambda: load(site.config))


def test_a_stopped_process_fails_the_command(site: Site) -> None:
    """`status` exits with 1 for a daemon that hangs."""
    with running(site):
        wait_until((site.state / "status.json").exists)
        grown_old(site, by_s=45)
        done = framegate("status", "-c", site.config)
    assert (done.returncode, "has not reported for" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"schema": 99}', '{"schema": 1, "cameras": {"a": 3}}']
)
def test_a_status_of_another_version_is_a_sentence(site: Site, text: str) -> None:
    """A file that is damaged, or written by another version, is no traceback."""
    daemon = Stepped(site)
    daemon.start()
    daemon.go(0.6)
    (site.state / "status.json").write_text(text, "utf-8")
    with pytest.raises(NoStatusError, match=r"status\.json .*restart it$"):
        status_of(site.config, lambda: load(site.config))
    daemon.stop()


def test_a_newer_daemon_may_say_more(site: Site) -> None:
    """Keys that this version does not know are passed over."""
    daemon = Stepped(site)
    daemon.start()
    upload(shot(0, 0), site.drop)
    daemon.go(2)
    path = site.state / "status.json"
    document = json.loads(path.read_text("utf-8"))
    document["new"] = document["cameras"]["default"]["new"] = 1
    path.write_text(json.dumps(document), "utf-8")
    assert status_of(site.config, lambda: load(site.config)).totals.kept == 1
    daemon.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_another_user_is_told_what_helps() -> None:
    """Who may not read the state is told whose it is, whether or not a daemon runs."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        Path(folder).chmod(0o755)
        site = Site(Path(folder))
        with running(site):
            wait_until((site.state / "status.json").exists)
            site.state.chmod(0o700)
            words = [seen_by_nobody(site)]
        words.append(seen_by_nobody(site))
    helps = "run it as root, as user root, or join the group root"
    assert words == [
        f"cannot read {site.state / name}: Permission denied: {helps}"
        for name in ("status.json", "ledger.sqlite3")
    ]


def seen_by_nobody(site: Site) -> str:
    """Return why a user without rights sees no status."""
    config = load(site.config)
    status_of(site.config, lambda: config)  # imports what it needs: python itself may be closed to others
    Path().group()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.seteuid(65534)
            status_of(site.config, lambda: config)
        except NoStatusError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        return answer.read()


def test_an_output_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    """One warning when it begins to fail, one line when it works again."""
    said: list[LogEvent] = []
    output, folder = OutputFile(said.append), tmp_path / "absent"
    write = functools.partial(Path.write_text, data="x")
    for _ in range(3):
        output.write(folder / "file", write)
    folder.mkdir()
    for _ in range(3):
        output.write(folder / "file", write)
    assert [(event.event, event.fields["file"]) for event in said] == [
        ("output.unwritable", str(folder / "file")),
        ("output.restored", str(folder / "file")),
    ]
    assert said[0].fields["error"] == "No such file or directory"


def test_what_waits_of_many_cameras_is_counted_with_the_others() -> None:
    """Names from outside do not make the document grow, and nothing is lost from the sums."""
    pending = {f"c{number}": Pending(2, float(number), f"why {number}") for number in range(300)}
    now = current_status(Counters({("kept", Reason.FIRST): 5}), Vitals(), pending, 1000.0)
    assert len(now.cameras) == MOST_CAMERAS + 1
    assert now.totals == Totals(seen=605, kept=5, pending=600)
    assert now.oldest_pending_s == 1000.0
    others = now.cameras[THE_OTHERS]
    assert others.oldest_pending_s is not None
    assert others.pending_why == f"why {1000.0 - others.oldest_pending_s:.0f}"


def test_cameras_stand_in_the_order_of_their_names() -> None:
    """Whichever was first, c2 comes before c10, and all that are counted together come last."""
    counters = Counters(
        {(name, Reason.FIRST): 1 for name in ("c10", THE_OTHERS, "gate", "c2", "2", "a\udcff")}
    )
    now = current_status(counters, Vitals(), {"c1": Pending(1, 1.0), "C": Pending(1, 1.0)}, 1000.0)
    assert list(now.cameras) == ["2", "C", "a\udcff", "c1", "c2", "c10", "gate", THE_OTHERS]
    assert list(from_json(now.to_json()).cameras) == list(now.cameras)


def test_why_the_oldest_waits_is_shown() -> None:
    """A reason that is known stands below the table, and in the JSON."""
    pending = {"c\x1b": Pending(1, 982.0, "Permission denied")}
    now = current_status(Counters(), Vitals(pid=1), pending, 1000.0)
    assert from_json(now.to_json()).cameras["c\x1b"].pending_why == "Permission denied"
    assert "1 (18s)" in in_words(now)
    assert "pending of c\\x1b: Permission denied" in in_words(now)


def test_a_frozen_camera_is_shown() -> None:
    """That a camera repeats one picture stands below the table; one counted among the others has no line."""
    counters = Counters({(f"c{number}", Reason.FIRST): 1 for number in range(MOST_CAMERAS)})
    now = current_status(counters, Vitals(pid=1), {}, 10_000.0, {"c7": 2800.0, "new": 5.0})
    assert from_json(now.to_json()).cameras["c7"].frozen_s == 7200
    assert "frozen: c7 has repeated one picture for 2h" in in_words(now)
    assert "new" not in now.cameras


def test_a_silent_camera_is_shown() -> None:
    """That a camera has sent nothing for long stands below the table, and in the JSON."""
    counters = Counters({("c7", Reason.FIRST): 1, ("c8", Reason.FIRST): 1})
    now = current_status(counters, Vitals(pid=1), {}, 10_000.0, silent_since_s={"c7": 2800.0, "new": 5.0})
    read = from_json(now.to_json()).cameras
    assert (read["c7"].silent_s, read["c8"].silent_s) == (7200, None)
    assert "silent: c7 has sent nothing for 2h" in in_words(now)
    assert "new" not in now.cameras


def test_why_a_message_is_not_told_fits_on_a_line() -> None:
    """Above the table stand the beginning and the end of what a command said at length, as wide as it is."""
    failing = f"exit code 7: {'connecting, ' * 25}no such host"
    book = Book(queued=3, told=1, waiting=2, failing=failing)
    now = current_status(Counters(), Vitals(pid=1, notify={"mail": book}), {}, 1000.0)
    for width in (80, 120):
        lines = in_words(now, width).splitlines()
        (line,) = [line for line in lines if "connecting" in line]
        assert len(line) == width
        assert re.fullmatch(r"notify mail fails: exit code 7: .*….*no such host", line)
        assert lines.index(line) == 1
        assert "notify mail: 1 of 3 told, 2 waiting" in lines


def test_a_flag_for_the_drop_folder_changes_nothing_of_the_results(site: Site) -> None:
    """`status -c FILE --drop D` shows the space of the file's results folder; without a file, of none."""
    site.configure(min_free="2MB")
    daemon = Stepped(site)
    daemon.start()
    daemon.stop()
    flags = {"drop.folder": str(site.drop)}
    left = status_of(site.config, lambda: load(site.config, flags))
    assert left.results_free_bytes == pytest.approx(shutil.disk_usage(site.results).free, rel=0.1)
    shutil.rmtree(site.results)
    left = status_of(site.config, lambda: load(site.config, flags))
    assert left.results_free_bytes is None
    assert "results" not in in_words(left)


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
    assert bool(set(row) & set("▅▆▇█")) == (width >= 80)


def test_a_person_reads_it_in_eighty_columns(site: Site) -> None:
    """What is wrong comes first and nothing is cut off; a name cannot write on the terminal."""
    site.configure(drop="camera_pattern = '^(?P<camera>c.)'", detection=DETECTION)
    daemon = Stepped(site)
    daemon.start()
    for number in range(30):
        upload(shot(number, number % 4, camera="c1"), site.drop)
    write_at_once(site.drop / "c\x1b.jpg", b"no picture")
    daemon.go(8)
    now = status_of(site.config, lambda: load(site.config))
    words = in_words(now)
    daemon.stop()
    assert time.strftime("as of %Y-%m-%d %H:%M:%S\n", time.localtime(now.at_s)) in words
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
    now = status_of(site.config, lambda: load(site.config))
    assert "No such file" in (now.paused or "")
    assert now.cameras["default"].pending == 1
    assert in_words(now).splitlines()[1].startswith("intake paused: ")
    site.results.mkdir()
    daemon.go(70)
    assert status_of(site.config, lambda: load(site.config)).paused is None
    daemon.stop()


def test_where_nothing_has_run_it_says_so(site: Site) -> None:
    """A state folder without a ledger is an error in words."""
    done = framegate("status", "-c", site.config)
    assert done.returncode == 1
    assert done.stderr.startswith("framegate: no daemon has run with the state folder")


def test_watch_shows_it_until_it_is_interrupted(site: Site) -> None:
    """--watch shows it again and again until Ctrl-C, and ends well."""
    site.configure(detection=DETECTION)
    terminal, its_end = os.openpty()
    command = [*FRAMEGATE, "status", "-c", str(site.config), "--watch"]
    with running(site):
        wait_until((site.state / "status.json").exists)
        with subprocess.Popen(command, stdout=its_end, preexec_fn=heed_ctrl_c) as shown:  # noqa: PLW1509
            seen = b""
            while seen.count(b"running for") < 2:
                assert select.select([terminal], [], [], 20)[0], seen
                seen += os.read(terminal, 65536)
            shown.send_signal(signal.SIGINT)
            assert shown.wait(10) == 0
    os.close(terminal)
    os.close(its_end)


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0s"), (8, "8s"), (119, "119s"), (180, "3m"), (7300, "2h"), (200_000, "2d")]
)
def test_ages_are_short(seconds: float, words: str) -> None:
    """A span is written with one unit."""
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("score", "threshold", "bar"),
    [
        (0.0, 2.0, "▁"), (1.0, 2.0, "▃"), (2.0, 2.0, "▄"), (2.1, 2.0, "▅"), (4.0, 2.0, "▆"), (7.0, 2.0, "▇"),
        (99.0, 2.0, "█"), (0.0, 0.0, "▁"), (0.1, 0.0, "█"), (5.0, None, "▁"),
    ],
)  # fmt: skip
def test_the_threshold_is_at_the_same_height_for_every_camera(
    score: float, threshold: float | None, bar: str
) -> None:
    """A score up to the threshold is in the lower half, one above it in the upper half and in colour."""
    drawn_bar = sparkline(CameraStatus(reasons={}, scores=(score,), thresholds=(threshold,)))
    assert drawn_bar.plain == bar
    assert bool(drawn_bar.spans) == (bar in "▅▆▇█")
