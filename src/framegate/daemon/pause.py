"""A pause of the intake: results or ledger cannot be written, and are tried again less and less often."""

from framegate.deadlines import retry_delay_s


class Pause:
    """Since when, and when the next try is due; monotonic seconds."""

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.retry_at_s = since_s + retry_delay_s(0)
        self._failures = 1

    def note_failure(self, now_s: float) -> None:
        """Put off the next try, if it was due: else a sweep has failed, not the try itself."""
        if now_s >= self.retry_at_s:
            self.retry_at_s = now_s + retry_delay_s(self._failures)
            self._failures += 1
