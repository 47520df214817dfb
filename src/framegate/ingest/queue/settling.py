"""When is a file complete? Pure rules over what was seen of it and when; they use no watcher and no clock.

A file is settled when its writer has closed it, or moved it in under its final name (it is tried at once),
or when nothing about it has changed for ``settle_s``. One that was tried and has no end yet waits for more of
it, for its writer's close, or until it has not changed for ``give_up_s``. Its mtime proves nothing: files
keep the mtime of where they came from.

Times are seconds of one monotonic clock, given by the caller.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from framegate.model import Candidate

WRITER_HOLD_S = 0.25
"""How long a file that is being written holds up younger frames of its camera. Uploads that run side by side
end within this of each other, and then come in their order; one that takes seconds holds up no other."""


@dataclass(slots=True)
class Upload:
    """One file in hand, as the version that was seen last."""

    candidate: Candidate
    known_since_s: float
    """When the file was first seen."""

    unchanged_since_s: float
    is_closed: bool = False
    """Its writer has closed it, or moved it in: it is tried at once, without waiting for ``settle_s``."""

    not_before_s: float = -math.inf
    """It was tried, and is not tried again before this, unless its writer closes it."""

    lacks_its_end: bool = False
    """It was tried and its content has no end: ``settle_s`` without a change is not enough."""

    failed_reads: int = 0
    """How often in a row it could not be read."""

    retry_at_s: float = math.inf
    """When it is read again, while it is put aside because it could not be read."""

    touched_since_s: float = math.inf
    """Since when its status changes while it is read, as when its time is set."""

    waits_for: str | None = None
    """Why it could not be judged when it was last tried; None when it was not tried."""


class SettlingRules:
    """Decides which uploads may be judged now, and when the next may.

    Args:
        settle_s: seconds without a change after which a file counts as complete.
        give_up_s: seconds without a change after which a file without an end is judged as it is.
        is_being_written: whether a program on this machine is known to write a file; asked only about one
            that holds up younger frames.
        reorder_s: seconds that a frame waits, from when it was first seen, for older ones of its camera.
    """

    def __init__(
        self,
        settle_s: float,
        give_up_s: float,
        is_being_written: Callable[[str], bool] = lambda _name: False,
        *,
        reorder_s: float = 0.0,
    ) -> None:
        self.reorder_s = reorder_s
        self.settle_s = settle_s
        self.give_up_s = max(settle_s, give_up_s)
        self.is_hurried = False
        """Others wait for the room that these take: a file without an end is waited for only ``settle_s``.
        Nothing is lost; if more of it arrives later, that is another version."""

        self._is_being_written = is_being_written

    def gives_up_at_s(self, upload: Upload) -> float:
        """Return when a file is judged as it is, even without an end."""
        is_short = self.is_hurried and upload.lacks_its_end
        return upload.unchanged_since_s + (self.settle_s if is_short else self.give_up_s)

    def free_to_go(self, uploads: Iterable[Upload], now_s: float) -> list[Upload]:
        """Return those that are settled and not held by an older frame of their camera.

        A frame waits for older frames of its camera that are still settling, so that a backlog is judged
        before what arrives meanwhile: for each at most until ``settle_s`` after that was first seen, and for
        one that is being written at most ``WRITER_HOLD_S``, so that a slow upload holds up no others.

        And each waits for older frames that may still arrive, until it has been known for ``reorder_s``. Then
        all older ones go with it, so that they are judged before it.
        """
        settled, holders = [], defaultdict(list)
        for upload in uploads:
            if self._is_settled(upload, now_s):
                settled.append(upload)
            elif now_s < upload.known_since_s + self.settle_s:
                holders[upload.candidate.camera].append(upload)
        cameras = {upload.candidate.camera for upload in settled} & holders.keys()
        oldest = {camera: self._oldest_holder(holders[camera], now_s) for camera in cameras}
        free = [upload for upload in settled if not _is_held(upload, oldest.get(upload.candidate.camera))]
        return self._in_capture_order(free, now_s) if self.reorder_s else free

    def next_deadline_s(self, uploads: Iterable[Upload], now_s: float) -> float:
        """Return when ``free_to_go`` may next return more than it does now; infinity if nothing waits."""
        next_s = math.inf
        for upload in uploads:
            if self._is_settled(upload, now_s):
                if self.may_be_overtaken(upload, now_s):
                    next_s = min(next_s, upload.known_since_s + self.reorder_s)
                continue
            next_s = min(next_s, max(self._settles_at_s(upload), upload.not_before_s))
            for hold_s in (WRITER_HOLD_S, self.settle_s):
                if now_s < upload.known_since_s + hold_s:
                    next_s = min(next_s, upload.known_since_s + hold_s)
        return next_s

    def may_be_overtaken(self, upload: Upload, now_s: float) -> bool:
        """Return whether a frame waits for older ones that may arrive, unless a younger one need not wait."""
        return now_s < upload.known_since_s + self.reorder_s

    def _in_capture_order(self, uploads: list[Upload], now_s: float) -> list[Upload]:
        """Return those that have waited for ``reorder_s``, and those of their cameras that are older."""
        newest: dict[str, tuple[int, str]] = {}
        for upload in uploads:
            if not self.may_be_overtaken(upload, now_s):
                order = upload.candidate.order
                newest[upload.candidate.camera] = max(newest.get(upload.candidate.camera, order), order)
        return [
            upload
            for upload in uploads
            if upload.candidate.camera in newest and upload.candidate.order <= newest[upload.candidate.camera]
        ]

    def _settles_at_s(self, upload: Upload) -> float:
        if upload.is_closed:
            return -math.inf
        return (
            self.gives_up_at_s(upload) if upload.lacks_its_end else upload.unchanged_since_s + self.settle_s
        )

    def _is_settled(self, upload: Upload, now_s: float) -> bool:
        return now_s >= upload.not_before_s and now_s >= self._settles_at_s(upload)

    def _oldest_holder(self, holders: list[Upload], now_s: float) -> Upload | None:
        for holder in sorted(holders, key=lambda upload: upload.candidate.order):
            is_long_known = now_s >= holder.known_since_s + WRITER_HOLD_S
            if not (is_long_known and self._is_being_written(holder.candidate.key.name)):
                return holder
        return None


def _is_held(upload: Upload, holder: Upload | None) -> bool:
    return holder is not None and holder.candidate.order < upload.candidate.order
