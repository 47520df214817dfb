"""The ledger's tables, its statements, and how values are stored in the rows."""

import os
from dataclasses import dataclass
from typing import Any

from framegate.model import Entry, FileKey, Reason

SCHEMA_VERSION = 4

MOST_COUNTED_CAMERAS = 10_000
"""Cameras that are counted by name; further ones are counted together, since names come from outside."""

THE_OTHERS = "*"
"""The name under which all further cameras are counted together."""

_TOTALS = f"""
CREATE TABLE total (
    camera TEXT NOT NULL,              -- '{THE_OTHERS}': those beyond the first {MOST_COUNTED_CAMERAS}
    reason TEXT NOT NULL,
    frames INTEGER NOT NULL,
    PRIMARY KEY (camera, reason)
) STRICT, WITHOUT ROWID;
"""
KEPT_SINCE = "max(captured_at_ns, decided_at_ns)"
"""From when a result's age counts: a camera whose clock has no battery captures in the year 2000."""

_DELIVERED = f"""
CREATE INDEX delivered ON frame ({KEPT_SINCE}, id, size_bytes)
    WHERE verdict = 'kept' AND result IS NOT NULL AND result_gone_ns IS NULL;
"""
_PRESENCE_INDEXES = f"""
CREATE INDEX standing ON frame (verdict, id) WHERE input_gone_ns IS NULL;
CREATE INDEX gone ON frame (input_gone_ns)
    WHERE input_gone_ns IS NOT NULL AND (verdict <> 'kept' OR result_gone_ns IS NOT NULL);
{_DELIVERED}
CREATE INDEX result ON frame (result) WHERE result IS NOT NULL AND result_gone_ns IS NULL;
"""
SCHEMA = f"""
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,            -- the order of decisions
    name BLOB NOT NULL,                -- relative to the drop folder; any bytes that Linux allows
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    camera TEXT NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'dropped', 'rejected')),
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    score REAL,
    threshold REAL,
    reference BLOB,                    -- name of the frame it was compared with
    config_revision INTEGER NOT NULL,
    decided_at_ns INTEGER NOT NULL,
    sha256 BLOB,                       -- of a kept frame
    result BLOB,                       -- its name in the results folder; NULL: intended, not yet delivered
    input_gone_ns INTEGER,             -- since when it is not in the drop folder; NULL: it may be there
    result_gone_ns INTEGER,            -- since when the result is deleted, or not ours; NULL: it may be
    unit TEXT,                         -- of score and threshold: '%' of the picture, 'x' times the usual
    zone TEXT,                         -- the [[detection.zone]] that decided; NULL: the rest of the picture
    UNIQUE (name, size_bytes, mtime_ns)
) STRICT;
CREATE INDEX kept ON frame (camera, id) WHERE verdict = 'kept';
CREATE INDEX intended ON frame (id) WHERE verdict = 'kept' AND result IS NULL;
CREATE TABLE camera (
    camera TEXT PRIMARY KEY,
    previous_name BLOB,                -- the frame that the detector learnt from last
    previous_size_bytes INTEGER,
    previous_mtime_ns INTEGER,
    learnt BLOB,                       -- what the detector learnt; NULL: nothing yet
    storm_kept INTEGER,                -- frames of the storm that it is in; NULL: in none
    storm_dropped INTEGER,
    previous_sha256 BLOB
) STRICT;
{_TOTALS}
{_PRESENCE_INDEXES}
"""

MIGRATIONS = {
    1: f"""
ALTER TABLE frame ADD COLUMN input_gone_ns INTEGER;
ALTER TABLE frame ADD COLUMN result_gone_ns INTEGER;
ALTER TABLE camera ADD COLUMN storm_kept INTEGER;
ALTER TABLE camera ADD COLUMN storm_dropped INTEGER;
{_TOTALS}
INSERT INTO total
    SELECT CASE WHEN camera IN (
        SELECT camera FROM frame GROUP BY camera ORDER BY min(id) LIMIT {MOST_COUNTED_CAMERAS}
    ) THEN camera ELSE '{THE_OTHERS}' END AS counted_as, reason, count(*)
    FROM frame GROUP BY counted_as, reason;
{_PRESENCE_INDEXES}
""",  # noqa: S608 - our own names
    2: f"""
DROP TRIGGER IF EXISTS decided_again;
DROP TRIGGER IF EXISTS decided;
DROP TRIGGER IF EXISTS abandoned;
DROP INDEX IF EXISTS delivered;
{_DELIVERED}
""",
    3: """
ALTER TABLE frame RENAME COLUMN score_percent TO score;
ALTER TABLE frame RENAME COLUMN threshold_percent TO threshold;
ALTER TABLE frame ADD COLUMN unit TEXT;
ALTER TABLE frame ADD COLUMN zone TEXT;
UPDATE frame SET unit = '%' WHERE score IS NOT NULL;
ALTER TABLE camera RENAME COLUMN noise TO learnt;
ALTER TABLE camera ADD COLUMN previous_sha256 BLOB;
UPDATE camera SET learnt = NULL;
""",  # what that detector learnt means nothing to this one
}
"""Statements that turn the tables of each older version into those of the next version."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a camera has learnt up to one decision."""

    previous: FileKey | None
    """The last frame that the detector has learnt from."""

    learnt: bytes | None

    storm: tuple[int, int] | None = None
    """Frames kept and dropped in the present storm; None when there is none."""

    previous_sha256: bytes | None = None
    """SHA-256 of the previous frame's bytes; None when it is not known."""


