"""The ledger's tables, and how values stand in their rows."""

import os
from dataclasses import dataclass
from typing import Any

from framegate.model import Entry, FileKey, Reason

SCHEMA_VERSION = 3

MOST_COUNTED_CAMERAS = 10_000
"""Cameras are names from outside; those beyond so many are counted together, as ``THE_OTHERS``."""

THE_OTHERS = "*"

# Deletion of a row takes nothing off the totals: they count decisions, not what is remembered of them. That a
# row comes again, as after a crash, is seen before REPLACE removes it, which no DELETE trigger would hear of.
# An INSERT in a trigger takes over the REPLACE of the one that fired it: so a count is made, and then raised.
_COUNTED_AS = f"coalesce((SELECT camera FROM total WHERE camera = {{0}}.camera LIMIT 1), '{THE_OTHERS}')"  # noqa: S608
_ADD = f"""
    INSERT INTO total SELECT {_COUNTED_AS.format("NEW")}, NEW.reason, 0 WHERE NOT EXISTS (
        SELECT 1 FROM total WHERE camera = {_COUNTED_AS.format("NEW")} AND reason = NEW.reason
    );
    UPDATE total SET frames = frames + 1
        WHERE camera = {_COUNTED_AS.format("NEW")} AND reason = NEW.reason;
"""  # noqa: S608 - our own names
_TOTALS = f"""
CREATE TABLE total (
    camera TEXT NOT NULL,              -- '{THE_OTHERS}': those beyond the first {MOST_COUNTED_CAMERAS}
    reason TEXT NOT NULL,
    frames INTEGER NOT NULL,
    PRIMARY KEY (camera, reason)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER decided_again BEFORE INSERT ON frame BEGIN
    UPDATE total SET frames = frames - 1 WHERE (camera, reason) IN (
        SELECT {_COUNTED_AS.format("was")}, was.reason FROM frame AS was
        WHERE name = NEW.name AND size_bytes = NEW.size_bytes AND mtime_ns = NEW.mtime_ns
    );
END;
CREATE TRIGGER decided AFTER INSERT ON frame BEGIN {_ADD} END;
CREATE TRIGGER abandoned AFTER UPDATE OF reason ON frame WHEN OLD.reason <> NEW.reason BEGIN
    UPDATE total SET frames = frames - 1
        WHERE camera = {_COUNTED_AS.format("OLD")} AND reason = OLD.reason;
    {_ADD}
END;
"""  # noqa: S608 - our own names
KEPT_SINCE = "max(captured_at_ns, decided_at_ns)"
"""From when a result's age counts: a camera without a battery for its clock captures in the year 2000."""

_DELIVERED = f"""
CREATE INDEX delivered ON frame ({KEPT_SINCE}, id, size_bytes)
    WHERE verdict = 'kept' AND result IS NOT NULL AND result_gone_ns IS NULL;
"""
_WHEREABOUTS = f"""
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
    score_percent REAL,
    threshold_percent REAL,
    reference BLOB,                    -- name of the frame it was compared with
    config_revision INTEGER NOT NULL,
    decided_at_ns INTEGER NOT NULL,
    sha256 BLOB,                       -- of a kept frame
    result BLOB,                       -- its name in the results folder; NULL: intended, not yet delivered
    input_gone_ns INTEGER,             -- since when it is not in the drop folder; NULL: it may be there
    result_gone_ns INTEGER,            -- since when the result is deleted, or not ours; NULL: it may be
    UNIQUE (name, size_bytes, mtime_ns)
) STRICT;
CREATE INDEX kept ON frame (camera, id) WHERE verdict = 'kept';
CREATE INDEX intended ON frame (id) WHERE verdict = 'kept' AND result IS NULL;
CREATE TABLE camera (
    camera TEXT PRIMARY KEY,
    previous_name BLOB,                -- the frame that the noise map saw last
    previous_size_bytes INTEGER,
    previous_mtime_ns INTEGER,
    noise BLOB,                        -- what the detector learnt; NULL: nothing yet
    storm_kept INTEGER,                -- frames of the storm that it is in; NULL: in none
    storm_dropped INTEGER
) STRICT;
{_TOTALS}
{_WHEREABOUTS}
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
{_WHEREABOUTS}
""",  # noqa: S608 - our own names
    2: f"DROP INDEX delivered; {_DELIVERED}",
}
"""What makes the next version's tables of each version's."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a camera has learnt, as of one decision."""

    previous: FileKey | None
    """The frame that the noise map saw last."""

    noise: bytes | None

    storm: tuple[int, int] | None = None
    """Frames kept and dropped in the storm that it is in; None: in none."""


COLUMNS = (
    "name, size_bytes, mtime_ns, camera, captured_at_ns, reason, decided_at_ns, config_revision,"
    " detail, score_percent, threshold_percent, reference, sha256, result"
)
MEMORY_COLUMNS = "previous_name, previous_size_bytes, previous_mtime_ns, noise, storm_kept, storm_dropped"
REPLACE_MEMORY = f"INSERT OR REPLACE INTO camera (camera, {MEMORY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
ADMIT = "INSERT OR IGNORE INTO total VALUES (?, ?, 0)"
"""Gives a camera a count of its own, before its first row comes."""

HAND_OVER = (
    "UPDATE frame SET result_gone_ns = 0 WHERE result = ? AND result_gone_ns IS NULL"
    " AND NOT (name = ? AND size_bytes = ? AND mtime_ns = ?)"
)
"""A result belongs to one frame: to the last whose bytes were found or written at its name. For any other it
has been gone for ever, though it looks alike."""

INSERT = f"INSERT OR REPLACE INTO frame ({COLUMNS}, verdict) VALUES ({', '.join('?' * 15)})"  # noqa: S608 - our own names


def key_columns(key: FileKey) -> tuple[bytes, int, int]:
    """Return the columns that tell a version of a file."""
    return os.fsencode(key.name), key.size_bytes, key.mtime_ns


def memory_columns(memory: Memory) -> tuple[Any, ...]:
    """Return the columns of what a camera has learnt."""
    previous = key_columns(memory.previous) if memory.previous else (None, None, None)
    return (*previous, memory.noise, *(memory.storm or (None, None)))


def entry_columns(entry: Entry) -> tuple[Any, ...]:
    """Return the values for ``INSERT``."""
    return (
        *key_columns(entry.key), entry.camera, entry.captured_at_ns, entry.reason, entry.decided_at_ns,
        entry.config_revision, entry.detail, entry.score_percent, entry.threshold_percent,
        _fsencode(entry.reference), entry.sha256, _fsencode(entry.result), entry.reason.verdict,
    )  # fmt: skip


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Make an entry of a row of ``COLUMNS``."""
    (
        name,
        size,
        mtime,
        camera,
        captured,
        reason,
        decided,
        revision,
        detail,
        score,
        threshold,
        ref,
        sha,
        result,
    ) = row
    return Entry(
        FileKey(os.fsdecode(name), size, mtime), camera, captured, Reason(reason), decided, revision, detail,
        score, threshold, _fsdecode(ref), sha, _fsdecode(result),
    )  # fmt: skip


def _fsencode(name: str | None) -> bytes | None:
    return None if name is None else os.fsencode(name)


def _fsdecode(name: bytes | None) -> str | None:
    return None if name is None else os.fsdecode(name)
