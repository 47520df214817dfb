"""A scan as a person sees it: a progress bar on a terminal, a sum at the end."""

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from framegate.config import Config
from framegate.errors import FramegateError
from framegate.events import Event, FrameDecided, Listener, announcer
from framegate.model import Verdict
from framegate.service.checkup import prepare_to_start
from framegate.service.scan import Summary, candidates_of, scan, stats_listener


class StatsError(FramegateError):
    """The table could not be written."""


class Rate(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        """Draw it."""
        return Text(f"{task.finished_speed or task.speed or 0:.0f} frames/s", style="progress.data.speed")


def run_scan(config: Config, *, stats: Path | None, dry_run: bool, as_json: bool) -> None:
    """Scan, showing progress on standard error; print the sums on standard output."""
    prepare_to_start(config, needs_state=False, needs_results=not dry_run)
    candidates = candidates_of(config.settings, _say_skipped)
    with ExitStack() as stack:
        listeners: list[Listener] = [stack.enter_context(_Bar(len(candidates)))]
        if stats is not None:
            file = stack.enter_context(_opened(stats))
            listeners.append(stats_listener(file))
        summary = scan(config.settings, candidates, announcer(listeners), dry_run=dry_run)
    if as_json:
        print(json.dumps({"schema": 1, **asdict(summary), "seconds": round(summary.seconds, 3)}))
    else:
        print(_in_words(summary, config, dry_run=dry_run))


def _say_skipped(name: str, error: OSError) -> None:
    print(f"skipped: {name!r} may not be listed: {error.strerror}", file=sys.stderr)


def _opened(stats: Path) -> IO[str]:
    try:
        return stats.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise StatsError(f"{stats}: {error.strerror}") from error


def _in_words(summary: Summary, config: Config, *, dry_run: bool) -> str:
    rate = summary.seen / summary.seconds if summary.seconds else 0
    kept = "would be kept" if dry_run else f"kept in {config.settings.results.folder}"
    return (
        f"{summary.seen} frames in {summary.seconds:.1f} s ({rate:.0f}/s): {summary.kept} {kept},"
        f" {summary.dropped} dropped, {summary.rejected} rejected"
    )


class _Bar:
    """A listener that moves a progress bar; without a terminal it shows nothing."""

    def __init__(self, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TextColumn("{task.fields[kept]} kept"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._kept = 0
        self._task = self._progress.add_task("frames", total=total, kept=0)

    def __enter__(self) -> Listener:
        self._progress.start()
        return self._move

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def _move(self, event: Event) -> None:
        if isinstance(event, FrameDecided):
            self._kept += event.entry.reason.verdict is Verdict.KEPT
            self._progress.update(self._task, advance=1, kept=self._kept)
