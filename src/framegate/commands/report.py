"""``framegate report``: writes the page that shows every frame by its score, with a threshold to move."""

import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from framegate.allocator import give_large_pictures_back
from framegate.commands.capture_order import order_warning
from framegate.config.capture_time import MTIME
from framegate.config.load import Config
from framegate.config.quantities import in_words
from framegate.errors import FramegateError
from framegate.ingest.sweeping import candidates_of
from framegate.preflight.preflight import prepare_to_scan
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import Frame
from framegate.tune.report.labels import read_labels
from framegate.tune.report.positions import lines_of
from framegate.tune.report.report import boxes_of, page_of


class ReportError(FramegateError):
    """There is nothing to show, or the page cannot be written."""


def run_report(
    config: Config,
    against: Config | None,
    output: Path,
    *,
    most_bytes: int,
    labels_file: Path | None,
    must_open: bool,
) -> None:
    """Replay the frames of the drop folder at every threshold, and write the page.

    Raises:
        ConfigError: the folders do not allow it.
        LabelsError: the labels cannot be used.
        ReportError: there is no frame, or the page cannot be written.
    """
    give_large_pictures_back()
    prepare_to_scan(config, needs_results=False)
    settings = config.settings
    labels = [] if labels_file is None else read_labels(labels_file)
    frames = [Frame(candidate) for candidate in candidates_of(settings, _report_skipped)]
    if not frames:
        raise ReportError(f"{settings.drop.folder} has no frame to show")
    candidates = [frame.candidate for frame in frames]
    if settings.drop.capture_time == (MTIME,) and (warning := order_warning(candidates)):
        print(f"warning: {warning}", file=sys.stderr)
    lines = lines_of(settings, None if against is None else against.settings)
    store = FactStore(_cache_file())
    with _bars(len(frames)) as progress:
        replayed = replay(frames, lines, store=store, progress=lambda done: progress("replaying", done))
        page = page_of(
            _title(config),
            replayed,
            settings,
            boxes=boxes_of(replayed, settings, progress),
            most_bytes=most_bytes,
            against=None if against is None else (against.path or Path("old")).name,
            labels=labels,
            progress=progress,
        )
    store.close()
    _write(output, page)
    print(f"{output}: {len(frames)} frames, {in_words(len(page.encode()))}")
    if must_open:
        webbrowser.open(output.absolute().as_uri())


def _title(config: Config) -> str:
    if config.path is not None:
        return config.path.stem
    return Path(config.settings.drop.folder).name or "framegate"


def _cache_file() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "framegate" / "replays.db"


def _write(output: Path, page: str) -> None:
    """Write the page whole, or leave what was there."""
    beside = output.with_name(f".{output.name}.part")
    try:
        beside.write_text(page, encoding="utf-8")
        beside.replace(output)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ReportError(f"{output}: {error.strerror}") from error


def _report_skipped(name: str, error: OSError) -> None:
    print(f"skipped: {name!r} may not be listed: {error.strerror}", file=sys.stderr)


@contextmanager
def _bars(frames: int) -> Iterator[Callable[[str, int], None]]:
    """Show a progress bar for each step, on a terminal."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    tasks = {step: bars.add_task(step, total=frames) for step in ("replaying", "regions", "pictures")}
    if not bars.disable:
        bars.start()
    try:
        yield lambda step, done: bars.advance(tasks[step], done)
    finally:
        if not bars.disable:
            bars.stop()
