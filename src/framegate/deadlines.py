"""When to try again: delays that double, and the deadline that never comes."""

NEVER_S = float("inf")
"""The deadline when there is nothing to do."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""A retry waits twice as long as the one before, between these limits."""


def retry_delay_s(tries: int, first_s: float = FIRST_RETRY_S, last_s: float = LAST_RETRY_S) -> float:
    """Return the pause before a retry in seconds; ``tries`` is 0 before the first one."""
    return min(first_s * 2.0 ** min(tries, 10), last_s)
