"""What has to be true outside the config file before the daemon can start, and what had better be."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np

from framegate.camera import read_mask
from framegate.config import Config
from framegate.errors import ConfigError, Problem
from framegate.ingest.inbox import Inbox
from framegate.ingest.mounts import mount_of, sees_all_writers
from framegate.ingest.naming import NameRules
from framegate.ingest.watching import Watcher
from framegate.quantities import Size, in_words
from framegate.settings import DEFAULT_CAMERA, Settings

MOST_FOLDERS_COUNTED = 200_000
MOST_FOLDERS_NAMED = 20


class Grade(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    grade: Grade
    key: str
    """The setting it is about."""

    message: str


def examine_surroundings(config: Config) -> list[Finding]:
    """Look at everything that a start needs; change nothing."""
    settings = config.settings
    return [
        *_drop(settings),
        *_writable("results.folder", settings.results.folder),
        *_writable("state.folder", settings.state.folder or ""),
        *_overlap(settings),
        *_unlisted(settings),
        *_cameras(settings),
        *_space(settings),
        *examine_masks(settings),
        *examine_extras(settings),
        *_inotify(settings),
    ]


def prepare_to_start(config: Config, *, needs_state: bool = True, needs_results: bool = True) -> None:
    """Make the results and state folders if they are missing, and insist on what a start needs.

    Raises:
        ConfigError: with everything that stands in the way.
    """
    settings = config.settings
    findings = [*_drop(settings), *_overlap(settings), *examine_masks(settings), *examine_extras(settings)]
    folders = [("results.folder", settings.results.folder)] if needs_results else []
    if needs_state:
        folders.append(("state.folder", settings.state.folder or ""))
    if not any(finding.grade is Grade.ERROR for finding in findings):
        for key, folder in folders:
            findings += _made(key, folder)
    problems = tuple(Problem(f.key, f.message) for f in findings if f.grade is Grade.ERROR)
    if problems:
        raise ConfigError(problems, str(config.path or ""))


def _drop(settings: Settings) -> Iterator[Finding]:
    folder = settings.drop.folder
    if not os.path.isdir(folder):
        what = "is no folder" if os.path.exists(folder) else "does not exist"
        yield Finding(Grade.ERROR, "drop.folder", f"{folder} {what}")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield Finding(Grade.ERROR, "drop.folder", f"{folder} may not be listed by this user")
    else:
        yield Finding(Grade.OK, "drop.folder", folder)


def _writable(key: str, folder: str) -> Iterator[Finding]:
    there = _nearest_existing(folder)
    if not os.path.isdir(there):
        yield Finding(Grade.ERROR, key, f"{there} is no folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(Grade.ERROR, key, f"{there} may not be written by this user")
    else:
        yield Finding(Grade.OK, key, folder if there == folder else f"{folder} (will be made)")


def _made(key: str, folder: str) -> Iterator[Finding]:
    try:
        _make_durably(Path(folder))
    except OSError as error:
        yield Finding(Grade.ERROR, key, f"{folder} cannot be made: {error.strerror}")
        return
    yield from _writable(key, folder)


def _make_durably(folder: Path) -> None:
    """Make a folder, and those above it: a power cut must not take it away with the results in it."""
    if folder.is_dir():
        return
    _make_durably(folder.parent)
    folder.mkdir(exist_ok=True)
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _overlap(settings: Settings) -> Iterator[Finding]:
    """Compare identities, not names: links and bind mounts give one folder several names."""
    folders = {
        "drop.folder": settings.drop.folder,
        "results.folder": settings.results.folder,
        "state.folder": settings.state.folder or "",
    }
    for (a, folder_a), (b, folder_b) in combinations(folders.items(), 2):
        if {a, b} == {"results.folder", "state.folder"} and folder_a != folder_b:
            continue  # a ledger among the results is odd, but harms nothing
        if _is_inside(folder_b, folder_a):
            yield Finding(Grade.ERROR, b, f"{folder_b} is inside {a} ({folder_a})")
        elif _is_inside(folder_a, folder_b):
            yield Finding(Grade.ERROR, a, f"{folder_a} is inside {b} ({folder_b})")


def _is_inside(folder: str, outer: str) -> bool:
    if not os.path.exists(outer):
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(outer))
    there = Path(os.path.realpath(_nearest_existing(folder)))
    return any(os.path.samefile(above, outer) for above in (there, *there.parents))


def _unlisted(settings: Settings) -> Iterator[Finding]:
    """Find folders inside the drop folder that a sweep will pass over."""
    failed: list[OSError] = []
    walk = os.walk(settings.drop.folder, onerror=failed.append) if settings.drop.recursive else ()
    for number, _ in enumerate(walk):
        if number >= MOST_FOLDERS_COUNTED or len(failed) > MOST_FOLDERS_NAMED:
            break
    for error in failed[:MOST_FOLDERS_NAMED]:
        if error.filename != settings.drop.folder:
            yield Finding(
                Grade.WARNING, "drop.folder", f"{error.filename} may not be listed: {error.strerror}"
            )


def _cameras(settings: Settings) -> Iterator[Finding]:
    if settings.camera and settings.drop.camera_pattern is None:
        words = "has no effect: without drop.camera_pattern every frame is of camera default"
        for name in settings.camera:
            if name != DEFAULT_CAMERA:
                yield Finding(Grade.WARNING, f"camera.{name}", words)


def _space(settings: Settings) -> Iterator[Finding]:
    space = os.statvfs(_nearest_existing(settings.results.folder))
    free, least = Size(space.f_bavail * space.f_frsize), settings.results.min_free
    words = f"{in_words(free)} free, min_free is {least}"
    if free <= least:
        yield Finding(Grade.WARNING, "results.min_free", f"{words}: intake will pause at once")
    else:
        yield Finding(Grade.OK, "results.min_free", words)


def examine_extras(settings: Settings) -> Iterator[Finding]:
    """Look whether what the settings ask for is installed."""
    metrics = settings.metrics
    if (metrics.listen or metrics.textfile) and find_spec("prometheus_client") is None:
        key = "metrics.listen" if metrics.listen else "metrics.textfile"
        pip = Path(sys.prefix, "bin", "pip")
        words = f"needs the Python package prometheus-client: in the clone, {pip} install '.[metrics]'"
        yield Finding(Grade.ERROR, key, words)


def examine_masks(settings: Settings) -> Iterator[Finding]:
    """Look at every mask file that the settings name."""
    tables = {"detection": settings.detection}
    tables |= {f"camera.{name}.detection": camera.detection for name, camera in settings.camera.items()}
    for table, detection in tables.items():
        if detection.mask_file is not None:
            yield _mask(f"{table}.mask_file", detection.mask_file)


def _mask(key: str, path: str) -> Finding:
    try:
        picture = read_mask(path)
    except OSError as error:
        return Finding(Grade.ERROR, key, f"{path} cannot be read: {error.strerror}")
    except ValueError as error:
        return Finding(Grade.ERROR, key, str(error))
    ignored = 100 * (1 - np.count_nonzero(picture) / picture.size)
    return Finding(Grade.OK, key, f"{path} ignores {ignored:.1f}% of the picture")


def _inotify(settings: Settings) -> Iterator[Finding]:
    if not os.path.isdir(settings.drop.folder):
        return
    if (why := _polls_because(settings)) is not None:
        yield Finding(Grade.OK, "drop.watch", f"sweeps every {settings.drop.poll_s:g} s: {why}")
        return
    with closing(Inbox()) as inbox:
        watcher = Watcher(Path(settings.drop.folder), NameRules(settings.drop), inbox, recursive=False)
        try:
            watcher.start()
        except OSError as error:
            limit = _limit("max_user_instances")
            words = f"inotify does not start ({error}; fs.inotify.max_user_instances is {limit}): sweeps only"
            yield Finding(Grade.WARNING, "drop.watch", words)
            return
        watcher.stop()
    folders, watches = _count_folders(settings), _limit("max_user_watches")
    if folders > watches:
        words = f"{folders} folders to watch, but fs.inotify.max_user_watches is {watches}; the rest is swept"
        yield Finding(Grade.WARNING, "drop.watch", words)
    else:
        yield Finding(Grade.OK, "drop.watch", f"inotify works: {folders} of {watches} watches needed")


def _polls_because(settings: Settings) -> str | None:
    if settings.drop.watch == "poll":
        return 'watch = "poll"'
    mount = mount_of(Path(settings.drop.folder)) if settings.drop.watch == "auto" else None
    if mount is None or sees_all_writers(mount.kind):
        return None
    return f"{mount.point} is {mount.kind}, where the kernel does not see all who write"


def _limit(name: str) -> int:
    try:
        return int(Path("/proc/sys/fs/inotify", name).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _count_folders(settings: Settings) -> int:
    if not settings.drop.recursive:
        return 1
    count = 0
    for _ in os.walk(settings.drop.folder):
        count += 1
        if count >= MOST_FOLDERS_COUNTED:
            break
    return count


def _nearest_existing(folder: str) -> str:
    path = Path(folder)
    return os.fspath(next((p for p in (path, *path.parents) if p.exists()), Path("/")))
