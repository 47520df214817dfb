"""How much of a backlog is in memory. The drop folder is the queue; memory holds its oldest frames.

Fifty thousand frames that wait in the folder are not fifty thousand objects: a sweep takes the oldest of
each camera, and leaves the rest where they are until those are judged. A live frame of a camera that has
frames left there comes after them; of any other it is taken at once, and the cameras are served in turn.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from framegate.model import Candidate, FileKey

MOST_IN_HAND = 4096
"""Files that settle or wait for their judgement, at the most: about 4 MB. A sweep of 50,000 new
files takes some 0.5 s; taking this many at a time, a backlog costs one for every half minute of judging."""

MOST_BY_SWEEP = MOST_IN_HAND * 3 // 4
"""A sweep leaves room for what other cameras send meanwhile."""

REFILL_BELOW = MOST_IN_HAND // 4

LANES = 1024
"""Cameras are names, and names come from outside: a million of them take no more room than this many lanes.
Cameras that share a lane share its turn in a backlog; each is still judged in its own order."""

Order = tuple[int, str]


def lane_of(camera: str) -> int:
    """Return the lane of a camera."""
    return hash(camera) % LANES


class Backlog:
    """Decides what comes into hand now and what stays in the folder; remembers where each camera goes on."""

    def __init__(self) -> None:
        self._goes_on_at: dict[int, Order] = {}
        """The oldest frame that was left in the folder, by lane."""

        self._left_meanwhile: dict[int, Order] = {}
        """The same, of those left since the last sweep began: it may have listed their folder before."""

        self.left: Mapping[str, int] = {}
        """How many frames the last sweep left there, by camera; beyond ``LANES`` cameras as one, ``*``."""

        self.left_since_s = math.inf
        """When frames were first left there; they were not all taken in hand since."""

    @property
    def is_left(self) -> bool:
        """Whether frames were left in the folder that only a sweep will find."""
        return bool(self._goes_on_at)

    def wants_refill(self, in_hand: int) -> bool:
        """Whether it is time for the next sweep of a backlog."""
        return self.is_left and in_hand <= REFILL_BELOW

    def admit(self, candidate: Candidate, in_hand: int) -> bool:
        """Decide whether a file comes into hand; if not, remember that it is left in the folder."""
        goes_on_at = self._goes_on_at.get(lane_of(candidate.camera))
        if in_hand < MOST_IN_HAND and (goes_on_at is None or candidate.order < goes_on_at):
            return True
        self.leave(candidate)
        return False

    def is_after_the_left(self, candidate: Candidate) -> bool:
        """Return whether a file comes after frames of its lane that were left in the folder."""
        goes_on_at = self._goes_on_at.get(lane_of(candidate.camera))
        return goes_on_at is not None and candidate.order > goes_on_at

    def room(self, in_hand: int) -> int:
        """Return how many more files a sweep may bring into hand."""
        return max(0, MOST_BY_SWEEP - in_hand)

    def selection(self, in_hand: int) -> "Selection":
        """Begin a sweep: offer it every new file, then ``settle_on`` what it chose."""
        self._left_meanwhile = {}
        return Selection(self.room(in_hand))

    def settle_on(self, selection: "Selection", in_hand: int, now_s: float) -> list[Candidate]:
        """End a sweep; return the files that come into hand, each camera's in order."""
        chosen = selection.chosen(self.room(in_hand))
        self._goes_on_at, self._left_meanwhile = self._left_meanwhile, {}
        self.left = selection.left_counts(chosen)
        self.left_since_s = min(self.left_since_s, now_s) if self.left else math.inf
        for candidate in selection.left():
            self.leave(candidate)
        return chosen

    def leave(self, candidate: Candidate) -> None:
        """Remember that a file stays in the folder, until a sweep finds it."""
        lane = lane_of(candidate.camera)
        for left in (self._goes_on_at, self._left_meanwhile):
            left[lane] = min(left.get(lane, candidate.order), candidate.order)


class _YoungestFirst(tuple[Order, FileKey]):
    """The other way round, for a heap that gives up its youngest."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, tuple)
        return tuple(self) > tuple(other)


@dataclass(slots=True)
class _Share:
    """What one lane has been given of a sweep."""

    heap: list[tuple[_YoungestFirst, Candidate]] = field(default_factory=list)
    left: Candidate | None = None
    """The oldest that it was not given."""

    def trim(self, room: int) -> None:
        while len(self.heap) > room:
            candidate = heapq.heappop(self.heap)[1]
            if self.left is None or candidate.order < self.left.order:
                self.left = candidate


class Selection:
    """The oldest files that one sweep offers, in equal shares for the lanes it meets.

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
        share = self._shares.setdefault(lane_of(candidate.camera), _Share())
        heapq.heappush(share.heap, (_YoungestFirst((candidate.order, candidate.key)), candidate))
        share.trim(self._room // len(self._shares))

    def chosen(self, room: int) -> list[Candidate]:
        """Return the chosen files, at most ``room``, each camera's in order."""
        self._room = min(self._room, room)
        self._trim()
        return [c for share in self._shares.values() for _, c in sorted(share.heap, reverse=True)]

    def left(self) -> Iterator[Candidate]:
        """Yield, for each lane that has more, the oldest file that was not chosen."""
        return (share.left for share in self._shares.values() if share.left is not None)

    def left_counts(self, chosen: Iterable[Candidate]) -> dict[str, int]:
        """Return how many were offered and not chosen, by camera."""
        left = self._offered - Counter(self._counted_as(candidate.camera) for candidate in chosen)
        return dict(left)

    def _counted_as(self, camera: str) -> str:
        return camera if camera in self._offered or len(self._offered) < LANES else "*"

    def _trim(self) -> None:
        """Hold every lane to its share, now that it is known how many there are."""
        if self._shares:
            for share in self._shares.values():
                share.trim(self._room // len(self._shares))
