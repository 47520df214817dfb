"""The values that pass from room to room: Arrival, Candidate, EncodedFrame, Picture, ChangeScore, Decision.

All are frozen. Names of files are relative to the drop folder, with ``/`` between folders. Bytes that are not
UTF-8 are surrogates in them (``os.fsdecode``), so that they can hold every name that Linux allows.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    GrayImage = NDArray[np.uint8]
else:
    GrayImage = Any  # for type checkers alone: numpy takes 60 ms to import, and ``status`` needs no pixel
"""A picture of one channel: uint8, shape (height, width), 0 black to 255 white."""

Size = tuple[int, int]
"""(width, height) of a whole picture in pixels, turned as its EXIF orientation says."""

Unit = Literal["%", "x"]
"""Of a score and its threshold: percent of the unmasked picture, or times the usual change."""

MINUTE_NS, HOUR_NS = 60 * 10**9, 3600 * 10**9
YEAR_1_S, YEAR_9999_S = -62_135_596_800, 253_402_300_799
"""What a datetime can hold, in seconds since the epoch."""


class Verdict(StrEnum):
    """The outcome for a frame: exactly one of these."""

    KEPT = "kept"
    DROPPED = "dropped"
    REJECTED = "rejected"


class Reason(StrEnum):
    """The reason for a verdict: each belongs to one verdict."""

    FIRST = "first"
    CHANGED = "changed"
    SIZE_CHANGED = "size_changed"
    HEARTBEAT = "heartbeat"
    STORM = "storm"
    LIGHTING = "lighting"
    MOVED = "moved"

    UNCHANGED = "unchanged"
    IDENTICAL = "identical"
    STORM_DROPPED = "storm_dropped"

    EMPTY = "empty"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    UNDECODABLE = "undecodable"
    TORN = "torn"
    TOO_LARGE = "too_large"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    CRASHER = "crasher"
    INTERNAL_ERROR = "internal_error"

    @property
    def verdict(self) -> Verdict:
        """The verdict that this reason explains."""
        return Verdict.KEPT if self.is_kept else Verdict.DROPPED if self in _DROPPED else Verdict.REJECTED

    @property
    def is_kept(self) -> bool:
        """Whether it explains ``kept``."""
        return self in _KEPT


_KEPT = {Reason.FIRST, Reason.CHANGED, Reason.SIZE_CHANGED, Reason.HEARTBEAT, Reason.STORM}
_KEPT |= {Reason.LIGHTING, Reason.MOVED}
_DROPPED = {Reason.UNCHANGED, Reason.IDENTICAL, Reason.STORM_DROPPED}


class Origin(StrEnum):
    """What named a file: one of four kinds of events, or a sweep."""

    CREATED = "created"
    TOUCHED = "touched"
    CLOSED = "closed"
    MOVED = "moved"
    SWEEP = "sweep"

    @property
    def proves_complete(self) -> bool:
        """Whether a writer has finished: it closed the file, or moved it in under its final name."""
        return self in {Origin.CLOSED, Origin.MOVED}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A hint that a file may have changed; it proves nothing, and may be lost."""

    name: str
    origin: Origin


@dataclass(frozen=True, slots=True, order=True)
class FileKey:
    """One version of one file, by its status: whatever is done to the file makes another version.

    Whether its content is another, only reading shows: chmod and rename change ``ctime_ns`` alone, FTP and
    rsync set ``mtime_ns``. No inode: ext4 reused one in 199 of 199 rounds, sshfs and vfat make them up.
    """

    name: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0
    """Set by the kernel at every change of the file or its status; nobody can set it back. 0: not known."""

    def matches(self, there: "FileKey") -> bool:
        """Return whether a file that is ``there`` now is this version; a ctime that is not known fits any."""
        return there == self or (not self.ctime_ns and replace(there, ctime_ns=0) == self)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a frame was taken, and when its file arrived if that is known; nanoseconds since the epoch."""

    captured_at_ns: int
    arrived_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A settled version of a file, ready to be judged."""

    key: FileKey
    camera: str
    captured_at_ns: int
    arrived_at_ns: int | None = None
    """When this version was first seen; None in a scan, at a start's first sweep, and of a backlog's rest."""

    unchanged_since_s: float = -math.inf
    """Since when nothing about it has changed, by the loop's monotonic clock."""

    is_final: bool = True
    """It has not changed for so long that it is judged as it is, even if its content has no end."""

    @property
    def order(self) -> tuple[int, str]:
        """Frames are judged in this order: capture time, then name."""
        return self.captured_at_ns, self.key.name


