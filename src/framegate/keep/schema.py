"""The ledger's tables, its statements, and how values are stored in the rows."""

import os
from typing import Any

from framegate.model import Entry, FileKey, Reason

SCHEMA_VERSION = 7

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
_LATENESS = """
ALTER TABLE total ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
ALTER TABLE camera ADD COLUMN lateness TEXT;
"""
"""How many of the frames counted in ``total`` were late; which capture time of a camera is the newest."""

_DELIVERED = """
CREATE INDEX delivered ON frame (id, size_bytes, decided_at_ns)
    WHERE verdict = 'kept' AND result IS NOT NULL AND result_gone_ns IS NULL;
"""
_PRESENCE_INDEXES = f"""
CREATE INDEX standing ON frame (verdict, id) WHERE input_gone_ns IS NULL;
CREATE INDEX gone ON frame (input_gone_ns)
    WHERE input_gone_ns IS NOT NULL AND (verdict <> 'kept' OR result_gone_ns IS NOT NULL);
{_DELIVERED}
CREATE INDEX result ON frame (result) WHERE result IS NOT NULL AND result_gone_ns IS NULL;
"""
_FRAME = """
CREATE TABLE {table} (
    id INTEGER PRIMARY KEY,            -- the order of decisions
    name BLOB NOT NULL,                -- relative to the drop folder; any bytes that Linux allows
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,         -- 0: not known, as in rows from before schema 5
    camera TEXT NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    arrived_at_ns INTEGER,             -- NULL: not known, as of a backlog
    verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'dropped', 'rejected')),
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    score REAL,
    threshold REAL,
    reference BLOB,                    -- name of the frame it was compared with
    config_revision INTEGER NOT NULL,  -- 0: not known, as in rows from before schema 6
    decided_at_ns INTEGER NOT NULL,
    sha256 BLOB,                       -- of the bytes that were read; NULL: none were, or before schema 5
    result BLOB,                       -- its name in the results folder; NULL: intended, not yet delivered
    input_gone_ns INTEGER,             -- since when it is not in the drop folder; NULL: it may be there
    result_gone_ns INTEGER,            -- since when the result is deleted, or not ours; NULL: it may be
    unit TEXT,                         -- of score and threshold: '%' of the picture, 'x' times the usual
    zone TEXT,                         -- the [[detection.zone]] that decided; NULL: the rest of the picture
    late INTEGER NOT NULL DEFAULT 0,   -- 1: taken before a frame of its camera that was judged already
    UNIQUE (name, ctime_ns, mtime_ns, size_bytes)  -- in this order the latest version of a name is the last
) STRICT;
"""
_NAMES = """
ALTER TABLE frame ADD COLUMN planned BLOB;  -- what its result is named if that is free; NULL: as the frame
ALTER TABLE frame ADD COLUMN archived BLOB;  -- the input's name in the archive; NULL: it is not there
DROP INDEX standing;
CREATE INDEX standing ON frame (verdict, id) WHERE input_gone_ns IS NULL AND archived IS NULL;
"""

_FRAME_INDEXES = """
CREATE INDEX kept ON frame (camera, id) WHERE verdict = 'kept';
CREATE INDEX intended ON frame (id) WHERE verdict = 'kept' AND result IS NULL;
CREATE INDEX content ON frame (mtime_ns, sha256) WHERE sha256 IS NOT NULL;
"""
_LANE = """
CREATE TABLE lane (
    camera TEXT NOT NULL,
    width INTEGER NOT NULL,            -- of the whole picture, in pixels; 0 by 0: from before schema 5
    height INTEGER NOT NULL,
    used INTEGER NOT NULL,             -- the rank among those of the camera: 0 is the longest unused
    reference INTEGER,                 -- id of the last kept frame of this size
    previous INTEGER,                  -- id of the frame that the detector learnt from last
    previous_sha256 BLOB,
    learnt BLOB,                       -- what the detector learnt; NULL: nothing yet
    torn TEXT,                         -- how the last frames are torn, in JSON; NULL: they are not
    PRIMARY KEY (camera, width, height)
) STRICT;
"""
_CONFIG = """
CREATE TABLE config (
    revision INTEGER PRIMARY KEY,      -- as in frame; it never stands for other settings
    since_ns INTEGER NOT NULL,
    settings TEXT NOT NULL,            -- all of them, in JSON
    masks TEXT NOT NULL,               -- SHA-256 of each mask file by its path, in JSON
    detectors TEXT NOT NULL            -- version of each detector by its preset, in JSON
) STRICT;
CREATE TABLE mask (
    sha256 BLOB PRIMARY KEY,
    data BLOB NOT NULL                 -- of the file
) STRICT;
"""
_PRUNED = """
CREATE TABLE pruned (
    camera TEXT PRIMARY KEY,
    frame INTEGER NOT NULL             -- the highest id of its rows that are deleted
) STRICT, WITHOUT ROWID;
"""
"""Where a camera's past is cut off. Rejected frames do not count: nothing is learnt from them."""

