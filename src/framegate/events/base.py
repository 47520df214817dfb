"""What a log event is: one frozen record for each thing that happens.

A record knows its event name, its level and its fields, and not who listens. The log line is made of it, and
so is the README's table of all events; metrics and status are listeners too.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Base of all events. A class's docstring is the event's meaning in the README.

    A field that is None is left out of the log line; one that begins with ``is_`` is never in it.
    """

    name: ClassVar[str] = ""
    """The name in the log: what it is about, a dot, and what happened to it."""

    levels: ClassVar[tuple[Level, ...]] = ("info",)
    """The level; of several, ``level`` says which."""

    @property
    def event(self) -> str:
        """The name of this one."""
        return self.name

    @property
    def level(self) -> Level:
        """How important this one is."""
        return self.levels[0]

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the log line, in reading order."""
        values = {name: getattr(self, name) for name in self.field_names()}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the event names that a record of this class may have."""
        return (cls.name,)

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of all fields that the log line may have."""
        return tuple(field.name for field in dataclasses.fields(cls) if not field.name.startswith("is_"))


Listener = Callable[[LogEvent], None]


def emitter(listeners: Iterable[Listener]) -> Listener:
    """Join listeners to one, called in their order."""
    audience = tuple(listeners)

    def emit(event: LogEvent) -> None:
        for listener in audience:
            listener(event)

    return emit


def markdown_table(kinds: Iterable[type[LogEvent]]) -> str:
    """Return the table of all events that stands in the README."""
    lines = ["| event | level | fields | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *sorted(row for kind in kinds for row in _rows(kind))]) + "\n"


def _rows(kind: type[LogEvent]) -> Iterator[str]:
    names = ", ".join(f"`{name}`" for name in kind.names())
    fields = ", ".join(f"`{name}`" for name in kind.field_names())
    meaning = " ".join((kind.__doc__ or "").split())
    yield f"| {names} | {', '.join(kind.levels)} | {fields} | {meaning} |"
