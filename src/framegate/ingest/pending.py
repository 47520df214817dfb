"""How many frames of a camera have no verdict yet."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pending:
    """The frames of one camera that have no verdict yet."""

    count: int = 0
    since_s: float = math.inf
    """When the oldest of them was first seen; seconds of the monotonic clock."""

    why: str | None = None
    """What the oldest of them waits for, where that is known."""
