import fcntl
import json
import os
import socket
import subprocess
import sys
import tty
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framegate.commands.demo.uploads import write_at_once
from framegate.config.telling.log import LogSettings
from framegate.deadlines import NEVER_S
from framegate.events.base import LogEvent
from framegate.events.daemon import LogLost
from framegate.events.frames import FrameDecided, FramePostponed
from framegate.events.watch import DropAbsent, SweepEnded
from framegate.model import ChangeScore, Entry, FileKey, Reason, Region
from framegate.telemetry.log import Log, log_listener
from framegate.telemetry.log_stream import MOST_WAITING, LogStream
from running import WITHIN_S, Site, wait_until

SCORE = ChangeScore(1.25, 0.2, "%", tuple(Region(x, 2, 3, 4, 5.0) for x in range(20)), 2880.0, (640, 360))
KEPT = FrameDecided(
    Entry(
        FileKey("bad\udcff\n.jpg", 1234, 0), "c21", 1_700_000_000_250_000_000, Reason.CHANGED, 0, 3,
        score=1.25, threshold=0.2, unit="%", reference="before.jpg", result="bad\udcff\n.jpg",
    ),
    7.125,
    SCORE,
)  # fmt: skip

RUN = (sys.executable, "-m", "framegate", "run", "-c")


def status(site: Site) -> dict[str, Any]:
    """Return what the daemon has written of itself; nothing before it has."""
    try:
        return dict(json.loads((site.state / "status.json").read_text("utf-8")))
    except FileNotFoundError:
        return {}


def printed(tmp_path: Path, *events: LogEvent, is_terminal: bool = False, **settings: Any) -> str:
    path = tmp_path / "log"
    with path.open("wb") as file:
        listen = log_listener(LogStream(file.fileno()), LogSettings(**settings), is_terminal=is_terminal)
        for event in events:
            listen(event)
    return path.read_text("utf-8")


def test_a_frame_is_one_json_line_with_the_numbers_compared(tmp_path: Path) -> None:
    """A verdict's line has its event first, both compared numbers, the reference, and the largest regions."""
    (line,) = printed(tmp_path, KEPT).splitlines()
    fields = json.loads(line)
    assert list(fields)[:3] == ["timestamp", "level", "event"]
    assert {key: fields[key] for key in ("event", "camera", "frame", "reason", "reference")} == {
        "event": "frame.kept",
        "camera": "c21",
        "frame": "bad\udcff\n.jpg",
        "reason": "changed",
        "reference": "before.jpg",
    }
    assert (fields["score"], fields["threshold"], fields["unit"]) == (1.25, 0.2, "%")
    assert (fields["duration_ms"], fields["config_revision"]) == (7.12, 3)
    assert fields["captured_at"] == "2023-11-14T22:13:20.250Z"
    assert (fields["region_count"], len(fields["regions"])) == (20, 8)
    assert set(fields["regions"][0]) == {"x", "y", "width", "height", "area_px"}


def test_a_verdicts_line_is_this_text(tmp_path: Path) -> None:
    """What programs parse stays as it is, to the byte: the fields, their order, and how they are written."""
    event = replace(KEPT, score=replace(SCORE, regions=SCORE.regions[:1]))
    _, _, text = printed(tmp_path, event).partition("Z")
    assert text == (
        '", "level": "info", "event": "frame.kept", "camera": "c21", "frame": "bad\\udcff\\n.jpg",'
        ' "reason": "changed", "score": 1.25, "threshold": 0.2, "unit": "%", "reference": "before.jpg",'
        ' "result": "bad\\udcff\\n.jpg", "captured_at": "2023-11-14T22:13:20.250Z", "size_bytes": 1234,'
        ' "duration_ms": 7.12, "config_revision": 3, "region_count": 1, "regions": [{"x": 0, "y": 2,'
        ' "width": 3, "height": 4, "area_px": 5.0}], "working_size": [640, 360]}\n'
    )


JSON_LOG = """
import os, sys
from framegate.config.telling.log import LogSettings
from framegate.daemon.process import serve
from framegate.telemetry.log import log_listener
from framegate.telemetry.log_stream import LogStream

log_listener(LogStream(1), LogSettings(format=sys.argv[1]))
print(*sorted({"rich", "pygments", "structlog"} & set(sys.modules)))
"""


def test_a_daemon_that_writes_json_carries_nothing_for_terminals() -> None:
    """What draws lines for people takes 6 MB: a daemon under systemd does without it."""
    found = {kind: execute((sys.executable, "-c", JSON_LOG, kind)) for kind in ("json", "console")}
    assert found["json"] == "\n"
    assert "structlog" in found["console"]


