"""The names that a result, and the folders on the way to it, may get: pure, and the same at every try."""

import hashlib
import os
import re
from collections.abc import Iterator
from itertools import count

from framegate.model import iso_utc

LONGEST_NAME_BYTES = 255
LONGEST_SUFFIX_BYTES = 16
"""A longer one is no suffix, but a name with a dot in it."""

TEMP_NAME = re.compile(r"\.framegate-[0-9a-f]{20}\.tmp")
_NOT_PORTABLE = re.compile(r'[\x00-\x1f"*:<>?\\|\x7f\ud800-\udfff]')


def names_of(name: str, captured_at_ns: int) -> Iterator[str]:
    """Yield the name itself, then with the capture time, then with a number as well."""
    stem, suffix = _split(name)
    moment = iso_utc(captured_at_ns).replace("-", "").replace(":", "")
    yield name
    for number in count(1):
        tail = f"_{moment}" + (f"_{number}" if number > 1 else "") + suffix
        yield _fitting(stem, tail)


def joined(folder: str, name: str) -> str:
    """Return one name for a file in a folder, for where there can be no such folder."""
    stem, suffix = _split(f"{folder}_{name}")
    return _fitting(stem, suffix)


def _split(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)
    return (stem, suffix) if len(os.fsencode(suffix)) <= LONGEST_SUFFIX_BYTES else (name, "")


def _fitting(stem: str, tail: str) -> str:
    """Return a stem and a tail as one name, the stem as long as a name may be."""
    while len(os.fsencode(stem + tail)) > LONGEST_NAME_BYTES:
        stem = stem[:-1]  # a letter at a time, so that none is cut in two
    return stem + tail


def portable(parts: list[str]) -> list[str]:
    """Return names that every file system can hold; what has lost letters gets a mark that tells it apart.

    Cards and shares refuse ``:``, ``?`` and bytes that are no text.
    """
    names = []
    for part in parts:
        plain = _NOT_PORTABLE.sub("_", part).rstrip(". ")
        mark = hashlib.blake2s(os.fsencode(part), digest_size=4).hexdigest()
        stem, suffix = os.path.splitext(plain)
        names.append(part if plain == part else f"{stem[:200]}_{mark}{suffix[:20]}")
    return names


def temp_name_of(name: str) -> str:
    """Return a temporary name that depends on the frame alone, so that recovery finds and reuses it."""
    return f".framegate-{hashlib.blake2s(os.fsencode(name), digest_size=10).hexdigest()}.tmp"