COLUMNS = (
    "name, size_bytes, mtime_ns, camera, captured_at_ns, reason, decided_at_ns, config_revision,"
    " detail, score, threshold, unit, zone, reference, sha256, result"
)
MEMORY_COLUMNS = (
    "previous_name, previous_size_bytes, previous_mtime_ns, previous_sha256,"
    " learnt, storm_kept, storm_dropped"
)
REPLACE_MEMORY = f"INSERT OR REPLACE INTO camera (camera, {MEMORY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
TAKE_RESULT_FROM_OTHERS = (
    "UPDATE frame SET result_gone_ns = 0 WHERE result = ? AND result_gone_ns IS NULL"
    " AND NOT (name = ? AND size_bytes = ? AND mtime_ns = ?)"
)
"""A result belongs to one frame: the last one whose bytes were found or written under its name. For every
other frame with that result it is gone for good (since 0), even if the bytes are the same."""

FINISH = "UPDATE frame SET result = ? WHERE name = ? AND size_bytes = ? AND mtime_ns = ?"
ABANDON = (
    "UPDATE frame SET verdict = ?, reason = ?, detail = ?, sha256 = NULL"
    " WHERE name = ? AND size_bytes = ? AND mtime_ns = ?"
)
IS_DECIDED = "SELECT 1 FROM frame WHERE name = ? AND size_bytes = ? AND mtime_ns = ? AND reason <> 'vanished'"
"""A frame that vanished was never judged: it is when it comes back, as with a disk that is mounted again."""

COUNTED_AS = "SELECT camera, reason FROM frame WHERE name = ? AND size_bytes = ? AND mtime_ns = ?"
ADD_TO_TOTAL = (
    "INSERT INTO total VALUES (?, ?, ?)"
    " ON CONFLICT (camera, reason) DO UPDATE SET frames = frames + excluded.frames"
)

INSERT = f"INSERT OR REPLACE INTO frame ({COLUMNS}, verdict) VALUES ({', '.join('?' * 17)})"  # noqa: S608 - our own names


MOST_VALUES = 250
"""Rows of values in one query of ``query_for_absent``. With a million rows in the ledger a key took 1.8
microseconds at 250 and at 500, 2.7 at 100, 3.6 by way of a temporary table, 4.7 with a query for each key."""


def query_for_absent(*columns: str) -> str:
    """Return a query that finds which of the given values of these columns are in no row of ``frame``.

    It takes ``MOST_VALUES`` times the columns' values (None for those that are not needed) and returns the
    positions, counted from 0, of those that are absent. It writes nothing, not even a temporary table, so
    it works on a connection that only reads, on a full disk and beside a writer.
    """
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    values = ", ".join(f"({position}, {marks})" for position in range(MOST_VALUES))
    is_same = " AND ".join(f"frame.{column} = asked.{column}" for column in columns)
    return (
        f"WITH asked (position, {names}) AS (VALUES {values}) SELECT position FROM asked"  # noqa: S608 - our own names
        f" WHERE NOT EXISTS (SELECT 1 FROM frame WHERE {is_same} AND reason <> 'vanished')"
    )


ABSENT_KEYS = query_for_absent("name", "size_bytes", "mtime_ns")
ABSENT_NAMES = query_for_absent("name")


def key_columns(key: FileKey) -> tuple[bytes, int, int]:
    """Return the columns that identify a version of a file."""
    return os.fsencode(key.name), key.size_bytes, key.mtime_ns


def memory_columns(memory: Memory) -> tuple[Any, ...]:
    """Return the values of ``MEMORY_COLUMNS``."""
    previous = key_columns(memory.previous) if memory.previous else (None, None, None)
    return (*previous, memory.previous_sha256, memory.learnt, *(memory.storm or (None, None)))


def entry_columns(entry: Entry) -> tuple[Any, ...]:
    """Return the values for ``INSERT``."""
    return (
        *key_columns(entry.key), entry.camera, entry.captured_at_ns, entry.reason, entry.decided_at_ns,
        entry.config_revision, _storable(entry.detail), entry.score, entry.threshold, entry.unit, entry.zone,
        _fsencode(entry.reference), entry.sha256, _fsencode(entry.result), entry.reason.verdict,
    )  # fmt: skip


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the entry in a row of ``COLUMNS``."""
    (
        name, size_bytes, mtime_ns, camera, captured_at_ns, reason, decided_at_ns, revision, detail, score,
        threshold, unit, zone, reference, sha256, result,
    ) = row  # fmt: skip
    return Entry(
        FileKey(os.fsdecode(name), size_bytes, mtime_ns), camera, captured_at_ns, Reason(reason),
        decided_at_ns, revision, detail, score, threshold, unit, zone, _fsdecode(reference), sha256,
        _fsdecode(result),
    )  # fmt: skip


def _storable(text: str) -> str:
    """Escape what SQLite refuses: half of a surrogate pair, as in a name whose bytes are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _fsencode(name: str | None) -> bytes | None:
    return None if name is None else os.fsencode(name)


def _fsdecode(name: bytes | None) -> str | None:
    return None if name is None else os.fsdecode(name)
