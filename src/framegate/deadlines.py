"""How long to wait before the next try: of a file that may not be read, of a disk that may not be written."""

NEVER_S = float("inf")
"""The deadline of what is not planned."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""A retry waits twice as long as the one before it, between these."""


def retry_delay_s(tries: int, first_s: float = FIRST_RETRY_S, last_s: float = LAST_RETRY_S) -> float:
    """Return the pause after so many tries, in seconds."""
    return min(first_s * 2.0 ** min(tries, 10), last_s)
