"""What a camera has learnt, as rows of the ledger: one for the camera, and one for each of its picture sizes.

The rows of frames are pointed to by their ids: a file's key changes when it is touched or moved.
"""

import json
import os
import sqlite3
from dataclasses import dataclass
from typing import Any

from framegate.keep.schema import IS_KEY, key_columns
from framegate.model import FileKey, Size

_ID_OF = f"(SELECT id FROM frame WHERE {IS_KEY})"
_KEY = "{0}.name, {0}.size_bytes, {0}.mtime_ns, {0}.ctime_ns"
_LANES_OF = (
    f"SELECT width, height, {_KEY.format('r')}, {_KEY.format('p')}, previous_sha256, learnt, torn"
    " FROM lane JOIN frame AS r ON r.id = lane.reference LEFT JOIN frame AS p ON p.id = lane.previous"
    " WHERE lane.camera = ? ORDER BY lane.used"
)
_CAMERA_COLUMNS = "storm_kept, storm_dropped, lateness, clock"
_CAMERA = f"SELECT {_CAMERA_COLUMNS} FROM camera WHERE camera = ?"
_REPLACE_CAMERA = f"INSERT OR REPLACE INTO camera (camera, {_CAMERA_COLUMNS}) VALUES (?, ?, ?, ?, ?)"
_SAVE_LANE = (
    "INSERT INTO lane (camera, width, height, used, previous_sha256, learnt, torn, reference, previous)"
    f" VALUES (?, ?, ?, ?, ?, ?, ?, {_ID_OF}, {_ID_OF})"
    " ON CONFLICT (camera, width, height) DO UPDATE SET used = excluded.used, learnt = excluded.learnt,"
    " previous_sha256 = excluded.previous_sha256, previous = excluded.previous,"
    " reference = excluded.reference, torn = excluded.torn"
    # A size of which no frame came is not written again: learnt is some 14 kB.
    " WHERE (used, reference, previous, torn)"
    " IS NOT (excluded.used, excluded.reference, excluded.previous, excluded.torn)"
)


@dataclass(frozen=True, slots=True)
class LaneMemory:
    """What a camera knows of one picture size."""

    size: Size
    """(width, height); 0 by 0 in what an older version saved, which did not tell sizes apart."""

    reference: FileKey
    """The last kept frame of this size."""

    previous: FileKey | None = None
    """The last frame that the detector has learnt from; None when it is not known."""

    learnt: bytes | None = None

    previous_sha256: bytes | None = None
    """Tells the previous frame's bytes and how they were judged; None when they were not dropped."""

    torn: object = None
    """How the last frames of this size are torn, as values for JSON; None when they are not."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a camera has learnt up to one decision."""

    lanes: tuple[LaneMemory, ...] = ()
    """The longest unused first."""

    storm: tuple[int, int] | None = None
    """Frames kept and dropped in the present storm; None when there is none."""

    lateness: str | None = None
    """Which capture time is the newest, as ``ingest.lateness`` saves it; None when nothing was judged."""

    clock: object = None
    """What is known of its clock, as values for JSON, the fault first; None when nothing is."""


def save(db: sqlite3.Connection, camera: str, memory: Memory) -> None:
    """Write what a camera has learnt, after the rows of the frames that it has learnt from."""
    clock = json.dumps(memory.clock)
    db.execute(_REPLACE_CAMERA, (camera, *(memory.storm or (None, None)), memory.lateness, clock))
    sizes = {lane.size for lane in memory.lanes}
    for size in db.execute("SELECT width, height FROM lane WHERE camera = ?", (camera,)).fetchall():
        if size not in sizes:
            db.execute("DELETE FROM lane WHERE camera = ? AND width = ? AND height = ?", (camera, *size))
    for used, lane in enumerate(memory.lanes):
        reference = key_columns(lane.reference)
        previous = (None,) * 4 if lane.previous is None else key_columns(lane.previous)
        torn = None if lane.torn is None else json.dumps(lane.torn)
        learnt = lane.previous_sha256, lane.learnt, torn
        db.execute(_SAVE_LANE, (camera, *lane.size, used, *learnt, *reference, *previous))


def saved(db: sqlite3.Connection, camera: str) -> Memory:
    """Return what a camera had learnt when it was saved last."""
    row = db.execute(_CAMERA, (camera,)).fetchone()
    if row is None:
        row = (None, None, None, None)
    kept, dropped, lateness, clock = row
    lanes = tuple(_lane(row) for row in db.execute(_LANES_OF, (camera,)))
    return Memory(lanes, None if kept is None else (kept, dropped), lateness, _from_json(clock))


def clock_faults(db: sqlite3.Connection) -> dict[str, str]:
    """Return why the capture times of some cameras cannot be true, by camera."""
    clocks = [(camera, _from_json(text)) for camera, text in db.execute("SELECT camera, clock FROM camera")]
    return {camera: clock[0] for camera, clock in clocks if isinstance(clock, list) and clock and clock[0]}


def _lane(row: tuple[Any, ...]) -> LaneMemory:
    width, height, *keys, sha256, learnt, torn = row
    reference, previous = _key(*keys[:4]), None if keys[4] is None else _key(*keys[4:])
    return LaneMemory((width, height), reference, previous, learnt, sha256, _from_json(torn))


def _from_json(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


def _key(name: bytes, size_bytes: int, mtime_ns: int, ctime_ns: int) -> FileKey:
    return FileKey(os.fsdecode(name), size_bytes, mtime_ns, ctime_ns)
