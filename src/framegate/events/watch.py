"""Events about the drop folder: how it is watched and swept."""

from dataclasses import dataclass
from typing import ClassVar

from framegate.events.base import Level, LogEvent


@dataclass(frozen=True, slots=True)
class WatchPolling(LogEvent):
    """The kernel does not see all who write to this file system: the folder is swept every `poll_s`."""

    name: ClassVar[str] = "watch.polling"

    reason: str
    file_system: str
    mount_point: str
    poll_s: float


@dataclass(frozen=True, slots=True)
class WatchFailed(LogEvent):
    """inotify cannot be used now: the folder is swept every `poll_s` until it can."""

    name: ClassVar[str] = "watch.failed"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    error: str
    poll_s: float
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class WatchRestored(LogEvent):
    """inotify works again."""

    name: ClassVar[str] = "watch.restored"


@dataclass(frozen=True, slots=True)
class WatchRebuilt(LogEvent):
    """The watch was not to be trusted any more, and was set up again. The folder is swept."""

    name: ClassVar[str] = "watch.rebuilt"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    reason: str
    watch: str


@dataclass(frozen=True, slots=True)
class WatchOverflow(LogEvent):
    """The kernel's queue of events was too short for what happened.

    A sweep finds what was lost. Said once in a minute.
    """

    name: ClassVar[str] = "watch.overflow"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    overflows: int


@dataclass(frozen=True, slots=True)
class WatchMissed(LogEvent):
    """A sweep found frames that no event had announced. The watch is set up again."""

    name: ClassVar[str] = "watch.missed"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    frames: int
    for_example: str


@dataclass(frozen=True, slots=True)
class WatchDeaf(LogEvent):
    """Setting up the watch again did not help: the folder is swept every `poll_s` from now on."""

    name: ClassVar[str] = "watch.deaf"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    poll_s: float


@dataclass(frozen=True, slots=True)
class DropAbsent(LogEvent):
    """The drop folder is gone, or may not be listed. framegate waits for it."""

    name: ClassVar[str] = "drop.absent"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    folder: str
    error: str


@dataclass(frozen=True, slots=True)
class DropBack(LogEvent):
    """The drop folder is there again, and is swept."""

    name: ClassVar[str] = "drop.back"

    folder: str
    watch: str


@dataclass(frozen=True, slots=True)
class FolderUnlisted(LogEvent):
    """A folder inside the drop folder may not be listed, or its files may not be looked at.

    Its frames wait.
    """

    name: ClassVar[str] = "folder.unlisted"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    folder: str
    error: str


@dataclass(frozen=True, slots=True)
class SweepEnded(LogEvent):
    """The whole drop folder was listed, because of `cause`: `round`, `refill`, `events_lost` or `first`.

    `new` files had no verdict; `left` of them had no room in hand and are found by a later sweep.
    """

    name: ClassVar[str] = "sweep.ended"
    levels: ClassVar[tuple[Level, ...]] = ("debug",)

    cause: str
    new: int
    left: int
    took_s: float
