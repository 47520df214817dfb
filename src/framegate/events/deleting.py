"""Events about inputs and results that are deleted or archived, where the config asks for it."""

from framegate.events.base import Level, LogEvent


class InputDeleted(LogEvent, name="input.deleted"):
    """A judged frame was deleted from the drop folder because of the setting `rule`."""

    camera: str
    frame: str
    rule: str


class InputUndeletable(LogEvent, name="input.undeletable", level="warning"):
    """A judged frame could not be deleted from the drop folder. It is retried; each error is logged once."""

    frame: str
    error: str


class InputArchived(LogEvent, name="input.archived"):
    """A judged frame was moved from the drop folder to the archive because of the setting `rule`.

    `archived` is its name there.
    """

    camera: str
    frame: str
    rule: str
    archived: str


class InputUnarchivable(LogEvent, name="input.unarchivable", level="warning"):
    """A judged frame could not be moved to the archive. It is retried; each error is logged once."""

    frame: str
    error: str


class InputArchivable(LogEvent, name="input.archivable"):
    """All that waited to be archived has been moved, after tries that failed."""


class ResultDeleted(LogEvent, name="result.deleted"):
    """A result was deleted because of the setting `rule`."""

    camera: str
    frame: str
    result: str
    rule: str
    captured_at: str
    size_bytes: int


class ResultUndeletable(LogEvent, name="result.undeletable", level="warning"):
    """A result could not be deleted. It is retried; each error is logged once."""

    frame: str
    error: str


class ResultForeign(LogEvent, name="result.foreign", level="warning"):
    """The file under the name of a result is not the one that framegate wrote: it stays. Logged once."""

    result: str


class FolderRemoved(LogEvent, name="folder.removed", level="debug"):
    """An empty day folder was removed from the drop or the results folder."""

    folder: str


class ClockJumped(LogEvent, name="clock.jumped", level=("info", "warning")):
    """The wall clock differs by more than a day from what was expected.

    For `in_doubt_s` seconds no input and no result counts as too old.
    """

    ahead_s: int
    in_doubt_s: float
    is_warning: bool = False

    @property
    def level(self) -> Level:
        """A warning while the daemon runs; at a start the daemon may only have been off for long."""
        return "warning" if self.is_warning else "info"
