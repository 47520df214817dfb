"""Checks of the room for results and for the state, and why a process cannot write into the state folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from framegate.config.quantities import Size, in_words
from framegate.config.settings import Settings
from framegate.folders import free_bytes
from framegate.ingest.watch.mounts import mount_of
from framegate.preflight.folder_checks import Finding, Grade, nearest_existing

NO_ROOM_BYTES = 65_536
"""With less than this, neither the ledger nor the status can be written, or not for long."""


def check_space(settings: Settings) -> Iterator[Finding]:
    """Check whether results and state have room to be written."""
    yield _room_for_results(settings)
    state = nearest_existing(settings.state.folder or "")
    if (why := why_unwritable(Path(state), is_by_root=os.geteuid() == 0)) is not None:
        words = f"{why}: no frame is judged until framegate can write there"
        yield Finding(Grade.ERROR, "state.folder", words)


def _room_for_results(settings: Settings) -> Finding:
    free, least = Size(free_bytes(nearest_existing(settings.results.folder))), settings.results.min_free
    words = f"{in_words(free)} free, min_free is {least}"
    if free > least:
        return Finding(Grade.OK, "results.min_free", words)
    pauses = "judging will pause at the first kept frame"
    return Finding(Grade.WARNING, "results.min_free", f"{words}: {pauses}")


def why_unwritable(folder: Path, *, is_by_root: bool) -> str | None:
    """Return what of its disk keeps a process from writing into a folder; None if nothing can be seen.

    Args:
        folder: the folder.
        is_by_root: whether it is root's process, which may use the room that is reserved.
    """
    try:
        space = os.statvfs(folder)
    except OSError:  # it has gone just now
        return None
    mount = mount_of(folder)
    if mount is not None and mount.is_read_only:
        return f"the disk of {folder} is read-only"
    if (space.f_bfree if is_by_root else space.f_bavail) * space.f_frsize < NO_ROOM_BYTES:
        return f"the disk of {folder} is full"
    return f"the disk of {folder} has no inode left" if space.f_files and not space.f_favail else None
