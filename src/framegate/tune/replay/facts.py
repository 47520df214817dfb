"""What replays have computed, remembered on disk: files, what they show, and how much they differ.

It is a cache: whoever loses it loses time. Every row is found by content and by all that it depends on, so a
row that does not fit is never found. Damage, a full disk, another version: the replay goes on without it.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framegate.model import Decision, FileKey, Reason
from framegate.tune.replay.sharing import Facts, SharedWork
from framegate.tune.replay.shown import Shown, content_of

Reading = str
"""Names a way to read and decode a frame."""

_FORMAT = 4
MOST_BYTES = 1_000_000_000
"""A larger cache begins anew: some 1.5 million frames, each with the outcomes of 41 thresholds."""

_TABLES = """
CREATE TABLE IF NOT EXISTS file (
    folder TEXT NOT NULL, name BLOB NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, sha256 BLOB NOT NULL, PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS picture (
    reading TEXT NOT NULL, content TEXT NOT NULL, shown TEXT NOT NULL, PRIMARY KEY (reading, content)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (
    work TEXT NOT NULL, content TEXT NOT NULL, answers TEXT NOT NULL, PRIMARY KEY (work, content)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcome (key TEXT PRIMARY KEY, packed BLOB NOT NULL) STRICT;
"""

_DIGESTS = "SELECT name, size_bytes, mtime_ns, ctime_ns, sha256 FROM file WHERE folder = ? AND name"

Seen = Shown | Decision
"""What a frame shows, or why it is rejected."""


def cache_file() -> Path | None:
    """Return where this user's cache is, below $XDG_CACHE_HOME or ~/.cache; None without a home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    folder = given if os.path.isabs(given) else os.path.expanduser("~/.cache")
    return Path(folder, "framegate", "replay.sqlite") if os.path.isabs(folder) else None


@dataclass(slots=True)
class Computed:
    """What a cache has to remember."""

    files: list[tuple[str, FileKey, bytes]] = field(default_factory=list)
    """Folder, file, and the digest of its bytes."""

    pictures: list[tuple[Reading, str, str]] = field(default_factory=list)
    """What they show, as it is remembered: a picture itself has 0.7 MB."""

    facts: list[tuple[str, str, Facts]] = field(default_factory=list)

    def add_read(self, folder: str, key: FileKey, sha256: bytes, seen: Mapping[Reading, Seen]) -> None:
        """Add what a frame shows; nothing if its bytes could not be read."""
        if sha256:
            self.files.append((folder, key, sha256))
            self.pictures += [
                (reading, content_of(sha256), json.dumps(_values(each))) for reading, each in seen.items()
            ]

    def add_facts(self, content: str, works: Mapping[str, SharedWork], counts: Mapping[str, int]) -> None:
        """Add the facts about a frame, if there are more of them than there were."""
        for work, shared in works.items():
            if content and len(shared.facts) > counts.get(work, 0):
                self.facts.append((work, content, shared.facts))


@dataclass(slots=True)
class FactStore:
    """The cache of one user; see the module.

    Args:
        path: of the file; None remembers nothing.
    """

    path: Path | None
    error: str = field(default="", init=False)
    """Why it is not used any more; empty as long as it is."""

    _db: sqlite3.Connection | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.path is not None:
            with self._without_errors():
                self._open(self.path)

    def digests(self, folder: str, keys: Sequence[FileKey]) -> dict[str, bytes]:
        """Return the SHA-256 of the files that are still the versions that were read, by name."""
        there = {key.name: key for key in keys}
        rows = self._select(_DIGESTS, folder, map(os.fsencode, there))
        found = ((FileKey(os.fsdecode(name), *numbers), sha256) for name, *numbers, sha256 in rows)
        return {key.name: sha256 for key, sha256 in found if there.get(key.name) == key}

    def pictures(self, reading: str, contents: Iterable[str]) -> dict[str, Seen]:
        """Return what frames show when they are read in a certain way, or their rejections, by content."""
        rows = self._select(
            "SELECT content, shown FROM picture WHERE reading = ? AND content", reading, contents
        )
        found: dict[str, Seen] = {}
        with self._without_errors():
            found |= {content: _seen(content, json.loads(shown)) for content, shown in rows}
        return found

    def facts(self, work: str, contents: Iterable[str]) -> dict[str, Facts]:
        """Return what is known of frames, by content."""
        rows = self._select("SELECT content, answers FROM facts WHERE work = ? AND content", work, contents)
        found: dict[str, Facts] = {}
        with self._without_errors():
            found |= {content: json.loads(answers) for content, answers in rows}
        return found

    def add(self, computed: Computed) -> None:
        """Remember what was computed."""
        of_files = [
            (folder, os.fsencode(key.name), key.size_bytes, key.mtime_ns, key.ctime_ns, sha256)
            for folder, key, sha256 in computed.files
            if key.ctime_ns  # else its bytes may change, and it looks the same
        ]
        of_facts = [
            (work, content, json.dumps(answers, separators=(",", ":")))
            for work, content, answers in computed.facts
        ]
        with self._without_errors():
            if self._db is not None:
                self._db.executemany("REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", of_files)
                self._db.executemany("REPLACE INTO picture VALUES (?, ?, ?)", computed.pictures)
                self._db.executemany("REPLACE INTO facts VALUES (?, ?, ?)", of_facts)
                self._db.commit()

    def outcome(self, key: str) -> bytes | None:
        """Return the outcome that was remembered by a key."""
        rows = self._select("SELECT packed FROM outcome WHERE key = ? AND key", key, [key])
        return rows[0][0] if rows else None

    def add_outcome(self, key: str, packed: bytes) -> None:
        """Remember an outcome by a key."""
        with self._without_errors():
            if self._db is not None:
                self._db.execute("REPLACE INTO outcome VALUES (?, ?)", (key, packed))
                self._db.commit()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = None

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.unlink()
        self._db = sqlite3.connect(path, timeout=1.0, isolation_level="IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in {0, _FORMAT}:
            self._db.executescript(
                "DROP TABLE file; DROP TABLE picture; DROP TABLE facts; DROP TABLE outcome;"
            )
        self._db.executescript(
            f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA user_version = {_FORMAT}; {_TABLES}"
        )

    def _select(self, query: str, of: str, values: Iterable[str | bytes]) -> list[Any]:
        wanted = [*values]
        with self._without_errors():
            if self._db is not None:
                marks = ", ".join("?" * len(wanted))
                return self._db.execute(f"{query} IN ({marks})", (of, *wanted)).fetchall()
        return []

    @contextmanager
    def _without_errors(self) -> Iterator[None]:
        """Go on without the cache if it fails; a damaged one is removed, for the next time."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            self.error = str(error)
            self.close()
            if not isinstance(error, (sqlite3.OperationalError, OSError)):
                with suppress(OSError):
                    Path(str(self.path)).unlink()


def _values(seen: Seen) -> list[Any]:
    if isinstance(seen, Shown):
        return [seen.source_size, seen.shape]
    return [str(seen.reason), seen.detail]


def _seen(content: str, values: list[Any]) -> Seen:
    one, other = values
    if isinstance(one, str):
        return Decision(Reason(one), detail=other)
    width, height = one
    return Shown(content, (width, height), tuple(other))
