"""The ledger's tables, and how values stand in their rows."""

import os
from dataclasses import dataclass
from typing import Any

from framegate.model import Entry, FileKey, Reason

SCHEMA_VERSION = 1
SCHEMA = """
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
"""


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
