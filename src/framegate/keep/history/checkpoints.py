"""What the cameras knew, once a day: from there a replay goes on exactly, without the frames before.

The first chance after midnight UTC, by the time of the decisions, is taken. Checkpoints go when a frame after
them is forgotten, since the way from there to the present is cut off then.
"""

import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from framegate.keep.database import Database

MOST_A_CAMERA = 31
MOST_BYTES = 1_000_000_000
"""Of all checkpoints together; the oldest go first. A picture size of 1080p takes 0.25 MB with ``adaptive``,
1.3 MB with ``classic`` at its native size."""

DAY_NS = 86_400 * 10**9

LEVEL = 1
"""Of zlib: 10 ms for that with ``adaptive``, 50 with ``classic``. Level 6 saves 3 to 11 percent, and takes
two to four times as long."""

_LAST_JUDGED = (
    "SELECT id, decided_at_ns, config_revision FROM frame"
    " WHERE camera = ? AND (verdict <> 'rejected' OR reason = 'torn') ORDER BY id DESC LIMIT 1"
)
_SAVE = (
    "INSERT OR REPLACE INTO checkpoint (camera, day, frame, config_revision, state) VALUES (?, ?, ?, ?, ?)"
)
_FORGET_OLD = (
    "DELETE FROM checkpoint WHERE camera = ? AND frame NOT IN"
    f" (SELECT frame FROM checkpoint WHERE camera = ? ORDER BY frame DESC LIMIT {MOST_A_CAMERA})"
)
_FORGET_MOST = (
    "DELETE FROM checkpoint WHERE frame <= (SELECT max(frame) FROM"
    " (SELECT frame, sum(length(state)) OVER (ORDER BY frame DESC) AS bytes FROM checkpoint) WHERE bytes > ?)"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment from which a replay of one camera can begin."""

    camera: str
    frame: int
    """Id of the row after whose decision it was taken."""

    config_revision: int
    """The settings by which that frame was judged."""


class Checkpoints:
    """Saves what the cameras know.

    Args:
        database: the ledger's.

    Raises:
        SinkError: when the file cannot be read or written now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, camera: str, state: Callable[[], bytes]) -> None:
        """Save what a camera knows, unless there is a checkpoint of the day of its last decision.

        Args:
            camera: its name. All that it has decided is committed.
            state: called if there is none.
        """
        with self._database.lend() as db:
            last = db.execute(_LAST_JUDGED, (camera,)).fetchone()
            if last is None or _has(db, camera, last[1] // DAY_NS):
                return
        frame, decided_at_ns, revision = last
        data = zlib.compress(state(), LEVEL)
        with self._database.transaction("NORMAL") as db:
            db.execute(_SAVE, (camera, decided_at_ns // DAY_NS, frame, revision, data))
            db.execute(_FORGET_OLD, (camera, camera))
            db.execute(_FORGET_MOST, (MOST_BYTES,))


def _has(db: sqlite3.Connection, camera: str, day: int) -> bool:
    query = "SELECT 1 FROM checkpoint WHERE camera = ? AND day = ?"
    return db.execute(query, (camera, day)).fetchone() is not None
