"""A message: one event as JSON, as variables of an environment, and as a line for people."""

import json
import os
import re
import time
from hashlib import blake2s
from typing import Any

from framegate.config.quantities import comparison
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.model import Entry, iso_utc

SCHEMA = 1

MOST_CHARACTERS = 4096
"""Of one field, which is the longest path; a longer error, or list of changes, is cut."""

MOST_TEXT, MOST_CUT = 500, 60
"""Characters of the line for people; a longer one ends at a space, if it has one within the last so many."""

MOST_LISTED = 100
"""Characters of a list in it; of a longer one the first is said, and how many more there are."""

NOT_IN_LEDGER = frozenset({"duration_ms", "regions", "region_count", "working_size"})
"""Fields of a verdict that are not told."""

NOT_TOLD = frozenset({"settings", "config"})
"""Fields of other events that are not: commands and addresses have secrets, and others may read a message."""

ONLY_NAMED = frozenset({"changed"})
"""Fields of which the settings' names are told, and no values."""

NOT_IN_TEXT = frozenset({"results", "state", "watch", "preset", "revision", "pid", "size_bytes"})
"""Fields that mean nothing to somebody who is told something in one line."""

LIMITED, TEST = "notify.limited", "notify.test"
"""The messages that are no events: how many were not told, and the one of ``framegate notify --test``."""

Document = dict[str, Any]

_A_CAMERA = re.compile(r"\b[Aa] (silent |frozen )?camera\b")


def of_event(event: LogEvent, site: str, at_ns: int) -> Document:
    """Return the message about an event that happened at a time, nanoseconds since the epoch."""
    fields = {
        name: list(value) if name in ONLY_NAMED else value
        for name, value in event.fields.items()
        if name not in NOT_TOLD
    }
    words = _sentence(type(event).__doc__ or event.event, fields)
    return document(event.event, event.level, site, at_ns, fields, words=words)


def of_verdict(entry: Entry, site: str, results: str) -> Document:
    """Return the message about a verdict; ``results`` is the results folder."""
    event = FrameDecided(entry, 0.0)
    fields = {name: value for name, value in event.fields.items() if name not in NOT_IN_LEDGER}
    if entry.result is not None:
        fields["result"] = f"{results}/{entry.result}"
    words = _words_of_verdict(entry)
    message = document(event.event, event.level, site, entry.decided_at_ns, fields, words=words)
    return {**message, "id": _id_of_verdict(entry, site)}


def document(event: str, level: str, site: str, at_ns: int, fields: Document, *, words: str) -> Document:
    """Return a message with these fields; ``words`` are its text."""
    head = {"schema": SCHEMA, "site": site, "event": event, "level": level, "time": iso_utc(at_ns)}
    text = "".join(letter if letter.isprintable() else "?" for letter in f"{site}: {words}")
    return {**{name: _cut(value) for name, value in fields.items()}, **head, "text": _shortened(text)}


def as_json(message: Document) -> bytes:
    """Return a message for a program that reads JSON: bytes of a name that are not UTF-8 are replaced."""
    text = json.dumps(message, ensure_ascii=False, default=str)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()


def as_environment(message: Document) -> dict[str, str]:
    """Return a message as variables ``FRAMEGATE_*``; names of files have the bytes that they have on disk."""
    return {
        f"FRAMEGATE_{name.upper()}": _as_text(value).replace("\0", "?")
        for name, value in message.items()
        if value is not None
    }


def _id_of_verdict(entry: Entry, site: str) -> str:
    """Return what is the same when the same file gets the same verdict again: the ledger may have been lost.

    A camera may send the same bytes twice under one name: the time tells these apart.
    """
    key, sha256 = entry.key, (entry.sha256 or b"").hex()
    what = (site, entry.camera, key.name, key.size_bytes, key.mtime_ns, sha256, entry.reason.verdict)
    return blake2s(os.fsencode("\0".join(map(str, what))), digest_size=8).hexdigest()


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _words_of_verdict(entry: Entry) -> str:
    """Return a verdict for people, with the capture time of their clocks, and its day if that is another."""
    captured, decided = (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ns // 1_000_000_000))
        for at_ns in (entry.captured_at_ns, entry.decided_at_ns)
    )
    at = captured.removeprefix(decided.partition(" ")[0]).strip()
    words = f"{entry.camera}: {entry.reason.replace('_', ' ')} at {at}"
    if entry.score is not None and entry.threshold is not None and entry.unit is not None:
        words += f", {' '.join(comparison(entry.score, entry.threshold, entry.unit))}"
    return f"{words} ({entry.key.name} {entry.reason.verdict})"


def _sentence(meaning: str, fields: Document) -> str:
    """Return the first sentence of an event's meaning with the values of the fields that it names.

    Its camera stands in the place of "a camera". The other fields follow in parentheses.
    """
    first = " ".join(re.split(r"\.\s", f"{meaning}\n", maxsplit=1)[0].split())
    if "camera" in fields:
        first = _A_CAMERA.sub("`camera`", first)
    named = set(re.findall(r"`(\w+)`", first))
    said = {
        name: _in_words(name, value)
        for name, value in fields.items()
        if name in named or not (isinstance(value, dict) or name in NOT_IN_TEXT)
    }
    sentence = re.sub(r"`([^`]+)`", lambda word: said.get(word[1], word[1]), first)
    others = (
        f"{name.removesuffix('_s').replace('_', ' ')}: {value}"
        for name, value in said.items()
        if name not in named
    )
    return f"{sentence} ({', '.join(others)})".removesuffix(" ()")


def _in_words(name: str, value: object) -> str:
    if isinstance(value, (list, tuple)):
        return _listed([_as_text(each) for each in value])
    if name.endswith("_s") and isinstance(value, (int, float)):
        return f"{f'{value:.1f}'.removesuffix('.0')} s"
    return _as_text(value)


def _listed(texts: list[str]) -> str:
    joined = "; ".join(texts)
    return (
        joined if len(joined) <= MOST_LISTED or len(texts) <= 1 else f"{texts[0]} and {len(texts) - 1} more"
    )


def _shortened(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    start = text[: MOST_TEXT - len("...")]
    return f"{start[: start.rfind(' ', MOST_TEXT - MOST_CUT)]}..."


def _cut(value: object) -> object:
    text = _as_text(value)
    return value if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
