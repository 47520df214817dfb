"""What whole processes use: time, CPU and memory of programs that end, and of a daemon that goes on."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from running import VERDICTS, Site

LAUNCH = Path(__file__).with_name("launch.py")
DECIDED = tuple(f'"event": "{verdict}"'.encode() for verdict in VERDICTS)
ENDS_WITHIN_S = 30.0

REST_S, REST_CPU_S = 2.0, 0.02
"""A process is at rest when it has used no more than so much CPU in this time."""


class ProgramError(Exception):
    """A program failed: which, and the end of what it said."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a program has used from its start to its end.

    Attributes:
        wall_s: seconds that passed.
        cpu_s: seconds of CPU, all threads, user and system.
        peak_bytes: the most memory that was resident.
        output: what it printed, on both streams.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str = ""


def used_by(command: Sequence[str]) -> Used:
    """Run a program to its end; return what it has used.

    Raises:
        ProgramError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="framegate-launch-") as home:
        figures, output = Path(home, "figures.json"), Path(home, "output")
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(figures), str(output)]
        subprocess.run([*launch, *command], check=True)
        said = output.read_text("utf-8", "replace")
        found = json.loads(figures.read_text("utf-8"))
    if found.pop("code"):
        raise ProgramError(f"{' '.join(command)}: {said[-500:]}")
    return Used(**found, output=said)


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that the threads of a process, but those that have ended, have used."""
    return sum(int(text.split()[0]) for text in _of_threads(pid, "schedstat")) / 1e9


def wake_ups(pid: int) -> int:
    """Return how often the threads of a process have waited for something."""
    found = (line for text in _of_threads(pid, "status") for line in text.splitlines())
    return sum(int(line.split()[1]) for line in found if line.startswith("voluntary_ctxt_switches"))


def _of_threads(pid: int, name: str) -> Iterator[str]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        yield (thread / name).read_text("utf-8")


def default_site(home: Path) -> Site:
    """Return a site whose config says nothing but the folders."""
    site = Site(home)
    folders = {"drop": site.drop, "results": site.results, "state": site.state}
    tables = (f"[{name}]\nfolder = {json.dumps(str(folder))}\n" for name, folder in folders.items())
    site.config.write_text("version = 1\n" + "".join(tables), "utf-8")
    return site


class LoggingDaemon:
    """A ``framegate run`` whose log goes to a file, as it does to a journal: nobody parses it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = process.pid
        self._judged = 0
        self._process = process
        self._log = log.open("rb")
        self._rest = b""

    def wait_for(self, condition: Callable[[], bool], within_s: float, pause_s: float = 0.05) -> None:
        """Wait until a condition is true, while the daemon runs."""
        deadline_s, pause = time.monotonic() + within_s, Event()
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self._log.seek(0)
                raise ProgramError(f"framegate run: {self._log.read()[-1000:].decode(errors='replace')}")
            pause.wait(pause_s)

    def judged(self) -> int:
        """Return how many frames have their verdict, by the log so far."""
        lines = (self._rest + self._log.read()).split(b"\n")
        self._rest = lines.pop()
        self._judged += sum(any(decided in line for decided in DECIDED) for line in lines)
        return self._judged

    def rest(self, within_s: float = 120.0) -> None:
        """Wait until it has nothing more to do."""
        before_s = cpu_s(self.pid)

        def is_at_rest() -> bool:
            nonlocal before_s
            last_s, before_s = before_s, cpu_s(self.pid)
            return before_s - last_s <= REST_CPU_S

        Event().wait(REST_S)
        self.wait_for(is_at_rest, within_s, REST_S)


@contextmanager
def logging_daemon(site: Site) -> Iterator[LoggingDaemon]:
    """Run the daemon over a site."""
    command = [sys.executable, "-m", "framegate", "run", "--config", str(site.config)]
    log = site.home / "log.jsonl"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, cwd=site.home)
    try:
        yield LoggingDaemon(process, log)
    finally:
        process.terminate()
        process.wait(ENDS_WITHIN_S)