def execute(command: tuple[str, ...]) -> str:
    """Run a program of its own, for what this process has imported is not forgotten; return its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_people_get_a_console_line_without_color_in_a_file(tmp_path: Path) -> None:
    """The console format is for eyes: no regions, and no escape codes outside a terminal."""
    text = printed(tmp_path, KEPT, format="console")
    assert "frame.kept" in text
    assert "score=1.25% threshold=0.2%" in text
    assert "unit" not in text
    assert "regions" not in text
    assert "\x1b" not in text


def test_a_name_cannot_write_on_the_operators_terminal(tmp_path: Path) -> None:
    """What a terminal would obey in a file's name is printed as text, on the console as well."""
    name = "\x1b]0;owned\x07\x1b[31m\u202egpj.jpg"
    event = FramePostponed(name, "unreadable", is_warning=True)
    text = printed(tmp_path, event, format="console")
    assert text.rstrip("\n").isprintable()
    assert r"\x1b]0;owned" in text


def test_lines_below_the_level_are_not_printed(tmp_path: Path) -> None:
    """The level keeps the log short."""
    events = [SweepEnded("round", 0, 0, 0.1), DropAbsent("/drop", "gone")]
    assert "drop.absent" in (text := printed(tmp_path, *events, level="warning"))
    assert "sweep.ended" not in text


class Reading:
    """The other end of a log that nobody has read yet."""

    def __init__(self, kind: str) -> None:
        if kind == "terminal":
            self.end, self.fd = os.openpty()
            tty.setraw(self.fd)
        elif kind == "socket":
            ours, theirs = socket.socketpair()
            self.end, self.fd = ours.detach(), theirs.detach()
        else:
            self.end, self.fd = os.pipe()

    def take(self) -> bytes:
        """Return what has come; nothing is waited for."""
        os.set_blocking(self.end, False)
        taken = b""
        with suppress(BlockingIOError):
            while piece := os.read(self.end, 65536):
                taken += piece
        return taken

    def close(self) -> None:
        os.close(self.end)
        os.close(self.fd)