_CHECKPOINT = """
CREATE TABLE checkpoint (
    camera TEXT NOT NULL,
    day INTEGER NOT NULL,              -- of that decision, in days since 1970 UTC
    frame INTEGER NOT NULL,            -- id of the row after whose decision it was taken
    config_revision INTEGER NOT NULL,
    state BLOB NOT NULL,               -- of the camera, compressed by zlib
    PRIMARY KEY (camera, day)
) STRICT;
"""
SCHEMA = f"""
{_FRAME.format(table="frame")}
{_FRAME_INDEXES}
CREATE TABLE camera (
    camera TEXT PRIMARY KEY,
    storm_kept INTEGER,                -- frames of the storm that it is in; NULL: in none
    storm_dropped INTEGER,
    clock TEXT                         -- what is known of its clock, in JSON; NULL: nothing
) STRICT;
{_LANE}
{_TOTALS}
{_LATENESS}
{_PRESENCE_INDEXES}
{_NAMES}
{_CONFIG}
{_PRUNED}
{_CHECKPOINT}
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
""",
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
    4: f"""
{_LANE}
INSERT INTO lane
    SELECT camera, 0, 0, 0, max(id), (
            SELECT id FROM frame AS previous WHERE previous.name = old.previous_name
                AND previous.size_bytes = old.previous_size_bytes
                AND previous.mtime_ns = old.previous_mtime_ns
        ), old.previous_sha256, old.learnt, NULL
    FROM frame LEFT JOIN camera AS old USING (camera) WHERE verdict = 'kept' GROUP BY camera;
ALTER TABLE camera DROP COLUMN previous_name;
ALTER TABLE camera DROP COLUMN previous_size_bytes;
ALTER TABLE camera DROP COLUMN previous_mtime_ns;
ALTER TABLE camera DROP COLUMN previous_sha256;
ALTER TABLE camera DROP COLUMN learnt;
ALTER TABLE camera ADD COLUMN clock TEXT;
{_FRAME.format(table="frame_5")}
INSERT INTO frame_5
    SELECT id, name, size_bytes, mtime_ns, 0, camera, captured_at_ns, NULL, verdict, reason, detail, score,
        threshold, reference, config_revision, decided_at_ns, sha256, result, input_gone_ns, result_gone_ns,
        unit, zone, 0
    FROM frame;
DROP TABLE frame;
ALTER TABLE frame_5 RENAME TO frame;
{_FRAME_INDEXES}
{_PRESENCE_INDEXES}
{_LATENESS}
""",
    5: f"""
{_CONFIG}
{_CHECKPOINT}
UPDATE frame SET config_revision = 0;
{_PRUNED}
INSERT INTO pruned
    SELECT camera, max(id) FROM frame GROUP BY camera
    HAVING count(*) <> (SELECT coalesce(sum(frames), 0) FROM total WHERE total.camera = frame.camera);
""",  # the numbers began anew at each start; a total counts the rows that are deleted, too
    6: _NAMES,
}
"""Statements that turn the tables of each older version into those of the next version."""


Statement = tuple[str, tuple[Any, ...]]
"""One of the statements below, and its values."""

COLUMNS = (
    "name, size_bytes, mtime_ns, ctime_ns, camera, captured_at_ns, reason, decided_at_ns, config_revision,"
    " detail, score, threshold, unit, zone, reference, sha256, result, late, arrived_at_ns, planned, archived"
)
IS_KEY = "name = ? AND ctime_ns = ? AND mtime_ns = ? AND size_bytes = ?"
IS_UNFINISHED = (
    "id >= (SELECT min(id) FROM frame WHERE verdict = 'kept' AND result IS NULL)"
    " AND (verdict <> 'kept' OR result IS NULL)"
)
TAKE_RESULT_FROM_OTHERS = (
    f"UPDATE frame SET result_gone_ns = 0 WHERE result = ? AND result_gone_ns IS NULL AND NOT ({IS_KEY})"
)
"""A result belongs to one frame: the last one whose bytes were found or written under its name. For every
other frame with that result it is gone for good (since 0), even if the bytes are the same."""

