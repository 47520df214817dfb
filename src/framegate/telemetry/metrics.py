"""The status as Prometheus metrics: at an address, and in a file for node_exporter.

``prometheus_client`` is an extra: ``pip install '.[metrics]'`` in the clone.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framegate import __version__
from framegate.deadlines import NEVER_S
from framegate.errors import ConfigError, Problem
from framegate.events.base import Listener
from framegate.notify.books import OUTCOMES
from framegate.telemetry.counters import Durations
from framegate.telemetry.output_file import OutputFile
from framegate.telemetry.status import Status

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

SERVED_S, TEXTFILE_S = 1.0, 15.0
"""Seconds between two updates of the served numbers, and of the file."""

METRICS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "framegate_frames": ("counter", "Frames that have a verdict.", ("camera", "verdict", "reason")),
    "framegate_late_frames": ("counter", "Frames taken before one that was judged already.", ("camera",)),
    "framegate_pending_frames": ("gauge", "Frames in the drop folder without a verdict.", ("camera",)),
    "framegate_oldest_pending_age_seconds": (
        "gauge", "Age of the oldest frame without a verdict.", ("camera",),
    ),
    "framegate_last_frame_timestamp_seconds": ("gauge", "Time of the last verdict.", ("camera",)),
    "framegate_last_kept_timestamp_seconds": ("gauge", "Time at which a frame was last kept.", ("camera",)),
    "framegate_camera_frozen": ("gauge", "1 while a frozen camera repeats its picture.", ("camera",)),
    "framegate_camera_clock_wrong": ("gauge", "1 while a camera's times cannot be true.", ("camera",)),
    "framegate_frame_duration_seconds": (
        "histogram",
        "From reading a frame to its durable verdict, in a backlog with the wait for others of its group.",
        (),
    ),
    "framegate_uptime_seconds": ("gauge", "Time since the daemon started.", ()),
    "framegate_intake_paused": ("gauge", "1 while results or ledger cannot be written.", ()),
    "framegate_drop_folder_absent": ("gauge", "1 while the drop folder is missing.", ()),
    "framegate_archive_refused": ("gauge", "1 while inputs cannot be moved to the archive.", ()),
    "framegate_config_last_reload_successful": ("gauge", "0 while the config file is refused.", ()),
    "framegate_config_last_reload_success_timestamp_seconds": (
        "gauge", "Time at which the config in force was loaded.", (),
    ),
    "framegate_config_revision": ("gauge", "Revision of the config in force.", ()),
    "framegate_results_free_bytes": ("gauge", "Free space in the file system of the results.", ()),
    "framegate_watch_inotify": ("gauge", "1 while the kernel reports arrivals, 0 while polling.", ()),
    "framegate_watch_rebuilds": ("counter", "Times that the watch was set up again.", ()),
    "framegate_watch_overflows": ("counter", "Overflows of the kernel's event queue.", ()),
    "framegate_found_by_sweep": ("counter", "Frames that the kernel had not reported.", ()),
    "framegate_unmatched_files": ("gauge", "Files that no pattern of drop.include takes.", ()),
    "framegate_unread_times": ("gauge", "Names that drop.capture_time has not read.", ()),
    "framegate_unread_cameras": ("gauge", "Names that drop.camera_pattern has not read.", ()),
    "framegate_log_lines_lost": ("counter", "Log lines that could not be written.", ()),
    "framegate_notify_messages": (
        "counter", "Messages of a `[[notify]]` by `outcome`: told, given_up, dropped or limited.",
        ("notify", "outcome"),
    ),
    "framegate_notify_queued": ("counter", "All messages for it, those that wait included.", ("notify",)),
    "framegate_notify_waiting": ("gauge", "Messages that wait to be told.", ("notify",)),
    "framegate_notify_failing": ("gauge", "1 while the last try to tell has failed.", ("notify",)),
    "framegate_build_info": ("gauge", "Always 1; the label has the version.", ("version",)),
}  # fmt: skip
"""Type, help and labels of each metric. The name of a counter gets the ending ``_total``."""


def markdown_table() -> str:
    """Return the table of metrics that stands in the README."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for name, (kind, words, labels) in METRICS.items():
        shown = f"{name}_total" if kind == "counter" else name
        lines.append(f"| `{shown}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {words} |")
    return "\n".join(lines) + "\n"


Sample = tuple[str, tuple[str, ...], float]
"""Name, label values in the order of ``METRICS``, and value."""


