"""Frames for a replay from a folder: all that is there now, in the order in which a scan would judge them."""

from framegate.config.settings import Settings
from framegate.ingest.sweeping import Skipped, candidates_of
from framegate.tune.replay.outcomes import Frame


def folder_frames(
    settings: Settings,
    *,
    camera: str | None = None,
    until_ns: int | None = None,
    skipped: Skipped = lambda _name, _error: None,
) -> list[Frame]:
    """Return the frames of the drop folder, from its first on, so that their replay is exact.

    Args:
        settings: the folder, and which names are frames.
        camera: only this one's.
        until_ns: only those that were taken before; nanoseconds since the epoch.
        skipped: as for ``candidates_of``.

    Raises:
        OSError: the folder cannot be listed.
    """
    return [
        Frame(candidate)
        for candidate in candidates_of(settings, skipped)
        if (camera is None or candidate.camera == camera)
        and (until_ns is None or candidate.captured_at_ns < until_ns)
    ]
