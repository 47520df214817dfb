"""The log: a line for each event, JSON for programs or text for people."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from framegate.config.quantities import comparison
from framegate.config.settings import Settings
from framegate.config.telling.log import LogSettings
from framegate.deadlines import NEVER_S
from framegate.events.base import Listener, LogEvent
from framegate.events.daemon import LogLost
from framegate.telemetry.control_chars import escape_control_chars
from framegate.telemetry.log_stream import LogStream

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

NOT_FOR_PEOPLE = ("regions", "working_size", "size_bytes", "captured_at", "config_revision", "unit")
"""Fields that a console line leaves out; the JSON line has them."""

RETRY_S = 0.25
"""Pause between two tries to write lines that wait, while no new ones come."""

DRAIN_S = 0.5
"""How long the daemon waits for a slow reader at its end."""

Fields = dict[str, Any]

_JSON = json.JSONEncoder(default=str)


def log_listener(stream: LogStream, settings: LogSettings, *, is_terminal: bool = False) -> Listener:
    """Return a listener that writes one line for each event that is important enough.

    Args:
        stream: where to.
        settings: level and format; format ``auto`` is console on a terminal and JSON elsewhere.
        is_terminal: whether ``stream`` is a terminal: lines have colours then, unless NO_COLOR is set.
    """
    as_console = settings.format == "console" or (settings.format == "auto" and is_terminal)
    line_of = _console(is_terminal=is_terminal) if as_console else _JSON.encode
    least = LEVELS[settings.level]

    def listen(event: LogEvent) -> None:
        level = event.level
        if LEVELS[level] >= least:
            lead = {"timestamp": _now(), "level": level, "event": event.event}
            stream.msg(line_of(lead | event.fields))

    return listen


class Log:
    """The log of a daemon: a listener of events, and a chore that writes lines which had to wait.

    Args:
        stream: where to.
        settings: level and format; ``retune`` changes them.
        is_terminal: whether ``stream`` is a terminal.
    """

    def __init__(self, stream: LogStream, settings: LogSettings, *, is_terminal: bool) -> None:
        self._stream = stream
        self._is_terminal = is_terminal
        self._listener = log_listener(stream, settings, is_terminal=is_terminal)
        self._lost_reported = 0
        self._next_try_s = -NEVER_S
        self.tell: Listener = lambda _event: None
        """Gets the only event that this makes itself."""

    @property
    def lines_lost(self) -> int:
        """Number of lines lost since the start."""
        return self._stream.lost

    def __call__(self, event: LogEvent) -> None:
        """Write an event's line."""
        self._report_losses()
        self._listener(event)

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to write; infinity while nothing waits."""
        return self._next_try_s if self._stream.has_waiting or self._has_unreported_losses() else NEVER_S

    def run_due(self, now_s: float) -> None:
        """Try again to write the lines that wait."""
        if now_s >= self.deadline_s():
            self._next_try_s = now_s + RETRY_S
            self._report_losses()

    def retune(self, settings: Settings) -> None:
        """Use another level and format from now on."""
        self._listener = log_listener(self._stream, settings.log, is_terminal=self._is_terminal)

    def close(self) -> None:
        """Write the last lines, waiting up to ``DRAIN_S`` for a slow reader."""
        self._stream.drain(DRAIN_S)
        self._report_losses()

    def _has_unreported_losses(self) -> bool:
        return self._stream.lost > self._lost_reported and not self._stream.has_gap

    def _report_losses(self) -> None:
        if self._stream.has_waiting:
            self._stream.flush()
        if self._has_unreported_losses():
            lines, self._lost_reported = self._stream.lost - self._lost_reported, self._stream.lost
            lost = LogLost(lines)
            self._listener(lost)
            self.tell(lost)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _console(*, is_terminal: bool) -> Callable[[Fields], str]:
    """Return a function that makes a line for people of an event's fields."""
    # Imported here: with it come rich and pygments, 6 MB and 0.2 s that JSON lines do not need.
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415

    has_colors = is_terminal and not os.environ.get("NO_COLOR")
    render = ConsoleRenderer(colors=has_colors, sort_keys=False, pad_event_to=15)
    return lambda fields: render(None, "", _for_people(fields))


def _for_people(fields: Fields) -> Fields:
    if "score" in fields:
        score, _, threshold = comparison(fields["score"], fields["threshold"], fields["unit"])
        fields = {**fields, "score": score, "threshold": threshold}
    return {key: escape_control_chars(value) for key, value in fields.items() if key not in NOT_FOR_PEOPLE}
