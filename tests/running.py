"""The real daemon as a process, for tests: start it, read its log as it comes, stop it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

from forked import ForkedProcess, daemon_process, framegate
from troubles import usual_limits

VERDICTS = ("frame.kept", "frame.dropped", "frame.rejected")
WITHIN_S = 20.0
MOST_SHOWN = 100
"""Lines of the log that a failure prints."""

Line = dict[str, Any]
Process = subprocess.Popen[str] | ForkedProcess


@dataclass
class Site:
    """Folders and config of one daemon under test."""

    home: Path
    drop: Path = field(init=False)
    results: Path = field(init=False)
    state: Path = field(init=False)
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("drop", "results", "state"):
            folder = self.home / name
            folder.mkdir(parents=True, exist_ok=True)
            setattr(self, name, folder)
        self.config = self.home / "site.toml"
        self.configure()

    def configure(
        self,
        *,
        drop: str = "",
        detection: str = "",
        rest: str = "",
        min_free: str = "1MB",
        results: str = "",
    ) -> None:
        """Write the config, with the folders as they are now; ``drop`` and others are lines of TOML."""
        settle = "" if "settle_s" in drop else "settle_s = 0.4"
        give_up = "" if "give_up_s" in drop else "give_up_s = 0.8"
        self.config.write_text(
            f"version = 1\n[drop]\nfolder = {_toml(self.drop)}\n{settle}\n{give_up}\n{drop}\n"
            f"[results]\nfolder = {_toml(self.results)}\nmin_free = '{min_free}'\n{results}\n"
            f"[state]\nfolder = {_toml(self.state)}\n[detection]\n{detection}\n{rest}\n",
            "utf-8",
        )

    def kept_bytes(self) -> dict[str, bytes]:
        """Return what stands in the results folder, by relative name."""
        return contents(self.results)


def _toml(path: Path) -> str:
    return json.dumps(os.fspath(path))


def wait_until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait until something has come true that tells nobody when."""
    deadline_s = time.monotonic() + within_s
    pause = Event()
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true"
        pause.wait(0.01)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, by relative name."""
    return {os.fspath(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class RunningDaemon:
    """A ``framegate run`` that is up, and the log lines it has written."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[Line] = []
        self.noise: list[str] = []
        self._verdicts: list[Line] = []
        self._incoming: Queue[Line] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(
        self, event: str, count: int = 1, within_s: float = WITHIN_S, **fields: object
    ) -> list[Line]:
        """Wait until ``count`` lines of an event, with these fields, have come; return them."""
        found: list[Line] = []
        looked_at = 0

        def is_there() -> bool:
            nonlocal looked_at
            found.extend(
                line
                for line in self.lines[looked_at:]
                if line["event"] == event and all(line.get(key) == value for key, value in fields.items())
            )
            looked_at = len(self.lines)
            return len(found) >= count

        self._wait(is_there, within_s, f"{count} x {event} {fields}")
        return found

    def wait_for_verdicts(self, count: int, within_s: float = WITHIN_S) -> list[Line]:
        """Wait until ``count`` frames have their verdict; return all verdicts."""
        self._wait(lambda: len(self._verdicts) >= count, within_s, f"{count} verdicts")
        return self.verdicts()

    def verdicts(self) -> list[Line]:
        """Return the verdicts that have come."""
        return list(self._verdicts)

    def tally(self) -> Counter[str]:
        """Count the verdicts that have come."""
        return Counter(line["event"].removeprefix("frame.") for line in self.verdicts())

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WITHIN_S)
        self._reader.join(WITHIN_S)
        self.drain()
        return code

    def kill(self) -> None:
        """End it at once, if it has not ended, and close its log."""
        self.process.kill()
        self.process.wait(WITHIN_S)
        self._reader.join(WITHIN_S)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _wait(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        deadline_s = time.monotonic() + within_s
        while not condition():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or (self.process.poll() is not None and self._incoming.empty()):
                raise AssertionError(f"no {what}; the log has {self._shown()}")
            try:
                self._take(self._incoming.get(timeout=min(left_s, 0.5)))
            except Empty:
                continue

    def drain(self) -> None:
        """Take what has come without waiting for more."""
        while not self._incoming.empty():
            self._take(self._incoming.get())

    def _take(self, line: Line) -> None:
        self.lines.append(line)
        if line["event"] in VERDICTS:
            self._verdicts.append(line)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            try:
                self._incoming.put(json.loads(text))
            except ValueError:
                self.noise.append(text)

    def _shown(self) -> str:
        last = self.lines[-MOST_SHOWN:]
        lines = [f"{line['event']} {line.get('frame', '')} {line.get('reason', '')}" for line in last]
        return "\n".join([*lines, *self.noise])


@contextmanager
def started(site: Site, through: tuple[str, ...] = ()) -> Iterator[RunningDaemon]:
    """Start the daemon over a site; it is watching when this yields.

    Args:
        site: its folders and config.
        through: another command that starts it, in an interpreter of its own; else it is forked from a
            process that has everything loaded.
    """
    with usual_limits():
        daemon = RunningDaemon(_process(site, through))
        try:
            daemon.wait_for("daemon.started")
        except BaseException:
            daemon.kill()
            raise
    try:
        yield daemon
    finally:
        daemon.kill()


def _process(site: Site, through: tuple[str, ...]) -> Process:
    if not through:
        return daemon_process(site.config, site.home)
    command = [*through, sys.executable, "-m", "framegate", "run", "--config", str(site.config)]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, errors="surrogateescape", cwd=site.home
    )


@contextmanager
def running(site: Site, through: tuple[str, ...] = ()) -> Iterator[RunningDaemon]:
    """Run the daemon over a site; when this ends, it has stopped well and has printed only JSON."""
    with started(site, through) as daemon:
        yield daemon
        assert daemon.stop() == 0
    assert not daemon.noise


def scanned(site: Site, out: Path, *options: str) -> dict[str, bytes]:
    """Scan a site's drop folder with its own config; return what was kept."""
    done = framegate("scan", site.drop, out, "-c", site.config, *options)
    assert done.returncode == 0, done.stderr
    return contents(out)
