"""Events about telling somebody, as ``[[notify]]`` asks for it."""

from framegate.events.base import LogEvent


class NotifyFailed(LogEvent, name="notify.failed", level="warning"):
    """A message could not be told; it is tried again. Logged at the first failure, then once an hour."""

    notify: str
    error: str
    tries: int
    waiting: int


class NotifyRecovered(LogEvent, name="notify.recovered"):
    """Messages are told again, after `tries` failures."""

    notify: str
    tries: int
    failed_s: float
    waiting: int


class NotifyDropped(LogEvent, name="notify.dropped", level="warning"):
    """Messages will not be told.

    Too many wait (`full`), one was tried for too long (`given_up`), or its `[[notify]]` was removed or
    renamed (`removed`). Logged at most once a minute.
    """

    notify: str
    why: str
    messages: int


class NotifyDamaged(LogEvent, name="notify.damaged", level="error"):
    """The file of the messages that wait is damaged and was renamed to `set_aside`: these are not told."""

    error: str
    set_aside: str
