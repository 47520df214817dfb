"""Makes numbers small enough for a page that has to carry them all; nothing is rounded."""

import base64
import gzip
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framegate.tune.replay.outcomes import NONE

MOST_SINCE = 65535


def packed(values: NDArray[Any] | bytes) -> str:
    """Return bytes, compressed, as text."""
    data = values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes()
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def packed_json(value: Any) -> str:
    """Return a value as compressed JSON, as text."""
    return packed(json.dumps(value, separators=(",", ":")).encode())


def packed_steps(table: NDArray[Any]) -> str:
    """Return a table of whole numbers (frames, positions) as text: how much each is more than that before it.

    Most are 0, since most frames are compared with the same reference at neighbouring thresholds.
    """
    wide = table.astype(np.int64)
    steps = np.diff(wide, axis=1, prepend=np.zeros((len(wide), 1), np.int64))
    return packed(steps.astype("<i4"))


def score_table(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the different scores, ascending, and which of them each is, from 1 on; 0 for NaN.

    So they are exact, and take little room: of ``adaptive`` there are some hundred, of ``classic`` one for
    each pair of frames that was compared.
    """
    compared = np.isfinite(scores)
    values, places = np.unique(scores[compared], return_inverse=True)
    table = np.zeros(scores.shape, np.int64)
    table[compared] = places.reshape(-1) + 1
    return values, table


def kept_since(references: NDArray[np.int32], is_kept: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return which of the kept frames before it each frame was compared with: 1 for the last one.

    Nearly all are 1, so that they take no room.

    Args:
        references: places of frames among these, (frames); ``NONE`` for none.
        is_kept: (frames).

    Returns:
        (frames); 0 where there is no reference among the kept frames.
    """
    before = np.concatenate(([0], np.cumsum(is_kept)))  # kept among the first n frames
    there = references != NONE
    there[there] = is_kept[references[there]]
    since = np.zeros(len(references), np.int64)
    since[there] = before[:-1][there] - before[references[there]]
    return np.where(since <= MOST_SINCE, since, 0).astype(np.uint16)
