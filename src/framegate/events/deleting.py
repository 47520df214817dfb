"""Events about files that framegate deletes because the config says so."""

from dataclasses import dataclass
from typing import ClassVar

from framegate.events.base import Level, LogEvent


@dataclass(frozen=True, slots=True)
class InputDeleted(LogEvent):
    """A judged frame was deleted from the drop folder, by the setting `rule`."""

    name: ClassVar[str] = "input.deleted"

    camera: str
    frame: str
    rule: str


@dataclass(frozen=True, slots=True)
class InputUndeletable(LogEvent):
    """A judged frame could not be deleted from the drop folder.

    It is tried again; each cause is said once.
    """

    name: ClassVar[str] = "input.undeletable"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    frame: str
    error: str


@dataclass(frozen=True, slots=True)
class ResultDeleted(LogEvent):
    """A result was deleted, by the setting `rule`."""

    name: ClassVar[str] = "result.deleted"

    camera: str
    frame: str
    result: str
    rule: str
    captured_at: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ResultUndeletable(LogEvent):
    """A result could not be deleted. It is tried again; each cause is said once."""

    name: ClassVar[str] = "result.undeletable"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    frame: str
    error: str


@dataclass(frozen=True, slots=True)
class ResultForeign(LogEvent):
    """What stands at the name of a result is not what framegate put there, and is left. Said once."""

    name: ClassVar[str] = "result.foreign"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    result: str


@dataclass(frozen=True, slots=True)
class FolderRemoved(LogEvent):
    """A day folder that had become empty was removed, from the drop or the results folder."""

    name: ClassVar[str] = "folder.removed"
    levels: ClassVar[tuple[Level, ...]] = ("debug",)

    folder: str


@dataclass(frozen=True, slots=True)
class ClockJumped(LogEvent):
    """The wall clock differs by more than a day from what was expected.

    Until it has kept so for `in_doubt_s`, no result is too old.
    """

    name: ClassVar[str] = "clock.jumped"
    levels: ClassVar[tuple[Level, ...]] = ("info", "warning")

    ahead_s: int
    in_doubt_s: float
    is_warning: bool = False

    @property
    def level(self) -> Level:
        """A warning while the daemon runs; at a start it may only have been off for long."""
        return "warning" if self.is_warning else "info"
