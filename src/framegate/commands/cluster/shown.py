"""How far a scan by many workers is: a bar for all frames, and one for each camera in hand."""

import sys
from collections import Counter
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from framegate.commands.cluster.months import Archive, Month
from framegate.commands.cluster.window import Chain
from framegate.commands.progress import Rate
from framegate.commands.scan import printable
from framegate.model import Verdict

MOST_LINES = 20


class CameraBars:
    """Bars on standard error; without a terminal they show nothing.

    Args:
        archive: all that is to be judged.
        done: frames that an earlier run has judged.
    """

    def __init__(self, archive: Archive, done: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._all = self._progress.add_task("frames", total=archive.frames, completed=done, words="0 kept")
        self._kept = 0
        self._lines: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def begin(self, chain: Chain[Month]) -> None:
        """Show a camera whose next month is handed over."""
        if chain.name not in self._lines and len(self._lines) < MOST_LINES:
            frames = sum(month.frames for month in chain.parts)
            self._lines[chain.name] = self._progress.add_task(
                printable(chain.name),
                total=frames,
                completed=frames + chain.weight,
                words=chain.next_part.month,
            )

    def finish(self, chain: Chain[Month], counts: Counter[Verdict]) -> None:
        """Move on by a month, and hide its camera."""
        self._kept += counts[Verdict.KEPT]
        words = f"{self._kept} kept"
        self._progress.update(self._all, advance=chain.next_part.frames, words=words)
        if (line := self._lines.pop(chain.name, None)) is not None:
            self._progress.remove_task(line)
