"""``framegate scan``: a progress bar on a terminal, then a summary."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from framegate.allocator import give_large_pictures_back
from framegate.commands.capture_order import order_warning
from framegate.commands.cluster.table import is_parquet, parquet_of_values, require_parquet
from framegate.commands.output import require_output
from framegate.commands.progress import Bar
from framegate.commands.scanning import Summary, scan
from framegate.commands.stats_file import StatsFile
from framegate.config.capture_time import MTIME
from framegate.config.load import Config
from framegate.config.settings import DropSettings
from framegate.events.base import Listener, LogEvent, emitter
from framegate.events.frames import FrameDecided
from framegate.ingest.sweeping import candidates_of
from framegate.model import Candidate, Reason, Verdict
from framegate.preflight.folder_checks import check_unmatched, check_unread, contents_of
from framegate.preflight.preflight import prepare_to_scan

MOST_REJECTED_LISTED = 1000
"""More rejected frames than this are only counted."""

NAMES_SHOWN = 3
"""Rejected frames named for each reason."""


def run_scan(config: Config, *, stats: Path | None, dry_run: bool, as_json: bool) -> None:
    """Scan, with progress on standard error; print the summary to standard output.

    Raises:
        ConfigError: the folders do not allow a scan.
        OutputError: the table must not be written there.
        StatsError: it cannot be written.
        SinkError: a result cannot be written.
    """
    if stats is not None:
        require_output(stats, config.path, drop_folder=config.settings.drop.folder)
        if is_parquet(stats):
            require_parquet()
    give_large_pictures_back()
    prepare_to_scan(config, needs_results=not dry_run)
    candidates = candidates_of(config.settings, report_skipped)
    warn_about_names(config.settings.drop, candidates)
    outcome, bar = Outcome(), Bar(len(candidates), "{task.fields[kept]} kept", kept=0)
    with ExitStack() as stack:
        listeners: list[Listener] = [outcome, _moving(stack.enter_context(bar))]
        frames: Iterable[Candidate] = candidates
        if stats is not None:
            table = stack.enter_context(
                StatsFile(stats, parquet_of_values) if is_parquet(stats) else StatsFile(stats)
            )
            listeners.append(table)
            frames = table.while_written(candidates)
        summary = scan(config.settings, frames, emitter(listeners), dry_run=dry_run)
    print_summary(summary, outcome, config, dry_run=dry_run, as_json=as_json)


def print_summary(
    summary: Summary, outcome: "Outcome", config: Config, *, dry_run: bool, as_json: bool
) -> None:
    """Print to standard output what a scan has done."""
    if as_json:
        print(json.dumps(_document(summary, outcome)))
    else:
        print("\n".join([_in_words(summary, config, dry_run=dry_run), *outcome.in_lines()]))


def warn_about_names(drop: DropSettings, candidates: Sequence[Candidate]) -> None:
    """Warn of files whose names do not fit the settings, and of frames that are probably in the wrong order.

    Args:
        drop: the settings.
        candidates: what is in the folder, in the order of their capture times.
    """
    contents = contents_of(drop)
    for finding in (*check_unmatched(contents), *check_unread(contents)):
        print(f"warning: {finding.message}", file=sys.stderr)
    warn_about_order(drop, candidates)


def warn_about_order(drop: DropSettings, candidates: Sequence[Candidate]) -> None:
    """Warn of frames that are probably in the wrong order; see ``warn_about_names``."""
    if drop.capture_time == (MTIME,) and (warning := order_warning(candidates)):
        print(f"warning: {warning}", file=sys.stderr)


def report_skipped(name: str, error: OSError) -> None:
    """Say that a folder inside the drop folder may not be listed."""
    print(f"skipped: {name!r} may not be listed: {error.strerror}", file=sys.stderr)


def _document(summary: Summary, outcome: "Outcome") -> dict[str, Any]:
    return {
        "schema": 1,
        **asdict(summary),
        "seconds": round(summary.seconds, 3),
        "cameras": {
            camera: {"seen": counts.total(), **{str(verdict): counts[verdict] for verdict in Verdict}}
            for camera, counts in sorted(outcome.cameras.items())
        },
        "rejected_frames": outcome.rejected_frames,
    }


def _in_words(summary: Summary, config: Config, *, dry_run: bool) -> str:
    rate = summary.seen / summary.seconds if summary.seconds else 0
    kept = "would be kept" if dry_run else f"kept in {config.settings.results.folder}"
    return (
        f"{summary.seen} frames in {summary.seconds:.1f} s ({rate:.0f}/s): {summary.kept} {kept},"
        f" {summary.dropped} dropped, {summary.rejected} rejected"
    )


class Outcome:
    """A listener that counts the verdicts of each camera, and remembers the first rejected frames."""

    def __init__(self) -> None:
        self.cameras: dict[str, Counter[Verdict]] = {}
        self.rejected_frames: list[dict[str, str]] = []
        self._reasons: Counter[str] = Counter()

    def __call__(self, event: LogEvent) -> None:
        """Count a verdict."""
        if isinstance(event, FrameDecided):
            entry = event.entry
            self.note(entry.key.name, entry.camera, entry.reason, entry.detail)

    def note(self, name: str, camera: str, reason: Reason, detail: str) -> None:
        """Count the verdict about a frame."""
        self.cameras.setdefault(camera, Counter())[reason.verdict] += 1
        if reason.verdict is not Verdict.REJECTED:
            return
        self._reasons[str(reason)] += 1
        if len(self.rejected_frames) < MOST_REJECTED_LISTED:
            frame = {"frame": name, "camera": camera, "reason": str(reason)}
            self.rejected_frames.append(frame | ({"detail": detail} if detail else {}))

    def in_lines(self) -> Iterator[str]:
        """Yield a table of the cameras, if there are several, and a line for each reason of a rejection."""
        if len(self.cameras) > 1:
            width = max(len("camera"), *(len(printable(camera)) for camera in self.cameras))
            yield f"{'camera':{width}} {'seen':>7} " + " ".join(f"{verdict:>8}" for verdict in Verdict)
            for camera, counts in sorted(self.cameras.items()):
                numbers = " ".join(f"{counts[verdict]:8}" for verdict in Verdict)
                yield f"{printable(camera):{width}} {counts.total():7} {numbers}"
        for reason, count in self._reasons.most_common():
            names = [printable(frame["frame"]) for frame in self.rejected_frames if frame["reason"] == reason]
            more = ", ..." if count > NAMES_SHOWN else ""
            yield f"rejected as {reason}: {count} ({', '.join(names[:NAMES_SHOWN])}{more})"


def printable(name: str) -> str:
    """Return a name, quoted and escaped if it has control characters."""
    return name if name.isprintable() else repr(name)


def _moving(bar: Bar) -> Listener:
    """Return a listener that moves a bar."""
    kept = 0

    def move(event: LogEvent) -> None:
        nonlocal kept
        if isinstance(event, FrameDecided):
            kept += event.entry.reason.verdict is Verdict.KEPT
            bar.move(1, kept=kept)

    return move
