"""A progress bar for commands that go through many frames."""

import sys
from typing import Any, Self

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


class Rate(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        return Text(f"{task.finished_speed or task.speed or 0:.0f} frames/s", style="progress.data.speed")


class Bar:
    """A progress bar on standard error; without a terminal it shows nothing.

    Args:
        total: number of frames.
        words: what follows the rate, with ``fields`` in it.
        fields: what they are at the beginning.
    """

    def __init__(self, total: int, words: str = "", **fields: Any) -> None:
        extra = [TextColumn(words)] if words else []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            *extra,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("frames", total=total, **fields)

    def __enter__(self) -> Self:
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._progress.disable:  # rich 13.7 ends a bar that it never showed with an empty line
            self._progress.stop()

    def move(self, frames: int, **fields: Any) -> None:
        """Move it on by a number of frames, which may be negative."""
        self._progress.update(self._task, advance=frames, **fields)
