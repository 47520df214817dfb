"""What a file's name shows: whether it is a frame's, which camera took it, and when."""

import re
from fnmatch import fnmatchcase

from framegate.config.capture_time import reader_of
from framegate.config.settings import DEFAULT_CAMERA, DropSettings
from framegate.model import Candidate, FileKey, storable_ns

UNFINISHED = (".part", ".tmp", ".filepart", "~")
"""Endings under which FTP and SMB clients, rsync and editors write before they rename."""


class NameRules:
    """The rules of one drop folder, compiled. Names are relative to it, with ``/`` between folders."""

    def __init__(self, settings: DropSettings) -> None:
        self._include = tuple(pattern.lower() for pattern in settings.include)
        self._camera = re.compile(settings.camera_pattern) if settings.camera_pattern else None
        self._times = tuple(reader_of(pattern) for pattern in settings.capture_time)

    def is_frame(self, name: str) -> bool:
        """Return whether a name is a frame's: included, not hidden, and not that of an unfinished upload."""
        low = name.lower()
        last = low.rpartition("/")[2]
        if self.is_hidden(low) or last.endswith(UNFINISHED):
            return False
        return any(fnmatchcase(low if "/" in pattern else last, pattern) for pattern in self._include)

    @staticmethod
    def is_hidden(name: str) -> bool:
        """Return whether a file's name, or that of a folder it is in, begins with a dot."""
        return name.startswith(".") or "/." in name

    def camera_of(self, name: str) -> str:
        """Return the camera that a frame belongs to; ``default`` when the pattern does not match.

        Bytes that are not UTF-8 are escaped: the name is used in logs and in the ledger.
        """
        match = self._camera.search(name) if self._camera else None
        camera = match["camera"] if match else None
        if not camera:
            return DEFAULT_CAMERA
        return camera.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def captured_at_ns(self, name: str, mtime_ns: int) -> int:
        """Return when a frame was taken, in nanoseconds since the epoch: by its name, else by its mtime."""
        for read in self._times:
            if (moment := read(name, mtime_ns)) is not None:
                return storable_ns(moment)
        return mtime_ns

    def candidate(self, key: FileKey) -> Candidate:
        """Return a version of a file with its camera and capture time, ready to be judged."""
        return Candidate(key, self.camera_of(key.name), self.captured_at_ns(key.name, key.mtime_ns))
