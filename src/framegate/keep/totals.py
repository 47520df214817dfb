"""How many frames of each camera were decided for each reason.

A frame that is decided again counts once, and one whose row is pruned still counts.
"""

import sqlite3
from collections.abc import Mapping

from framegate.keep.schema import MOST_COUNTED_CAMERAS, THE_OTHERS

_ADD_TO_TOTAL = (
    "INSERT INTO total (camera, reason, frames, late) VALUES (?, ?, ?, ?) ON CONFLICT (camera, reason)"
    " DO UPDATE SET frames = frames + excluded.frames, late = late + excluded.late"
)


class Totals:
    """Changes the counts, within the transactions that write the decisions."""

    def __init__(self) -> None:
        self._names: set[str] | None = None
        """Cameras that have counts of their own; None until they are read from the file."""

    def add(self, db: sqlite3.Connection, changes: Mapping[tuple[str, str, int], int]) -> None:
        """Change the counts of camera, reason and lateness by numbers of frames, which may be negative."""
        named = [
            (self._counted_as(db, camera), reason, frames, late * frames)
            for (camera, reason, late), frames in changes.items()
            if frames
        ]
        db.executemany(_ADD_TO_TOTAL, named)

    def _counted_as(self, db: sqlite3.Connection, camera: str) -> str:
        if self._names is None:
            self._names = {name for (name,) in db.execute("SELECT DISTINCT camera FROM total")}
        # A name stays in the set when the commit fails. It has a place all the same, so no count moves later.
        if camera not in self._names and len(self._names) >= MOST_COUNTED_CAMERAS:
            return THE_OTHERS
        self._names.add(camera)
        return camera
