"""Reads when a frame was taken from what the camera wrote into its file."""

import re
from datetime import datetime
from pathlib import Path

from framegate.config.capture_time import nanoseconds_of
from framegate.formats.exif.times import WrittenTime, read_times
from framegate.ingest.reading import ReadHead, read_head
from framegate.model import FileKey

HEAD_BYTES = 64 * 1024
"""EXIF data of a JPEG have at most 65,533 bytes, with the thumbnail at their end."""

MOST_REMEMBERED = 65_536
"""Some 7 MB."""

_DATE = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"[+-]\d\d:\d\d|Z", re.ASCII)
_FRACTION = re.compile(r"\d{1,9}", re.ASCII)


class ExifTimes:
    """Reads the times of a folder's files, and remembers them: each sweep of a backlog asks again.

    Args:
        folder: the drop folder.
        read_head: reads the beginning of a file in it.
    """

    def __init__(self, folder: Path, read_head: ReadHead = read_head) -> None:
        self._folder = folder
        self._read_head = read_head
        self._read: dict[int, int | None] = {}
        """What was read, by the hash of the file's version: the versions would take three times the room."""

    def __call__(self, key: FileKey) -> int | None:
        """Return when a frame was taken, in nanoseconds since the epoch.

        None for a file without such a time, and for one that cannot be read, or has not come that far.
        """
        version = hash(key)
        if version in self._read:
            return self._read[version]
        head = self._read_head(self._folder, key.name, HEAD_BYTES)
        moments = (_moment_ns(written, key.mtime_ns) for written in read_times(head))
        moment = next((moment for moment in moments if moment is not None), None)
        if head:  # else it may be readable later
            if len(self._read) >= MOST_REMEMBERED:
                self._read.clear()
            self._read[version] = moment
        return moment


def _moment_ns(written: WrittenTime, mtime_ns: int) -> int | None:
    """Return a time in nanoseconds since the epoch; None if it is no date, as where the clock was not set."""
    date = _DATE.match(written.text)
    if date is None:
        return None
    offset = _OFFSET.fullmatch(written.offset)
    fraction = _FRACTION.match(written.fraction)
    try:
        year, month, day, hour, minute, second = map(int, date.groups())
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - see nanoseconds_of
        if offset:
            local = local.replace(tzinfo=datetime.strptime(offset[0], "%z").tzinfo)
        whole_ns = nanoseconds_of(local, mtime_ns)
    except (ValueError, OverflowError):  # digits that are not a date
        return None
    return whole_ns + (int(fraction[0].ljust(9, "0")) if fraction else 0)
