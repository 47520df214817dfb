"""A real ``framegate web`` as a process, for tests: start it, ask it, end it."""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from forked import ForkedProcess, fork
from framegate.model import Entry, FileKey, Reason
from framegate.telemetry.counters import Counters
from framegate.telemetry.current_status import current_status
from framegate.telemetry.output_file import replace_text
from framegate.telemetry.status import FILE_NAME, Vitals
from running import WITHIN_S, Site, wait_until

IMPATIENT = """
import sys
from pathlib import Path
from framegate.config.load import load
from framegate.web.process import serve
serve([load(Path(sys.argv[1]))], idle_s=1)
"""
"""``framegate web`` that waits a second, and not 15, for the rest of a request."""


@dataclass(frozen=True)
class Reply:
    """An answer, as a client sees it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name, in lower case."""

    @property
    def json(self) -> Any:
        """The body, which has to be JSON that every reader takes."""
        return json.loads(self.body, parse_constant=lambda name: 1 / len([name][1:]))


class WebServer:
    """A ``framegate web`` that is up."""

    def __init__(self, process: ForkedProcess, place: str, said: str, said_fd: int) -> None:
        self.process = process
        self.place = place
        self.said = said
        """The first line that it has printed."""

        self._said_fd = said_fd

    def more_said(self) -> str:
        """Return what it has printed since its first line."""
        more = b""
        while select.select([self._said_fd], [], [], 0)[0] and (part := os.read(self._said_fd, 4096)):
            more += part
        return more.decode()

    def connect(self) -> socket.socket:
        """Open a connection."""
        if self.place.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.place.removeprefix("unix:"))
        else:
            host, _, port = self.place.rpartition(":")
            client = socket.create_connection((host, int(port)))
        client.settimeout(WITHIN_S)
        return client

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Ask as a browser does; ``Sec_Fetch_Site`` is the header ``Sec-Fetch-Site``."""
        connection = HTTPConnection("localhost", timeout=WITHIN_S)
        connection.sock = self.connect()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, headers=given)
            answer = connection.getresponse()
            return Reply(
                answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
            )
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Send bytes, and nothing after them; return all that is answered until the server has no more."""
        with self.connect() as client:
            answer = b""
            with suppress(OSError):  # it may have answered, and left, before it has read all
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
            try:
                while part := client.recv(65_536):
                    answer += part
            except ConnectionResetError:  # it did not read all that was sent
                pass
            return answer

    def now(self) -> Any:
        """Return the document of ``/now.json``."""
        return self.get("/now.json").json

    def site(self) -> Any:
        """Return the first site of ``/now.json``."""
        return self.now()["sites"][0]

    def words(self) -> list[str]:
        """Return what is wrong with the first site."""
        return [problem["words"] for problem in self.site()["problems"]]

    def wait_for_words(self, start: str) -> str:
        """Wait until something is wrong that begins with these words; return all of it."""
        wait_until(lambda: any(words.startswith(start) for words in self.words()))
        return next(words for words in self.words() if words.startswith(start))

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S)

    def memory_kb(self) -> int:
        """Return its resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def serving(*sites: Site, place: str = "", web: str = "", program: str = "") -> Iterator[WebServer]:
    """Run ``framegate web`` over some sites.

    Args:
        sites: the config of the first gets another ``[web]``, at its end.
        place: where it listens; a free port of this machine by default.
        web: more lines of ``[web]``.
        program: runs instead of the command, and gets the first config as its argument.
    """
    place = place or f"127.0.0.1:{free_port()}"
    first = sites[0].config
    rest = first.read_text("utf-8").partition("\n[web]\n")[0]
    first.write_text(f"{rest}\n[web]\nlisten = '{place}'\n{web}\n", "utf-8")
    named = [word for site in sites for word in ("--config", os.fspath(site.config))]
    arguments = (os.fspath(first),) if program else ("web", *named)
    more = {"program": program} if program else {}
    with web_process(place, arguments, sites[0].home, **more) as server:
        yield server


@contextmanager
def web_process(place: str, arguments: tuple[str, ...], home: Path, **more: str) -> Iterator[WebServer]:
    """Run ``framegate web`` with these arguments, which have it listen at a place."""
    reading, writing = os.pipe()
    with open(os.devnull, "rb") as nothing, open(reading, "rb") as said:
        try:
            pid = fork(arguments, (nothing.fileno(), 1, writing), home, os.environ, **more)
        finally:
            os.close(writing)
        process = ForkedProcess(pid)
        try:
            line = _first_line(said.fileno())
            assert line.startswith("framegate: the page of "), line
            yield WebServer(process, place, line, said.fileno())
        finally:
            process.kill()
            process.wait(WITHIN_S)


def _first_line(fd: int) -> str:
    line, deadline_s = b"", time.monotonic() + WITHIN_S
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline_s - time.monotonic()))
        part = os.read(fd, 1) if ready else b""
        assert part, f"it says only {line!r}"
        line += part
    return line.decode()


def write_status(
    site: Site, kept: Mapping[str, list[str]], *, sha256: bytes | None = None, **vitals: Any
) -> None:
    """Leave a status as of a daemon that has kept these results of each camera, the last one last.

    ``sha256`` is that of all of them, if it is to be known.
    """
    entries = [
        Entry(FileKey(name, 1, number), camera, number, Reason.FIRST, number, 1, result=name, sha256=sha256)
        for camera, names in kept.items()
        for number, name in enumerate(names)
    ]
    status = current_status(Counters(latest=entries), Vitals(**({"pid": 1} | vitals)), {}, 0.0)
    replace_text(site.state / FILE_NAME, status.to_json())
