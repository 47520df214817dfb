"""The first half of judging a frame: read and decode it, or find the reason why that is impossible."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from framegate.config.settings import Settings
from framegate.detect.decoding import Undecodable, decode
from framegate.errors import SinkError
from framegate.ingest.reading import Changed, Unreadable, read_frame
from framegate.model import Candidate, Decision, EncodedFrame, Frame, NotYet, Reason, Unsettled


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate that was read and decoded: ``encoded`` and ``frame``; or why it is rejected."""

    candidate: Candidate
    started_s: float
    """By ``time.perf_counter``."""

    encoded: EncodedFrame | None = None
    frame: Frame | None = None
    rejection: Decision | None = None

    @property
    def is_vanished(self) -> bool:
        """Whether the file was gone before it could be read."""
        return self.rejection is not None and self.rejection.reason is Reason.VANISHED


class CrashGuard(Protocol):
    """Remembers, across restarts, which frames ended the process when they were judged."""

    def admit(self, candidate: Candidate, settings: Settings) -> Decision | None:
        """Record durably that a frame is being judged; return a rejection if it has ended the process before.

        Args:
            candidate: the frame. It counts as being judged until the next ``admit`` or ``clear``.
            settings: what it is judged by.
        """

    def clear(self) -> None:
        """Record that no frame is being judged: if the process ends now, no frame is to blame."""


def examine(candidate: Candidate, settings: Settings, crash_guard: CrashGuard | None) -> Examined | Unsettled:
    """Read and decode a candidate; use nothing but its file and the crash guard.

    Returns:
        The frame, or its rejection; ``Unsettled`` when it cannot be judged yet.

    Raises:
        Exhausted: the process may open no more files.
    """
    started_s = time.perf_counter()
    try:
        refusal = None if crash_guard is None else crash_guard.admit(candidate, settings)
        if refusal is not None:
            return Examined(candidate, started_s, rejection=refusal)
        return _examined(candidate, settings, started_s)
    except SinkError:
        raise
    except MemoryError:  # it may be this frame's size alone, and must not stop the others
        return out_of_memory(candidate)
    except Exception:  # noqa: BLE001 - no input ends the process; the verdict has the traceback
        return Examined(candidate, started_s, rejection=internal_error())


def out_of_memory(candidate: Candidate) -> Unsettled:
    """Return that a candidate cannot be judged yet, because there is too little memory."""
    return Unsettled(candidate, candidate.key, NotYet.UNREADABLE, "out of memory")


def internal_error() -> Decision:
    """Return a rejection with the current exception's traceback: framegate is to blame, not the frame."""
    return Decision(Reason.INTERNAL_ERROR, detail=traceback.format_exc(limit=-4).strip())


def _examined(candidate: Candidate, settings: Settings, started_s: float) -> Examined | Unsettled:
    drop = settings.drop
    key = candidate.key
    read = read_frame(Path(drop.folder), key, drop.max_size)
    if isinstance(read, Changed):
        return Unsettled(candidate, read.key, NotYet.CHANGED)
    if isinstance(read, Unreadable):
        if read.reason is Reason.UNREADABLE:
            return Unsettled(candidate, key, NotYet.UNREADABLE, read.detail)
        return Examined(candidate, started_s, rejection=Decision(read.reason, detail=read.detail))
    frame = decode(read.data, max_pixels=drop.max_megapixels * 1e6)
    if not isinstance(frame, Undecodable):
        return Examined(candidate, started_s, read, frame)
    if frame.may_be_unfinished and not candidate.is_final:
        return Unsettled(candidate, key, NotYet.UNFINISHED, frame.detail)
    return Examined(candidate, started_s, rejection=Decision(frame.reason, detail=frame.detail))
