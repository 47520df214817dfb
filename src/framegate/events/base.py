"""What a log event is: a frozen record with a name, a level and fields.

Log lines, counters, status and metrics are made from these records; so is the README's table of all events.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Literal, dataclass_transform

Level = Literal["debug", "info", "warning", "error"]


@dataclass_transform(frozen_default=True)
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LogEvent:
    """Base of all events. A subclass is a frozen dataclass; its docstring is its meaning in the README.

    A field that is None is left out of the log line; one that begins with ``is_`` is never in it.
    """

    name: ClassVar[str] = ""
    """The name in the log: what it is about, a dot, and what happened."""

    levels: ClassVar[tuple[Level, ...]] = ("info",)
    """Every level that such an event may have."""

    def __init_subclass__(cls, *, name: str = "", level: Level | tuple[Level, ...] = "info") -> None:
        super().__init_subclass__()
        cls.name = name
        cls.levels = level if isinstance(level, tuple) else (level,)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)

    # Written once: to compile them for each of the classes took a third of the time of their import.

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"

    @property
    def event(self) -> str:
        """The name of this event in the log."""
        return self.name

    @property
    def level(self) -> Level:
        """The level of this event in the log."""
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
    """Return a listener that calls all of these in order."""
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
