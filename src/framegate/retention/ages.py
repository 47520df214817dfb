"""From when the age of a file counts: from its decision, as far as the clock was right then."""


class DecidedSince:
    """Tells, row after row in the order of the decisions, since when each counts as decided.

    None counts as older than one before it: a machine whose clock was wrong for a while has decided in 1970
    what it kept yesterday, or in ten years.

    Args:
        first_ns: when the oldest of the rows with a possible time was decided; None if there is none.
    """

    def __init__(self, first_ns: int | None) -> None:
        self._since_ns = first_ns

    def of(self, decided_at_ns: int, now_ns: int | None) -> int | None:
        """Return from when a row's age counts; None if that is not known.

        Args:
            decided_at_ns: what is recorded of it.
            now_ns: the wall clock; None while it is in doubt.
        """
        if now_ns is not None and self._since_ns is not None and decided_at_ns <= now_ns:
            self._since_ns = max(self._since_ns, decided_at_ns)
        return self._since_ns