FINISH = f"UPDATE frame SET result = ? WHERE {IS_KEY}"
ABANDON = f"UPDATE frame SET verdict = ?, reason = ?, detail = ?, sha256 = NULL WHERE {IS_KEY}"
RENEW = (
    "UPDATE OR REPLACE frame SET name = ?, ctime_ns = ?, mtime_ns = ?, size_bytes = ?,"
    f" captured_at_ns = ?, sha256 = ?, result = ?, input_gone_ns = NULL, archived = NULL WHERE {IS_KEY}"
)
REFERENCE_BEFORE = (
    "WITH RECURSIVE compared (id, with_name, camera, is_kept) AS ("
    f"SELECT id, reference, camera, 0 FROM frame WHERE {IS_KEY}"
    " UNION SELECT before.id, before.reference, before.camera, before.verdict = 'kept'"
    " FROM compared JOIN frame AS before ON NOT is_kept AND before.id = ("
    "SELECT max(id) FROM frame WHERE name = compared.with_name AND camera = compared.camera"
    " AND id < compared.id AND (verdict = 'kept' OR reason = 'vanished' AND reference IS NOT NULL)))"
    " UPDATE lane SET reference = (SELECT id FROM compared WHERE is_kept)"
    f" WHERE reference = (SELECT id FROM frame WHERE {IS_KEY})"
)
"""The frame that one was compared with is the reference again; if that is gone too, the one before it."""

IS_LATEST = (
    "id IN (SELECT id FROM (SELECT id FROM frame ORDER BY id DESC LIMIT ?)) OR id IN ("
    "WITH RECURSIVE keeping (camera) AS ("
    "SELECT min(camera) FROM frame WHERE verdict = 'kept'"
    " UNION ALL SELECT (SELECT min(camera) FROM frame WHERE verdict = 'kept' AND camera > keeping.camera)"
    " FROM keeping WHERE camera IS NOT NULL)"
    " SELECT each.id FROM keeping JOIN frame AS each ON each.id IN (SELECT id FROM frame"
    " WHERE verdict = 'kept' AND camera = keeping.camera ORDER BY id DESC LIMIT ?))"
)
"""Among the last frames, or among its camera's last kept ones. From camera to camera by the index ``kept``:
1,000,000 rows of 256 cameras take 40 ms, for 8 of each, and 31 of these are for the last 8,192 frames."""

COUNTED_AS = f"SELECT camera, reason, late FROM frame WHERE {IS_KEY}"

INSERT = f"INSERT OR REPLACE INTO frame ({COLUMNS}, verdict) VALUES ({', '.join('?' * 22)})"


def key_columns(key: FileKey) -> tuple[bytes, int, int, int]:
    """Return the values for ``IS_KEY``: the columns that identify a version of a file."""
    return os.fsencode(key.name), key.ctime_ns, key.mtime_ns, key.size_bytes


def entry_columns(entry: Entry) -> tuple[Any, ...]:
    """Return the values for ``INSERT``."""
    key = entry.key
    return (
        os.fsencode(key.name), key.size_bytes, key.mtime_ns, key.ctime_ns, entry.camera,
        entry.captured_at_ns, entry.reason, entry.decided_at_ns, entry.config_revision,
        _storable(entry.detail), entry.score, entry.threshold, entry.unit, entry.zone,
        _fsencode(entry.reference), entry.sha256, _fsencode(entry.result), entry.late, entry.arrived_at_ns,
        _fsencode(entry.planned), _fsencode(entry.archived), entry.reason.verdict,
    )  # fmt: skip


def renewed_columns(old: FileKey, new: Entry) -> tuple[Any, ...]:
    """Return the values for ``RENEW``."""
    return (*key_columns(new.key), new.captured_at_ns, new.sha256, _fsencode(new.result), *key_columns(old))


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the entry in a row of ``COLUMNS``."""
    (
        name, size_bytes, mtime_ns, ctime_ns, camera, captured_at_ns, reason, decided_at_ns, revision, detail,
        score, threshold, unit, zone, reference, sha256, result, late, arrived_at_ns,
        planned, archived,
    ) = row  # fmt: skip
    return Entry(
        FileKey(os.fsdecode(name), size_bytes, mtime_ns, ctime_ns), camera, captured_at_ns,
        Reason(reason), decided_at_ns, revision, detail, score, threshold, unit, zone,
        _fsdecode(reference), sha256, _fsdecode(result), bool(late), arrived_at_ns,
        _fsdecode(planned), _fsdecode(archived),
    )  # fmt: skip


def _storable(text: str) -> str:
    """Escape what SQLite refuses: half of a surrogate pair, as in a name whose bytes are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _fsencode(name: str | None) -> bytes | None:
    return None if name is None else os.fsencode(name)


def _fsdecode(name: bytes | None) -> str | None:
    return None if name is None else os.fsdecode(name)
