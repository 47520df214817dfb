"""The status document as Prometheus metrics: at an address, and in a file for node_exporter.

``prometheus_client`` is an extra: ``pip install '.[metrics]'`` in the clone.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framegate.errors import ConfigError, Problem
from framegate.model import Reason
from framegate.service.books import Durations
from framegate.service.retrying import NEVER_S
from framegate.service.status import replace_file

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

TEXTFILE_S = 15.0

METRICS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "framegate_frames": ("counter", "Frames that got their verdict.", ("camera", "verdict", "reason")),
    "framegate_pending_frames": ("gauge", "Frames in the drop folder without a verdict.", ("camera",)),
    "framegate_oldest_pending_age_seconds": (
        "gauge", "How long the oldest of them has been waiting.", ("camera",),
    ),
    "framegate_last_frame_timestamp_seconds": ("gauge", "When the last verdict was given.", ("camera",)),
    "framegate_last_kept_timestamp_seconds": ("gauge", "When a frame was last kept.", ("camera",)),
    "framegate_frame_duration_seconds": ("histogram", "From a frame's read to its durable verdict.", ()),
    "framegate_uptime_seconds": ("gauge", "Since the daemon was started.", ()),
    "framegate_intake_paused": ("gauge", "1 while results or ledger cannot be written.", ()),
    "framegate_drop_folder_absent": ("gauge", "1 while the drop folder is gone.", ()),
    "framegate_config_last_reload_successful": ("gauge", "0 while the config file is refused.", ()),
    "framegate_config_last_reload_success_timestamp_seconds": (
        "gauge", "When the config in force was loaded.", (),
    ),
    "framegate_config_revision": ("gauge", "Counts the versions that were in force.", ()),
    "framegate_results_free_bytes": ("gauge", "Free space where the results are.", ()),
    "framegate_watch_inotify": ("gauge", "1 while the kernel announces arrivals, 0 while polling.", ()),
    "framegate_watch_rebuilds": ("counter", "Watchers that were replaced.", ()),
    "framegate_watch_overflows": ("counter", "Overflows of the kernel's queue of events.", ()),
    "framegate_found_by_sweep": ("counter", "Frames that no event had announced.", ()),
}  # fmt: skip
"""Each metric once: type, help, labels. Counters get ``_total`` behind their name."""

Describe = Callable[[], Mapping[str, Any]]


def samples(status: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Yield name, label values and value of everything but the histogram."""
    for camera, page in status["cameras"].items():
        for reason, count in page["reasons"].items():
            yield "framegate_frames", (camera, str(Reason(reason).verdict), reason), count
        yield "framegate_pending_frames", (camera,), page["pending"]
        yield "framegate_oldest_pending_age_seconds", (camera,), page["oldest_pending_s"] or 0
        for key, name in (("last_frame", "last_frame"), ("last_kept", "last_kept")):
            if page[key] is not None:
                yield f"framegate_{name}_timestamp_seconds", (camera,), page[key]["decided_at_s"]
    yield "framegate_uptime_seconds", (), status["uptime_s"]
    yield "framegate_intake_paused", (), status["paused"] is not None
    yield "framegate_drop_folder_absent", (), status["is_absent"]
    yield "framegate_config_last_reload_successful", (), not status["config_refused"]
    yield "framegate_config_last_reload_success_timestamp_seconds", (), status["config_loaded_at"]
    yield "framegate_config_revision", (), status["config_revision"]
    if status["results_free_bytes"] is not None:
        yield "framegate_results_free_bytes", (), status["results_free_bytes"]
    yield "framegate_watch_inotify", (), status["watch"] == "inotify"
    for name in ("watch_rebuilds", "watch_overflows", "found_by_sweep"):
        yield f"framegate_{name}", (), status[name]


class Metrics:
    """Shows the last snapshot to whoever asks; the loop's thread takes it, others read it.

    Args:
        describe: makes the status document.
        durations: how long frames took.
        listen: the address to serve at, or None.
        textfile: the file to write, or None.

    Raises:
        ConfigError: the address cannot be had.
    """

    def __init__(
        self, describe: Describe, durations: Durations, listen: str | None, textfile: str | None
    ) -> None:
        self._describe = describe
        self._durations = durations
        self._textfile = textfile
        self._snapshot: tuple[Mapping[str, Any], list[tuple[float, int]], float] | None = None
        self._next_s = -NEVER_S
        self._lock = threading.Lock()
        self._server = None if listen is None else _serve(listen, self)

    def retune(self, textfile: str | None) -> None:
        """Write to another file, or to none."""
        self._textfile = textfile
        self._next_s = -NEVER_S

    def deadline_s(self) -> float:
        """Return when the next snapshot is due."""
        return NEVER_S if self._server is None and self._textfile is None else self._next_s

    def tend(self, now_s: float) -> None:
        """Take a snapshot, and write the file."""
        self._next_s = now_s + (1.0 if self._server is not None else TEXTFILE_S)
        snapshot = (self._describe(), self._durations.cumulative(), self._durations.sum_s)
        with self._lock:
            self._snapshot = snapshot
        if self._textfile is not None:
            replace_file(Path(self._textfile), exposition(self))

    def close(self) -> None:
        """Serve no longer."""
        if self._server is not None:
            server, thread = self._server
            with suppress(OSError):
                server.shutdown()
                server.server_close()
            thread.join(2)

    def collect(self) -> Iterator["Metric"]:
        """Yield the metrics of the last snapshot: what prometheus_client asks its collectors for."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415 - an extra
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        with self._lock:
            snapshot = self._snapshot
        if snapshot is None:
            return
        status, buckets, sum_s = snapshot
        rows = list(samples(status))
        for name, (kind, words, labels) in METRICS.items():
            if kind == "histogram":
                shown = [("+Inf" if bound == NEVER_S else f"{bound:g}", count) for bound, count in buckets]
                yield HistogramMetricFamily(name, words, buckets=shown, sum_value=sum_s)
                continue
            family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
                name, words, labels=labels
            )
            for sample, values, value in rows:
                if sample == name:
                    family.add_metric(values, float(value))
            yield family


def exposition(metrics: Metrics) -> str:
    """Return the metrics in Prometheus's text format."""
    from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

    return generate_latest(_registry(metrics)).decode("utf-8")


def _serve(listen: str, metrics: Metrics) -> Any:
    from prometheus_client import start_http_server  # noqa: PLC0415 - an extra; checkup.py has looked

    host, _, port = listen.rpartition(":")
    try:
        return start_http_server(int(port), host.strip("[]"), registry=_registry(metrics))
    except OSError as error:
        raise ConfigError((Problem("metrics.listen", f"{listen}: {error.strerror or error}"),)) from error


def _registry(metrics: Metrics) -> Any:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - an extra

    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return registry
