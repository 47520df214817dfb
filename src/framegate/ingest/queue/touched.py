"""Judged files to which something was done since: each is read and compared before it counts as new.

A chmod of the whole folder, or a clock that is changed, touches every file of it. Those must not come into
hand as frames, or live frames would wait behind them; and they take no memory: a later sweep finds those for
which there is no room here.
"""

from dataclasses import dataclass

from framegate.model import FileKey, Origin

MOST_TOUCHED = 4096


@dataclass(frozen=True, slots=True)
class Touched:
    """A version of a file that is to be compared with the judged one, and what named it."""

    key: FileKey
    origin: Origin


class TouchedFiles:
    """Holds touched files until they are compared, the first one first."""

    def __init__(self) -> None:
        self._waiting: dict[str, Touched] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: FileKey, origin: Origin) -> None:
        """Hold a file, in place of an earlier version of it; if there is no room, a later sweep finds it."""
        before = self._waiting.get(key.name)
        if before is not None and before.origin.proves_complete:
            origin = before.origin
        if before is not None or len(self) < MOST_TOUCHED:
            self._waiting[key.name] = Touched(key, origin)

    def next(self) -> Touched | None:
        """Return the file that is compared next; None if none waits."""
        return next(iter(self._waiting.values()), None)

    def forget(self, name: str) -> None:
        """Forget a file: it was compared, or has come into hand."""
        self._waiting.pop(name, None)
