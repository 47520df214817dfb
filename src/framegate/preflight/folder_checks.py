"""Checks of folders: whether they exist, may be used, and do not overlap; what is in the drop folder."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, islice
from pathlib import Path

from framegate.config.settings import DEFAULT_CAMERA, DropSettings, Settings
from framegate.ingest.names import Examples, NameRules

MOST_COUNTED = 200_000
"""Files and folders after which a check stops counting: some seconds."""

MOST_READ = 20_000
"""Frames whose names are tried with ``capture_time`` and ``camera_pattern``: half a second."""

MOST_FOLDERS_NAMED = 20


class Grade(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    grade: Grade
    key: str
    """The dotted key of the setting it is about."""

    message: str


def folders_of(settings: Settings) -> dict[str, str]:
    """Return the folders that have to be apart, by the keys of their settings."""
    return {
        "drop.folder": settings.drop.folder,
        "results.folder": settings.results.folder,
        "state.folder": settings.state.folder or "",
    }


def check_drop_folder(key: str, folder: str, *, may_be_missing: bool) -> Iterator[Finding]:
    """Check whether the drop folder exists and may be listed."""
    if not os.path.exists(folder) and may_be_missing:
        yield Finding(Grade.WARNING, key, f"{folder} does not exist: the daemon waits until it does")
    elif not os.path.exists(folder):
        yield Finding(Grade.ERROR, key, f"{folder} does not exist")
    elif not os.path.isdir(folder):
        yield Finding(Grade.ERROR, key, f"{folder} is not a folder")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield Finding(Grade.ERROR, key, f"{folder} may not be listed by this user")
    else:
        yield Finding(Grade.OK, key, folder)


def check_writable(key: str, folder: str) -> Iterator[Finding]:
    """Check whether a folder can be written, or made if it is missing."""
    there = nearest_existing(folder)
    if not os.path.isdir(there):
        yield Finding(Grade.ERROR, key, f"{there} is not a folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(Grade.ERROR, key, f"{there} may not be written by this user")
    else:
        yield Finding(Grade.OK, key, folder if there == folder else f"{folder} (will be made)")


def make_folder(key: str, folder: str) -> Iterator[Finding]:
    """Make a folder if it is missing, and check whether it can be written."""
    try:
        _make_durably(Path(folder))
    except OSError as error:
        yield Finding(Grade.ERROR, key, f"{folder} cannot be made: {error.strerror}")
        return
    yield from check_writable(key, folder)


def _make_durably(folder: Path) -> None:
    """Make a folder and those above it, and sync them, so that a power cut cannot remove results in it."""
    if folder.is_dir():
        return
    _make_durably(folder.parent)
    folder.mkdir(exist_ok=True)
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def check_overlap(folders: Mapping[str, str]) -> Iterator[Finding]:
    """Check whether folders, by the keys of their settings, are the same or inside each other.

    Not by their names: links and bind mounts give one folder several names.
    """
    for (a, folder_a), (b, folder_b) in combinations(folders.items(), 2):
        if {a, b} == {"results.folder", "state.folder"} and folder_a != folder_b:
            continue  # a ledger among the results does no harm
        if _is_inside(folder_b, folder_a) and _is_inside(folder_a, folder_b):
            yield Finding(Grade.ERROR, b, f"{folder_b} is the same folder as {a}: each needs its own")
        elif _is_inside(folder_b, folder_a):
            yield Finding(Grade.ERROR, b, f"{folder_b} is inside {a} ({folder_a})")
        elif _is_inside(folder_a, folder_b):
            yield Finding(Grade.ERROR, a, f"{folder_a} is inside {b} ({folder_b})")


def _is_inside(folder: str, outer: str) -> bool:
    if not os.path.exists(outer):
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(outer))
    there = Path(os.path.realpath(nearest_existing(folder)))
    return any(os.path.samefile(above, outer) for above in (there, *there.parents))


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a drop folder, as far as its first ``MOST_COUNTED`` files and folders show."""

    folders: int
    """How many folders have to be watched, the drop folder included."""

    unlisted: tuple[OSError, ...]
    """The errors of folders that cannot be listed."""

    unmatched: tuple[str, ...]
    """Files that no pattern of ``include`` matches, except hidden, excluded and unfinished ones."""

    frames: tuple[str, ...]
    """The first ``MOST_READ`` frames, by their paths."""

    unread_times: Examples
    """Frames whose names ``capture_time`` does not read, of the first ``MOST_READ``."""

    unread_cameras: Examples
    """The same for ``camera_pattern``."""

    cameras: frozenset[str]
    """Of the first ``MOST_READ`` frames."""

    are_all_read: bool
    """Whether there are no more frames than those."""


