"""What the last sweep found judged already, so that the next one need not look at each of those files again.

Half a million judged frames may stand in a drop folder, for inputs are left there. Looking at a file takes
2 microseconds and asking the ledger 3; finding its name here takes 0.2. Names and versions are kept as hashes
of 8 bytes each, which Python chooses differently in every process: should two names ever meet in one hash, a
restart tells them apart. What is forgotten here is only asked for again.
"""

import numpy as np
from numpy.typing import NDArray

from framegate.model import FileKey

LOOKED_AT_LEAST, SHARE = 5000, 10
"""A sweep looks at this many known files, or at a tenth of them, in rotation: a file that was written over
without an event is found within ten sweeps."""

Hashes = NDArray[np.int64]


class JudgedFiles:
    """The judged files of one drop folder, as of its last whole sweep."""

    def __init__(self) -> None:
        self._names: Hashes = np.zeros(0, np.int64)
        self._versions: Hashes = np.zeros(0, np.int64)
        self._found: list[tuple[Hashes, Hashes]] = []
        self._turn = 0
        self._looks_at_all = True

    def __len__(self) -> int:
        return self._names.size

    def begin_sweep(self, *, looks_at_all: bool) -> None:
        """Begin anew to note what is found judged.

        Args:
            looks_at_all: look at every file: events may have been lost, or there are none.
        """
        self._found = []
        self._turn = (self._turn + 1) % SHARE
        self._looks_at_all = looks_at_all or len(self) <= LOOKED_AT_LEAST

    def to_look_at(self, names: list[str]) -> list[bool]:
        """Say for each name whether its file has to be looked at; note the others as judged still."""
        hashes = np.fromiter(map(hash, names), np.int64, len(names))
        at, is_known = self._find(hashes)
        is_passed_over = is_known & (hashes % SHARE != self._turn)
        if self._looks_at_all:
            is_passed_over[:] = False
        self._found.append((hashes[is_passed_over], self._versions[at[is_passed_over]]))
        look: list[bool] = (~is_passed_over).tolist()
        return look

    def take_out(self, keys: list[FileKey]) -> list[FileKey]:
        """Return those that were not known to be judged as these versions; note the others as judged."""
        names, versions = _hashes(keys)
        at, is_known = self._find(names)
        is_known[is_known] = self._versions[at[is_known]] == versions[is_known]
        self._found.append((names[is_known], versions[is_known]))
        return [key for key, known in zip(keys, is_known.tolist(), strict=True) if not known]

    def note(self, keys: list[FileKey]) -> None:
        """Note files that the ledger says are judged."""
        self._found.append(_hashes(keys))

    def end_sweep(self) -> None:
        """Go by what this sweep found; it has listed the whole folder."""
        self._found.append(_hashes([]))  # an empty folder has none
        names, versions = (np.concatenate(found) for found in zip(*self._found, strict=True))
        order = np.argsort(names)
        self._names, self._versions = names[order], versions[order]
        self._found = []

    def _find(self, names: Hashes) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return where each name stands, and whether it does."""
        if not self._names.size:
            return np.zeros(names.size, np.intp), np.zeros(names.size, np.bool_)
        at = np.minimum(np.searchsorted(self._names, names), self._names.size - 1)
        return at, self._names[at] == names


def _hashes(keys: list[FileKey]) -> tuple[Hashes, Hashes]:
    names = np.fromiter((hash(key.name) for key in keys), np.int64, len(keys))
    versions = np.fromiter((hash((key.size_bytes, key.mtime_ns)) for key in keys), np.int64, len(keys))
    return names, versions
