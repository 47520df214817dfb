"""The chores that the loop runs between frames: deleting or archiving inputs, deleting results and rows."""

from collections.abc import Callable, Iterable
from typing import Protocol

from framegate.config.settings import Settings
from framegate.events.base import Listener
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.retention.archive.archiver import InputArchiver
from framegate.retention.inputs import InputCleaner
from framegate.retention.ledger_rows import LedgerPruner
from framegate.retention.results import ResultCleaner
from framegate.retention.wall_clock import WallClock


class Chore(Protocol):
    """Work that the loop does between frames, in small portions."""

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do."""

    def run_due(self, now_s: float) -> None:
        """Do a portion, if it is time; raise nothing."""

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on."""


def deletion_chores(
    settings: Settings,
    ledger: Ledger,
    emit: Listener,
    disk: Disk,
    *,
    clock: Callable[[], float],
    wall_ns: Callable[[], int],
    is_absent: Callable[[], bool],
    is_paused: Callable[[], bool],
) -> list[Chore]:
    """Return the chores that delete and archive.

    Args:
        settings: what is deleted, and when.
        ledger: has every frame; used by the loop's thread only.
        emit: gets an event for each deletion.
        disk: the file operations.
        clock: monotonic seconds.
        wall_ns: the wall clock, nanoseconds since the epoch.
        is_absent: whether the drop folder is missing.
        is_paused: whether the intake is paused, perhaps for lack of space.
    """
    wall_clock = WallClock(wall_ns, ledger.presence.newest_decision_ns, emit)
    return [
        InputCleaner(settings, ledger, emit, wall_clock, disk),
        InputArchiver(settings, ledger, emit, wall_clock, disk),
        ResultCleaner(settings, ledger, emit, wall_clock, disk, is_paused=is_paused),
        LedgerPruner(settings, ledger, emit, clock=clock, wall_clock=wall_clock, is_absent=is_absent),
    ]


def archive_refused(chores: Iterable[Chore]) -> str | None:
    """Return why inputs cannot be moved to the archive now; None if they can, or if none has to be."""
    return next((chore.refused for chore in chores if isinstance(chore, InputArchiver)), None)
