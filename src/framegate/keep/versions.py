"""Which versions of files have their verdict, and under which names and times their content stands now.

Decisions wait in memory before they are committed; what is asked here counts them as well.
"""

import os
from collections.abc import Sequence
from itertools import chain
from typing import Any

from framegate.keep.database import Database
from framegate.keep.schema import COLUMNS, entry_of, key_columns
from framegate.model import Entry, FileKey, Reason

MOST_VALUES = 250
"""Rows of values in one query of ``_query_for_absent``. With a million rows in the ledger a key took 1.8
microseconds at 250 and at 500, 2.7 at 100, 3.6 by way of a temporary table, 4.7 with a query for each key."""

MOST_OF_ONE_CONTENT = 16
"""Rows that are returned for one content: a frozen camera without a clock sends thousands of equal files."""

_IS_VERSION = "name = ? AND ctime_ns IN (?, 0) AND mtime_ns = ? AND size_bytes = ?"
_IS_DECIDED = f"SELECT 1 FROM frame WHERE {_IS_VERSION} AND reason <> 'vanished'"
"""A frame that vanished was never judged: it is when it comes back, as with a disk that is mounted again."""

_LAST_OF = (
    f"SELECT {COLUMNS} FROM frame WHERE name = ? AND reason <> 'vanished'"
    " ORDER BY ctime_ns DESC, mtime_ns DESC, size_bytes DESC LIMIT 1"
)
_OF_CONTENT = (
    f"SELECT {COLUMNS} FROM frame WHERE mtime_ns = ? AND sha256 = ?"
    f" AND reason <> 'vanished' ORDER BY id DESC LIMIT {MOST_OF_ONE_CONTENT}"
)


def _query_for_absent(columns: Sequence[str], is_same: str) -> str:
    """Return a query that finds which of the given values are in no row of ``frame``.

    It takes ``MOST_VALUES`` times the columns' values (None for those that are not needed) and returns the
    positions, counted from 0, of those that are absent. It writes nothing, not even a temporary table, so
    it works on a connection that only reads, on a full disk and beside a writer.
    """
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    values = ", ".join(f"({position}, {marks})" for position in range(MOST_VALUES))
    return (
        f"WITH asked (position, {names}) AS (VALUES {values}) SELECT position FROM asked"
        f" WHERE NOT EXISTS (SELECT 1 FROM frame WHERE {is_same} AND reason <> 'vanished')"
    )


_ABSENT_KEYS = _query_for_absent(
    ("name", "ctime_ns", "mtime_ns", "size_bytes"),
    "frame.name = asked.name AND frame.ctime_ns IN (asked.ctime_ns, 0)"
    " AND frame.mtime_ns = asked.mtime_ns AND frame.size_bytes = asked.size_bytes",
)
_ABSENT_NAMES = _query_for_absent(("name",), "frame.name = asked.name")


class Versions:
    """Finds decisions by a file's version, name or content, committed or not.

    Args:
        database: the ledger's.

    Raises:
        SinkError: when the file cannot be read now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: set[FileKey] = set()
        self._by_name: dict[str, Entry] = {}
        self._by_content: dict[tuple[int, bytes], Entry] = {}
        """What waits for the next commit."""

        self._left: set[FileKey] = set()
        """Versions whose committed rows get other keys with the next commit."""

    def note(self, entry: Entry) -> None:
        """Count a decision that waits for the next commit."""
        if entry.reason is Reason.VANISHED:  # it is judged if it comes back, also before the next commit
            self.forget(entry.key)
            return
        self._keys.add(entry.key)
        self._by_name[entry.key.name] = entry
        if entry.sha256 is not None:
            self._by_content[entry.key.mtime_ns, entry.sha256] = entry

    def renew(self, old: Entry, new: Entry) -> None:
        """Count a decision whose file has another version, time or name now, before the next commit."""
        self.forget(old.key)
        self._left.add(old.key)
        self.note(new)

    def forget(self, key: FileKey) -> None:
        """Count a version as unknown, unless its row is committed."""
        self._keys.discard(key)
        if (entry := self._by_name.get(key.name)) is not None and entry.key == key:
            del self._by_name[key.name]
            self._by_content = {at: each for at, each in self._by_content.items() if each is not entry}

    def committed(self) -> None:
        """Forget what waited: it is in the file now."""
        self._keys, self._by_name, self._by_content, self._left = set(), {}, {}, set()

    def knows(self, key: FileKey) -> bool:
        """Return whether this version of a file has a verdict.

        One look-up in the index, 10 to 16 microseconds with a million rows. For many keys use ``unknown``.
        """
        if key in self._keys:
            return True
        with self._database.lend() as db:
            return db.execute(_IS_DECIDED, key_columns(key)).fetchone() is not None

    def unknown(self, keys: Sequence[FileKey]) -> list[FileKey]:
        """Return the keys of which ``knows`` would return False, in their order.

        With a million rows a key takes 2 to 3 microseconds when the keys of a call are those of a folder or
        two, and 4 to 6 when they are scattered. Some thousands in a call are a good number.
        """
        # By name, since neighbours share pages of the index.
        by_name = sorted(range(len(keys)), key=lambda at: keys[at].name)
        absent = self._absent(_ABSENT_KEYS, [key_columns(keys[at]) for at in by_name])
        unknown = (keys[at] for at in sorted(by_name[position] for position in absent))
        return [key for key in unknown if key not in self._keys]

    def known_names(self, names: Sequence[str]) -> set[str]:
        """Return the names of which any version has a verdict."""
        absent = self._absent(_ABSENT_NAMES, [(os.fsencode(name),) for name in names])
        return set(names) - ({names[position] for position in absent} - self._by_name.keys())

    def last_of(self, name: str) -> Entry | None:
        """Return the decision about the latest version of the file at a name; None if there is none."""
        if (entry := self._by_name.get(name)) is not None:
            return entry
        found = self._entries(_LAST_OF, os.fsencode(name))
        return next((entry for entry in found if entry.key not in self._left), None)

    def of_content(self, mtime_ns: int, sha256: bytes) -> list[Entry]:
        """Return the latest decisions about files of a time and content."""
        waiting = self._by_content.get((mtime_ns, sha256))
        committed = self._entries(_OF_CONTENT, mtime_ns, sha256)
        return [*([waiting] if waiting else []), *(e for e in committed if e.key not in self._left)]

    def _entries(self, query: str, *values: bytes | int) -> list[Entry]:
        with self._database.lend() as db:
            return [entry_of(row) for row in db.execute(query, values)]

    def _absent(self, query: str, values: Sequence[tuple[Any, ...]]) -> list[int]:
        """Return the positions of the values that are in no row."""
        absent: list[int] = []
        with self._database.lend() as db:
            for start in range(0, len(values), MOST_VALUES):
                some = values[start : start + MOST_VALUES]
                padding = [None] * (len(values[0]) * (MOST_VALUES - len(some)))
                found = db.execute(query, [*chain.from_iterable(some), *padding])
                absent += [start + position for (position,) in found if position < len(some)]
        return absent
