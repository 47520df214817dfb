"""A scheduler of Dask and its workers, as processes of this machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

SERVER = """
import sys
from distributed.cli import dask_scheduler, dask_worker
{"scheduler": dask_scheduler, "worker": dask_worker}[sys.argv.pop(1)].main()
"""


@dataclass
class Dask:
    """A scheduler, and its workers."""

    port: int
    scheduler: "subprocess.Popen[bytes]"
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def add_worker(self, env: Mapping[str, str] | None = None, threads: int = 1) -> None:
        """Start one more worker, without the nanny that would start it again."""
        options = "--no-nanny", "--nthreads", threads, "--memory-limit", 0, "--no-dashboard"
        self.workers.append(_started("worker", self.address, *options, env=env))

    def kill_worker(self) -> None:
        """End a worker at once."""
        worker = self.workers.pop(0)
        worker.kill()
        worker.wait()

    def kill_scheduler(self) -> None:
        """End the scheduler at once."""
        self.scheduler.kill()
        self.scheduler.wait()


@contextmanager
def dask(workers: int = 2, env: Mapping[str, str] | None = None) -> Iterator[Dask]:
    """Run a scheduler and some workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = "--host", "127.0.0.1", "--port", port, "--no-dashboard"
    running = Dask(port, _started("scheduler", *options))
    try:
        for _ in range(workers):
            running.add_worker(env)
        yield running
    finally:
        for process in (*running.workers, running.scheduler):
            process.kill()
            process.wait()


def _started(what: str, *options: object, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", SERVER, what, *map(str, options)]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=nothing, env={**os.environ, **(env or {})}
    )
