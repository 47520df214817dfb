"""All events together, for the README: who needs one kind imports its module alone."""

from framegate.events import daemon, deleting, frames, telling, watch
from framegate.events.base import LogEvent


def all_kinds() -> tuple[type[LogEvent], ...]:
    """Return every class of event."""
    rooms = (daemon, deleting, frames, telling, watch)
    members = (member for room in rooms for member in vars(room).values() if isinstance(member, type))
    return tuple(kind for kind in members if issubclass(kind, LogEvent) and kind is not LogEvent)
