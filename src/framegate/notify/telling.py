"""One try to tell one message, in the way that the settings say."""

import json
import time
from collections.abc import Callable

from framegate.config.telling.notify import NotifySettings
from framegate.notify.messages import LIMITED, Document, as_environment, as_json, document
from framegate.notify.ways.bell import Bell
from framegate.notify.ways.command import Run
from framegate.notify.ways.outcome import Outcome


class Try:
    """One try.

    Args:
        settings: whom to tell, and how.
        message: what.
        mark: of the processes that it starts.
        message_id: the same for every try of this message.
    """

    def __init__(self, settings: NotifySettings, message: Document, *, mark: str, message_id: str) -> None:
        self._settings, self._mark = settings, mark
        self._message = {**message, "id": message_id, "to": settings.name}
        self._is_aborted = False
        self._abort_call: Callable[[], None] | None = None

    def abort(self) -> None:
        """End it now, from another thread; ring its bell after this."""
        self._is_aborted = True
        if self._abort_call is not None:
            self._abort_call()

    def outcome(self, bell: Bell, clock: Callable[[], float]) -> Outcome:
        """Tell the message, and return what came of it.

        Args:
            bell: ends a wait, so that an abort is noticed.
            clock: monotonic seconds.
        """
        body = as_json(self._message)
        if self._settings.command is not None:
            run = Run(self._settings.command, as_environment(self._message), body, mark=self._mark)
            return run.outcome(self._settings.timeout_s, bell, lambda: self._is_aborted, clock)
        from framegate.notify.ways.webhook import Call  # noqa: PLC0415 - 30 ms and 4 MB of TLS and MIME

        call = Call(self._settings.webhook or "", body, self._message["id"])
        self._abort_call = call.abort
        outcome = call.outcome(self._settings.timeout_s)
        if self._is_aborted and not outcome.is_told:
            return Outcome(is_told=False, words="broken off", is_broken_off=True)
        return outcome


def limited_body(site: str, messages: int, settings: NotifySettings) -> str:
    """Return the message about those that were not told, as it waits in the queue."""
    words = f"{messages} more were not told within an hour (most_per_hour = {settings.most_per_hour})"
    return json.dumps(document(LIMITED, "warning", site, time.time_ns(), {"messages": messages}, words=words))
