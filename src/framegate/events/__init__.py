"""Everything that happens, as frozen records: one class an event, in rooms by subject."""

from framegate.events import daemon, deleting, frames, watch
from framegate.events.base import LogEvent


def all_kinds() -> tuple[type[LogEvent], ...]:
    """Return every kind of event."""
    rooms = (daemon, deleting, frames, watch)
    members = (member for room in rooms for member in vars(room).values() if isinstance(member, type))
    return tuple(kind for kind in members if issubclass(kind, LogEvent) and kind is not LogEvent)
