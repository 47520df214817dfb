"""When is a file complete? A pure state machine: it is told what was seen and when, and asked what is ready.

It knows no watcher, no folder and no clock of its own. Two ways lead out of it: the writer has closed the
file, or moved it in under its final name (taken at once, on trial), or nothing about it has changed for
``settle_s``. What is taken and turns out to have no end yet comes back, and waits for more of it, for its
writer's close, or until it has not changed for ``give_up_s``. The time since its mtime says nothing: files
keep the mtime of where they came from.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from framegate.model import Candidate, FileKey, Origin


@dataclass(slots=True)
class _Waiting:
    candidate: Candidate
    first_seen_s: float
    unchanged_since_s: float
    on_trial: bool
    """Its writer has finished: it may be taken before it was quiet for ``settle_s``."""

    not_before_s: float = 0.0
    """It was tried and has to wait at least until then."""

    lacks_its_end: bool = False
    """It was tried and its content has no end: being quiet for ``settle_s`` is not enough."""


class Settler:
    """Holds the files that are not settled yet, each with the last version seen.

    Args:
        settle_s: seconds without a change after which a file counts as complete.
        give_up_s: seconds without a change after which a file without an end is taken as it is.
        describe: makes a candidate of a key: finds its camera and capture time.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, settle_s: float, give_up_s: float, describe: Callable[[FileKey], Candidate]) -> None:
        self.retune(settle_s, give_up_s)
        self.is_hurried = False
        """Others wait for the room: a file without an end is not waited for longer than ``settle_s``. Nothing
        is lost by it; when more of it comes it is another version."""

        self._describe = describe
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def retune(self, settle_s: float, give_up_s: float) -> None:
        """Take other times, also for what waits."""
        self.settle_s = settle_s
        self.give_up_s = max(settle_s, give_up_s)

    def candidates(self) -> Iterator[Candidate]:
        """Yield what waits, as the version that was seen last."""
        return (waiting.candidate for waiting in self._waiting.values())

    def observe(self, key: FileKey, origin: Origin, now_s: float, *, writer_is_done: bool = False) -> None:
        """Take in that a version of a file was seen, and perhaps that nobody has it open for writing."""
        is_complete = writer_is_done or origin.proves_complete
        waiting = self._waiting.get(key.name)
        if waiting is None:
            self._waiting[key.name] = _Waiting(self._describe(key), now_s, now_s, is_complete)
            return
        if waiting.candidate.key != key:
            waiting.candidate, waiting.unchanged_since_s = self._describe(key), now_s
            waiting.on_trial = waiting.lacks_its_end = False
        if is_complete:
            waiting.on_trial = True

    def vanished(self, name: str) -> None:
        """Take in that a file is no longer there."""
        self._waiting.pop(name, None)

    def forget_all_but(self, names: Collection[str]) -> None:
        """Take in what a sweep saw: whatever else was waiting is no longer there."""
        for name in [name for name in self._waiting if name not in names]:
            del self._waiting[name]

    def put_back(
        self,
        tried: Candidate,
        key: FileKey,
        now_s: float,
        *,
        delay_s: float = 0.0,
        lacks_its_end: bool = False,
    ) -> None:
        """Take back a candidate that could not be judged yet, as the version that is there now.

        It has to be quiet, and to wait ``delay_s``. What was heard of it meanwhile counts for more.
        """
        if key.name in self._waiting:
            return
        is_as_it_was = key == tried.key
        self._waiting[key.name] = _Waiting(
            self._describe(key),
            first_seen_s=now_s,
            unchanged_since_s=tried.unchanged_since_s if is_as_it_was else now_s,
            on_trial=False,
            not_before_s=now_s + delay_s,
            lacks_its_end=lacks_its_end and is_as_it_was,
        )

    def ready(self, now_s: float) -> list[Candidate]:
        """Take out the candidates to judge now, in their order.

        A frame waits for older frames of its camera that are still settling, so that a backlog is judged
        before what arrives meanwhile; but for none longer than ``settle_s``, so that a stalled upload does
        not hold up the line.
        """
        ready = self._free_to_go(now_s)
        for waiting in ready:
            del self._waiting[waiting.candidate.key.name]
        return sorted((self._as_found(w, now_s) for w in ready), key=lambda c: (c.order, c.key))

    def next_deadline_s(self, now_s: float) -> float | None:
        """Return when ``ready`` may next return something, ``now_s`` if it would now; None if nothing waits.

        Judging what ``ready`` returned takes time, in which others settle: they must not wait for the sweep.
        """
        if self._free_to_go(now_s):
            return now_s
        deadlines: list[float] = []
        for waiting in self._waiting.values():
            if not self._is_settled(waiting, now_s):
                deadlines.append(max(self._settles_at_s(waiting, now_s), waiting.not_before_s))
            if self._holds_others(waiting, now_s):
                deadlines.append(waiting.first_seen_s + self.settle_s)
        return min(deadlines, default=None)

    def _settles_at_s(self, waiting: _Waiting, now_s: float) -> float:
        if waiting.on_trial:
            return now_s
        return self._given_up_at_s(waiting) if waiting.lacks_its_end else self._quiet_at_s(waiting)

    def _quiet_at_s(self, waiting: _Waiting) -> float:
        return waiting.unchanged_since_s + self.settle_s

    def _given_up_at_s(self, waiting: _Waiting) -> float:
        if self.is_hurried and waiting.lacks_its_end:
            return self._quiet_at_s(waiting)
        return waiting.unchanged_since_s + self.give_up_s

    def _free_to_go(self, now_s: float) -> list[_Waiting]:
        """Return what is settled and not held by an older frame of its camera."""
        oldest = self._oldest_unsettled(now_s)
        settled = (w for w in self._waiting.values() if self._is_settled(w, now_s))
        return [w for w in settled if not _is_before(oldest.get(w.candidate.camera), w.candidate)]

    def _is_settled(self, waiting: _Waiting, now_s: float) -> bool:
        return now_s >= waiting.not_before_s and now_s >= self._settles_at_s(waiting, now_s)

    def _holds_others(self, waiting: _Waiting, now_s: float) -> bool:
        return not self._is_settled(waiting, now_s) and now_s < waiting.first_seen_s + self.settle_s

    def _oldest_unsettled(self, now_s: float) -> dict[str, Candidate]:
        oldest: dict[str, Candidate] = {}
        for waiting in self._waiting.values():
            if self._holds_others(waiting, now_s):
                rival = waiting.candidate
                if rival.camera not in oldest or rival.order < oldest[rival.camera].order:
                    oldest[rival.camera] = rival
        return oldest

    def _as_found(self, waiting: _Waiting, now_s: float) -> Candidate:
        return replace(
            waiting.candidate,
            unchanged_since_s=waiting.unchanged_since_s,
            is_final=now_s >= self._given_up_at_s(waiting),
        )


def _is_before(rival: Candidate | None, candidate: Candidate) -> bool:
    return rival is not None and rival.order < candidate.order
