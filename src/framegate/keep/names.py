"""The names that a result and its folders may get: pure functions, with the same names at every try."""

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

from framegate.config.layout import Field, Layout, Part
from framegate.model import YEAR_1_S, YEAR_9999_S, Candidate, iso_utc

LONGEST_NAME_BYTES = 255
LONGEST_SUFFIX_BYTES = 16
"""A longer one is not a suffix, but part of a name with a dot in it."""

DAY_S = 86_400

TEMP_NAME = re.compile(r"\.framegate-[0-9a-f]{20}\.tmp")
_NOT_PORTABLE = re.compile(r'[\x00-\x1f"*:<>?\\|\x7f\ud800-\udfff]')


def laid_out(layout: Layout, name: str, camera: str, captured_at_ns: int) -> str:
    """Return the path below the results folder that a layout gives to a frame's result.

    Whatever the frame's name and camera are, no part of it is empty or hidden, leads out of the folder, or is
    longer than a file system allows. Local time is that of this machine.

    Args:
        layout: the folders and the name.
        name: of the frame, relative to the drop folder; it may have surrogates, but no empty parts.
        camera: of the frame.
        captured_at_ns: nanoseconds since the epoch; outside the years 1 to 9999 it is the nearest of those.
    """
    values, moment = _values(name, camera), _moment(captured_at_ns)
    names = [_safe(name) for part in layout.parts for name in _names(part, values, moment)]
    folders = [_fitting(name, "") for name in names[:-1]]
    return "/".join([*folders, _fitting(*_split(names[-1]))])


def planned_name(layout: Layout, candidate: Candidate) -> str | None:
    """Return what a layout names the result of a frame; None if that is the frame's own name."""
    name = laid_out(layout, candidate.key.name, candidate.camera, candidate.captured_at_ns)
    return None if name == candidate.key.name else name


def _values(name: str, camera: str) -> dict[str, str]:
    folder, _, last = name.rpartition("/")
    stem, suffix = os.path.splitext(last)
    return {
        "path": name, "folder": folder, "camera": camera, "name": last, "stem": stem, "suffix": suffix,
    }  # fmt: skip


def _moment(time_ns: int) -> datetime:
    second, fraction_ns = divmod(time_ns, 1_000_000_000)
    second = min(max(second, YEAR_1_S + DAY_S), YEAR_9999_S - DAY_S)  # so that it has a local time too
    return datetime.fromtimestamp(second, UTC).replace(microsecond=fraction_ns // 1000)


def _names(part: Part, values: dict[str, str], moment: datetime) -> list[str]:
    """Return the names that a part of a layout stands for: one, but for the frame's own folders."""
    (first, *rest) = part
    if isinstance(first, Field) and first.name in {"path", "folder"}:
        assert not rest, "it stands alone"
        return values[first.name].split("/") if values[first.name] else []
    return ["".join(_written(each, values, moment) for each in part)]


def _written(piece: str | Field, values: dict[str, str], moment: datetime) -> str:
    if isinstance(piece, str):
        return piece
    if not piece.format:
        return values[piece.name].replace("/", "_")
    return (moment if piece.name == "captured_utc" else moment.astimezone()).strftime(piece.format)


def _safe(name: str) -> str:
    """Return a name that a file or folder may have, if it is not too long, and that is not hidden."""
    plain = name.replace("/", "_").replace("\0", "_") or "_"
    return "_" + plain[1:] if plain.startswith(".") else plain


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
