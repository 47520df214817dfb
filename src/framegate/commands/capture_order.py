"""A warning when the mtimes of scanned frames are probably not their capture times.

A copy, a download and ``git clone`` set mtimes to now. With shuffled mtimes 71 of 78 real frames were kept
instead of 63.
"""

import time
from collections.abc import Sequence
from itertools import pairwise

from framegate.config.capture_time import reader_of
from framegate.model import Candidate

PATTERNS = (
    "%Y-%m-%dT%H_%M_%S", "%Y-%m-%d_%H_%M_%S", "%Y-%m-%d_%H-%M-%S", "%Y_%m_%d__%H_%M_%S", "%Y_%m_%d_%H_%M_%S",
    "%Y-%m-%dT%H-%M-%S", "%Y%m%d_%H%M%S", "%Y%m%d-%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%d%H%M%S",
    "epoch_ms", "epoch_s",
)  # fmt: skip
"""How cameras write times in names; the first that fits nearly all names is taken."""

MOST_LOOKED_AT = 2000
EARLIEST_NS, DAY_NS = 946_684_800 * 10**9, 86_400 * 10**9
"""A number that means a time before the year 2000, or after tomorrow, is a counter."""

FITS = 0.9
"""The share of names that a pattern has to fit."""

FEW = 10
"""Fewer frames than this prove nothing."""

CLOSE_S = 10.0
"""If all mtimes lie within this many seconds, the frames were copied."""


def order_warning(candidates: Sequence[Candidate]) -> str | None:
    """Return a warning if frames ordered by mtime are probably in the wrong order, else None.

    Args:
        candidates: in the order of their mtimes.
    """
    sample = candidates[:: max(1, len(candidates) // MOST_LOOKED_AT)]
    for pattern in PATTERNS:
        times = _times_in_names(sample, pattern)
        if sum(map(len, times.values())) >= FITS * len(sample) > 0:
            return _disagreement(pattern) if any(map(_goes_back, times.values())) else None
    mtimes = [candidate.captured_at_ns for candidate in sample]
    is_copy = len(mtimes) >= FEW and mtimes[-1] - mtimes[0] <= CLOSE_S * 1e9
    return _closeness(len(candidates)) if is_copy else None


def _times_in_names(sample: Sequence[Candidate], pattern: str) -> dict[str, list[int]]:
    """Return the times in the names of each camera's frames that a pattern fits, in nanoseconds."""
    read, now_ns = reader_of(pattern), time.time_ns()
    times: dict[str, list[int]] = {}
    for candidate in sample:
        moment = read(candidate.key.name, candidate.key.mtime_ns)
        if moment is not None and EARLIEST_NS < moment < now_ns + DAY_NS:
            times.setdefault(candidate.camera, []).append(moment)
    return times


def _goes_back(times: list[int]) -> bool:
    return any(later < earlier for earlier, later in pairwise(times))


def _disagreement(pattern: str) -> str:
    return (
        "frames are judged in the order of their mtimes, but the times in their names have another order:"
        f' to use those, set capture_time = "{pattern}" below [drop] in a config file, and give it with -c'
    )


def _closeness(count: int) -> str:
    return (
        f"frames are judged in the order of their mtimes, but all {count} lie within {CLOSE_S:g} s, as"
        " after a copy: copy again with cp -p or rsync -t, or read the times from the names, with"
        " capture_time below [drop] in a config file"
    )
