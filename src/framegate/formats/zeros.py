"""Whether the size of a file was set first, and its end is still to be filled."""

_TAIL_BYTES = 1024
"""A black corner of a picture is smaller, a copy writes larger pieces. A picture with a black border
is judged when it is final."""


def ends_in_zeros(data: bytes, start: int, end: int) -> str:
    """Return that the last 1 kB of the bytes from ``start`` to ``end`` are zeros, in words, or nothing."""
    tail = data[max(start, end - _TAIL_BYTES) : end]
    return "" if not tail or any(tail) else "its last pixels are zeros, as if they were still to be written"
