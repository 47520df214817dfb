"""``framegate report``: writes the page that shows every frame by its score, with a threshold to move."""

import sys
from dataclasses import dataclass
from pathlib import Path

from framegate.allocator import give_large_pictures_back
from framegate.commands.output import require_output, written_whole
from framegate.commands.progress import Bar
from framegate.commands.remembering import remembered
from framegate.commands.scan import printable
from framegate.commands.source import frames_to_replay
from framegate.config.load import Config
from framegate.config.quantities import in_words
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.tune.labels import read_labels
from framegate.tune.replay.engine import replay
from framegate.tune.report.positions import lines_of
from framegate.tune.report.report import boxes_of, page_of

STEPS = 3
"""How often each frame is gone through: replayed, looked at for regions, made a small picture."""


class ReportError(FramegateError):
    """The page cannot be written."""


class NothingToShowError(FramegateError):
    """There is no frame."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page is to show, and how large it may be."""

    folder: Path | None
    """None: what the daemon of the config has judged."""

    camera: str | None
    """None: all."""

    most_bytes: int
    labels: Path | None
    is_cached: bool


def run_report(config: Config, against: Config | None, output: Path, shown: Shown) -> None:
    """Replay frames at every threshold, and write the page.

    Raises:
        ConfigError: the folders do not allow it.
        LabelsError: the labels cannot be used.
        NothingToShowError: there is no frame.
        OutputError: the page must not be written there.
        ReportError: it cannot be written.
    """
    old = None if against is None else against.path
    settings = config.settings
    require_output(output, config.path, old, shown.labels, drop_folder=settings.drop.folder)
    give_large_pictures_back()
    labels = [] if shown.labels is None else read_labels(shown.labels)
    source = frames_to_replay(config, shown.folder, camera=shown.camera)
    source.warn()
    frames = source.frames_there
    if not frames:
        of = "" if shown.camera is None else f" of camera {printable(shown.camera)}"
        raise NothingToShowError(f"{settings.drop.folder}: there is no frame{of}")
    lines = lines_of(settings, None if against is None else against.settings)
    with remembered(is_cached=shown.is_cached) as store, Bar(STEPS * len(frames)) as bar:
        is_whole = len(frames) == len(source.frames)
        then = source.then if is_whole else []
        replayed = replay(frames, [*lines, *then], store=store, masks=source.masks, progress=bar.move)
        if is_whole:
            source.verify(replayed)
        source.tell([replayed])
        page = page_of(
            _title(config),
            replayed,
            settings,
            boxes=boxes_of(replayed, settings, bar.move),
            most_bytes=shown.most_bytes,
            against=None if against is None else (against.path or Path("old")).name,
            labels=labels,
            progress=bar.move,
        )
    data = page.encode()
    try:
        written_whole(output, data)
    except OSError as error:
        raise ReportError(f"{output}: {error.strerror}") from error
    size_bytes = len(data)
    print(f"{output}: {len(frames)} frames, {in_words(size_bytes)}")
    if size_bytes > shown.most_bytes:
        print(
            f"warning: even without a picture it takes more than {shown.most_bytes:,} bytes", file=sys.stderr
        )


def _title(config: Config) -> str:
    if config.path is not None:
        return config.path.stem
    return Path(config.settings.drop.folder).name or "framegate"
