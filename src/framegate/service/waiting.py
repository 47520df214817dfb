"""Since when the frames have been known that have no verdict yet, camera by camera."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from framegate.model import Candidate
from framegate.service.retrying import NEVER_S


@dataclass(frozen=True, slots=True)
class Pending:
    """Frames of one camera that have no verdict yet."""

    count: int = 0
    since_s: float = NEVER_S
    """When the oldest of them was first seen; seconds of the monotonic clock."""

    why: str | None = None
    """Why that one waits, where it is known, in a few words: ``Permission denied``, ``being written``."""


class Waiting:
    """Remembers when each file came into hand. Times are given by the caller."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._left: Mapping[str, int] = {}
        self._left_since_s = NEVER_S

    def met(self, name: str, now_s: float) -> None:
        """Take in that a file is in hand."""
        self._since_s.setdefault(name, now_s)

    def gone(self, name: str) -> None:
        """Take in that a file has its verdict, or is no longer there."""
        self._since_s.pop(name, None)

    def swept(self, in_hand: Collection[str], left: Mapping[str, int], now_s: float) -> None:
        """Take in what a sweep saw: the files in hand, and how many of each camera it left in the folder."""
        for name in [name for name in self._since_s if name not in in_hand]:
            del self._since_s[name]
        self._left = left
        self._left_since_s = min(self._left_since_s, now_s) if left else NEVER_S

    def pending(self, in_hand: Iterable[Candidate], now_s: float) -> dict[str, Pending]:
        """Return what waits, by camera: in hand, and left in the folder as of the last sweep."""
        pending = {camera: Pending(count, self._left_since_s) for camera, count in self._left.items()}
        for candidate in in_hand:
            before = pending.get(candidate.camera, Pending())
            since_s = min(before.since_s, self._since_s.get(candidate.key.name, now_s))
            pending[candidate.camera] = Pending(before.count + 1, since_s)
        return pending
