"""An archive in parts: the frames that one camera has taken in one month.

A camera's months are judged in order, each from what the camera knew at the end of the one before; cameras
are independent of each other. Months are those of UTC, since frames are judged in the order of their capture
times: local months overlap where clocks are set back at midnight.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from framegate.model import Candidate, FileKey, iso_utc

_LENGTH_OF_MONTH = len("2026-11")

Row = tuple[int, str, int, int, int]
"""Capture time, name, size, mtime and ctime of a frame: in this order they sort as candidates do."""


@dataclass(frozen=True)
class Month:
    """What one camera has taken in one month of UTC."""

    camera: str
    month: str
    """As ``2026-11``."""

    listing: bytes
    """Its frames in order, compressed: some 15 bytes for each."""

    frames: int

    id: str
    """Names all that its verdicts depend on: the frames, the settings, the libraries and, through the id of
    the month before, what the camera knew."""

    before: str | None
    """The id of the camera's month before; None for its first."""

    def candidates(self) -> Iterator[Candidate]:
        """Yield its frames, in the order in which they have to be judged."""
        for captured_at_ns, name, size_bytes, mtime_ns, ctime_ns in json.loads(zlib.decompress(self.listing)):
            yield Candidate(FileKey(name, size_bytes, mtime_ns, ctime_ns), self.camera, captured_at_ns)


@dataclass(frozen=True)
class Archive:
    """All frames that are to be judged."""

    cameras: dict[str, Sequence[Month]]
    """The months of each camera, in order; the cameras by name."""

    @cached_property
    def frames(self) -> int:
        """How many there are."""
        return sum(month.frames for months in self.cameras.values() for month in months)

    def by_month(self) -> Iterator[list[Month]]:
        """Yield what all cameras have taken in a month, the months in order."""
        months = [month for months in self.cameras.values() for month in months]
        for _, same in groupby(sorted(months, key=lambda each: each.month), lambda each: each.month):
            yield list(same)

    def sample(self, most: int) -> list[Candidate]:
        """Return about ``most`` frames, evenly chosen, in the order of their capture times; all if so few."""
        step = max(1, self.frames // most)
        months = (month for months in self.cameras.values() for month in months)
        chosen = (candidate for month in months for candidate in list(month.candidates())[::step])
        return sorted(chosen, key=lambda candidate: candidate.order)


def archive_of(candidates: Iterable[Candidate], basis_of: Callable[[str], str]) -> Archive:
    """Return frames by camera and month.

    Args:
        candidates: in any order.
        basis_of: returns what a camera's verdicts depend on besides its frames, as text.
    """
    found: dict[str, dict[str, bytearray]] = {}
    for candidate in candidates:
        key, taken_ns = candidate.key, candidate.captured_at_ns
        rows = found.setdefault(candidate.camera, {}).setdefault(month_of(taken_ns), bytearray())
        row: Row = taken_ns, key.name, key.size_bytes, key.mtime_ns, key.ctime_ns
        rows += b"," + _as_json(row)  # some 90 bytes; as a tuple it has 300
    cameras: dict[str, Sequence[Month]] = {}
    for camera in sorted(found):
        cameras[camera] = list(_months_of(camera, found.pop(camera), basis_of(camera)))
    return Archive(cameras)


def _months_of(camera: str, rows_of: dict[str, bytearray], basis: str) -> Iterator[Month]:
    before = None
    for month in sorted(rows_of):
        rows: list[Row] = sorted(json.loads(b"[" + rows_of.pop(month)[1:] + b"]"))
        listing = _as_json(rows)
        parts = (basis, camera, month, before or "", listing.decode("ascii"))
        own = hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:32]
        yield Month(camera, month, zlib.compress(listing), len(rows), own, before)
        before = own


def _as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def month_of(time_ns: int) -> str:
    """Return the month of UTC, as ``2026-11``."""
    return iso_utc(time_ns)[:_LENGTH_OF_MONTH]