def samples(status: Status) -> Iterator[Sample]:
    """Yield the values of all metrics except the histogram."""
    for name, camera in status.cameras.items():
        for reason, count in camera.reasons.items():
            yield "framegate_frames", (name, reason.verdict, reason), count
        yield "framegate_late_frames", (name,), camera.late
        yield "framegate_pending_frames", (name,), camera.pending
        yield "framegate_oldest_pending_age_seconds", (name,), camera.oldest_pending_s or 0.0
        if camera.last_frame is not None:
            yield "framegate_last_frame_timestamp_seconds", (name,), camera.last_frame.decided_at_s
        if camera.last_kept is not None:
            yield "framegate_last_kept_timestamp_seconds", (name,), camera.last_kept.decided_at_s
        yield "framegate_camera_frozen", (name,), camera.frozen_s is not None
        yield "framegate_camera_clock_wrong", (name,), camera.clock_fault is not None
    yield "framegate_uptime_seconds", (), status.uptime_s
    yield "framegate_intake_paused", (), status.paused is not None
    yield "framegate_drop_folder_absent", (), status.is_absent
    yield "framegate_archive_refused", (), status.archive_refused is not None
    yield "framegate_config_last_reload_successful", (), not status.config_refused
    yield "framegate_config_last_reload_success_timestamp_seconds", (), status.config_loaded_at
    yield "framegate_config_revision", (), status.config_revision or 0
    if status.results_free_bytes is not None:
        yield "framegate_results_free_bytes", (), status.results_free_bytes
    yield "framegate_watch_inotify", (), status.watch == "inotify"
    yield "framegate_watch_rebuilds", (), status.watch_rebuilds
    yield "framegate_watch_overflows", (), status.watch_overflows
    yield "framegate_found_by_sweep", (), status.found_by_sweep
    yield "framegate_unmatched_files", (), status.unmatched_files
    yield "framegate_unread_times", (), status.unread_times
    yield "framegate_unread_cameras", (), status.unread_cameras
    yield "framegate_log_lines_lost", (), status.log_lines_lost
    for name, book in status.notify.items():
        for outcome in OUTCOMES:
            yield "framegate_notify_messages", (name, outcome), getattr(book, outcome)
        yield "framegate_notify_queued", (name,), book.queued
        yield "framegate_notify_waiting", (name,), book.waiting
        yield "framegate_notify_failing", (name,), book.failing is not None
    yield "framegate_build_info", (__version__,), 1


class Metrics:
    """Serves the last status as metrics and writes it to a file; ``collect`` is called by other threads.

    Args:
        durations: of the frames judged so far.
        listen: the address to serve at, or None.
        textfile: the file to write, or None.
        emit: gets an event when the file cannot be written, and when it can be again.

    Raises:
        ConfigError: the address cannot be used.
    """

    def __init__(
        self, durations: Durations, listen: str | None, textfile: str | None, emit: Listener
    ) -> None:
        self._durations = durations
        self._textfile = textfile
        self._emit = emit
        self._output = OutputFile(emit)
        self._snapshot: tuple[list[Sample], list[tuple[float, int]], float] | None = None
        self._next_s = self._next_file_s = -NEVER_S
        self._lock = threading.Lock()
        self._server = None if listen is None else _serve(listen, self)

    def retune(self, textfile: str | None) -> None:
        """Write to another file, or to none."""
        if textfile != self._textfile:
            self._textfile = textfile
            self._output = OutputFile(self._emit)
            self._next_file_s = -NEVER_S

    def deadline_s(self) -> float:
        """Return when the next status is wanted."""
        served_s = NEVER_S if self._server is None else self._next_s
        return min(served_s, NEVER_S if self._textfile is None else self._next_file_s)

    def show(self, status: Status, now_s: float) -> None:
        """Serve this status from now on, and write the file if it is time."""
        snapshot = (list(samples(status)), self._durations.cumulative(), self._durations.sum_s)
        with self._lock:
            self._snapshot = snapshot
        self._next_s = now_s + SERVED_S
        if self._textfile is not None and now_s >= self._next_file_s:
            self._next_file_s = now_s + TEXTFILE_S
            self._output.write(Path(self._textfile), self._write)

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            server, thread = self._server
            with suppress(OSError):
                server.shutdown()
                server.server_close()
            thread.join(2)

    def collect(self) -> Iterator["Metric"]:
        """Yield the metrics of the last status; prometheus_client calls this."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415 - an extra
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        with self._lock:
            snapshot = self._snapshot
        if snapshot is None:
            return
        rows, buckets, sum_s = snapshot
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

    def _write(self, path: Path) -> None:
        from prometheus_client import write_to_textfile  # noqa: PLC0415 - an extra

        write_to_textfile(str(path), _registry(self))


def _serve(listen: str, metrics: Metrics) -> Any:
    from prometheus_client import start_http_server  # noqa: PLC0415 - an extra; preflight.py checks it

    host, _, port = listen.rpartition(":")
    try:
        return start_http_server(int(port), host.strip("[]"), registry=_registry(metrics))
    except OSError as error:
        raise ConfigError((Problem("metrics.listen", f"{listen}: {error.strerror or error}"),)) from error


def _registry(metrics: Metrics) -> "CollectorRegistry":
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - an extra

    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return registry
