"""The settings of ``[[notify]]``: who is told, about what, how, and how often."""

import difflib
import hashlib
from collections import Counter
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from framegate.config.quantities import Duration
from framegate.config.tables import Table
from framegate.config.values import DurationValue, Number, Patterns, Text, Whole
from framegate.model import Verdict


def tellable() -> tuple[str, ...]:
    """Return the names of the events that can be told: all but those for debugging."""
    from framegate.events.kinds import all_kinds  # noqa: PLC0415 - 5 ms that most configs do not need

    names = (name for kind in all_kinds() if "debug" not in kind.levels for name in kind.names())
    return tuple(sorted(set(names)))


def _events(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of events, each once; of the words that are none, all are reported."""
    named = {word: f"frame.{word}" if word in set(Verdict) else word for word in words}
    known = tellable()
    if wrong := [_what_is_wrong_with(word, known) for word, name in named.items() if name not in known]:
        raise ValueError(f"{'; '.join(wrong)}: the table of events in the README has the names")
    return tuple(dict.fromkeys(named.values()))


def _what_is_wrong_with(word: str, known: tuple[str, ...]) -> str:
    from framegate.events.kinds import all_kinds  # noqa: PLC0415 - as above

    if any(word in kind.names() for kind in all_kinds()):
        return f"{word} is for debugging and cannot be told"
    close = difflib.get_close_matches(word, [*Verdict, *known], n=1)
    return f"no event is named {word!r}" + (f" (did you mean {str(close[0])!r}?)" if close else "")


def _program_and_arguments(command: tuple[str, ...]) -> tuple[str, ...]:
    if "/" in command[0] and not command[0].startswith("/"):
        raise ValueError(f"write {command[0]!r} with its whole path, or only its name if it is in PATH")
    if any("\0" in word for word in command):
        raise ValueError("a command cannot contain a NUL character")
    return command


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        is_good = False
    if not is_good or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f'write a web address, as "https://example.org/hook", not {text!r}')
    return text


def without_secrets(url: str) -> str:
    """Return a web address as logs and ``framegate config`` show it: who knows the rest may write there.

    In place of the rest stands a short digest, so that an edit of it is noticed.
    """
    parts = urlsplit(url)
    rest = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
    digest = hashlib.blake2s(url.encode(), digest_size=3).hexdigest()
    host = parts.netloc.rpartition("@")[2]
    return url if rest in {"", "/"} and host == parts.netloc else f"{parts.scheme}://{host}/...{digest}"


EventNames = Annotated[Patterns, AfterValidator(_events)]
Command = Annotated[
    tuple[Annotated[str, Field(strict=True)], ...],
    Field(min_length=1),
    AfterValidator(_program_and_arguments),
]
WebAddress = Annotated[Text, AfterValidator(_web_address), PlainSerializer(without_secrets, return_type=str)]


class NotifySettings(Table):
    """Tells somebody: a command is run, or a web address called, for each event of some kinds.

    Repeat the table to tell several.
    """

    name: Annotated[Text, Field(max_length=64, examples=["phone", "alarms"])]
    """A name for the log, `status` and `framegate notify --test`."""

    on: Annotated[
        EventNames, Field(examples=[["kept"], ["camera.silent", "intake.paused", "output.unwritable"]])
    ]
    """What is told: `kept`, `dropped` or `rejected` for verdicts, and the name of any event in the log except
    those for debugging. A verdict is told when it is safe in the ledger, some 5 s later at most."""

    command: Command | None = Field(default=None, examples=[["/usr/local/bin/tell", "lot1"]])
    """The program that is run, with its arguments; no shell. It gets the message as JSON on standard input,
    and its fields in the environment: `FRAMEGATE_TEXT`, `FRAMEGATE_EVENT`, `FRAMEGATE_CAMERA` and others.
    Exit code 0 means told. Either this or `webhook` is required."""

    webhook: WebAddress | None = Field(default=None, examples=["https://example.org/hook"])
    """The address to which the message is sent as JSON, by POST. An answer of 200 to 299 means told.
    Redirects are not followed. Logs show the host, and a short digest in place of the rest."""

    cameras: Annotated[Patterns | None, Field(examples=[["c21", "c22"]])] = None
    """Only events of these cameras are told, and those that belong to no camera."""

    most_per_hour: Annotated[Whole, Field(ge=1, le=1_000_000)] = 60
    """When so many messages were told within an hour, further ones are not told until it is over; then one
    message says how many these were. A `[[notify]]` for alarms should not be one for kept frames: many of
    these would silence it."""

    timeout_s: Annotated[Number, Field(ge=0.1, le=600)] = 30.0
    """Seconds after which a command that runs is ended with all that it has started, or a call is given up.
    What failed is tried again, after 1 s at first, in the end every 5 minutes; what comes later waits for
    it."""

    give_up_after: DurationValue = Duration(86_400)
    """How long a message is tried, while framegate runs; then it is dropped, and counted."""

    most_waiting: Annotated[Whole, Field(ge=1, le=1_000_000)] = 10_000
    """Messages that may wait. When there are more, the oldest is dropped, and counted. They wait in the state
    folder, some 600 bytes each."""

    @model_validator(mode="after")
    def _tells_in_one_way(self) -> Self:
        if self.command is not None and self.webhook is not None:
            raise ValueError("has both command and webhook: remove one")
        if self.command is None and self.webhook is None:
            raise ValueError("needs a command or a webhook")
        return self

    @property
    def shown_way(self) -> str:
        """The program or the host, for people."""
        return self.command[0] if self.command is not None else without_secrets(self.webhook or "")

    def wants(self, event: str, camera: str | None) -> bool:
        """Return whether an event, of a camera or of none, is told."""
        return event in self.on and (camera is None or self.cameras is None or camera in self.cameras)


def _named_once(notifies: tuple[NotifySettings, ...]) -> tuple[NotifySettings, ...]:
    name, count = Counter(each.name for each in notifies).most_common(1)[0] if notifies else ("", 0)
    if count > 1:
        raise ValueError(f"{count} are named {name!r}: the log could not say which of them failed")
    return notifies


Notifies = Annotated[tuple[NotifySettings, ...], Field(max_length=16), AfterValidator(_named_once)]
