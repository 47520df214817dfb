"""How the bytes of a kept frame become durable, and where they are found again after a restart."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from framegate.config.settings import Settings
from framegate.events.base import LogEvent
from framegate.examining import sha256_of
from framegate.ingest.reading import read_frame
from framegate.keep.delivery import Deliverer
from framegate.keep.run_ledger import JudgingLedger
from framegate.model import Decision, Delivery, EncodedFrame, Entry, FileKey, Reason

MOST_FRAMES, MOST_BYTES, LONGEST_S = 16, 64_000_000, 0.05
"""Kept frames of a group, their bytes, and how long its first one waits for the others."""

GONE = "gone before it could be delivered"
"""Why a frame that was to be kept is rejected after a crash: others were compared with it meanwhile."""


@dataclass(slots=True)
class Judgement:
    """A decision that is not durable yet."""

    entry: Entry
    """With its result as soon as it is delivered."""

    decision: Decision
    encoded: EncodedFrame | None
    """The bytes to deliver; None when the frame is not kept."""

    started_s: float
    """By ``time.perf_counter``."""

    followed_by: list[LogEvent] = field(default_factory=list)
    """What happened after it, and is told after its verdict."""


class Keeping:
    """Makes groups of frames durable, in an order from which a crash at any point can be recovered.

    A group is a kept frame and those decided after it, which wait for it: verdicts are told in order.

    Args:
        settings: the snapshot.
        deliverer: where kept frames go.
        ledger: remembers what is to be delivered, and what was.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        deliverer: Deliverer,
        ledger: JudgingLedger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._drop = Path(settings.drop.folder)
        self._deliverer = deliverer
        self._ledger, self._clock = ledger, clock
        self.held: list[Judgement] = []
        """The group: what is decided and not durable, in order."""

        self._held_since_s = 0.0
        self._held_bytes = 0
        self._is_intended = False
        """What is held stands in the ledger, durably."""

        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._most_bytes = settings.drop.max_size

    @property
    def needs_disk(self) -> bool:
        """Whether a frame that is held has to be delivered."""
        return any(judgement.encoded is not None for judgement in self.held)

    @property
    def is_due(self) -> bool:
        """Whether the group should not grow any more."""
        if not self.held:
            return False
        return (
            sum(judgement.encoded is not None for judgement in self.held) >= MOST_FRAMES
            or self._held_bytes >= MOST_BYTES
            or self._clock() - self._held_since_s >= LONGEST_S
        )

    def hold(self, judgement: Judgement) -> None:
        """Add a judgement to the group."""
        assert not self._is_intended, "a group that could not be delivered comes first: make_durable()"
        if not self.held:
            self._held_since_s, self._held_bytes = self._clock(), 0
        if judgement.encoded is not None:
            self._held_bytes += len(judgement.encoded.data)
        self.held.append(judgement)

    def holds(self, key: FileKey, sha256: bytes | None) -> bool:
        """Return whether a frame that is held has this name, or this time and content."""
        return any(
            entry.key.name == key.name or (entry.key.mtime_ns == key.mtime_ns and entry.sha256 == sha256)
            for entry in (judgement.entry for judgement in self.held)
        )

    def make_durable(self) -> list[Judgement]:
        """Record and deliver what is held, all or nothing: if that fails, everything stays held.

        Returns:
            The judgements, in order, the kept ones with their results.

        Raises:
            SinkError: results or ledger cannot be written now.
        """
        if self.needs_disk:
            self._deliver()
        else:
            for judgement in self.held:
                self._ledger.note(judgement.entry)
        done, self.held, self._is_intended = self.held, [], False
        return done

    def _deliver(self) -> None:
        is_second_try = self._is_intended
        if not is_second_try:
            self._ledger.intend(*(judgement.entry for judgement in self.held))
            self._is_intended = True
        kept = [judgement for judgement in self.held if judgement.encoded is not None]
        frames = [_to_deliver(each.entry, each.encoded) for each in kept if each.encoded is not None]
        if is_second_try or len(frames) == 1:  # as many as there is room for
            deliveries = [self._deliverer.deliver(*frame) for frame in frames]
        else:
            deliveries = self._deliverer.deliver_all(frames)
        for judgement, delivery in zip(kept, deliveries, strict=True):
            judgement.entry = self._finished(judgement.entry, delivery)

    def _finished(self, entry: Entry, delivery: Delivery) -> Entry:
        """Record, at the next commit, that a frame is delivered."""
        self._ledger.finish(entry.key, delivery.name)
        return replace(entry, result=delivery.name)

    def recover(self, entry: Entry) -> Entry:
        """Deliver a frame that was intended before a crash.

        Returns:
            The entry with its result; as rejected, if its bytes are gone.

        Raises:
            SinkError: a result cannot be written now.
        """
        data = self.bytes_of(entry)
        if data is None:
            detail = GONE
            self._ledger.abandon(entry.key, Reason.VANISHED, detail)
            return replace(entry, reason=Reason.VANISHED, detail=detail)
        encoded = EncodedFrame(entry.key.name, data, entry.key.mtime_ns)
        return self._finished(entry, self._deliverer.deliver(*_to_deliver(entry, encoded)))

    def bytes_of(self, entry: Entry) -> bytes | None:
        """Return the bytes of a kept frame, from the results or the drop folder; None if they are gone."""
        name, size_bytes = entry.result or entry.planned or entry.key.name, entry.key.size_bytes
        for data in self._deliverer.standing(name, entry.captured_at_ns, size_bytes):
            beginning = data[:size_bytes]  # a crash may have come after later bytes were appended
            if sha256_of(beginning) == entry.sha256:
                return beginning
        read = read_frame(self._drop, entry.key, self._most_bytes)
        return read.data if isinstance(read, EncodedFrame) and sha256_of(read.data) == entry.sha256 else None


def _to_deliver(entry: Entry, encoded: EncodedFrame) -> tuple[EncodedFrame, int]:
    """Return a frame under the name that its result is to get, and its capture time."""
    return replace(encoded, name=entry.planned or encoded.name), entry.captured_at_ns
