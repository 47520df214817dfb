"""A scheduler of Dask and its workers, as processes of this machine."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.process import BaseProcess

IMPORTED = [
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "framegate.commands.cluster.judging",
]
"""What the process has imported from which the others are forked: that takes a second of CPU each time."""


@dataclass
class Dask:
    """A scheduler, and its workers."""

    port: int
    scheduler: BaseProcess
    workers: list[BaseProcess] = field(default_factory=list)

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
        worker.join()

    def kill_scheduler(self) -> None:
        """End the scheduler at once."""
        self.scheduler.kill()
        self.scheduler.join()


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
            process.join()


def _started(what: str, *options: object, env: Mapping[str, str] | None = None) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=_serve, args=(what, [*map(str, options)], dict(env or {})), daemon=True)
    process.start()
    return process


def _serve(what: str, options: list[str], env: Mapping[str, str]) -> None:
    if env:  # such as LD_PRELOAD, which is read when a program begins
        run = f"from distributed.cli import dask_{what} as it; it.main()"
        os.execve(sys.executable, [sys.executable, "-c", run, *options], {**os.environ, **env})
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    sys.argv = [what, *options]
    import_module(f"distributed.cli.dask_{what}").main()
