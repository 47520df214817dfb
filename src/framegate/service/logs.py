"""Structured log lines: JSON for machines, a readable console for people; a broken output breaks nothing."""

import os
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from framegate.events import Event, Listener
from framegate.settings import LogSettings, Settings

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

NOT_FOR_PEOPLE = ("regions", "working_size", "size_bytes", "captured_at", "config_revision")
"""Fields that a console line leaves out; the JSON line has them."""

Fields = MutableMapping[str, Any]


class SteadyStream:
    """Writes lines to a file descriptor and survives its failing.

    structlog's own writers raise when the disk is full or journald was stopped (EPIPE, for good); a daemon
    must not die of its log. Lines that could not be written are counted in ``lost``.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.lost = 0

    def msg(self, line: str) -> None:
        """Write one line, whole or, when the output fails, not at all as far as we are concerned."""
        rest = memoryview((line + "\n").encode("utf-8", "backslashreplace"))
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            self.lost += 1

    debug = info = warning = error = log = msg


def log_listener(
    stream: SteadyStream,
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

    def listen(event: Event) -> None:
        getattr(logger, event.level)(event.event, level=event.level, **event.fields)

    return listen


class Log:
    """The log of a daemon: a listener whose settings may change.

    Args:
        stream: where to.
        settings: level and format.
        is_terminal: whether ``stream`` is a terminal.
    """

    def __init__(self, stream: SteadyStream, settings: LogSettings, *, is_terminal: bool) -> None:
        self._stream = stream
        self._is_terminal = is_terminal
        self._listener = self._made_for(settings)

    def __call__(self, event: Event) -> None:
        """Write one line, if the level lets it."""
        self._listener(event)

    def retune(self, settings: Settings) -> None:
        """Take other settings."""
        self._listener = self._made_for(settings.log)

    def _made_for(self, log: LogSettings) -> Listener:
        return log_listener(
            self._stream, level=log.level, output_format=log.format, is_terminal=self._is_terminal
        )


def own_stderr() -> SteadyStream:
    """Keep standard error for our lines: what C libraries print to it beside us goes nowhere.

    libjpeg and libpng write "Corrupt JPEG data" and the like straight to descriptor 2, between JSON lines;
    what they mean stands in the verdict. Python's own errors still reach the true standard error.
    """
    try:
        ours = os.dup(2)
    except OSError:  # started without one
        ours = os.open(os.devnull, os.O_WRONLY)
    os.set_inheritable(ours, False)
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(ours, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    return SteadyStream(ours)


def _lead_with_the_event(_logger: Any, _method: str, fields: Fields) -> Fields:
    lead = ("timestamp", "level", "event")
    return {key: fields[key] for key in lead} | {k: v for k, v in fields.items() if k not in lead}


def _for_people(_logger: Any, _method: str, fields: Fields) -> Fields:
    return {key: harmless(value) for key, value in fields.items() if key not in NOT_FOR_PEOPLE}


def harmless(value: Any) -> Any:
    """Escape what a terminal would obey: whoever names a file would else write on the operator's screen."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)
