"""Events about the daemon itself: its life, its disk, its config, its log."""

from dataclasses import dataclass
from typing import Any, ClassVar

from framegate.events.base import Level, LogEvent


@dataclass(frozen=True, slots=True)
class DaemonStarted(LogEvent):
    """The daemon serves its drop folder.

    `settings` are those that differ from their defaults, `remembered` counts earlier verdicts.
    """

    name: ClassVar[str] = "daemon.started"

    drop: str
    results: str
    state: str | None
    watch: str
    preset: str
    config: str | None
    settings: dict[str, Any]
    remembered: dict[str, int]
    pid: int


@dataclass(frozen=True, slots=True)
class DaemonStopped(LogEvent):
    """The daemon has ended; the counts are those of this run."""

    name: ClassVar[str] = "daemon.stopped"

    kept: int
    dropped: int
    rejected: int


@dataclass(frozen=True, slots=True)
class IntakePaused(LogEvent):
    """Results or ledger cannot be written now, and no frame is judged until they can. Nothing is lost."""

    name: ClassVar[str] = "intake.paused"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    error: str


@dataclass(frozen=True, slots=True)
class IntakeResumed(LogEvent):
    """Results and ledger can be written again."""

    name: ClassVar[str] = "intake.resumed"

    paused_s: float


@dataclass(frozen=True, slots=True)
class LedgerUnsaved(LogEvent):
    """The last decisions could not be saved at the end. They are made again at the next start."""

    name: ClassVar[str] = "ledger.unsaved"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    error: str


@dataclass(frozen=True, slots=True)
class LedgerGone(LogEvent):
    """The ledger's file was removed while it was in use. A new one is begun."""

    name: ClassVar[str] = "ledger.gone"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    ledger: str


@dataclass(frozen=True, slots=True)
class LedgerDamaged(LogEvent):
    """The ledger's file is damaged and was renamed to `set_aside`.

    Its frames are judged again, and find their results.
    """

    name: ClassVar[str] = "ledger.damaged"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    error: str
    set_aside: str


@dataclass(frozen=True, slots=True)
class ThreadFailed(LogEvent):
    """A thread of a library ended with an error. The watch is set up again."""

    name: ClassVar[str] = "thread.failed"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    thread: str
    error: str


@dataclass(frozen=True, slots=True)
class ConfigReloaded(LogEvent):
    """An edited config is in force; `changed` has each changed key with its `old` and `new` value."""

    name: ClassVar[str] = "config.reloaded"

    revision: int
    changed: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigRefused(LogEvent):
    """The config file is wrong and was refused as a whole; the last good one stays in force."""

    name: ClassVar[str] = "config.refused"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    file: str
    errors: tuple[str, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class ConfigMended(LogEvent):
    """The config file is again as the config in force."""

    name: ClassVar[str] = "config.mended"

    revision: int


@dataclass(frozen=True, slots=True)
class ConfigUnchanged(LogEvent):
    """The config was read because somebody asked for it, and nothing has changed."""

    name: ClassVar[str] = "config.unchanged"

    revision: int


@dataclass(frozen=True, slots=True)
class LogLost(LogEvent):
    """So many lines could not be written here, because the log's reader did not read or the disk was full."""

    name: ClassVar[str] = "log.lost"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    lines: int


@dataclass(frozen=True, slots=True)
class OutputUnwritable(LogEvent):
    """The status file or the metrics' text file cannot be written. Judging goes on; it is tried again."""

    name: ClassVar[str] = "output.unwritable"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    file: str
    error: str


@dataclass(frozen=True, slots=True)
class OutputRestored(LogEvent):
    """The status file or the metrics' text file can be written again."""

    name: ClassVar[str] = "output.restored"

    file: str
