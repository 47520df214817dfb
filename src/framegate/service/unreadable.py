"""Files that may not be read now, each until it is tried again; and folders that may not be listed.

The files are not in hand: an FTP server whose umask leaves us no permission makes thousands of them in a
day, and those must not take the places of the frames behind them. Tries fall on the same instants, so that
files which become readable together are judged together, in their order.
"""

import heapq
import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from framegate.events import Listener, happening
from framegate.model import Candidate, FileKey
from framegate.service.retrying import retry_delay_s

MOST_WAITING = 65_536
"""Some 30 MB. Those beyond it stay in hand."""

MOST_NAMED = 100
"""Folders that may not be listed and are each said by name."""


@dataclass(frozen=True, slots=True)
class _Wait:
    candidate: Candidate
    retry_at_s: float


class Unreadable:
    """Remembers which files could not be read, how often, and when each is tried again.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self) -> None:
        self._tries: Counter[str] = Counter()
        self._waits: dict[str, _Wait] = {}
        self._due: list[tuple[float, str]] = []
        """A heap; an entry whose file waits no longer, or for another instant, is void."""

    def __len__(self) -> int:
        """Return how many files wait for their next try."""
        return len(self._waits)

    def __contains__(self, name: str) -> bool:
        """Tell whether a file could not be read when it was last tried."""
        return name in self._tries

    def candidates(self) -> Iterator[Candidate]:
        """Yield what waits."""
        return (wait.candidate for wait in self._waits.values())

    def note_try(self, name: str) -> float:
        """Take in that a file could not be read; return how long to wait before the next try, in seconds."""
        self._tries[name] += 1
        return retry_delay_s(self._tries[name] - 1)

    def admits(self) -> bool:
        """Tell whether one more file may wait here."""
        return len(self._waits) < MOST_WAITING

    def wait(self, candidate: Candidate, delay_s: float, now_s: float) -> None:
        """Let a file wait for the next instant that is a multiple of ``delay_s``."""
        wait = _Wait(candidate, math.floor(now_s / delay_s + 1) * delay_s)
        self._waits[candidate.key.name] = wait
        heapq.heappush(self._due, (wait.retry_at_s, candidate.key.name))

    def is_waiting(self, key: FileKey) -> bool:
        """Tell whether this version of a file waits for its next try."""
        wait = self._waits.get(key.name)
        return wait is not None and wait.candidate.key == key

    def take_due(self, now_s: float, most: int) -> list[Candidate]:
        """Take out the files whose next try has come, at the most so many."""
        due: list[Candidate] = []
        while len(due) < most and self.next_deadline_s() <= now_s:
            _, name = heapq.heappop(self._due)
            due.append(self._waits.pop(name).candidate)
        return due

    def next_deadline_s(self) -> float:
        """Return when the next try comes; infinity if nothing waits."""
        while self._due and not self._is_valid(*self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else math.inf

    def forget(self, name: str) -> None:
        """Take in that a file has its verdict, or is gone."""
        self._tries.pop(name, None)
        self._waits.pop(name, None)

    def forget_all_but(self, names: Collection[str]) -> None:
        """Take in what a sweep saw: whatever else could not be read is no longer there."""
        for name in [name for name in self._tries if name not in names]:
            self.forget(name)

    def _is_valid(self, retry_at_s: float, name: str) -> bool:
        wait = self._waits.get(name)
        return wait is not None and wait.retry_at_s == retry_at_s


class Unlisted:
    """Remembers which folders inside the drop folder may not be listed, and says it once of each."""

    def __init__(self, announce: Listener) -> None:
        self._announce = announce
        self._known: set[str] = set()
        self._met: set[str] = set()

    def note(self, name: str, error: OSError) -> None:
        """Take in that a sweep passed a folder over."""
        if name not in self._known and len(self._known) < MOST_NAMED:
            self._known.add(name)
            words = error.strerror or str(error)
            self._announce(happening("folder.unlisted", "warning", folder=name, error=words))
        self._met.add(name)

    def end_of_sweep(self) -> bool:
        """Return whether a folder that could not be listed was listed, or is gone."""
        mended = self._known - self._met
        self._known &= self._met
        self._met = set()
        return bool(mended)
