"""A sweep: the whole drop folder, listed in batches and compared with what is judged.

Events are hints; this is the truth. A sweep of a large folder takes seconds, and a live frame must not wait
for it: so it advances batch by batch, and the loop judges frames in between.
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from framegate.config.settings import Settings
from framegate.ingest.links import Links, is_inner
from framegate.ingest.names import Examples, NameRules
from framegate.ingest.reading import key_of
from framegate.model import Candidate, Entry, FileKey

if TYPE_CHECKING:
    from framegate.ingest.judged import JudgedFiles  # with numpy, which a status does not need

BATCH = 1000
"""Files listed at a time: some 2 ms when they are known, 8 ms when the ledger has to be asked for each."""

MOST_CAMERAS = 1024

GONE = frozenset({errno.ENOENT, errno.ENOTDIR})

Skipped = Callable[[str, OSError], None]


class Ledger(Protocol):
    """What the intake needs of the ledger. Each method may raise SinkError."""

    @property
    def set_aside(self) -> int:
        """How many of its files were damaged or removed: their frames are to be judged again."""

    def knows(self, key: FileKey) -> bool:
        """Return whether this version of a file has its verdict."""

    def unknown(self, keys: Sequence[FileKey]) -> list[FileKey]:
        """Return the versions that have no verdict, in their order."""

    def last_of(self, name: str) -> Entry | None:
        """Return the decision about the latest version of the file at a name; None if there is none."""

    def known_names(self, names: Sequence[str]) -> set[str]:
        """Return the names of which some version has its verdict."""


def was_judged_as_large(ledger: Ledger, key: FileKey) -> bool:
    """Return whether a file of this name was judged with as many bytes, so that they may be the same."""
    last = ledger.last_of(key.name)
    return last is not None and last.sha256 is not None and last.key.size_bytes == key.size_bytes


@dataclass(slots=True)
class Sweep:
    """One sweep under way: call ``advance`` until it returns None."""

    entries: Iterator[tuple[str, os.DirEntry[str]]]
    """What is in the folder; see ``entries_of``."""

    rules: NameRules
    judged: "JudgedFiles"
    ledger: Ledger
    skipped: Skipped
    links: Links | None = None
    unmatched: Examples = field(default_factory=Examples)
    """Files that no pattern of ``include`` takes."""

    unsearchable: Counter[str] = field(default_factory=Counter)
    """Frames in folders that may be listed and not searched, by camera; ``*`` are those beyond the first
    ``MOST_CAMERAS``, for their names come from outside."""

    def advance(self) -> list[FileKey] | None:
        """List up to ``BATCH`` files; return the frames among them without a verdict, None at the end.

        What is not a regular file is returned, too: reading it gives the reason for its rejection. Links that
        get no verdict are not.

        Raises:
            OSError: the drop folder itself cannot be listed.
            SinkError: the ledger cannot be read now.
        """
        batch = list(islice(self.entries, BATCH))
        if not batch:
            self.judged.end_sweep()
            return None
        names = [name for name, _ in batch]
        looks = zip(batch, self.judged.to_look_at(names), strict=True)
        seen = [(name, there) for (name, entry), look in looks if look and (there := self._look(name, entry))]
        keys = self._frames_among([key_of(*each) for each in self.judged.take_out(seen)])
        unknown = self._without_links(self.ledger.unknown(keys), batch)
        if len(unknown) < len(keys):
            new = set(unknown)
            self.judged.note([key for key in keys if key not in new])
        return unknown

    def _frames_among(self, keys: list[FileKey]) -> list[FileKey]:
        frames = []
        for key in keys:
            if self.rules.is_frame(key.name):
                frames.append(key)
            elif self.rules.is_unmatched(key.name):
                self.unmatched.add(key.name)
        return frames

    def _without_links(self, keys: list[FileKey], batch: list[tuple[str, os.DirEntry[str]]]) -> list[FileKey]:
        if self.links is None or not keys:
            return keys
        names = {name for name, entry in batch if entry.is_symlink()}
        return [key for key in keys if key.name not in names or not self.links.is_passed_over(key.name)]

    def _look(self, name: str, entry: os.DirEntry[str]) -> os.stat_result | None:
        try:
            return entry.stat(follow_symlinks=False)
        except OSError as error:
            if error.errno not in GONE and self.rules.is_frame(name):
                camera = self.rules.camera_of(name)
                has_place = camera in self.unsearchable or len(self.unsearchable) < MOST_CAMERAS
                self.unsearchable[camera if has_place else "*"] += 1
                self.skipped(os.path.dirname(name), error)
            return None


def entries_of(
    folder: Path,
    rules: NameRules,
    *,
    recursive: bool,
    skipped: Skipped = lambda _name, _error: None,
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything in the drop folder except folders, by its name relative to it, in no order.

    Links to folders are not followed. What vanishes meanwhile is left out, and ``skipped`` is called for a
    folder that cannot be listed.

    Raises:
        OSError: when the drop folder itself cannot be listed.
    """
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            with os.scandir(folder / below) as entries:
                for entry in entries:
                    name = below + entry.name
                    if not entry.is_dir(follow_symlinks=False):
                        yield name, entry
                    elif recursive and not rules.is_passed_over(name):
                        pending.append(name + "/")
        except OSError as error:
            if not below:
                raise
            if error.errno not in GONE:
                skipped(below.rstrip("/"), error)


def frames_of(
    folder: Path,
    rules: NameRules,
    *,
    recursive: bool,
    skipped: Skipped = lambda _name, _error: None,
) -> Iterator[FileKey]:
    """Yield the present version of every file whose name is a frame's, in no order; see ``entries_of``.

    Links to files inside the folder are left out.
    """
    for name, entry in entries_of(folder, rules, recursive=recursive, skipped=skipped):
        if rules.is_frame(name) and not (entry.is_symlink() and is_inner(folder, name)):
            try:
                yield key_of(name, entry.stat(follow_symlinks=False))
            except OSError as error:
                if error.errno not in GONE:
                    skipped(os.path.dirname(name), error)


def candidates_of(settings: Settings, skipped: Skipped = lambda _name, _error: None) -> list[Candidate]:
    """Return the frames in the drop folder, in the order in which they have to be judged.

    Args:
        settings: the folder, and which names are frames.
        skipped: called for each folder inside that may not be listed, with its path and the error.

    Raises:
        OSError: when the drop folder itself cannot be listed.
    """
    rules, drop = NameRules(settings.drop), settings.drop
    found = frames_of(Path(drop.folder), rules, recursive=drop.recursive, skipped=skipped)
    return sorted(map(rules.candidate, found), key=lambda candidate: candidate.order)