class NotYet(StrEnum):
    """Why a candidate cannot be judged yet."""

    CHANGED = "changed"
    """The file is no longer the version that settled, or it changed while it was read."""

    UNFINISHED = "unfinished"
    """Its content has no end: more of the upload may come."""

    BEING_WRITTEN = "being_written"
    """A program on this machine has it open for writing."""

    UNREADABLE = "unreadable"
    """framegate cannot read it: no permission, an I/O error, too little memory."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A candidate that cannot be judged yet: it settles again, as the version that is there now."""

    candidate: Candidate
    key: FileKey
    """The version that is there now."""

    why: NotYet
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """The bytes of a frame, read once: the same bytes are scored and delivered."""

    name: str
    data: bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded frame, as the detector of its camera wants it."""

    pixels: "NDArray[np.uint8]"
    """uint8, read-only: (height, width) of gray for ``classic``, (height, width, 3) of blue, green, red for
    ``adaptive``. A JPEG may have been decoded at a half, a quarter or an eighth of its size."""

    size: Size


@dataclass(frozen=True, slots=True)
class Region:
    """One changed region, in pixels of the working size: its bounding box and its contour's area."""

    x: int
    y: int
    width: int
    height: int
    area_px: float


@dataclass(frozen=True, slots=True)
class ChangeScore:
    """How much has changed, and the number that was compared with it."""

    score: float
    """In ``unit``. In percent of the unmasked picture: 0 to 100; 0 when everything is masked."""

    threshold: float
    """In ``unit``. A score equal to it is not above it."""

    unit: Unit
    regions: tuple[Region, ...]
    """What changed by more than the threshold, of at least ``min_contour_area``, largest first."""

    changed_px: float
    """Sum of the areas of ``regions``, in pixels of the working size."""

    working_size: tuple[int, int]
    """(width, height) to which the regions and areas refer."""

    zone: str | None = None
    """Name of the ``[[detection.zone]]`` that decided; None for the rest of the picture."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, its reason, and what was compared."""

    reason: Reason
    score: ChangeScore | None = None
    detail: str = ""
    """What is wrong with a rejected frame, or how the size changed, in words."""

    reference: str | None = None
    """Name of the frame it was compared with: the last kept one of its picture size; None without one."""

    schedule: str | None = None
    """Name of the ``[[schedule]]`` whose settings counted; None without one."""

    @property
    def verdict(self) -> Verdict:
        """Exactly one of kept, dropped, rejected."""
        return self.reason.verdict


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the bytes of a kept frame have been written durably."""

    name: str
    """Relative to the results folder."""

    already_there: bool
    """True when a file with these bytes had the name already, as after a crash or in a second scan."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision, as the ledger and the log have it."""

    key: FileKey
    camera: str
    captured_at_ns: int
    reason: Reason
    decided_at_ns: int
    """By the wall clock. No verdict depends on it; a result's age counts from it."""

    config_revision: int
    detail: str = ""
    score: float | None = None
    threshold: float | None = None
    unit: Unit | None = None
    zone: str | None = None
    """As in ``ChangeScore``; None when nothing was compared."""

    reference: str | None = None
    """Name of the frame it was compared with; None for the first of a picture size."""

    sha256: bytes | None = None
    """SHA-256 of the frame's bytes; None when they were not read, or before schema 5 of the ledger."""

    result: str | None = None
    """Name in the results folder; None unless kept and delivered."""

    late: bool = False
    """It was taken before a frame of its camera that was judged already."""

    arrived_at_ns: int | None = None
    planned: str | None = None
    """The path below the results folder that its result gets if nothing else has it; None: its own name."""

    archived: str | None = None
    """Name in the archive, to which the input was moved; None: it was not, or is back."""


def storable_ns(time_ns: int) -> int:
    """Return a time within what SQLite and utime can hold, the years 1677 to 2262; tmpfs allows others."""
    return time_ns if -(2**63) <= time_ns < 2**63 else 2**63 - 1 if time_ns > 0 else -(2**63)


def iso_utc(time_ns: int) -> str:
    """Return nanoseconds since the epoch as ``2026-11-23T17:05:09.250Z``, within the years 1 to 9999."""
    second, fraction_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(min(max(second, YEAR_1_S), YEAR_9999_S), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction_ns // 1_000_000:03d}Z"
