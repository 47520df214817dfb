"""What a file's name shows: whether it is a frame's, which camera took it, and when.

Only where ``capture_time`` lists ``exif`` is the file itself opened, too.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import translate
from itertools import accumulate
from pathlib import Path

from framegate.config.capture_time import EXIF, MTIME, reader_of
from framegate.config.settings import DEFAULT_CAMERA, DropSettings
from framegate.ingest.exif_time import ExifTimes
from framegate.ingest.reading import ReadHead, read_head
from framegate.model import Candidate, FileKey, storable_ns

UNFINISHED = (".part", ".tmp", ".filepart", "~")
"""Endings under which FTP and SMB clients, rsync and editors write before they rename."""

_WILD = frozenset("*?[")


@dataclass(slots=True)
class Examples:
    """A number of names, and one of them."""

    count: int = 0
    example: str | None = None
    """The first in alphabetical order."""

    def add(self, name: str) -> None:
        """Count a name."""
        self.count += 1
        self.example = name if self.example is None else min(self.example, name)


class NameRules:
    """The rules of one drop folder, compiled. Names are relative to it, with ``/`` between folders.

    Args:
        settings: the rules.
        read_head: reads the beginning of a file, for the times in EXIF data.
    """

    def __init__(self, settings: DropSettings, read_head: ReadHead = read_head) -> None:
        self.source = (
            settings.include, settings.exclude, settings.camera_pattern, settings.capture_time,
        )  # fmt: skip
        included = [pattern.lower() for pattern in settings.include]
        self._included_names = _any_of(pattern for pattern in included if "/" not in pattern)
        self._included_paths = _any_of(pattern for pattern in included if "/" in pattern)
        excluded = [pattern.lower() for pattern in settings.exclude]
        plain = {pattern for pattern in excluded if _WILD.isdisjoint(pattern)}
        self._excluded_names = {pattern for pattern in plain if "/" not in pattern}
        self._excluded_parts = _any_of(pattern for pattern in {*excluded} - plain if "/" not in pattern)
        self._excluded_paths = _any_of(pattern.lstrip("/") for pattern in excluded if "/" in pattern)
        self._camera = re.compile(settings.camera_pattern) if settings.camera_pattern else None
        self._is_by_name = {MTIME, EXIF}.isdisjoint(settings.capture_time)
        self._times = tuple(_reader_of(pattern, settings, read_head) for pattern in settings.capture_time)

    def are_like(self, others: "NameRules") -> bool:
        """Return whether they read all names as other rules do."""
        return self.source == others.source

    def is_frame(self, name: str) -> bool:
        """Return whether a name is a frame's: included, not passed over, and not an unfinished upload's."""
        low = name.lower()
        return self._is_included(low) and not self._is_foreign(low)

    def is_unmatched(self, name: str) -> bool:
        """Return whether a file is ignored for the one reason that no pattern of ``include`` takes it."""
        low = name.lower()
        return not self._is_included(low) and not self._is_foreign(low)

    def is_passed_over(self, name: str) -> bool:
        """Return whether a file or folder, or one that it is in, is hidden by a dot or excluded."""
        return self._passes_over(name.lower())

    def _passes_over(self, low: str) -> bool:
        if low.startswith(".") or "/." in low:
            return True
        parts = low.split("/")
        if not self._excluded_names.isdisjoint(parts):
            return True
        if self._excluded_parts is not None and any(map(self._excluded_parts, parts)):
            return True
        matches = self._excluded_paths
        return matches is not None and any(map(matches, accumulate(parts, "{}/{}".format)))

    def _is_included(self, low: str) -> bool:
        is_name, is_path = self._included_names, self._included_paths
        return bool(is_name and is_name(low.rpartition("/")[2])) or bool(is_path and is_path(low))

    def _is_foreign(self, low: str) -> bool:
        return low.endswith(UNFINISHED) or self._passes_over(low)

    def lacks_time(self, name: str) -> bool:
        """Return whether ``capture_time`` goes by names alone, and reads no time from this one."""
        return self._is_by_name and all(read(FileKey(name, 0, 0)) is None for read in self._times)

    def lacks_camera(self, name: str) -> bool:
        """Return whether there is a ``camera_pattern``, and it finds no camera in a name."""
        match = self._camera.search(name) if self._camera else None
        return self._camera is not None and not (match and match["camera"])

    def camera_of(self, name: str) -> str:
        """Return the camera that a frame belongs to; ``default`` when the pattern does not match.

        Bytes that are not UTF-8 are escaped: the name is used in logs and in the ledger.
        """
        match = self._camera.search(name) if self._camera else None
        camera = match["camera"] if match else None
        if not camera:
            return DEFAULT_CAMERA
        return camera.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def captured_at_ns(self, key: FileKey) -> int:
        """Return when a frame was taken, in nanoseconds since the epoch, by the first source that says so."""
        for read in self._times:
            if (moment := read(key)) is not None:
                return storable_ns(moment)
        return key.mtime_ns

    def candidate(self, key: FileKey) -> Candidate:
        """Return a version of a file with its camera and capture time, ready to be judged."""
        return Candidate(key, self.camera_of(key.name), self.captured_at_ns(key))


def _reader_of(pattern: str, settings: DropSettings, read_head: ReadHead) -> Callable[[FileKey], int | None]:
    if pattern == EXIF:
        return ExifTimes(Path(settings.folder), read_head)
    read = reader_of(pattern)
    return lambda key: read(key.name, key.mtime_ns)


def _any_of(patterns: Iterable[str]) -> Callable[[str], object] | None:
    """Return a function that tells whether one of the patterns matches; None if there are none."""
    spellings = [translate(pattern) for pattern in patterns]
    return re.compile("|".join(spellings)).match if spellings else None
