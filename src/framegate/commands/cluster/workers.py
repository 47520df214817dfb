"""The workers: processes of this machine, or those of a Dask scheduler."""

import logging
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import forkserver, resource_tracker
from types import FrameType
from typing import TYPE_CHECKING

from framegate.errors import FramegateError, MissingPackage, how_to_install

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 20
"""How long a scheduler may take to answer."""

FIRST_WORKER_S = 60
"""How long a scheduler's first worker may take to come: somebody may have to start it."""

OF_WORKERS_HERE = {
    # What is imported is imported once, and not by each worker: a second of CPU for each.
    "distributed.worker.multiprocessing-method": "forkserver",
    # Whom nobody looks at need not measure themselves a hundred times a second.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}
"""Settings of Dask, for workers that are started here."""

PRELOADED = ["distributed", "framegate.commands.cluster.judging", "framegate.commands.cluster.replaying"]
"""What a process has imported from which workers are forked."""

LOGGERS = "distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application"
"""Those to which Dask gives a level each; what the others log goes by the level of these."""

SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")


class ClusterError(FramegateError):
    """The workers cannot be used."""


class Interrupted(FramegateError):  # noqa: N818 - a state, not a mistake
    """SIGINT or SIGTERM has ended the work."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted")
        self.exit_code = 128 + number  # as shells say it


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted where SIGINT or SIGTERM ends the block; a second one ends the process at once."""
    caught: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt  # which no library takes for an error of its own

    both = signal.SIGINT, signal.SIGTERM
    before = {each: signal.getsignal(each) for each in both if signal.getsignal(each) != signal.SIG_IGN}
    for each in before:
        signal.signal(each, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(caught[0] if caught else signal.SIGINT) from error
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@dataclass(frozen=True)
class Workers:
    """Which workers are to be used: so many of this machine, or a scheduler's."""

    here: int | None = None
    scheduler: str | None = None
    """Its address, as ``tcp://host:8786``."""

    def __post_init__(self) -> None:
        if self.here is not None and self.scheduler is not None:
            raise ValueError("give one of them, not both")
        if self.here is not None and self.here < 1:
            raise ValueError("at least one worker is needed")
        if self.scheduler is not None and not self.scheduler.startswith(SCHEMES):
            raise ValueError(f"an address is written as tcp://scheduler:8786, not {self.scheduler}")

    def __bool__(self) -> bool:
        return self.here is not None or self.scheduler is not None

    @staticmethod
    def require_package() -> None:
        """Require what starts workers, or finds them.

        Raises:
            MissingPackage: it is not installed.
        """
        if find_spec("distributed") is None:
            words = "--workers and --cluster need the Python package distributed"
            raise MissingPackage(f"{words}: {how_to_install('cluster')}")

    @contextmanager
    def connected(self) -> Iterator["Client"]:
        """Start the workers, or find those of the scheduler; yield the way to them.

        Raises:
            ClusterError: nobody answers.
        """
        import dask  # noqa: PLC0415 - half a second, and most scans need none
        import distributed  # noqa: PLC0415

        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what the operator has to know, we say
        warnings.filterwarnings("ignore", "Sending large graph")  # a replay's list of frames may be
        if self.scheduler is None:
            with ExitStack() as stack:
                stack.enter_context(dask.config.set(OF_WORKERS_HERE))
                with _no_sigint_in_processes():
                    cluster = distributed.LocalCluster(
                        n_workers=self.here,
                        threads_per_worker=1,
                        memory_limit=0,  # a large picture is no reason to end a worker
                        host="127.0.0.1",
                        dashboard_address="127.0.0.1:0",  # None would be port 8787 of every address
                        worker_dashboard_address="127.0.0.1:0",
                        silence_logs=logging.CRITICAL,
                    )
                    stack.enter_context(cluster)
                yield stack.enter_context(distributed.Client(cluster, set_as_default=False))
            return
        client = _client_of(self.scheduler)
        try:
            _wait_for_a_worker(client, self.scheduler)
            yield client
        finally:
            client.close(timeout=2)


def _client_of(scheduler: str) -> "Client":
    import distributed  # noqa: PLC0415 - as above

    try:
        return distributed.Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(f"the scheduler at {scheduler} does not answer") from error


def _wait_for_a_worker(client: "Client", scheduler: str) -> None:
    deadline_s, is_said = time.monotonic() + FIRST_WORKER_S, False
    while not _has_workers(client):
        if not is_said:
            words = f"waiting for workers of {scheduler}: start them by dask worker {scheduler}"
            print(words, file=sys.stderr, flush=True)
            is_said = True
        if time.monotonic() > deadline_s:
            raise ClusterError(f"the scheduler at {scheduler} has no workers")
        time.sleep(0.2)


def _has_workers(client: "Client") -> bool:
    try:
        if client.status == "running":  # else it would try for long to find the scheduler again
            return bool(client.ncores())
    except (OSError, TimeoutError) as error:
        raise connection_lost() from error
    raise connection_lost()


def connection_lost() -> ClusterError:
    """Return what is said when the scheduler is gone."""
    return ClusterError("the connection to the scheduler is lost")


@contextmanager
def _no_sigint_in_processes() -> Iterator[None]:
    """Let the processes that are started in the block, also later by its threads, not see SIGINT.

    Ctrl-C goes to all processes of a terminal; of them only the first has to end the work in order. Blocked
    signals are inherited, by a thread and by a process.
    """
    resource_tracker.ensure_running()  # else started beside the first process, which unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    forkserver.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
