"""Frames are read and decoded before it is their turn, in as many threads as there are cores.

That is most of the work that a frame makes, and it depends on no other frame. What depends on their order,
the decision, is left to the one thread that takes the frames, in its order, whichever was ready first.

Only what the libraries do in a few long calls is done ahead. When pictures were also prepared for comparing,
in some thirty short calls each, the threads took the interpreter from each other 75 times a frame.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Protocol

from framegate.config.settings import Settings
from framegate.errors import SinkError
from framegate.examining import Examined
from framegate.model import Candidate, Decision, FileKey, Unsettled

Outcome = Examined | Unsettled

THREADS = len(os.sched_getaffinity(0))

MOST_FRAMES = 4 * THREADS
"""Frames in hand: enough to go on with while a group of results becomes durable."""

MOST_BYTES = 16_000_000 * THREADS
"""Memory of the frames in hand. On two cores eight of 1080p take 20 MB with ``classic``, three of 4K 30."""


class CrashGuard(Protocol):
    """Remembers, across restarts, which frames were in hand when the process ended."""

    def mark(self, keys: Collection[FileKey]) -> None:
        """Record that these frames are in hand, and no others: if the process ends now, they are suspects."""

    def deaths_of(self, key: FileKey) -> int:
        """Return how many times in a row the process has ended while it had this frame in hand."""

    def refusal(self, candidate: Candidate, settings: Settings) -> Decision | None:
        """Return the rejection of a frame that crashes the process; None of any other.

        Args:
            candidate: the frame, marked by now.
            settings: what it is judged by.
        """


class Ahead:
    """The frames that are examined in advance.

    Args:
        examine: reads and decodes one frame; called in any thread.
        settings: the snapshot.
        guard: gets the marks of the frames in hand; None where nothing restarts the process.
        pool: where to examine; by default as many threads as there are cores.
        most_frames: in hand at once, besides the one taken last; 0 examines each only when it is taken.
        most_bytes: of their memory, as far as it is known before they are decoded.
    """

    def __init__(
        self,
        examine: Callable[[Candidate], Outcome],
        settings: Settings,
        *,
        guard: CrashGuard | None = None,
        pool: Executor | None = None,
        most_frames: int = MOST_FRAMES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._examine = examine
        self._settings = settings
        self._guard = guard
        self._pool = pool or ThreadPoolExecutor(THREADS, thread_name_prefix="examine")
        self._most_bytes, self.most_frames = most_bytes, most_frames
        self._in_hand: dict[Candidate, Future[Outcome]] = {}
        self._largest_bytes: int | None = None
        """Memory of the largest of the frames in hand and the one taken last; None while none is known."""

    def retune(self, settings: Settings) -> None:
        """Examine by other settings from now on, also what is in hand."""
        self._settings = settings
        self._forget_all_but(())

    def take(self, candidate: Candidate, following: Sequence[Candidate] = ()) -> Outcome:
        """Return a frame, examined; begin with those that will be taken next.

        One frame alone is examined at once, in this thread: to hand it over would take longer.

        Args:
            candidate: the frame.
            following: the frames that are expected after it, in that order. Others are no longer.

        Raises:
            Exhausted: the process may open no more files; the frame can be taken again.
        """
        upcoming = [candidate, *following]
        self._forget_all_but(upcoming)
        if self._is_suspect(candidate):
            return self._suspect_alone(candidate)
        begun = self._in_hand.pop(candidate, None)
        if begun is None and following and self.most_frames:
            self._mark([candidate, *self._in_hand])
            begun = self._pool.submit(self._examine, candidate)
        following = list(self._to_begin(following))
        self._mark([candidate, *self._in_hand, *following])
        for each in following:
            self._in_hand[each] = self._pool.submit(self._examine, each)
        outcome = self._result_of(candidate, begun)
        if isinstance(outcome, Examined):
            self._largest_bytes = max(outcome.size_bytes, *map(_bytes_of, self._in_hand.values()), 0)
        return outcome

    @property
    def in_hand(self) -> tuple[Candidate, ...]:
        """The frames that are begun and not taken, in their order."""
        return tuple(self._in_hand)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Take frames in the ``with`` block; after it none of them is to blame if the process ends."""
        try:
            yield
        finally:
            self._mark(self._in_hand)

    def close(self) -> None:
        """Stop; what is begun is brought to its end."""
        self._forget_all_but(())
        self._pool.shutdown()
        self._mark(())

    def _result_of(self, candidate: Candidate, begun: Future[Outcome] | None) -> Outcome:
        """Return a frame, examined in this thread if it was not begun, or could not be opened a while ago."""
        if begun is not None:
            with suppress(SinkError):
                return begun.result()
        return self._examine(candidate)

    def _to_begin(self, following: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield the frames that are not in hand, as far as there is room for them, up to a suspect."""
        room = self._room
        for candidate in following:
            if candidate not in self._in_hand:
                if room <= 0 or self._is_suspect(candidate):
                    return
                room -= 1
                yield candidate

    @property
    def _room(self) -> int:
        """How many more frames may be in hand."""
        most = self.most_frames
        if self._largest_bytes is None:
            most = min(most, THREADS)
        elif self._largest_bytes:
            most = min(most, self._most_bytes // self._largest_bytes)
        return most - len(self._in_hand)

    def _forget_all_but(self, upcoming: Collection[Candidate]) -> None:
        for candidate in self._in_hand.keys() - set(upcoming):
            self._in_hand.pop(candidate).cancel()

    def _is_suspect(self, candidate: Candidate) -> bool:
        return self._guard is not None and self._guard.deaths_of(candidate.key) > 0

    def _suspect_alone(self, candidate: Candidate) -> Outcome:
        """Examine a frame at which the process may end, with no other in hand: then it is known at which."""
        assert self._guard is not None
        begun = list(self._in_hand.values())
        self._forget_all_but(())
        wait(begun)
        self._mark([candidate])
        refusal = self._guard.refusal(candidate, self._settings)
        if refusal is not None:
            return Examined(candidate, time.perf_counter(), rejection=refusal)
        return self._examine(candidate)

    def _mark(self, candidates: Iterable[Candidate]) -> None:
        if self._guard is not None:
            self._guard.mark([candidate.key for candidate in candidates])


def _bytes_of(future: Future[Outcome]) -> int:
    """Return the memory of a frame that is examined; 0 while it is not, or if that failed."""
    if not future.done() or future.cancelled() or future.exception() is not None:
        return 0
    outcome = future.result()
    return outcome.size_bytes if isinstance(outcome, Examined) else 0
