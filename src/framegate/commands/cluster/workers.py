"""The workers: processes of this machine, or those of a Dask scheduler."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framegate.errors import EXIT_USAGE, FramegateError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 20
"""How long a scheduler, and the first worker, may take to answer."""

SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")


class ClusterError(FramegateError):
    """The workers cannot be used."""


class ClusterUsageError(FramegateError):
    """The options for workers cannot be used."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Workers:
    """Which workers are to be used: so many of this machine, or a scheduler's."""

    here: int | None = None
    scheduler: str | None = None
    """Its address, as ``tcp://host:8786``."""

    def __post_init__(self) -> None:
        if self.here is not None and self.scheduler is not None:
            raise ClusterUsageError("give --workers or --cluster, not both")
        if self.here is not None and self.here < 1:
            raise ClusterUsageError("--workers: at least 1")
        if self.scheduler is not None and not self.scheduler.startswith(SCHEMES):
            raise ClusterUsageError(f"--cluster: an address as tcp://scheduler:8786, not {self.scheduler}")

    def __bool__(self) -> bool:
        return self.here is not None or self.scheduler is not None

    @contextmanager
    def connected(self) -> Iterator["Client"]:
        """Start the workers, or find those of the scheduler; yield the way to them.

        Raises:
            ClusterError: a Python package is missing, or nobody answers.
        """
        try:
            import distributed  # noqa: PLC0415 - half a second, and most scans need none
        except ImportError as error:
            raise ClusterUsageError(
                "--workers and --cluster need the Python package distributed: in the clone,"
                " pip install '.[cluster]'"
            ) from error
        for name in ("distributed", "distributed.client", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what the operator has to know, we say
        warnings.filterwarnings("ignore", "Sending large graph")  # a replay's list of frames may be
        if self.scheduler is None:
            with (
                distributed.LocalCluster(
                    n_workers=self.here,
                    threads_per_worker=1,
                    memory_limit=0,  # a large picture is no reason to end a worker
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # None would be port 8787 of every address
                    worker_dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                ) as cluster,
                distributed.Client(cluster, set_as_default=False) as client,
            ):
                yield client
            return
        client = self._client_of(self.scheduler)
        try:
            yield client
        finally:
            client.close(timeout=2)

    def _client_of(self, scheduler: str) -> "Client":
        import distributed  # noqa: PLC0415 - as above

        try:
            client = distributed.Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(f"the scheduler at {scheduler} does not answer") from error
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except (OSError, TimeoutError) as error:
            client.close(timeout=2)
            raise ClusterError(
                f"the scheduler at {scheduler} has no workers: dask worker {scheduler}"
            ) from error
        return client
