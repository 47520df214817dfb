"""Bytes that are left over before a marker: a camera's padding, or what a damaged picture did not need."""

import re

MOST_PADDING_BYTES = 16
"""Cameras that leave bytes over are known to leave 1 to 11, by public reports. A damaged picture leaves what
its lost blocks would have needed: more than this in 19 of 20."""

_SAID = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(d[0-79])")


def spare_bytes(said: str) -> int:
    """Return how many bytes are left over before a restart marker or the end, as libjpeg says; else 0."""
    found = _SAID.fullmatch(said)
    return int(found[1]) if found else 0


def spare_is_harmless(said: str, data: bytes) -> bool:
    """Return whether what libjpeg says is only that the data ends in some padding.

    Args:
        said: what libjpeg says.
        data: what stands before the end marker.
    """
    count = spare_bytes(said)
    return 0 < count <= MOST_PADDING_BYTES or (count > 0 and not data[-count:].strip(b"\0\xff"))
