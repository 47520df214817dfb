"""Which files the last sweep found judged, so that the next one need not look at each of them again.

There may be half a million judged frames in a drop folder, since inputs are left there. Looking at a file
takes 2 microseconds and asking the ledger 3; finding its name here takes 0.2. Names and versions are kept as
hashes of 8 bytes each, which differ from process to process: should two names ever have one hash, a restart
separates them. For what is forgotten here, the ledger is asked again.
"""

import os
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from framegate.model import FileKey

LOOKED_AT_LEAST, SHARE = 5000, 10
"""A sweep looks at all known files if there are at most this many, otherwise at a tenth of them, in rotation:
a file that was overwritten without an event is found within ten sweeps."""

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
        """Begin to note which files this sweep finds judged.

        Args:
            looks_at_all: look at every file: events may have been lost, or there are none.
        """
        self._found = []
        self._turn = (self._turn + 1) % SHARE
        self._looks_at_all = looks_at_all or len(self) <= LOOKED_AT_LEAST

    def to_look_at(self, names: list[str]) -> list[bool]:
        """Return for each name whether its file has to be looked at; note the others as still judged."""
        hashes = _hashes(names)
        at, is_known = self._find(hashes)
        is_passed_over = is_known & (hashes % SHARE != self._turn)
        if self._looks_at_all:
            is_passed_over[:] = False
        self._found.append((hashes[is_passed_over], self._versions[at[is_passed_over]]))
        look: list[bool] = (~is_passed_over).tolist()
        return look

    def take_out(self, seen: list[tuple[str, os.stat_result]]) -> list[tuple[str, os.stat_result]]:
        """Return the names, with their files' status, that are not known to be judged in this version.

        The others are noted as judged.
        """
        names = _hashes([name for name, _ in seen])
        versions = _hashes([(there.st_size, there.st_mtime_ns, there.st_ctime_ns) for _, there in seen])
        at, is_known = self._find(names)
        is_known[is_known] = self._versions[at[is_known]] == versions[is_known]
        self._found.append((names[is_known], versions[is_known]))
        return [each for each, known in zip(seen, is_known.tolist(), strict=True) if not known]

    def note(self, keys: list[FileKey]) -> None:
        """Note files that are judged according to the ledger."""
        versions = [(key.size_bytes, key.mtime_ns, key.ctime_ns) for key in keys]
        self._found.append((_hashes([key.name for key in keys]), _hashes(versions)))

    def end_sweep(self) -> None:
        """Use what this sweep noted from now on: it has listed the whole folder."""
        self.note([])  # an empty folder has none
        names, versions = (np.concatenate(found) for found in zip(*self._found, strict=True))
        order = np.argsort(names)
        self._names, self._versions = names[order], versions[order]
        self._found = []

    def _find(self, names: Hashes) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the position of each name, and whether it is there at all."""
        if not self._names.size:
            return np.zeros(names.size, np.intp), np.zeros(names.size, np.bool_)
        at = np.minimum(np.searchsorted(self._names, names), self._names.size - 1)
        return at, self._names[at] == names


def _hashes(values: Sequence[Hashable]) -> Hashes:
    return np.fromiter(map(hash, values), np.int64, len(values))
