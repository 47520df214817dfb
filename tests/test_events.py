import dataclasses
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot
from framegate.events.base import LogEvent, markdown_table
from framegate.events.daemon import OutputRestored, OutputUnwritable
from framegate.events.frames import FrameDecided
from framegate.events.kinds import all_kinds
from framegate.model import ChangeScore, Entry, FileKey, Reason, Region
from running import Site
from stepping import Stepped

EVERY_FIELD = FrameDecided(
    Entry(
        FileKey("a.jpg", 1, 2), "cam", 3, Reason.CHANGED, 4, 5, "odd", 2.5, 2.3, "x", "gate", "b.jpg", b"",
        "a.jpg", late=True,
    ),
    duration_ms=7.0,
    score=ChangeScore(2.5, 2.3, "x", (Region(1, 2, 3, 4, 10.0),), 10.0, (640, 360), "gate"),
    schedule="night",
)  # fmt: skip


def test_every_event_has_a_name_of_its_own_and_a_meaning() -> None:
    """No two kinds of event share a name, and each says in its docstring what it means."""
    kinds = all_kinds()
    names = [name for kind in kinds for name in kind.names()]
    assert len(names) == len(set(names)) > 40
    assert all("." in name for name in names)
    assert all(kind.__doc__ and kind.__doc__ != LogEvent.__doc__ for kind in kinds)


def test_the_table_names_every_event_once() -> None:
    """An event that the log may have is in the README, with its level and its fields."""
    table = markdown_table(all_kinds())
    assert all(table.count(f"`{name}`") == 1 for kind in all_kinds() for name in kind.names())
    assert "| `intake.paused` | error | `error` |" in table


def test_a_verdict_has_the_fields_that_the_table_names() -> None:
    """The line of a verdict has no field that is not in the README, and may have each that is."""
    assert tuple(EVERY_FIELD.fields) == FrameDecided.field_names()


def test_fields_that_say_nothing_are_left_out() -> None:
    """A field without a value makes no line longer."""
    entry = Entry(FileKey("a.jpg", 1, 2), "cam", 3, Reason.FIRST, 4, 5)
    assert "score" not in FrameDecided(entry, 1.0).fields


@pytest.mark.parametrize("reason", list(Reason))
def test_a_fault_of_our_own_is_an_error(reason: Reason) -> None:
    """What framegate itself failed at is seen at any level of the log; a verdict otherwise is information."""
    entry = dataclasses.replace(EVERY_FIELD.entry, reason=reason)
    assert FrameDecided(entry, 1.0).level == ("error" if reason is Reason.INTERNAL_ERROR else "info")


def test_a_file_can_be_followed_from_its_arrival_to_its_verdict(site: Site) -> None:
    """The events of a file tell, in order, that it was seen, waited for, settled and judged."""
    daemon = Stepped(site)
    daemon.start()
    daemon.go(1)
    picture = Lot(width=160, height=90).jpeg()
    (site.drop / "a.jpg").write_bytes(picture[:500])
    daemon.go(31)
    (site.drop / "a.jpg").write_bytes(picture)
    daemon.go(40)
    daemon.stop()
    story = [event.event for event in daemon.events if event.fields.get("frame") == "a.jpg"]
    assert story[:3] == ["frame.seen", "frame.settled", "frame.postponed"]
    assert story[-2:] == ["frame.settled", "frame.kept"]
    assert daemon.count("sweep.ended") >= 2


def test_only_these_records_are_logged() -> None:
    """No other place in the program makes up an event: each is a class of the events' rooms."""
    source = Path(__file__).resolve().parents[1] / "src" / "framegate"
    makers = [path for path in source.rglob("*.py") if "(LogEvent" in path.read_text("utf-8")]
    assert {path.parent.name for path in makers} == {"events"}


def test_an_event_is_its_class_and_its_fields() -> None:
    """Two events are equal when class and fields are, and show both."""
    restored = OutputRestored("a.prom")
    assert {restored, OutputRestored("a.prom")} == {restored}
    assert OutputRestored("b.prom") != restored != OutputUnwritable("a.prom", "disk full")
    assert repr(restored) == "OutputRestored(file='a.prom')"
