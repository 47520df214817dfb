import errno
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.errors import SinkError
from framegate.keep import totals
from framegate.keep.disk import Step
from framegate.keep.ledger import Ledger
from framegate.keep.schema import THE_OTHERS
from framegate.model import Entry, FileKey, Reason, Verdict
from stepping import FaultyDisk


def entry(name: str, reason: Reason = Reason.UNCHANGED, camera: str = "c") -> Entry:
    return Entry(FileKey(name, 10, 20), camera, 30, reason, 40, 1, sha256=b"x" if reason.is_kept else None)


def test_each_decision_counts_once_for_its_camera_and_reason(ledger: Ledger) -> None:
    """Totals say how many frames of each camera got which reason, as of the last commit."""
    ledger.note(entry("1.jpg"))
    ledger.note(entry("2.jpg", Reason.EMPTY))
    assert ledger.totals() == {}
    ledger.intend(entry("3.jpg", Reason.FIRST, camera="d"))
    ledger.note(entry("4.jpg"))
    ledger.flush()
    assert ledger.totals() == {
        ("c", Reason.UNCHANGED): 2,
        ("c", Reason.EMPTY): 1,
        ("d", Reason.FIRST): 1,
    }
    assert ledger.counts() == {Verdict.KEPT: 1, Verdict.DROPPED: 2, Verdict.REJECTED: 1}


def test_a_frame_that_is_decided_again_counts_once(ledger: Ledger) -> None:
    """After a crash the new decision takes the old one's place in the totals, whatever it is."""
    for reason, camera in [(Reason.UNCHANGED, "c"), (Reason.UNCHANGED, "c"), (Reason.EMPTY, "d")]:
        ledger.note(entry("1.jpg", reason, camera))
        ledger.flush()
    ledger.intend(entry("1.jpg", Reason.FIRST, "d"))
    assert ledger.totals() == {("d", Reason.FIRST): 1}


def test_late_frames_are_counted_with_the_totals(ledger: Ledger) -> None:
    """How many frames of a camera were late survives pruning; one that is decided again counts once."""
    late = replace(entry("1.jpg"), late=True)
    ledger.note(late)
    ledger.note(entry("2.jpg"))
    ledger.intend(replace(entry("3.jpg", Reason.CHANGED), late=True))
    ledger.note(late)
    ledger.note(entry("4.jpg", camera="d"))
    ledger.flush()
    assert ledger.late() == {"c": 2}
    assert {each.key.name for each in ledger.latest(9) if each.late} == {"1.jpg", "3.jpg"}
    ledger.note(replace(late, late=False))
    ledger.flush()
    assert ledger.late() == {"c": 1}


def test_an_abandoned_intent_is_counted_as_what_it_became(ledger: Ledger) -> None:
    """A kept frame that is lost moves from one count to another."""
    ledger.intend(entry("1.jpg", Reason.CHANGED))
    ledger.abandon(entry("1.jpg").key, Reason.VANISHED, "gone")
    ledger.flush()
    assert ledger.totals() == {("c", Reason.VANISHED): 1}


def test_what_is_forgotten_stays_counted(ledger: Ledger, path: Path) -> None:
    """Totals survive the pruning of rows, and a restart; what is judged anew after that counts anew."""
    for number in range(3):
        ledger.note(entry(f"{number}.jpg"))
    ledger.flush()
    ledger.presence.prune(ledger.presence.after(0, 2))
    assert not ledger.knows(entry("0.jpg").key)
    assert ledger.totals() == {("c", Reason.UNCHANGED): 3}
    again = Ledger(path)
    again.note(entry("0.jpg"))
    again.flush()
    assert again.totals() == {("c", Reason.UNCHANGED): 4}
    again.close()


@pytest.mark.parametrize("step", [Step.FLUSH, Step.INTEND])
def test_a_commit_that_failed_counts_when_it_succeeds(path: Path, step: Step) -> None:
    """Nothing is counted twice, and no camera loses its name, when a commit is tried again."""
    disk = FaultyDisk()
    ledger = Ledger(path, disk)
    disk.fail(step, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    ledger.note(entry("1.jpg"))
    with pytest.raises(SinkError):
        ledger.flush() if step is Step.FLUSH else ledger.intend(entry("2.jpg", Reason.FIRST))
    ledger.intend(entry("2.jpg", Reason.FIRST))
    assert ledger.totals() == {("c", Reason.UNCHANGED): 1, ("c", Reason.FIRST): 1}
    ledger.close()


def test_too_many_cameras_are_counted_together(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names come from outside: those beyond the bound share one count, also after a restart."""
    monkeypatch.setattr(totals, "MOST_COUNTED_CAMERAS", 3)
    for number in range(6):
        ledger.note(entry(f"{number}.jpg", camera=f"c{number}"))
        ledger.flush()
    again = Ledger(path)
    again.note(entry("0.jpg", Reason.EMPTY, camera="c0"))
    again.note(entry("5.jpg", Reason.EMPTY, camera="c5"))
    again.note(entry("6.jpg", camera="c6"))
    again.flush()
    assert again.totals() == {
        ("c0", Reason.EMPTY): 1,
        ("c1", Reason.UNCHANGED): 1,
        ("c2", Reason.UNCHANGED): 1,
        (THE_OTHERS, Reason.UNCHANGED): 3,
        (THE_OTHERS, Reason.EMPTY): 1,
    }
    again.close()


decisions = st.lists(
    st.tuples(
        st.sampled_from(["1.jpg", "2.jpg", "3.jpg", "4.jpg"]),
        st.sampled_from([Reason.UNCHANGED, Reason.FIRST, Reason.EMPTY]),
        st.sampled_from(["a", "b", "c"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(decisions)
def test_totals_are_the_rows_counted(decisions: list[tuple[str, Reason, str, bool]]) -> None:
    """Whatever is decided, and decided again, in whatever order, the totals agree with the rows."""
    ledger = Ledger(None)
    for name, reason, camera, is_flushed in decisions:
        decided = entry(name, reason, camera)
        ledger.intend(decided) if reason.is_kept else ledger.note(decided)
        if is_flushed:
            ledger.flush()
    ledger.flush()
    rows = [row.entry for row in ledger.presence.after(0, 100)]
    assert ledger.totals() == Counter((row.camera, row.reason) for row in rows)
    ledger.close()
