"""Events about watching and sweeping the drop folder."""

from framegate.events.base import LogEvent


class WatchPolling(LogEvent, name="watch.polling"):
    """The kernel does not see every writer of this file system: the folder is swept every `poll_s`."""

    reason: str
    file_system: str
    mount_point: str
    poll_s: float


class WatchFailed(LogEvent, name="watch.failed", level="warning"):
    """inotify does not work now: the folder is swept every `poll_s` until it does."""

    error: str
    poll_s: float
    advice: str | None = None


class WatchRestored(LogEvent, name="watch.restored"):
    """inotify works again."""


class WatchRebuilt(LogEvent, name="watch.rebuilt", level="warning"):
    """The watch had become unreliable and was set up again. The folder is swept."""

    reason: str
    watch: str


class WatchOverflow(LogEvent, name="watch.overflow", level="warning"):
    """The kernel's event queue overflowed. A sweep finds what was lost. Logged at most once a minute."""

    overflows: int


class WatchMissed(LogEvent, name="watch.missed", level="warning"):
    """A sweep found frames that the kernel had not reported. The watch is set up again."""

    frames: int
    for_example: str


class WatchDeaf(LogEvent, name="watch.deaf", level="warning"):
    """The kernel still does not report arrivals: the folder is swept every `poll_s` from now on."""

    poll_s: float


class DropAbsent(LogEvent, name="drop.absent", level="warning"):
    """The drop folder is missing, or may not be listed. framegate waits for it."""

    folder: str
    error: str


class DropBack(LogEvent, name="drop.back"):
    """The drop folder is back, and is swept."""

    folder: str
    watch: str


class FolderUnlisted(LogEvent, name="folder.unlisted", level="warning"):
    """A folder inside the drop folder may not be listed, or its files may not be looked at.

    The frames in it wait.
    """

    folder: str
    error: str


class FilesUnmatched(LogEvent, name="files.unmatched"):
    """No pattern of `drop.include` takes these files, and none of `drop.exclude`: they are ignored.

    Logged once after a start, and once after an edit of `[drop]`.
    """

    files: int
    for_example: str


class NamesUnread(LogEvent, name="names.unread", level="warning"):
    """`setting` reads nothing from a camera's first names.

    It is `drop.capture_time` or `drop.camera_pattern`: frames are ordered by their mtimes, or belong to the
    camera `default`. Logged once for a camera after a start, and again after an edit of `[drop]`.
    """

    setting: str
    camera: str
    frames: int
    for_example: str


class SweepEnded(LogEvent, name="sweep.ended", level="debug"):
    """The whole drop folder was listed, because of `cause`: `round`, `refill`, `events_lost` or `first`.

    `new` files had no verdict; `left` of them exceed what is held in memory, and a later sweep finds them.
    """

    cause: str
    new: int
    left: int
    took_s: float
