"""Folders inside the drop folder that may not be listed, or not searched: one warning for each."""

from framegate.events.base import Listener
from framegate.events.watch import FolderUnlisted

MOST_NAMED = 100
"""Folders that get a warning at the same time, at the most."""


class Unlisted:
    """Remembers which folders the sweeps passed over.

    Args:
        emit: receives the warnings.
    """

    def __init__(self, emit: Listener) -> None:
        self._emit = emit
        self._known: set[str] = set()
        self._met: set[str] = set()

    def note(self, name: str, error: OSError) -> None:
        """Note that a sweep could not see what is in a folder."""
        if name not in self._known and len(self._known) < MOST_NAMED:
            self._known.add(name)
            self._emit(FolderUnlisted(name, error.strerror or str(error)))
        if name in self._known:
            self._met.add(name)

    def end_of_sweep(self) -> bool:
        """Return whether a folder that could not be listed was listed, or is gone."""
        mended = self._known - self._met
        self._known &= self._met
        self._met = set()
        return bool(mended)