@pytest.fixture(params=["pipe", "terminal", "socket", "another user's pipe"])
def unread(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    """A log output of each kind."""
    if request.param == "another user's pipe":
        monkeypatch.setattr(os, "open", denied)
    reading = Reading(request.param)
    yield reading
    reading.close()


def denied(path: str, _flags: int) -> int:
    raise PermissionError(path)


@pytest.fixture
def log(unread: Reading) -> Iterator[Log]:
    """A log that writes there."""
    stream = LogStream(unread.fd)
    yield Log(stream, LogSettings(format="json"), is_terminal=False)
    stream.close()


class LineOfATest(LogEvent, name="test.line"):
    """A line of a size that the test chooses."""

    number: int
    filling: str


def numbered(number: int, *, size: int = 300) -> LogEvent:
    return LineOfATest(number, "x" * size)


def test_a_log_that_nobody_reads_loses_lines_but_waits_for_nobody(unread: Reading, log: Log) -> None:
    """No line waits for its reader; one that is back gets whole lines, and how many it missed is told."""
    flags = fcntl.fcntl(unread.fd, fcntl.F_GETFL)
    told: list[LogEvent] = []
    log.tell = told.append
    for number in range(5000):
        log(numbered(number, size=6000 if number % 7 == 0 else 300))
    assert log.lines_lost > 3000
    text = b""
    for now_s in range(5000):  # the daemon's loop, in which nothing else happens
        text += unread.take()
        if log.deadline_s() == NEVER_S:
            break
        log.run_due(float(now_s))
    log(numbered(-1))
    lines = [json.loads(line) for line in (text + unread.take()).splitlines()]
    read = [line["number"] for line in lines if line["event"] == "test.line"]
    assert read == [*range(5000 - log.lines_lost), -1]
    assert [line["event"] for line in lines[-2:]] == ["log.lost", "test.line"]
    assert lines[-2]["lines"] == log.lines_lost
    assert told == [LogLost(log.lines_lost)]
    assert fcntl.fcntl(unread.fd, fcntl.F_GETFL) == flags


def test_what_is_missing_was_one_stretch_of_time(unread: Reading, log: Log) -> None:
    """After the first lost line none is taken until those that wait are written: no line stands in a gap."""
    for number in range(3000):
        log(numbered(number))
    text = unread.take()
    for number in range(3000, 3100):
        log(numbered(number))
    for now_s in range(3000):
        text += unread.take()
        log.run_due(float(now_s))
    log(numbered(3100))
    lines = [json.loads(line) for line in (text + unread.take()).splitlines()]
    (told,) = [line for line in lines if line["event"] == "log.lost"]
    before = lines[: lines.index(told)]
    assert [line["number"] for line in before] == list(range(3100 - told["lines"]))
    assert [line["number"] for line in lines[len(before) + 1 :]] == [3100]


def test_a_slow_reader_loses_nothing(unread: Reading, log: Log) -> None:
    """A reader that is behind by a few hundred lines gets them all, in their order."""
    text = b""
    for number in range(2000):
        log(numbered(number))
        if number > 400 and number % 10 == 0:
            text += unread.take()
    for now_s in range(2000):
        text += unread.take()
        log.run_due(float(now_s))
    assert [json.loads(line)["number"] for line in text.splitlines()] == list(range(2000))
    assert log.lines_lost == 0


def test_a_line_is_completed_when_its_disk_has_room_again(tmp_path: Path) -> None:
    """A full disk keeps lines waiting; none follows half of another."""
    script = (
        "import resource, signal, sys\n"
        "from framegate.telemetry.log_stream import LogStream\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "stream = LogStream(2)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "for number in range(20): stream.msg(f'{number:099}')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "stream.msg('end')\n"
        "sys.exit(stream.lost)\n"
    )
    with (tmp_path / "log").open("wb") as file:
        subprocess.run([sys.executable, "-c", script], stderr=file, check=True, timeout=30)
    assert (tmp_path / "log").read_text().splitlines() == [*(f"{n:099}" for n in range(20)), "end"]


def test_a_reader_that_is_gone_is_survived_and_its_lines_counted() -> None:
    """A closed pipe raises nothing, and the count is not told to nobody again and again."""
    reader, fd = os.pipe()
    os.close(reader)
    stream = LogStream(fd)
    log = Log(stream, LogSettings(), is_terminal=False)
    for _ in range(3):
        log(KEPT)
        log.run_due(0.0)
    stream.close()
    os.close(fd)
    assert log.lines_lost == 3
    assert log.deadline_s() == NEVER_S


def test_a_daemon_goes_on_and_ends_while_nobody_reads_its_log(site: Site) -> None:
    """Frames are judged behind a full pipe; SIGTERM ends it in time; status says what was lost."""
    site.configure(rest='[log]\nlevel = "debug"')
    count = MOST_WAITING + 400
    for number in range(count):
        (site.drop / f"f{number:04}.jpg").write_bytes(b"no picture")
    reader, fd = os.pipe()
    with subprocess.Popen([*RUN, str(site.config)], stderr=fd, stdout=fd) as process:
        try:
            wait_until(lambda: status(site).get("totals", {}).get("rejected") == count, 60)
            wait_until(lambda: status(site)["log_lines_lost"] > 0)
            process.terminate()
            assert process.wait(WITHIN_S) == 0  # systemd kills it after 30 s
        finally:
            process.kill()
            os.close(reader)
            os.close(fd)


def is_told_while_reading(reader: int, told: Path) -> bool:
    with suppress(BlockingIOError):
        os.read(reader, 65_536)
    return told.exists() and b'"log.lost"' in told.read_bytes()


def test_lost_lines_are_told_to_who_wants_to_know(site: Site) -> None:
    """When the log is read again, a [[notify]] of log.lost says that lines are missing."""
    told = site.home / "told"
    notify = f"[[notify]]\nname = 'list'\non = 'log.lost'\ncommand = ['tee', '{told}']"
    site.configure(rest=f'[log]\nlevel = "debug"\n{notify}')
    for number in range(MOST_WAITING // 2):
        (site.drop / f"f{number:04}.jpg").write_bytes(b"no picture")
    reader, fd = os.pipe()
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen([*RUN, str(site.config)], stderr=fd, stdout=fd) as process:
        try:
            wait_until(lambda: status(site).get("log_lines_lost", 0) > 0, 60)
            os.set_blocking(reader, False)
            wait_until(lambda: is_told_while_reading(reader, told))
        finally:
            process.kill()
            os.close(reader)
            os.close(fd)


@pytest.mark.parametrize("what", ["a traceback", "a usage error"])
def test_last_words_wait_for_nobody(what: str) -> None:
    """What Python or the command line prints into a full pipe is lost, and the process still ends."""
    script = (
        "import sys, typer\n"
        "from framegate.telemetry.log_stream import own_stderr\n"
        "stream = own_stderr()\n"
        "for _ in range(2000): stream.msg('x' * 300)\n"
    )
    words = "'words ' * 50_000"
    if what == "a usage error":
        script += f"typer.echo({words}, err=True); sys.exit(3)"
    else:
        script += f"raise ValueError({words})"
    reader, fd = os.pipe()
    done = subprocess.run([sys.executable, "-c", script], stderr=fd, timeout=60, check=False)
    os.close(reader)
    os.close(fd)
    assert done.returncode == (3 if what == "a usage error" else 1)


def test_last_words_reach_a_reader() -> None:
    """A traceback is read where the log is."""
    script = (
        "from framegate.telemetry.log_stream import own_stderr\nown_stderr()\nraise ValueError('so it ended')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.endswith("ValueError: so it ended\n")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_has_colors_unless_the_user_wants_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    """NO_COLOR is honoured when it is not empty."""
    monkeypatch.setenv("NO_COLOR", no_color)
    assert ("\x1b[" in printed(tmp_path, KEPT, is_terminal=True)) == (not no_color)


def test_a_daemon_with_a_full_log_disk_keeps_its_frames(site: Site, morning: list[bytes]) -> None:
    """The daemon does its work when not one line of its log can be written."""
    write_at_once(site.drop / "a.jpg", morning[0])
    with (
        open("/dev/full", "wb") as full,
        subprocess.Popen([*RUN, str(site.config)], stderr=full, stdout=full) as process,
    ):
        try:
            wait_until((site.results / "a.jpg").exists)
            process.terminate()
            assert process.wait(WITHIN_S) == 0
        finally:
            process.kill()
    assert site.kept_bytes() == {"a.jpg": morning[0]}
