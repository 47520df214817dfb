import json
import os
from dataclasses import replace
from pathlib import Path

from framegate.events.daemon import ConfigRefused
from framegate.events.frames import CameraSilent
from framegate.events.telling import NotifyFailed
from framegate.model import Entry, FileKey, Reason
from framegate.notify.messages import MOST_CHARACTERS, as_environment, as_json, of_event, of_verdict
from framegate.notify.spool import Spool

ENTRY = Entry(
    FileKey("c1/a.jpg", 10, 20), "c1", 0, Reason.CHANGED, 1_800_000_000_000_000_000, 3,
    score=3.1, threshold=2.3, unit="x", result="c1/a.jpg",
)  # fmt: skip


def test_a_verdict_says_what_was_decided_in_words_and_fields() -> None:
    """The line for people has the numbers that were compared; the result has its whole path."""
    message = of_verdict(ENTRY, "lot1", "/srv/results")
    assert message["text"] == "lot1: kept c1/a.jpg of c1: changed, 3.1x > 2.3x"
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
    """Every field stands by itself; a list is one text for people, and what is too long is cut."""
    message = of_event(CameraSilent("c1", "15m"), "lot1", 0)
    assert message["text"] == "lot1: camera.silent (camera: c1, silent_after: 15m)"
    assert as_environment(message)["FRAMEGATE_SILENT_AFTER"] == "15m"
    message = of_event(ConfigRefused("/etc/lot1.toml", ("line 1: a", "line 2: b"), 3), "lot1", 0)
    assert "errors: line 1: a; line 2: b" in message["text"]
    assert json.loads(as_environment(message)["FRAMEGATE_ERRORS"]) == ["line 1: a", "line 2: b"]
    message = of_event(NotifyFailed("phone", "x" * 100_000, 1, 2), "lot1", 0)
    assert message["notify"] == "phone"
    assert len(as_json(message)) < MOST_CHARACTERS + 1000


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
