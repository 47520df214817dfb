import dataclasses
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import pytest

from framegate.config.telling.notify import tellable
from framegate.events.base import LogEvent
from framegate.events.daemon import ConfigRefused, ConfigReloaded, DaemonStarted
from framegate.events.frames import CameraBack, CameraClockRight, CameraSilent
from framegate.events.kinds import all_kinds
from framegate.events.telling import NotifyFailed
from framegate.model import Entry, FileKey, Reason
from framegate.notify.messages import (
    MOST_CHARACTERS,
    MOST_TEXT,
    as_environment,
    as_json,
    of_event,
    of_verdict,
)
from framegate.notify.spool import Spool

ENTRY = Entry(
    FileKey("c1/a.jpg", 10, 20), "c1", 0, Reason.CHANGED, 1_800_000_000_000_000_000, 3,
    score=3.1, threshold=2.3, unit="x", result="c1/a.jpg",
)  # fmt: skip


@pytest.fixture
def in_bremen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time is an hour after UTC."""
    with monkeypatch.context() as here:
        here.setenv("TZ", "CET-1")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_bremen")
def test_a_verdict_says_what_was_decided_in_words_and_fields() -> None:
    """The line for people has local time and what was compared; the result has its whole path."""
    entry = replace(ENTRY, captured_at_ns=ENTRY.decided_at_ns - 2_000_000_000)
    message = of_verdict(entry, "lot1", "/srv/results")
    assert message["text"] == "lot1: c1: changed at 08:59:58, 3.1x > 2.3x (c1/a.jpg kept)"
    late = replace(ENTRY, reason=Reason.TOO_LARGE, score=None)
    assert of_verdict(late, "lot1", "/r")["text"] == (
        "lot1: c1: too large at 1970-01-01 01:00:00 (c1/a.jpg rejected)"
    )
    assert (message["event"], message["site"], message["time"]) == (
        "frame.kept", "lot1", "2027-01-15T08:00:00.000Z",
    )  # fmt: skip
    environment = as_environment(message)
    assert environment["FRAMEGATE_RESULT"] == "/srv/results/c1/a.jpg"
    assert environment["FRAMEGATE_SCORE"] == "3.1"
    assert "FRAMEGATE_ZONE" not in environment


def test_a_verdict_that_is_repeated_has_the_same_id() -> None:
    """The same file with the same verdict has one id, whenever it was decided; anything else has another."""

    def id_of(entry: Entry, site: str = "lot1") -> str:
        return str(of_verdict(entry, site, "/srv/results")["id"])

    again = replace(ENTRY, decided_at_ns=ENTRY.decided_at_ns + 1, reason=Reason.FIRST, config_revision=1)
    assert id_of(again) == id_of(ENTRY)
    others = (
        replace(ENTRY, reason=Reason.UNCHANGED),
        replace(ENTRY, camera="c2"),
        replace(ENTRY, key=FileKey("c1/b.jpg", 10, 20)),
        replace(ENTRY, key=FileKey("c1/a.jpg", 10, 21)),
        replace(ENTRY, sha256=b"x" * 32),
    )
    assert len({id_of(ENTRY), id_of(ENTRY, "lot2"), *map(id_of, others)}) == 2 + len(others)


def test_a_name_with_any_bytes_is_told() -> None:
    """A program gets the very bytes of a name, JSON stays JSON, and no name adds a line to a mail."""
    name = os.fsdecode(b"c1/\xff\nBcc: all@example.org.jpg")
    message = of_verdict(replace(ENTRY, key=FileKey(name, 10, 20), result=name), "lot1", "/r")
    assert os.fsencode(as_environment(message)["FRAMEGATE_RESULT"]) == b"/r/" + os.fsencode(name)
    assert json.loads(as_json(message).decode("utf-8"))["result"] == "/r/c1/\ufffd\nBcc: all@example.org.jpg"
    assert message["text"].isprintable()


def test_an_event_has_its_fields_and_is_never_large() -> None:
    """Every field stands by itself; people get a sentence, in which a list is one text; all is cut."""
    message = of_event(CameraSilent("c1", "15m"), "lot1", 0)
    assert message["text"] == "lot1: c1 has sent nothing for 15m"
    assert as_environment(message)["FRAMEGATE_SILENT_AFTER"] == "15m"
    message = of_event(ConfigRefused("/etc/lot1.toml", ("line 1: a", "line 2: b"), 3), "lot1", 0)
    assert "errors: line 1: a; line 2: b" in message["text"]
    assert json.loads(as_environment(message)["FRAMEGATE_ERRORS"]) == ["line 1: a", "line 2: b"]
    message = of_event(NotifyFailed("phone", "x" * 100_000, 1, 2), "lot1", 0)
    assert message["notify"] == "phone"
    assert len(as_json(message)) < MOST_CHARACTERS + 1000


def test_a_line_for_people_is_short_and_ends_at_a_word() -> None:
    """Of many mistakes the first is said, and how many more; a long line is cut between two words."""
    mistakes = tuple(f"line {n}: drop.settle_s = 'soon' is no number of seconds" for n in range(4))
    text = of_event(ConfigRefused("/etc/lot1.toml", mistakes, 3), "lot1", 0)["text"]
    assert text.endswith(f"errors: {mistakes[0]} and 3 more)")
    text = of_event(NotifyFailed("phone", "word " * 200, 1, 2), "lot1", 0)["text"]
    assert len(text) <= MOST_TEXT
    assert text.endswith(" word...")
    assert len(of_event(NotifyFailed("phone", "x" * 1000, 1, 2), "lot1", 0)["text"]) >= MOST_TEXT - 1


def test_a_camera_is_named_in_its_place() -> None:
    """Where a sentence speaks of a camera, it has the camera's name, whatever characters are in that."""
    texts = [
        of_event(event, "lot1", 0)["text"]
        for event in (CameraClockRight("gate `2`", "a.jpg", "now", 0), CameraBack("c1", 20.0))
    ]
    assert texts[0].startswith("lot1: gate `2`'s times have been true for two minutes: ")
    assert texts[1] == "lot1: c1 has sent a frame again (silent: 20 s)"


