"""Events about the daemon itself: start and end, disk, config, log."""

from typing import Any

from framegate.events.base import LogEvent


class DaemonStarted(LogEvent, name="daemon.started"):
    """The daemon has started and watches its drop folder, `drop`.

    `settings` are those that differ from their defaults, `revision` is their number; `remembered` counts the
    verdicts of earlier runs.
    """

    drop: str
    results: str
    state: str | None
    watch: str
    preset: str
    config: str | None
    settings: dict[str, Any]
    revision: int
    remembered: dict[str, int]
    pid: int


class DaemonStopped(LogEvent, name="daemon.stopped"):
    """The daemon has ended; the counts are of this run."""

    kept: int
    dropped: int
    rejected: int


class IntakePaused(LogEvent, name="intake.paused", level="error"):
    """Results or ledger cannot be written: no frame is judged until they can. Nothing is lost."""

    error: str


class IntakeResumed(LogEvent, name="intake.resumed"):
    """Results and ledger can be written again."""

    paused_s: float


class ResultsReplaced(LogEvent, name="results.replaced", level="warning"):
    """Another folder stands at the path of the results, and what was kept before is not in it.

    It was replaced, or its disk is not mounted. Frames are kept in what is there.
    """

    folder: str


class ResultsBack(LogEvent, name="results.back"):
    """The folder with what was kept before is back at the path of the results."""

    folder: str


class LedgerUnsaved(LogEvent, name="ledger.unsaved", level="error"):
    """The last decisions could not be saved at the end. They will be made again after the next start."""

    error: str


class LedgerGone(LogEvent, name="ledger.gone", level="error"):
    """The ledger's file was removed while it was in use. A new one is started."""

    ledger: str


class LedgerDamaged(LogEvent, name="ledger.damaged", level="error"):
    """The ledger's file is damaged and was renamed to `set_aside`.

    A new one is started. Frames are judged again; their results are found, not copied twice.
    """

    error: str
    set_aside: str


class ThreadFailed(LogEvent, name="thread.failed", level="error"):
    """A thread of the watchdog library ended with an error. The watch is set up again."""

    thread: str
    error: str


class ConfigReloaded(LogEvent, name="config.reloaded"):
    """An edited config is in force. `changed` has the `old` and `new` value of each changed setting."""

    revision: int
    changed: dict[str, Any]


class ConfigRefused(LogEvent, name="config.refused", level="error"):
    """The edited config has errors and was refused as a whole; the last good one stays in force."""

    file: str
    errors: tuple[str, ...]
    revision: int


class ConfigMended(LogEvent, name="config.mended"):
    """After a refusal, the config file has the settings in force again."""

    revision: int


class ConfigUnchanged(LogEvent, name="config.unchanged"):
    """The config was read on request (SIGHUP), and no setting has changed.

    The masks were read again: with another one `revision` is a new number.
    """

    revision: int


class LogLost(LogEvent, name="log.lost", level="error"):
    """`lines` lines of the log were lost: its reader had stopped reading, or the disk was full.

    They are missing here.
    """

    lines: int


class OutputUnwritable(LogEvent, name="output.unwritable", level="warning"):
    """`file` cannot be written: it has the status, the metrics or the messages that wait.

    Judging continues; writing is retried.
    """

    file: str
    error: str


class OutputRestored(LogEvent, name="output.restored"):
    """`file` can be written again: it has the status, the metrics or the messages that wait."""

    file: str
