"""Notices names of frames that ``capture_time`` or ``camera_pattern`` does not read, and says so once."""

from framegate.config.settings import DropSettings
from framegate.events.base import Listener, LogEvent
from framegate.events.frames import FrameDecided
from framegate.events.watch import NamesUnread
from framegate.ingest.names import Examples, NameRules
from framegate.telemetry.counters import MOST_CAMERAS

FIRST = 20
"""If none of a camera's first names is read, the pattern is wrong, and not a single name odd."""


class UnreadNames:
    """Counts unread names since the start, or since the last edit of ``[drop]``; a listener of all events.

    Args:
        drop: its settings.
        emit: gets a warning for each camera of which the first ``FIRST`` names are unread.
    """

    def __init__(self, drop: DropSettings, emit: Listener) -> None:
        self._emit = emit
        self._start_over(drop)

    def __call__(self, event: LogEvent) -> None:
        """Count a frame that has its verdict."""
        if not isinstance(event, FrameDecided):
            return
        name, camera = event.entry.key.name, event.entry.camera
        if lacks_time := self._rules.lacks_time(name):
            self.times.add(name)
        if lacks_camera := self._rules.lacks_camera(name):
            self.cameras.add(name)
        self._count("drop.capture_time", camera, name, is_unread=lacks_time)
        self._count("drop.camera_pattern", camera, name, is_unread=lacks_camera)

    def retune(self, drop: DropSettings) -> None:
        """Use other settings; if names are read in another way, begin again."""
        if drop != self._drop:
            self._start_over(drop)

    def _start_over(self, drop: DropSettings) -> None:
        self._drop, self._rules = drop, NameRules(drop)
        self._in_a_row: dict[tuple[str, str], int] = {}
        """How many names were unread from the first on, by setting and camera; enough when one was read."""

        self.times, self.cameras = Examples(), Examples()

    def _count(self, setting: str, camera: str, name: str, *, is_unread: bool) -> None:
        key = (setting, camera)
        count = self._in_a_row.get(key, 0)
        if count >= FIRST or (key not in self._in_a_row and len(self._in_a_row) >= 2 * MOST_CAMERAS):
            return
        self._in_a_row[key] = count + 1 if is_unread else FIRST
        if is_unread and count + 1 == FIRST:
            self._emit(NamesUnread(setting, camera, FIRST, name))
