"""Which settings have been in force, by revision, so that each frame can be judged again by those of its row.

A revision is the number of one snapshot of the settings, of the masks that they name, and of the versions of
the detectors. It means the same for ever: what comes into force after it gets a higher number, also if it was
in force before. A restart with the same settings goes on with their number.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from framegate.config.settings import Settings

MOST_MASK_BYTES = 4_000_000
"""Of a larger mask file only the digest is kept."""

_LAST = "SELECT revision, since_ns, settings, masks, detectors FROM config ORDER BY revision DESC LIMIT 1"
_IS_SAVED = "SELECT 1 FROM config WHERE revision = ?"
_SAVE = "INSERT INTO config (revision, since_ns, settings, masks, detectors) VALUES (?, ?, ?, ?, ?)"
_SAVE_MASK = "INSERT OR IGNORE INTO mask (sha256, data) VALUES (?, ?)"
_WITHOUT_CHECKPOINT = (
    "SELECT revision FROM config WHERE revision < ?"
    " AND revision NOT IN (SELECT config_revision FROM checkpoint)"
)
_FORGET_MASKS = (
    "DELETE FROM mask WHERE NOT EXISTS"
    " (SELECT 1 FROM config, json_each(config.masks) WHERE json_each.value = lower(hex(mask.sha256)))"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What frames are judged by."""

    settings: Settings
    masks: Mapping[str, bytes]
    """The files of the masks that the settings name, by path."""

    detectors: Mapping[str, int]
    """The version of each detector, by its preset."""

    since_ns: int
    """When it came into force, by the wall clock; nanoseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One snapshot of the settings that has been in force."""

    number: int
    since_ns: int
    """When it came into force, by the wall clock; nanoseconds since the epoch."""

    settings_json: str
    masks_json: str
    """The SHA-256 of each mask file, in hexadecimal, by its path."""

    detectors_json: str
    """The version of each detector, by its preset."""

    def settings(self) -> Settings:
        """Return the settings.

        Raises:
            ValueError: a framegate with other settings has written them.
        """
        return Settings.model_validate(json.loads(self.settings_json))

    @property
    def masks(self) -> dict[str, str]:
        """The SHA-256 of each mask file, in hexadecimal, by its path."""
        return dict(json.loads(self.masks_json))

    @property
    def detectors(self) -> dict[str, int]:
        """The version of each detector, by its preset."""
        return dict(json.loads(self.detectors_json))

    def decides_like(self, other: "Revision") -> bool:
        """Return whether all is equal, but for the number and the time."""
        mine, others = ((each.settings_json, each.masks_json, each.detectors_json) for each in (self, other))
        return mine == others


class Revisions:
    """Numbers what comes into force, and saves it, in the transactions of the ledger."""

    def __init__(self) -> None:
        self._in_force = Revision(0, 0, "", "", "")
        self._unsaved: dict[int, Revision] = {}
        """What has been in force since the last commit, by number; rows that wait may name it."""

        self._mask_files: dict[str, bytes] = {}
        """The mask files of those, by SHA-256."""

    @property
    def number(self) -> int:
        """Of the settings in force; 0 before there are any."""
        return self._in_force.number

    def read(self, db: sqlite3.Connection) -> None:
        """Go on from the revision that was in force last."""
        row = db.execute(_LAST).fetchone()
        if row is not None:
            self._in_force = Revision(*row)

    def put_in_force(self, snapshot: Snapshot) -> bool:
        """Note what frames are judged by from now on; return whether that is a new revision."""
        masks = snapshot.masks
        digests = {path: hashlib.sha256(data).hexdigest() for path, data in masks.items()}
        revision = Revision(
            self._in_force.number + 1,
            snapshot.since_ns,
            json.dumps(snapshot.settings.model_dump(mode="json", by_alias=True)),
            json.dumps(digests, sort_keys=True),
            json.dumps(dict(snapshot.detectors), sort_keys=True),
        )
        is_new = not revision.decides_like(self._in_force)
        if is_new:
            self._in_force = revision
        self._unsaved[self.number] = self._in_force
        small = {path: data for path, data in masks.items() if len(data) <= MOST_MASK_BYTES}
        self._mask_files |= {digests[path]: data for path, data in small.items()}
        return is_new

    def save(self, db: sqlite3.Connection) -> None:
        """Write what is not in the file yet, before the rows that name it: the file may be a new one."""
        for revision in self._unsaved.values():
            if db.execute(_IS_SAVED, (revision.number,)).fetchone() is None:
                values = revision.settings_json, revision.masks_json, revision.detectors_json
                db.execute(_SAVE, (revision.number, revision.since_ns, *values))
                for sha256 in revision.masks.values():
                    if sha256 in self._mask_files:
                        db.execute(_SAVE_MASK, (bytes.fromhex(sha256), self._mask_files[sha256]))

    def committed(self) -> None:
        """Remember only what is in force, for the case that the file is removed."""
        if len(self._unsaved) > 1:
            self._unsaved = {self.number: self._in_force}
            wanted = set(self._in_force.masks.values())
            self._mask_files = {
                sha256: self._mask_files[sha256] for sha256 in wanted & self._mask_files.keys()
            }


def forget_unused(db: sqlite3.Connection, used: Collection[int], before: int) -> None:
    """Delete the revisions below a number that no frame and no checkpoint uses, and their masks.

    Args:
        db: within a transaction.
        used: the revisions of all rows.
        before: what was in force when the first of these was looked at, or less.
    """
    unused = [(number,) for (number,) in db.execute(_WITHOUT_CHECKPOINT, (before,)) if number not in used]
    db.executemany("DELETE FROM config WHERE revision = ?", unused)
    if unused:
        db.execute(_FORGET_MASKS)
