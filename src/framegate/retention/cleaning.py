"""What input and result deletion share: small portions, each error logged once, retries."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from framegate.deadlines import NEVER_S
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.keep.presence import Recorded
from framegate.retention.refusals import RefusalLog, Warned

MOST_A_TURN = 20
"""Files deleted in one portion: some milliseconds."""


class Cleaner(ABC):
    """Deletes the files of recorded frames, a portion at a time.

    Args:
        ledger: says which files may be deleted.
        emit: gets an event for each deletion and for each new error.
        disk: the file operations.
        refused: the event for a file that cannot be deleted.
    """

    def __init__(
        self,
        ledger: Ledger,
        emit: Listener,
        disk: Disk,
        *,
        refused: Warned,
    ) -> None:
        self._ledger = ledger
        self._emit = emit
        self._disk = disk
        self._refusals = RefusalLog(refused, emit)
        self._next_s = -NEVER_S

    @abstractmethod
    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do; infinity for never."""

    def run_due(self, now_s: float) -> None:
        """Delete a portion, if it is time."""
        if now_s < self.deadline_s():
            return
        try:
            self._next_s = now_s + self._delete_some(now_s)
        except (SinkError, OSError):  # the intake, or the watch, reports it
            self._next_s = now_s + self._pause_after_error()

    def _removed(
        self, due: Iterable[tuple[Recorded, str]], remove: Callable[[Recorded, str], None]
    ) -> list[int]:
        """Remove files, each because of a rule; return the row numbers of those that are gone now."""
        gone = []
        for row, rule in due:
            try:
                remove(row, rule)
            except OSError as error:
                self._refusals.note(row.entry.key.name, error)
            else:
                gone.append(row.id)
        return gone

    @abstractmethod
    def _delete_some(self, now_s: float) -> float:
        """Delete a portion; return the pause before the next, in seconds."""

    @abstractmethod
    def _pause_after_error(self) -> float:
        """Return the pause after an error of the ledger or the folder, in seconds."""
