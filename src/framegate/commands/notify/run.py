"""``framegate notify --test``: a test message by each ``[[notify]]``, sent at once and not by the queue."""

import json
import time
import uuid
from contextlib import closing

from framegate.config.load import Config
from framegate.errors import FramegateError
from framegate.notify.messages import TEST, document
from framegate.notify.telling import Try
from framegate.notify.ways.bell import Bell
from framegate.notify.ways.outcome import Outcome
from framegate.telemetry.control_chars import escape_control_chars


class NotConfiguredError(FramegateError):
    """The config has no such ``[[notify]]``."""


def run_test(config: Config, name: str | None, *, as_json: bool) -> bool:
    """Send a test message by one ``[[notify]]``, or by each; print what came back.

    Returns:
        Whether all were told.

    Raises:
        NotConfiguredError: the config has none, or none of this name.
    """
    notifies = [each for each in config.settings.notify if name in {None, each.name}]
    if not notifies:
        names = ", ".join(each.name for each in config.settings.notify)
        there = f"it has {names}" if names else "it has none"
        raise NotConfiguredError(f"the config has no [[notify]]{f' named {name}' if name else ''}: {there}")
    message = document(
        TEST, "info", config.site, time.time_ns(), {}, words="a test message of framegate notify --test"
    )
    outcomes: dict[str, Outcome] = {}
    for each in notifies:
        key = uuid.uuid4().hex[:16]
        with closing(Bell()) as bell:
            outcome = Try(each, message, mark=key, message_id=key).outcome(bell, time.monotonic)
        outcomes[each.name] = outcome
        if not as_json:
            shown = escape_control_chars(each.name)
            print(f"{shown}: {'told' if outcome.is_told else 'failed'} ({outcome.words})", flush=True)
    if as_json:
        table = {name: {"told": each.is_told, "answer": each.words} for name, each in outcomes.items()}
        print(json.dumps({"schema": 1, "notify": table}, indent=2))
    return all(outcome.is_told for outcome in outcomes.values())
