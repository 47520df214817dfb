"""The ledger as a replay reads it: every decision in order, and what it depended on.

Rows are read in portions. One long reading would keep a running daemon from shortening its log, which would
grow until the reading ends.
"""

import os
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from framegate.keep.database import Database
from framegate.keep.history.checkpoints import Checkpoint
from framegate.keep.history.revisions import Revision
from framegate.keep.presence import RECORDED_COLUMNS, Recorded, recorded_of
from framegate.keep.schema import SCHEMA, SCHEMA_VERSION
from framegate.model import Entry, Moment, Reason

ROWS_AT_ONCE = 1_000

_ROWS = f"SELECT {RECORDED_COLUMNS} FROM frame WHERE"
_PORTION = f"ORDER BY id LIMIT {ROWS_AT_ONCE}"
_ALL = f"{_ROWS} id > ? AND id <= ? {_PORTION}"
_OF_CAMERA = f"{_ROWS} camera = ? AND id > ? AND id <= ? {_PORTION}"
_LAST_ID = 2**63 - 1
_FINISHED = (
    f"{_ROWS} id > ? AND id < (SELECT coalesce(min(id), {_LAST_ID}) FROM frame"
    " WHERE verdict = 'kept' AND result IS NULL) ORDER BY id LIMIT ?"
)
_REVISIONS = "SELECT revision, since_ns, settings, masks, detectors FROM config ORDER BY revision"
_FIRST_JUDGED = (
    "SELECT reason, decided_at_ns FROM frame"
    " WHERE camera = ? AND (verdict <> 'rejected' OR reason = 'torn') ORDER BY id LIMIT 1"
)


class History:
    """What one ledger remembers, for reading only, whether or not a daemon writes it meanwhile.

    Use it in a ``with`` block, in one thread. What the daemon has decided in the last five seconds may be
    missing.

    Args:
        path: of the ledger's file, which exists.

    Raises:
        SinkError: the ledger cannot be read, or an older framegate has written it.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, SCHEMA_VERSION, lambda _event: None, is_read_only=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def frames(
        self, after_id: int = 0, *, camera: str | None = None, last_id: int = _LAST_ID
    ) -> Iterator[Recorded]:
        """Yield rows in the order of the decisions: of a camera, or of all, after one and up to another."""
        query, of = (_ALL, ()) if camera is None else (_OF_CAMERA, (camera,))
        while rows := self._database.read(query, (*of, after_id, last_id)):
            yield from map(recorded_of, rows)
            after_id = rows[-1][0]

    def cameras(self) -> frozenset[str]:
        """Return the cameras that frames were judged of, also of rows that are pruned; ``*`` for more."""
        return frozenset(name for (name,) in self._database.read("SELECT DISTINCT camera FROM total", ()))

    def finished_after(self, row_id: int, most: int) -> list[Recorded]:
        """Return at most ``most`` rows after one, in order, before the first whose delivery is unfinished."""
        return [recorded_of(row) for row in self._database.read(_FINISHED, (row_id, most))]

    def last_named(self, names: Collection[str], results: Collection[str]) -> Recorded | None:
        """Return the last decision about a file with one of some names in the drop, or the results folder."""
        marks, others = (", ".join("?" * len(each)) for each in (names, results))
        where = f"name IN ({marks}) OR result IN ({others}) ORDER BY id DESC LIMIT 1"
        return self._one(where, *map(os.fsencode, (*names, *results)))

    def names_below(self, name: str) -> list[str]:
        """Return up to three paths of files with a name in folders of the drop folder."""
        ending = b"/" + os.fsencode(name)
        query = "SELECT DISTINCT name FROM frame WHERE substr(name, ?) = ? LIMIT 3"
        return [os.fsdecode(path) for (path,) in self._database.read(query, (-len(ending), ending))]

    def reference_of(self, row: Recorded) -> Entry | None:
        """Return the decision to keep what a frame was compared with; None if that is not known any more."""
        if row.entry.reference is None:
            return None
        where = "verdict = 'kept' AND name = ? AND camera = ? AND id < ? ORDER BY id DESC LIMIT 1"
        found = self._one(where, os.fsencode(row.entry.reference), row.entry.camera, row.id)
        return None if found is None else found.entry

    def kept_until(self, checkpoint: Checkpoint) -> tuple[Moment, ...]:
        """Return when the frames were taken that its camera had kept by a checkpoint, oldest first."""
        query = (
            "SELECT captured_at_ns, arrived_at_ns FROM frame"
            " WHERE verdict = 'kept' AND camera = ? AND id <= ? ORDER BY id"
        )
        rows = self._database.read(query, (checkpoint.camera, checkpoint.frame))
        return tuple(Moment(*row) for row in rows)

    def _one(self, where: str, *values: str | bytes | int) -> Recorded | None:
        rows = self._database.read(f"{_ROWS} {where}", values)
        return recorded_of(rows[0]) if rows else None

    def revisions(self) -> dict[int, Revision]:
        """Return the settings that were in force, by their number; 0, not known, is not among them."""
        return {row[0]: Revision(*row) for row in self._database.read(_REVISIONS)}

    def mask_file(self, sha256: str) -> bytes | None:
        """Return the bytes of a mask file, by an item of ``Revision.masks``; None if it was too large."""
        rows = self._database.read("SELECT data FROM mask WHERE sha256 = ?", (bytes.fromhex(sha256),))
        return rows[0][0] if rows else None

    def pruned(self) -> dict[str, int]:
        """Return the highest id of the rows that are gone, by camera; without the cameras that miss none.

        Only what a camera's later frames depended on counts. The rows after it are complete.
        """
        return dict(self._database.read("SELECT camera, frame FROM pruned"))

    def checkpoints(self, camera: str) -> list[Checkpoint]:
        """Return the moments from which a replay of a camera can begin, oldest first.

        No row after them has been pruned; whether the inputs are still there, the rows tell.
        """
        query = "SELECT camera, frame, config_revision FROM checkpoint WHERE camera = ? ORDER BY frame"
        return [Checkpoint(*row) for row in self._database.read(query, (camera,))]

    def state_at(self, checkpoint: Checkpoint) -> bytes | None:
        """Return what the camera knew then, for ``Camera.restored``; None if it has gone meanwhile.

        Raises:
            ValueError: it is damaged.
        """
        query = "SELECT state FROM checkpoint WHERE camera = ? AND frame = ?"
        rows = self._database.read(query, (checkpoint.camera, checkpoint.frame))
        try:
            return zlib.decompress(rows[0][0]) if rows else None
        except zlib.error as error:
            raise ValueError(f"the checkpoint after frame {checkpoint.frame} is damaged: {error}") from error

    def whole_since_ns(self, camera: str) -> int | None:
        """Return when a camera's first frame was decided, if no frame is missing; else None.

        A ledger that was begun anew under a running daemon is not whole: its first frame was not the
        camera's first.
        """
        if self._database.read("SELECT 1 FROM pruned WHERE camera = ?", (camera,)):
            return None
        rows = self._database.read(_FIRST_JUDGED, (camera,))
        return rows[0][1] if rows and rows[0][0] == Reason.FIRST else None
