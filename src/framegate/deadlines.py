"""Deadlines: when to try again, when to look again, and the one that never comes."""

NEVER_S = float("inf")
"""The deadline when there is nothing to do."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""A retry waits twice as long as the one before, between these limits."""


def retry_delay_s(tries: int, first_s: float = FIRST_RETRY_S, last_s: float = LAST_RETRY_S) -> float:
    """Return the pause before a retry in seconds; ``tries`` is 0 before the first one."""
    return min(first_s * 2.0 ** min(tries, 10), last_s)


def next_look_s(now_s: float, every_s: float) -> float:
    """Return when something is due that is looked at every ``every_s`` seconds, at most so much later.

    It is a multiple of ``every_s``, so that what has the same interval falls due together. Two looks a second
    drifted apart, each woke the process, and an idle daemon used half as much CPU again.
    """
    return (now_s // every_s + 1) * every_s
