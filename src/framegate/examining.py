"""What may be done ahead with a frame: read, decode and reduce it, or find why that is impossible.

It depends on no other frame, so it may run in any thread and in any order.
"""

import hashlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.config.settings import Settings
from framegate.detect.decoding import Undecodable, decode
from framegate.detect.detector import reduced
from framegate.detect.small_picture import SmallPicture
from framegate.errors import SinkError
from framegate.formats.sniffing import read_header
from framegate.ingest.reading import Changed, ReadFrame, Unreadable, read_frame
from framegate.model import Candidate, Decision, EncodedFrame, NotYet, Reason, Unsettled

LARGE_PX = 16_000_000
"""Pixels above which pictures are decoded one at a time: one of 100 million takes up to 750 MB (WebP)."""

_JPEG = b"\xff\xd8"

MOST_CAMERAS_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate that was read, and perhaps decoded; or why it is rejected."""

    candidate: Candidate
    started_s: float
    """By ``time.perf_counter``."""

    encoded: EncodedFrame | None = None
    sha256: bytes | None = None
    """Of the file's bytes; None when it was not read."""

    picture: SmallPicture | None = None
    """None when it is not decoded yet."""

    rejection: Decision | None = None

    @property
    def is_vanished(self) -> bool:
        """Whether the file was gone before it could be read."""
        return self.rejection is not None and self.rejection.reason is Reason.VANISHED

    @property
    def size_bytes(self) -> int:
        """Memory in bytes, nearly all of it the file's content and the picture."""
        encoded = 0 if self.encoded is None else len(self.encoded.data)
        return encoded + (0 if self.picture is None else self.picture.size_bytes)


class LastRead:
    """Which bytes each camera has sent last; only the cameras that have lately sent some. For all threads."""

    def __init__(self) -> None:
        self._last: dict[str, Examined] = {}

    def replace(self, examined: Examined) -> Examined | None:
        """Remember what a camera has sent; return what it had sent before, None if that is not known."""
        camera = examined.candidate.camera
        before = self._last.get(camera)
        if len(self._last) >= MOST_CAMERAS_REMEMBERED:  # their names come from outside
            self._last.clear()
        self._last[camera] = replace(examined, encoded=None)
        return before

    def forget(self, camera: str) -> None:
        """Forget what a camera has sent last: its bytes will be examined again if they come again."""
        self._last.pop(camera, None)


def read(
    candidate: Candidate, settings: Settings, read_frame: ReadFrame = read_frame
) -> Examined | Unsettled:
    """Read a candidate, without decoding it.

    Args:
        candidate: the frame.
        settings: the snapshot.
        read_frame: reads a file of the drop folder.

    Returns:
        The bytes, or its rejection; ``Unsettled`` when it cannot be judged yet.

    Raises:
        Exhausted: the process may open no more files.
    """
    unread = Examined(candidate, time.perf_counter())
    return _without_exceptions(unread, lambda: _read(unread, settings, read_frame))


def decoded(examined: Examined, settings: Settings) -> Examined | Unsettled:
    """Decode and reduce the picture of a candidate that was read, if that is not done yet.

    Returns:
        The picture, or its rejection; ``Unsettled`` when it cannot be judged yet.
    """
    if examined.picture is not None or examined.rejection is not None:
        return examined
    return _without_exceptions(examined, lambda: _decoded(examined, settings))


def is_large(examined: Examined) -> bool:
    """Return whether decoding a frame that was read takes much memory; a JPEG is decoded to fewer pixels."""
    if examined.encoded is None or examined.encoded.data.startswith(_JPEG):
        return False
    header = read_header(examined.encoded.data)
    return header is not None and header.pixels > LARGE_PX


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


def _read(unread: Examined, settings: Settings, read_frame: ReadFrame) -> Examined | Unsettled:
    candidate, drop = unread.candidate, settings.drop
    key = candidate.key
    found = read_frame(Path(drop.folder), key, drop.max_size)
    if isinstance(found, Changed):
        return Unsettled(candidate, found.key, NotYet.CHANGED)
    if isinstance(found, Unreadable):
        if found.reason is Reason.UNREADABLE:
            return Unsettled(candidate, key, NotYet.UNREADABLE, found.detail)
        return replace(unread, rejection=Decision(found.reason, detail=found.detail))
    return replace(unread, encoded=found, sha256=sha256_of(found.data))


def _decoded(examined: Examined, settings: Settings) -> Examined | Unsettled:
    candidate, encoded = examined.candidate, examined.encoded
    assert encoded is not None
    max_pixels = settings.drop.max_megapixels * 1e6
    detection = settings.detection_of(candidate.camera)
    picture = decode(encoded.data, detection, max_pixels=max_pixels, is_final=candidate.is_final)
    if not isinstance(picture, Undecodable):
        return replace(examined, picture=reduced(picture, detection))
    if picture.may_be_unfinished and not candidate.is_final:
        return Unsettled(candidate, candidate.key, NotYet.UNFINISHED, picture.detail)
    return replace(examined, rejection=Decision(picture.reason, detail=picture.detail))
