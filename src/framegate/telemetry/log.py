"""Structured log lines: JSON for machines, a console for people; a log that nobody reads stops nothing."""

import os
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from framegate.config.settings import LogSettings, Settings
from framegate.deadlines import NEVER_S
from framegate.events.base import Listener, LogEvent
from framegate.events.daemon import LogLost
from framegate.telemetry.log_stream import LogStream

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

NOT_FOR_PEOPLE = ("regions", "working_size", "size_bytes", "captured_at", "config_revision")
"""Fields that a console line leaves out; the JSON line has them."""

RETRY_S = 0.25
"""How often lines that wait are tried again while no new ones come."""

DRAIN_S = 0.5
"""How long the end of the daemon waits for a slow reader."""

Fields = MutableMapping[str, Any]


def log_listener(
    stream: LogStream,
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    output_format: Literal["auto", "json", "console"] = "auto",
    is_terminal: bool = False,
) -> Listener:
    """Return a listener that writes one line an event.

    Args:
        stream: where to.
        level: the least important line to print.
        output_format: ``auto`` is console on a terminal and JSON elsewhere.
        is_terminal: whether ``stream`` is a terminal; colours are for terminals, and NO_COLOR is honoured.
    """
    as_console = output_format == "console" or (output_format == "auto" and is_terminal)
    processors: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _lead_with_the_event,
    ]
    if as_console:
        has_colors = is_terminal and not os.environ.get("NO_COLOR")
        processors += [
            _for_people,
            structlog.dev.ConsoleRenderer(colors=has_colors, sort_keys=False, pad_event_to=15),
        ]
    else:
        processors += [structlog.processors.JSONRenderer(default=str)]
    logger = structlog.wrap_logger(
        stream,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )

    def listen(event: LogEvent) -> None:
        getattr(logger, event.level)(event.event, level=event.level, **event.fields)

    return listen


class Log:
    """The log of a daemon: a listener whose settings may change, and a chore while lines wait for a reader.

    Args:
        stream: where to.
        settings: level and format.
        is_terminal: whether ``stream`` is a terminal.
    """

    def __init__(self, stream: LogStream, settings: LogSettings, *, is_terminal: bool) -> None:
        self._stream = stream
        self._is_terminal = is_terminal
        self._listener = self._made_for(settings)
        self._lost_and_said = 0
        self._next_try_s = -NEVER_S

    @property
    def lines_lost(self) -> int:
        """How many lines could not be written since the start."""
        return self._stream.lost

    def __call__(self, event: LogEvent) -> None:
        """Write one line, if it is important enough."""
        self._say_what_was_lost()
        self._listener(event)

    def deadline_s(self) -> float:
        """Return when lines that wait are to be tried again."""
        return self._next_try_s if self._stream.has_waiting or self._has_losses_to_tell() else NEVER_S

    def run_due(self, now_s: float) -> None:
        """Try again to write lines that wait."""
        if now_s >= self.deadline_s():
            self._next_try_s = now_s + RETRY_S
            self._say_what_was_lost()

    def retune(self, settings: Settings) -> None:
        """Use another level and format from now on."""
        self._listener = self._made_for(settings.log)

    def close(self) -> None:
        """Give a slow reader a moment for the last lines."""
        self._stream.drain(DRAIN_S)
        self._say_what_was_lost()

    def _has_losses_to_tell(self) -> bool:
        return self._stream.lost > self._lost_and_said and not self._stream.has_gap

    def _say_what_was_lost(self) -> None:
        if self._stream.has_waiting:
            self._stream.flush()
        if self._has_losses_to_tell():
            lines, self._lost_and_said = self._stream.lost - self._lost_and_said, self._stream.lost
            self._listener(LogLost(lines))

    def _made_for(self, log: LogSettings) -> Listener:
        return log_listener(
            self._stream, level=log.level, output_format=log.format, is_terminal=self._is_terminal
        )


def _lead_with_the_event(_logger: Any, _method: str, fields: Fields) -> Fields:
    lead = ("timestamp", "level", "event")
    return {key: fields[key] for key in lead} | {k: v for k, v in fields.items() if k not in lead}


def _for_people(_logger: Any, _method: str, fields: Fields) -> Fields:
    return {key: escape_control_chars(value) for key, value in fields.items() if key not in NOT_FOR_PEOPLE}


def escape_control_chars(value: Any) -> Any:
    """Escape what a terminal would obey: whoever names a file would else write on the operator's screen."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)
