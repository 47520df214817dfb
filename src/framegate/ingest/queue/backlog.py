"""How much of a backlog is in memory. The drop folder is the queue; memory holds its oldest frames.

Fifty thousand frames that wait in the folder are not fifty thousand objects: a sweep brings the oldest of
each camera into hand, and leaves the rest in the folder until those are judged. A live frame of a camera that
has frames left there waits behind them; one of any other camera comes into hand at once.
"""

import math
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from framegate.model import Candidate, FileKey

MOST_IN_HAND = 4096
"""Files in hand, that is, settling or queued, at the most: about 4 MB. A sweep of 50,000 new files takes some
0.5 s; with this many in hand, a backlog costs one sweep for every half minute of judging."""

MOST_BY_SWEEP = MOST_IN_HAND * 3 // 4
"""A sweep leaves room for what other cameras send meanwhile."""

REFILL_BELOW = MOST_IN_HAND // 4
"""With fewer files in hand than this, the next sweep of a backlog is due."""

SHARDS = 1024
"""Camera names come from outside: a million of them take no more memory than this many shards. Cameras of one
shard share its part of a backlog; each is still judged in its own order."""

Order = tuple[int, str]
"""Capture time in nanoseconds, then name: see ``Candidate.order``."""


def shard_of(camera: str) -> int:
    """Return the shard of a camera, 0 to ``SHARDS - 1``; another one in each process."""
    return hash(camera) % SHARDS


class Backlog:
    """Decides which files come into hand now, and which stay in the folder until a later sweep."""

    def __init__(self) -> None:
        self._oldest_left: dict[int, Order] = {}
        """The oldest frame that was left in the folder, by shard."""

        self._left_meanwhile: dict[int, Order] = {}
        """The same, of those left since the last sweep began: it may have listed their folder before."""

        self.left: Mapping[str, int] = {}
        """How many frames the last sweep left there, by camera; those beyond ``SHARDS`` cameras as ``*``."""

        self.left_since_s = math.inf
        """Since when there are always some frames left in the folder; infinity when there are none."""

    @property
    def is_left(self) -> bool:
        """Whether frames were left in the folder that only a sweep will find."""
        return bool(self._oldest_left)

    def wants_refill(self, in_hand: int) -> bool:
        """Return whether it is time for the next sweep of a backlog."""
        return self.is_left and in_hand <= REFILL_BELOW

    def admit(self, candidate: Candidate, in_hand: int) -> bool:
        """Return whether a file comes into hand; if not, remember that it is left in the folder."""
        oldest_left = self._oldest_left.get(shard_of(candidate.camera))
        if in_hand < MOST_IN_HAND and (oldest_left is None or candidate.order < oldest_left):
            return True
        self.leave(candidate)
        return False

    def is_after_the_left(self, candidate: Candidate) -> bool:
        """Return whether a file comes after frames of its shard that were left in the folder."""
        oldest_left = self._oldest_left.get(shard_of(candidate.camera))
        return oldest_left is not None and candidate.order > oldest_left

    def room(self, in_hand: int) -> int:
        """Return how many more files a sweep may bring into hand."""
        return max(0, MOST_BY_SWEEP - in_hand)

    def selection(self, in_hand: int) -> "Selection":
        """Begin a sweep: offer it every new file, then ``settle_on`` what it chose."""
        self._left_meanwhile = {}
        return Selection(self.room(in_hand))

    def settle_on(self, selection: "Selection", in_hand: int, now_s: float) -> list[Candidate]:
        """End a sweep that has offered all it found; return the files that come into hand, oldest first.

        The order is that of each camera.
        """
        chosen = selection.chosen(self.room(in_hand))
        self._oldest_left, self._left_meanwhile = self._left_meanwhile, {}
        self.left = selection.left_counts(chosen)
        self.left_since_s = min(self.left_since_s, now_s) if self.left else math.inf
        for candidate in selection.left():
            self.leave(candidate)
        return chosen

    def leave(self, candidate: Candidate) -> None:
        """Remember that a file stays in the folder, until a sweep finds it."""
        shard = shard_of(candidate.camera)
        for left in (self._oldest_left, self._left_meanwhile):
            left[shard] = min(left.get(shard, candidate.order), candidate.order)


@dataclass(slots=True)
class _Share:
    """One shard's part of a sweep."""

    chosen: list[tuple[Order, FileKey, Candidate]] = field(default_factory=list)
    """Oldest first."""

    left: Candidate | None = None
    """The oldest that was not chosen."""

    def trim(self, room: int) -> None:
        while len(self.chosen) > room:
            candidate = self.chosen.pop()[-1]
            if self.left is None or candidate.order < self.left.order:
                self.left = candidate


class Selection:
    """The oldest files of one sweep, in equal shares for the shards that it finds.

    Args:
        room: files to choose at the most.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._shares: dict[int, _Share] = {}
        self._offered: Counter[str] = Counter()

    def offer(self, candidate: Candidate) -> None:
        """Consider a file that the sweep found new."""
        self._offered[self._counted_as(candidate.camera)] += 1
        share = self._shares.setdefault(shard_of(candidate.camera), _Share())
        insort(share.chosen, (candidate.order, candidate.key, candidate))
        share.trim(self._room // len(self._shares))

    def chosen(self, room: int) -> list[Candidate]:
        """Return the chosen files, at most ``room``, each camera's in order."""
        for share in self._shares.values():
            share.trim(min(self._room, room) // len(self._shares))
        return [candidate for share in self._shares.values() for *_, candidate in share.chosen]

    def left(self) -> Iterator[Candidate]:
        """Yield, for each shard that has more, the oldest file that was not chosen."""
        return (share.left for share in self._shares.values() if share.left is not None)

    def left_counts(self, chosen: Iterable[Candidate]) -> dict[str, int]:
        """Return how many were offered and not chosen, by camera."""
        left = self._offered - Counter(self._counted_as(candidate.camera) for candidate in chosen)
        return dict(left)

    def _counted_as(self, camera: str) -> str:
        return camera if camera in self._offered or len(self._offered) < SHARDS else "*"