def sample(kind: type[LogEvent]) -> LogEvent:
    """Return an event with a value in each field."""
    values = {
        "int": 1_200_000,
        "float": 2.0,
        "bool": True,
        "str": "word",
        "tuple": ("a", "b"),
        "dict": {"k": 1},
    }
    hints = {name: str(hint).removeprefix("<class '") for name, hint in get_type_hints(kind).items()}
    fields = (field.name for field in dataclasses.fields(kind))
    return kind(**{name: values[re.split(r"\W", hints[name])[0]] for name in fields})


def with_own_text() -> list[type[LogEvent]]:
    """Return the kinds of events that can be told, but verdicts: these have words of their own."""
    return [kind for kind in all_kinds() if kind.name in tellable()]


@pytest.mark.parametrize("kind", with_own_text())
def test_people_get_a_sentence_about_every_event(kind: type[LogEvent]) -> None:
    """What an event means, as the README has it, with the values of its fields in place of their names."""
    message = of_event(sample(kind), "lot1", 0)
    assert re.fullmatch(r"lot1: [\w,:;.'() /-]+( \([^()]+\))?", message["text"])
    assert kind.name not in message["text"]
    assert "camera" not in kind.field_names() or " a camera" not in message["text"].lower()
    assert "e+" not in message["text"]


def test_a_message_has_nothing_of_the_config() -> None:
    """Commands and addresses may have secrets, and who reads a message need not know them: names are told."""
    secret = {"notify.a.webhook": "https://example.org/TOKEN"}
    started = DaemonStarted(
        "/drop", "/results", "/state", "inotify", "adaptive", "/etc/lot1.toml", secret, 1, {"kept": 2}, 3
    )
    reloaded = ConfigReloaded(2, {"notify.a.webhook": {"old": None, "new": "https://example.org/TOKEN"}})
    messages = [of_event(event, "lot1", 0) for event in (started, reloaded)]
    assert b"TOKEN" not in b"".join(map(as_json, messages))
    assert "FRAMEGATE_CONFIG" not in as_environment(messages[0])
    assert messages[1]["changed"] == ["notify.a.webhook"]
    assert messages[1]["text"] == "lot1: An edited config is in force (changed: notify.a.webhook)"


def test_the_spool_outlives_a_kill_and_a_full_disk(tmp_path: Path) -> None:
    """What was written is there in the next life; a line that was cut takes no other with it."""
    path = tmp_path / "events"
    spool = Spool(path, lambda _event: None)
    first = spool.write({"event": "a"})
    path.write_bytes(path.read_bytes() + b'["cut')
    second = spool.write({"event": "b"})
    assert list(Spool(path, lambda _event: None).waiting) == [first, second]
    assert not spool.waiting
    spool.release(first)
    assert list(spool.waiting) == [first]
