"""The first half of judging a frame: read and decode it, or find the reason why that is impossible."""

import hashlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from framegate.config.settings import Settings
from framegate.detect.decoding import Undecodable, decode
from framegate.errors import SinkError
from framegate.ingest.reading import Changed, Unreadable, read_frame
from framegate.model import Candidate, Decision, EncodedFrame, NotYet, Picture, Reason, Unsettled


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate that was read, and perhaps decoded; or why it is rejected."""

    candidate: Candidate
    started_s: float
    """By ``time.perf_counter``."""

    encoded: EncodedFrame | None = None
    sha256: bytes | None = None
    """Of the file's bytes; None when it was not read."""

    picture: Picture | None = None
    """None when it is not decoded yet."""

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


def read(candidate: Candidate, settings: Settings, crash_guard: CrashGuard | None) -> Examined | Unsettled:
    """Read a candidate, without decoding it; use nothing but its file and the crash guard.

    Returns:
        The bytes, or its rejection; ``Unsettled`` when it cannot be judged yet.

    Raises:
        Exhausted: the process may open no more files.
    """
    started_s = time.perf_counter()

    def admitted() -> Examined | Unsettled:
        refusal = None if crash_guard is None else crash_guard.admit(candidate, settings)
        if refusal is not None:
            return Examined(candidate, started_s, rejection=refusal)
        return _read(candidate, settings, started_s)

    return _without_exceptions(Examined(candidate, started_s), admitted)


def decoded(examined: Examined, settings: Settings) -> Examined | Unsettled:
    """Decode a candidate that was read, if that is not done yet.

    Returns:
        The picture, or its rejection; ``Unsettled`` when it cannot be judged yet.
    """
    if examined.picture is not None or examined.rejection is not None:
        return examined
    return _without_exceptions(examined, lambda: _decoded(examined, settings))


def _without_exceptions(examined: Examined, step: Callable[[], Examined | Unsettled]) -> Examined | Unsettled:
    try:
        return step()
    except SinkError:
        raise
    except MemoryError:  # it may be this frame's size alone, and must not stop the others
        return out_of_memory(examined.candidate)
    except Exception:  # noqa: BLE001 - no input ends the process; the verdict has the traceback
        return replace(examined, rejection=internal_error())


def sha256_of(data: bytes) -> bytes:
    """Return the hash by which a frame's bytes are recognised."""
    return hashlib.sha256(data).digest()


def out_of_memory(candidate: Candidate) -> Unsettled:
    """Return that a candidate cannot be judged yet, because there is too little memory."""
    return Unsettled(candidate, candidate.key, NotYet.UNREADABLE, "out of memory")


def internal_error() -> Decision:
    """Return a rejection with the current exception's traceback: framegate is to blame, not the frame."""
    return Decision(Reason.INTERNAL_ERROR, detail=traceback.format_exc(limit=-4).strip())


def _read(candidate: Candidate, settings: Settings, started_s: float) -> Examined | Unsettled:
    drop = settings.drop
    key = candidate.key
    found = read_frame(Path(drop.folder), key, drop.max_size)
    if isinstance(found, Changed):
        return Unsettled(candidate, found.key, NotYet.CHANGED)
    if isinstance(found, Unreadable):
        if found.reason is Reason.UNREADABLE:
            return Unsettled(candidate, key, NotYet.UNREADABLE, found.detail)
        return Examined(candidate, started_s, rejection=Decision(found.reason, detail=found.detail))
    return Examined(candidate, started_s, found, sha256_of(found.data))


def _decoded(examined: Examined, settings: Settings) -> Examined | Unsettled:
    candidate, encoded = examined.candidate, examined.encoded
    assert encoded is not None
    max_pixels = settings.drop.max_megapixels * 1e6
    detection = settings.detection_of(candidate.camera)
    picture = decode(encoded.data, detection, max_pixels=max_pixels, is_final=candidate.is_final)
    if not isinstance(picture, Undecodable):
        return replace(examined, picture=picture)
    if picture.may_be_unfinished and not candidate.is_final:
        return Unsettled(candidate, candidate.key, NotYet.UNFINISHED, picture.detail)
    return replace(examined, encoded=None, rejection=Decision(picture.reason, detail=picture.detail))
