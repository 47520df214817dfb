"""The names that a result and its folders may get: pure functions, with the same names at every try."""

import hashlib
import os
import re
from collections.abc import Iterator
from itertools import count

from framegate.model import iso_utc

LONGEST_NAME_BYTES = 255
LONGEST_SUFFIX_BYTES = 16
"""A longer one is not a suffix, but part of a name with a dot in it."""

TEMP_NAME = re.compile(r"\.framegate-[0-9a-f]{20}\.tmp")
_NOT_PORTABLE = re.compile(r'[\x00-\x1f"*:<>?\\|\x7f\ud800-\udfff]')


def names_of(name: str, captured_at_ns: int) -> Iterator[str]:
    """Yield a name, then the name with the capture time (nanoseconds since the epoch), then numbered as well.

    The sequence does not end.
    """
    stem, suffix = _split(name)
    moment = iso_utc(captured_at_ns).replace("-", "").replace(":", "")
    yield name
    for number in count(1):
        tail = f"_{moment}" + (f"_{number}" if number > 1 else "") + suffix
        yield _fitting(stem, tail)


def joined(folder: str, name: str) -> str:
    """Return one name for a file in a folder, for use where that folder cannot be made."""
    stem, suffix = _split(f"{folder}_{name}")
    return _fitting(stem, suffix)


def _split(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)
    return (stem, suffix) if len(os.fsencode(suffix)) <= LONGEST_SUFFIX_BYTES else (name, "")


def _fitting(stem: str, tail: str) -> str:
    """Return a stem and a tail as one name, the stem cut to the longest name that is allowed."""
    while len(os.fsencode(stem + tail)) > LONGEST_NAME_BYTES:
        stem = stem[:-1]  # whole characters, so that none is cut in two
    return stem + tail


def portable(parts: list[str]) -> list[str]:
    """Return names that every file system can hold; one that lost characters gets a mark of its own.

    Cards and shares refuse ``:``, ``?`` and bytes that are not text.
    """
    names = []
    for part in parts:
        plain = _NOT_PORTABLE.sub("_", part).rstrip(". ")
        mark = hashlib.blake2s(os.fsencode(part), digest_size=4).hexdigest()
        stem, suffix = os.path.splitext(plain)
        names.append(part if plain == part else f"{stem[:200]}_{mark}{suffix[:20]}")
    return names


def temp_name_of(name: str) -> str:
    """Return a temporary name that depends only on the frame's name, so that recovery finds and reuses it."""
    return f".framegate-{hashlib.blake2s(os.fsencode(name), digest_size=10).hexdigest()}.tmp"
