"""The files in hand, one record each, from the first hint to the verdict.

A record is in one of three states: the file settles, is queued to be judged, or is put aside because it could
not be read. What is put aside does not count as in hand: an FTP server whose umask leaves us no permission
makes thousands of such files a day, and those must not take the room of frames that can be judged. All of
them are read again at the same instants, so that files that become readable together are judged in order.
"""

import heapq
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from enum import Enum, auto
from itertools import chain

from framegate.deadlines import retry_delay_s
from framegate.ingest.pending import Pending, with_those_in_hand
from framegate.ingest.queue.settling import SettlingRules, Upload
from framegate.ingest.queue.turns import Turns
from framegate.model import Candidate, FileKey, NotYet, Origin, Unsettled

MOST_PUT_ASIDE = 65_536
"""Some 30 MB. Those beyond it are forgotten until a sweep finds them again: in hand they would take the
places of all other frames."""


class State(Enum):
    """Where a file is on its way to its verdict."""

    SETTLING = auto()
    QUEUED = auto()
    PUT_ASIDE = auto()


class Uploads:
    """Holds a record for each file that has no verdict yet and has been seen.

    Args:
        rules: decide when a file is settled.
        describe: makes a candidate of a key: finds its camera, capture time and arrival.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, rules: SettlingRules, describe: Callable[[FileKey], Candidate]) -> None:
        self._rules = rules
        self._describe = describe
        self._by_state: dict[State, dict[str, Upload]] = {state: {} for state in State}
        self._settling = self._by_state[State.SETTLING]
        self._queued = self._by_state[State.QUEUED]
        self._aside = self._by_state[State.PUT_ASIDE]
        self._turns = Turns()
        self._retries: list[tuple[float, str]] = []
        """A heap of when to read each file that is put aside. An outdated entry is skipped."""

        self._next_s = -math.inf
        """Before this ``settle`` would find nothing; minus infinity when that has to be worked out."""

    def __len__(self) -> int:
        """Return how many files are in hand: settling, or queued."""
        return len(self._settling) + len(self._queued)

    def __contains__(self, name: str) -> bool:
        return any(name in uploads for uploads in self._by_state.values())

    @property
    def has_queued(self) -> bool:
        """Whether a file is queued to be judged."""
        return bool(self._queued)

    def is_settling(self, name: str) -> bool:
        """Return whether a file settles."""
        return name in self._settling

    def use(self, rules: SettlingRules) -> None:
        """Use other rules from now on, also for the files that settle already."""
        rules.is_hurried = self._rules.is_hurried
        self._rules, self._next_s = rules, -math.inf

    def hurry(self, is_hurried: bool) -> None:  # noqa: FBT001
        """Set whether to wait less for files without an end; see ``SettlingRules.is_hurried``."""
        if is_hurried != self._rules.is_hurried:
            self._rules.is_hurried, self._next_s = is_hurried, -math.inf

    def is_queued_as(self, key: FileKey) -> bool:
        """Return whether this very version of a file is queued."""
        return _has_version(self._queued, key)

    def is_waiting_as(self, key: FileKey) -> bool:
        """Return whether this version is queued or put aside: that a sweep lists it again changes nothing."""
        return _has_version(self._queued, key) or _has_version(self._aside, key)

    def observe(
        self,
        key: FileKey,
        origin: Origin,
        now_s: float,
        *,
        writer_is_done: bool = False,
        is_backlog: bool = False,
    ) -> bool:
        """Record that a version of a file was seen.

        A file that was put aside, or is queued as another version, settles again.

        Args:
            key: the version.
            origin: what named it.
            now_s: the time.
            writer_is_done: no program has it open for writing.
            is_backlog: it may have been in the folder for any time.

        Returns:
            Whether the file was not in hand before.
        """
        is_closed = writer_is_done or origin.proves_complete
        upload = self._find(key.name)
        if upload is None:
            upload = Upload(self._describe(key), now_s, now_s, is_closed)
            if is_backlog:
                upload.candidate = replace(upload.candidate, arrived_at_ns=None)
        elif upload.candidate.key != key:
            is_closed = is_closed or (origin is not Origin.CREATED and _stays_closed(upload, key))
            upload.candidate, upload.unchanged_since_s = self._describe(key), now_s
            upload.is_closed, upload.lacks_its_end = is_closed, False
        elif key.name in self._queued:
            return False
        if is_closed:
            upload.is_closed, upload.not_before_s = True, -math.inf
        is_new = key.name not in self
        self._move(upload, State.SETTLING)
        return is_new

    def forget(self, name: str) -> None:
        """Forget a file: it has its verdict, or is no longer there."""
        if name in self._settling:
            self._next_s = -math.inf
        for uploads in self._by_state.values():
            uploads.pop(name, None)

    def vanished(self, name: str) -> None:
        """Forget a file that is no longer there, unless it is queued: then it gets its verdict."""
        if name not in self._queued:
            self.forget(name)

    def unseen(self, names: Collection[str], before_s: float) -> list[str]:
        """Return the files that settle or are put aside, were seen before a sweep, and not listed by it.

        Args:
            names: those that the sweep listed.
            before_s: when it began.
        """
        waiting = chain(self._settling.items(), self._aside.items())
        return [name for name, up in waiting if up.known_since_s < before_s and name not in names]

    def untried(self) -> list[Candidate]:
        """Return the files that settle and were never tried."""
        return [upload.candidate for upload in self._settling.values() if upload.waits_for is None]

    def settle(self, now_s: float) -> list[Candidate]:
        """Queue the files that may be judged now; return them in their order."""
        if now_s < self._next_s:
            return []
        free = self._rules.free_to_go(self._settling.values(), now_s)
        for upload in free:
            is_final = now_s >= self._rules.gives_up_at_s(upload)
            upload.candidate = replace(
                upload.candidate, unchanged_since_s=upload.unchanged_since_s, is_final=is_final
            )
            self._queue(upload)
        self._next_s = self._rules.next_deadline_s(self._settling.values(), now_s)
        return sorted((upload.candidate for upload in free), key=lambda c: (c.order, c.key))

    def settle_deadline_s(self, now_s: float) -> float:
        """Return when ``settle`` may next find a file: ``now_s`` if it would now, infinity if none settles.

        It is asked after judging, which takes time: a file that settled meanwhile must not wait for a sweep.
        """
        if self._next_s <= now_s:
            if self._rules.free_to_go(self._settling.values(), now_s):
                return now_s
            self._next_s = self._rules.next_deadline_s(self._settling.values(), now_s)
        return self._next_s

    def upcoming(self) -> Iterator[Candidate]:
        """Yield the queued files in the order in which they are judged: see ``Turns.upcoming``."""
        return self._turns.upcoming(self._queued_as)

    def done(self, candidate: Candidate) -> None:
        """Forget a queued file that has its verdict; the next camera is next."""
        self._turns.pass_on(candidate.camera)
        self.forget(candidate.key.name)

    def put_back(
        self, unsettled: Unsettled, now_s: float, *, delay_s: float = 0.0, writer_is_done: bool = False
    ) -> None:
        """Let a queued file that cannot be judged yet settle again, as the version that is there now.

        It is tried when it has not changed for ``settle_s`` and ``delay_s`` have passed, or when its writer
        closes it. One whose time was set while it was read, and that no program has open for writing
        (``writer_is_done``), stays queued before younger frames until ``settle_s`` after that was first seen.
        Counted from its arrival, younger ones passed it on a machine that was slow to read it.
        """
        upload = self._tried(unsettled)
        if upload is None:
            return
        self._turns.pass_on(upload.candidate.camera)
        is_unchanged = unsettled.key == upload.candidate.key
        is_touched = writer_is_done and not is_unchanged and _stays_closed(upload, unsettled.key)
        if not is_unchanged:
            upload.candidate = self._describe(unsettled.key)
        upload.unchanged_since_s = upload.unchanged_since_s if is_unchanged else now_s
        if is_touched:
            upload.touched_since_s = min(upload.touched_since_s, now_s)
        if is_touched and now_s < upload.touched_since_s + self._rules.settle_s:
            upload.candidate = replace(upload.candidate, unchanged_since_s=now_s)
            self._queue(upload)
            return
        upload.is_closed = False
        upload.not_before_s = now_s + delay_s
        upload.lacks_its_end = unsettled.why is NotYet.UNFINISHED and is_unchanged
        if unsettled.why in {NotYet.CHANGED, NotYet.UNFINISHED}:  # it was read
            upload.failed_reads = 0
        upload.waits_for = _in_words(unsettled)
        self._move(upload, State.SETTLING)

    def put_aside(self, unsettled: Unsettled, now_s: float) -> bool:
        """Put a queued file aside that could not be read, each time for longer, 1 to 60 s.

        Returns:
            Whether this is the first failure in a row.
        """
        upload = self._tried(unsettled)
        if upload is None:
            return False
        delay_s = retry_delay_s(upload.failed_reads)
        upload.failed_reads += 1
        self._turns.pass_on(upload.candidate.camera)
        if len(self._aside) >= MOST_PUT_ASIDE:
            self.forget(upload.candidate.key.name)
            return False
        upload.waits_for = _in_words(unsettled)
        upload.retry_at_s = math.floor(now_s / delay_s + 1) * delay_s
        self._move(upload, State.PUT_ASIDE)
        heapq.heappush(self._retries, (upload.retry_at_s, upload.candidate.key.name))
        return upload.failed_reads == 1

    def take_up(self, now_s: float, most: int) -> None:
        """Let files that were put aside, and are due to be read again, settle again: at most ``most``."""
        while most > 0 and self.retry_deadline_s() <= now_s:
            upload = self._aside[heapq.heappop(self._retries)[1]]
            upload.is_closed, upload.not_before_s = False, -math.inf
            self._move(upload, State.SETTLING)
            most -= 1

    def retry_deadline_s(self) -> float:
        """Return when the next file that was put aside is read again; infinity if none is."""
        while self._retries:
            retry_at_s, name = self._retries[0]
            upload = self._aside.get(name)
            if upload is not None and upload.retry_at_s == retry_at_s:
                return retry_at_s
            heapq.heappop(self._retries)
        return math.inf

    def pending(self, left: Mapping[str, Pending], now_s: float) -> dict[str, Pending]:
        """Return how many frames have no verdict yet, since when, and what the oldest waits for, by camera.

        Args:
            left: frames that are in the folder and not in hand, by camera.
            now_s: the time.
        """
        waiting = chain.from_iterable(uploads.values() for uploads in self._by_state.values())
        return with_those_in_hand(left, waiting, lambda upload: self._why_pending(upload, now_s))

    def _why_pending(self, upload: Upload, now_s: float) -> str | None:
        name, why = upload.candidate.key.name, upload.waits_for
        if why is None and name in self._settling and self._rules.may_be_overtaken(upload, now_s):
            why = "waits for older frames (drop.reorder_s)"
        return why and f"{name}: {why}"

    def _find(self, name: str) -> Upload | None:
        return next((uploads[name] for uploads in self._by_state.values() if name in uploads), None)

    def _tried(self, unsettled: Unsettled) -> Upload | None:
        """Return the upload that was tried; None when another version was seen meanwhile."""
        is_queued = _has_version(self._queued, unsettled.candidate.key)
        return self._queued[unsettled.candidate.key.name] if is_queued else None

    def _queue(self, upload: Upload) -> None:
        self._move(upload, State.QUEUED)
        self._turns.add(upload.candidate)

    def _queued_as(self, key: FileKey) -> Candidate | None:
        return self._queued[key.name].candidate if _has_version(self._queued, key) else None

    def _move(self, upload: Upload, state: State) -> None:
        name = upload.candidate.key.name
        for uploads in self._by_state.values():
            uploads.pop(name, None)
        self._by_state[state][name] = upload
        self._next_s = -math.inf


def _has_version(uploads: Mapping[str, Upload], key: FileKey) -> bool:
    return key.name in uploads and uploads[key.name].candidate.key == key


def _stays_closed(upload: Upload, key: FileKey) -> bool:
    """Return whether a file that its writer has closed is as long as then: FTP clients set its time next."""
    return upload.is_closed and upload.candidate.key.size_bytes == key.size_bytes


def _in_words(unsettled: Unsettled) -> str:
    return f"{unsettled.why}: {unsettled.detail}" if unsettled.detail else str(unsettled.why)
