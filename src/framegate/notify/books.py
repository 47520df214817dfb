"""What has become of the messages for one ``[[notify]]``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Counts since it was configured: ``queued`` is the sum of the five after it."""

    queued: int = 0
    told: int = 0
    given_up: int = 0
    """Tried for ``give_up_after``."""

    dropped: int = 0
    """More than ``most_waiting`` waited."""

    limited: int = 0
    """More than ``most_per_hour``."""

    waiting: int = 0
    failing: str | None = None
    """Why the last try has failed; None when it has not."""


OUTCOMES = ("told", "given_up", "dropped", "limited")
"""How a message may end."""
