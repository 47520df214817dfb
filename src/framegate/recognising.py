"""Is a file that was read a frame that was judged before? A version of a file is its content.

Its status alone cannot tell: a touch, chmod or FTP's MFMT changes the times of a judged file, a tidy-up job
moves it into a day's folder, an upload goes on behind a picture that was whole already. None of that is a new
frame. And other bytes may come under an old name, size and time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from framegate.config.settings import Settings
from framegate.events.base import Listener
from framegate.events.frames import FrameCompleted, FrameKnown
from framegate.examining import Examined, sha256_of
from framegate.formats.sniffing import read_header
from framegate.ingest.reading import look_at
from framegate.keep.delivery import Deliverer
from framegate.keep.run_ledger import JudgingLedger
from framegate.model import Candidate, EncodedFrame, Entry, FileKey, Verdict

COARSEST_TIME_NS = 2 * 10**9
"""vfat stores a file's time in steps of two seconds."""


class Change(StrEnum):
    """What has happened to a judged file since."""

    NONE = "none"
    TOUCHED = "touched"
    RESENT = "resent"
    """Written again, with the same bytes: as by a camera whose picture is frozen."""

    MOVED = "moved"
    GROWN = "grown"


_MAY_BE_STAMPED = {Change.TOUCHED, Change.GROWN}
"""After these a file's time may be one that its uploader has set. A camera that sends the same bytes every
second sets none: its result would be written to each time."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A frame that was judged before, as it was recorded, and as it is now."""

    before: Entry
    now: Entry
    change: Change

    @property
    def is_outdated_as_result(self) -> bool:
        """Whether its result lacks bytes, or has the time of before the uploader set it."""
        is_newer = self.change is Change.GROWN or self.now.captured_at_ns != self.before.captured_at_ns
        return self.before.result is not None and is_newer


class Recogniser:
    """Finds judged frames again by their content, and records how they stand now.

    Args:
        settings: the snapshot.
        deliverer: completes the results of files that have grown.
        ledger: what was judged.
        renew: called with a frame as it was recorded, and as it is now.
        emit: receives an event for each frame that has changed.
    """

    def __init__(
        self,
        settings: Settings,
        deliverer: Deliverer,
        ledger: JudgingLedger,
        *,
        renew: Callable[[Entry, Entry], None],
        emit: Listener,
    ) -> None:
        self._drop = Path(settings.drop.folder)
        self._deliverer = deliverer
        self._ledger = ledger
        self._renew = renew
        self._emit = emit
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._stamp_ns = settings.drop.settle_s * 1e9
        """A file's time that is set so soon after the last write is its capture time."""

        self._rules = settings.drop.input_rules()

    def records(self, examined: Examined) -> bool:
        """Record the present version of a frame that was judged before; return whether it was.

        Raises:
            SinkError: ledger or results cannot be written now.
        """
        last = self._ledger.last_of(examined.candidate.key.name)
        if examined.encoded is None or examined.sha256 is None:  # without bytes to tell it by it is rejected
            return last is not None and (last.key, last.sha256) == (examined.candidate.key, examined.sha256)
        if last is not None and last.key == examined.candidate.key:
            last = self._told_apart(last, examined.sha256)
        known = self._known(last, examined.candidate, examined.encoded, examined.sha256)
        if known is not None and known.change is not Change.NONE:
            self._record(known, examined.encoded)
        return known is not None

    def _known(
        self, last: Entry | None, candidate: Candidate, encoded: EncodedFrame, sha256: bytes
    ) -> _Known | None:
        key = candidate.key
        is_same = last is not None and last.sha256 == sha256
        if last is not None and is_same and last.key.mtime_ns == key.mtime_ns:
            change = Change.NONE if last.key == key else Change.TOUCHED
        elif (moved := self._moved_here(candidate, sha256)) is not None:
            last, change = moved, Change.MOVED
        elif is_same:
            change = Change.RESENT if _was_just_written(key) else Change.TOUCHED
        elif last is not None and _has_grown(last, encoded.data):
            change = Change.GROWN
        else:
            return None
        assert last is not None
        is_stamp = change in _MAY_BE_STAMPED and 0 <= key.ctime_ns - last.key.ctime_ns <= self._stamp_ns
        captured_at_ns = candidate.captured_at_ns if is_stamp else last.captured_at_ns
        now = replace(last, key=candidate.key, sha256=sha256, captured_at_ns=captured_at_ns)
        return _Known(last, now, change)

    def _told_apart(self, last: Entry, sha256: bytes) -> Entry:
        """Record a frame as older by a nanosecond if other bytes have come with its very status since."""
        if last.sha256 in {None, sha256}:
            return last
        older = replace(last, key=replace(last.key, ctime_ns=last.key.ctime_ns - 1))
        self._ledger.renew(last, older)
        self._renew(last, older)
        return older

    def _moved_here(self, candidate: Candidate, sha256: bytes) -> Entry | None:
        """Return the frame that was moved to this name; a copy leaves the file at the old name as it was."""
        for entry in self._ledger.of_content(candidate.key.mtime_ns, sha256):
            if entry.key.name == candidate.key.name or self._may_be_cleared(entry):
                continue
            if entry.camera != candidate.camera:  # it was compared with the frames of another camera
                continue
            there = look_at(self._drop, entry.key.name)
            # Whatever its ctime: a link to the file, as from cp -al, has just changed that.
            if there is None or not replace(entry.key, ctime_ns=0).matches(there):
                return entry
        return None

    def _may_be_cleared(self, entry: Entry) -> bool:
        """Return whether an input is to be gone by now: if it is, nobody else has moved it."""
        rule = self._rules.get(entry.reason.verdict)
        return rule is not None and time.time_ns() - entry.decided_at_ns >= rule.age_ns

    def _record(self, known: _Known, encoded: EncodedFrame) -> None:
        before, now = known.before, known.now
        if known.is_outdated_as_result:
            now = replace(now, result=self._completed(now, encoded))
        self._ledger.renew(before, now)
        self._renew(before, now)
        name, camera = now.key.name, now.camera
        if known.change is Change.GROWN:
            self._emit(FrameCompleted(name, camera, now.key.size_bytes, now.result))
        else:
            was = before.key.name if known.change is Change.MOVED else None
            self._emit(FrameKnown(name, camera, str(known.change), was))

    def _completed(self, entry: Entry, encoded: EncodedFrame) -> str:
        """Bring a frame's result up to date; if other bytes stand there, deliver it once more."""
        assert entry.result is not None
        if self._deliverer.complete(entry.result, encoded):
            return entry.result
        named = replace(encoded, name=entry.planned or encoded.name)
        return self._deliverer.deliver(named, entry.captured_at_ns).name


def _was_just_written(key: FileKey) -> bool:
    """Return whether a file's time is that of its last write, and not one that it was given."""
    return abs(key.ctime_ns - key.mtime_ns) < COARSEST_TIME_NS


def _has_grown(before: Entry, data: bytes) -> bool:
    """Return whether bytes came behind a picture that was whole: no decoder reads those."""
    if before.reason.verdict is Verdict.REJECTED or before.sha256 is None:
        return False
    beginning = data[: before.key.size_bytes]
    if len(beginning) == len(data) or sha256_of(beginning) != before.sha256:
        return False
    header = read_header(beginning)
    return header is not None and header.whole