def contents_of(drop: DropSettings) -> Contents:
    """Walk through a drop folder; it may be missing."""
    rules = NameRules(drop)
    unlisted: list[OSError] = []
    unmatched: list[str] = []
    frames: list[str] = []
    folders = count = 0
    for folder, below, names in os.walk(drop.folder, onerror=unlisted.append):
        folders += 1
        below[:] = below if drop.recursive else []
        prefix = os.path.relpath(folder, drop.folder) + "/"
        paths = [prefix.removeprefix("./") + name for name in names[: MOST_COUNTED - count]]
        unmatched += [path for path in paths if rules.is_unmatched(path)]
        frames += islice(filter(rules.is_frame, paths), MOST_READ - len(frames))
        count += 1 + len(names)
        if count >= MOST_COUNTED:
            break
    ours = (error for error in unlisted if not _is_passed_over(error, drop.folder, rules))
    cameras = frozenset(map(rules.camera_of, frames))
    are_all = len(frames) < MOST_READ and count < MOST_COUNTED
    named = tuple(sorted(frames)), *_unread(frames, rules), cameras, are_all
    return Contents(folders, tuple(ours), tuple(unmatched), *named)


def _unread(names: Iterable[str], rules: NameRules) -> tuple[Examples, Examples]:
    times, cameras = Examples(), Examples()
    for name in names:
        if rules.lacks_time(name):
            times.add(name)
        if rules.lacks_camera(name):
            cameras.add(name)
    return times, cameras


def _is_passed_over(error: OSError, drop: str, rules: NameRules) -> bool:
    name = os.path.relpath(error.filename, drop)
    return name != "." and rules.is_passed_over(name)


def check_unlisted(contents: Contents, drop: str) -> Iterator[Finding]:
    """Name the folders inside the drop folder that cannot be listed: frames in them are not found."""
    for error in contents.unlisted[:MOST_FOLDERS_NAMED]:
        if error.filename != drop:
            message = f"{error.filename} may not be listed: {error.strerror}"
            yield Finding(Grade.WARNING, "drop.folder", message)


def check_unmatched(contents: Contents) -> Iterator[Finding]:
    """Count the files that are ignored because of their names."""
    if names := contents.unmatched:
        files = "1 file matches" if len(names) == 1 else f"{len(names)} files match"
        words = f"{files} no pattern of drop.include and will be ignored, for example {min(names)!r}"
        yield Finding(Grade.WARNING, "drop.include", words)


def check_unread(contents: Contents) -> Iterator[Finding]:
    """Count the frames whose time or camera is not read from their names."""
    for key, unread, instead in (
        ("drop.capture_time", contents.unread_times, "their mtimes count"),
        ("drop.camera_pattern", contents.unread_cameras, f"they belong to the camera {DEFAULT_CAMERA!r}"),
    ):
        if unread.count:
            names = "1 name" if unread.count == 1 else f"{unread.count} names"
            words = f"{key} does not read {names}, for example {unread.example!r}: {instead}"
            yield Finding(Grade.WARNING, key, words)


def nearest_existing(folder: str) -> str:
    """Return a folder, or the nearest one above it that exists."""
    path = Path(folder)
    return os.fspath(next((p for p in (path, *path.parents) if p.exists()), Path("/")))
