"""Finds a JPEG behind what may stand before it: a stray FF, a line end, the head of an HTTP part."""

_START = b"\xff\xd8\xff"
_MOST_BYTES_BEFORE = 1024
_STRAY_BYTES = b"\r\n\xff"
_HTTP_SAYS = b"image/jpeg"


def find_start(data: bytes) -> int | None:
    """Return after how many bytes, at most 1 kB, a JPEG starts; None where none does."""
    start = data.find(_START, 0, _MOST_BYTES_BEFORE + len(_START))
    return start if start >= 0 else None


def may_start_later(data: bytes) -> bool:
    """Return whether a file in which no JPEG starts yet begins as those do that have one later."""
    if not data or len(data) > _MOST_BYTES_BEFORE:
        return False
    return data.lstrip(_STRAY_BYTES) in {b"", _START[1:2]} or _HTTP_SAYS in data.lower()
