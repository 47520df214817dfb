import sqlite3
from dataclasses import replace
from pathlib import Path

from framegate.keep.ledger import Ledger
from framegate.keep.memories import LaneMemory, Memory
from framegate.keep.presence import Recorded
from framegate.model import Entry, FileKey, Reason, Verdict

BEFORE_ALL = 0


def entry(
    name: str, reason: Reason = Reason.UNCHANGED, *, at: int = 30, camera: str = "c", decided_at: int = 0
) -> Entry:
    sha256 = b"x" if reason.is_kept else None
    return Entry(FileKey(name, 10, 20), camera, at, reason, decided_at, 1, sha256=sha256)


def keep(
    ledger: Ledger,
    name: str,
    at: int = 30,
    camera: str = "c",
    *,
    result: str | None = None,
    decided_at: int = 0,
) -> Entry:
    kept = entry(name, Reason.CHANGED, at=at, camera=camera, decided_at=decided_at)
    ledger.intend(kept)
    ledger.finish(kept.key, result or name)
    ledger.flush()
    return kept


def names(recorded: list[Recorded]) -> list[str]:
    return [row.entry.key.name for row in recorded]


def clearable(ledger: Ledger, verdict: Verdict, after_id: int = 0) -> list[str]:
    return names(ledger.presence.clearable(verdict, after_id, 100))


def synced(ledger: Ledger) -> list[str]:
    """Return what is asked of SQLite from now on."""
    seen: list[str] = []
    with ledger._database.lend() as db:
        db.set_trace_callback(seen.append)
    return seen


def test_only_what_is_committed_may_be_cleared(ledger: Ledger) -> None:
    """A decision that a crash would forget gives nothing up."""
    ledger.note(entry("a.jpg"))
    assert clearable(ledger, Verdict.DROPPED) == []
    ledger.flush()
    assert clearable(ledger, Verdict.DROPPED) == ["a.jpg"]


def test_a_kept_frame_may_be_cleared_when_its_result_is_noted(ledger: Ledger) -> None:
    """An intent needs its input: it may have to be delivered from there."""
    ledger.intend(entry("a.jpg", Reason.FIRST))
    assert clearable(ledger, Verdict.KEPT) == []
    ledger.finish(entry("a.jpg").key, "a.jpg")
    assert clearable(ledger, Verdict.KEPT) == []
    ledger.flush()
    assert clearable(ledger, Verdict.KEPT) == ["a.jpg"]


def test_the_frame_that_the_noise_map_goes_on_from_is_not_cleared(ledger: Ledger) -> None:
    """A camera's last dropped frame waits until what was learnt from the next one is committed."""
    first = keep(ledger, "first.jpg").key
    for name in ("a.jpg", "b.jpg"):
        ledger.note(entry(name))
        lane = LaneMemory((8, 6), first, FileKey(name, 10, 20), b"learnt")
        ledger.learn("c", lambda lane=lane: Memory((lane,)))  # type: ignore[misc]
        if name == "a.jpg":
            ledger.flush()
            assert clearable(ledger, Verdict.DROPPED) == []
    assert clearable(ledger, Verdict.DROPPED) == []
    ledger.flush()
    assert clearable(ledger, Verdict.DROPPED) == ["a.jpg"]


def test_what_is_known_to_be_gone_is_not_offered_again(ledger: Ledger) -> None:
    """A mark ends it, and taking the mark back begins it again."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        ledger.note(entry(name, Reason.EMPTY))
    ledger.note(entry("link.jpg", Reason.NOT_A_REGULAR_FILE))
    ledger.flush()
    first, second, _ = ledger.presence.clearable(Verdict.REJECTED, 0, 100)
    ledger.presence.mark(inputs={second.id: 5})
    assert clearable(ledger, Verdict.REJECTED) == ["a.jpg", "c.jpg"]
    assert clearable(ledger, Verdict.REJECTED, first.id) == ["c.jpg"]
    ledger.presence.mark(inputs={second.id: None})
    assert clearable(ledger, Verdict.REJECTED) == ["a.jpg", "b.jpg", "c.jpg"]


def test_lazy_rows_are_made_proof_against_power_cuts_once(ledger: Ledger) -> None:
    """One commit with FULL takes all lazy rows to the medium; after an intent none is needed."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    seen = synced(ledger)
    ledger.presence.make_durable()
    assert seen.index("PRAGMA synchronous = FULL") < seen.index("COMMIT")
    assert any(statement.startswith("UPDATE") for statement in seen), "an empty commit syncs nothing"
    seen.clear()
    ledger.presence.make_durable()
    ledger.intend(entry("b.jpg", Reason.FIRST))
    seen.clear()
    ledger.presence.make_durable()
    assert seen == []


def test_a_ledger_that_was_just_opened_is_not_taken_for_durable(ledger: Ledger, path: Path) -> None:
    """What the life before committed lazily may be in the log alone."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    again = Ledger(path)
    seen = synced(again)
    again.presence.make_durable()
    assert "PRAGMA synchronous = FULL" in seen
    again.close()


def test_results_are_offered_oldest_first_but_for_each_cameras_last(ledger: Ledger) -> None:
    """The order is that of decisions; a reference is never offered, nor what is not delivered."""
    for name, at, camera in [("1", 3, "c"), ("2", 10**18, "c"), ("3", -5, "d"), ("4", 4, "d"), ("0", 0, "c")]:
        keep(ledger, name, at, camera)
    ledger.intend(entry("5", Reason.CHANGED, at=5))
    assert names(ledger.presence.oldest_results(BEFORE_ALL, 100)) == ["1", "2", "3"]
    assert names(ledger.presence.oldest_results(BEFORE_ALL, 2)) == ["1", "2"]
    first = ledger.presence.oldest_results(BEFORE_ALL, 1)[0]
    assert names(ledger.presence.oldest_results(first.id, 100)) == ["2", "3"]


def test_the_first_decision_at_a_possible_time_is_found(ledger: Ledger) -> None:
    """What was decided while the machine's clock was wrong tells no age."""
    for name, decided_at in [("a", 5), ("b", 10**18), ("c", 200), ("d", 150), ("e", 10**18)]:
        keep(ledger, name, decided_at=decided_at)
    assert ledger.presence.first_decided_ns(100, 1000) == 200
    assert ledger.presence.first_decided_ns(300, 1000) is None


def test_the_references_of_all_sizes_stay(ledger: Ledger) -> None:
    """No picture size's reference is offered, nor its row forgotten, until the camera forgets the size."""
    kept = [keep(ledger, f"{number}.jpg", decided_at=number * 10**13) for number in range(5)]
    sizes = [
        LaneMemory((8, 6), kept[1].key),
        LaneMemory((6, 8), kept[2].key),
        LaneMemory((4, 3), kept[4].key),
    ]
    for lanes, offered in ((sizes, ["0.jpg", "3.jpg"]), (sizes[1:], ["0.jpg", "1.jpg", "3.jpg"])):
        ledger.learn("c", lambda lanes=lanes: Memory(tuple(lanes)))  # type: ignore[misc]
        ledger.flush()
        assert names(ledger.presence.oldest_results(BEFORE_ALL, 100)) == offered
    every = dict.fromkeys(range(1, 6), 5)
    ledger.presence.mark(inputs=every, results=every)
    ledger.note(entry("last.jpg"))
    ledger.flush()
    assert names(ledger.presence.gone(9, 100)) == ["0.jpg", "1.jpg", "3.jpg"]


def test_the_last_frame_of_each_size_is_not_cleared(ledger: Ledger) -> None:
    """What each size's detector has learnt from last waits in the drop folder for the next of that size."""
    first = keep(ledger, "first.jpg").key
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        ledger.note(entry(name))
    previous = [FileKey(name, 10, 20) for name in ("a.jpg", "b.jpg")]
    sizes = [LaneMemory((8, 6), first, previous[0]), LaneMemory((6, 8), first, previous[1])]
    ledger.learn("c", lambda: Memory(tuple(sizes)))
    ledger.flush()
    assert clearable(ledger, Verdict.DROPPED) == ["c.jpg"]


def test_the_reference_that_an_intent_of_any_size_replaces_is_not_offered(ledger: Ledger) -> None:
    """Should the intent's bytes be gone, the last of its own size is the reference again."""
    for number in range(3):
        keep(ledger, f"{number}.jpg", number)
    sizes = [LaneMemory((6, 8), FileKey("2.jpg", 10, 20)), LaneMemory((8, 6), FileKey("new.jpg", 10, 20))]
    ledger.learn("c", lambda: Memory(tuple(sizes)))
    ledger.intend(replace(entry("new.jpg", Reason.CHANGED, at=5), reference="1.jpg"))
    assert names(ledger.presence.oldest_results(BEFORE_ALL, 100)) == ["0.jpg"]
    ledger.abandon(FileKey("new.jpg", 10, 20), Reason.VANISHED, "gone")
    ledger.flush()
    assert [lane.reference.name for lane in ledger.memory_of("c").lanes] == ["2.jpg", "1.jpg"]


def test_the_reference_before_an_intent_is_not_offered(ledger: Ledger) -> None:
    """Should the intent's bytes be gone, the frame that was kept before it is the reference again."""
    keep(ledger, "a.jpg", 1)
    ledger.intend(entry("b.jpg", Reason.CHANGED, at=2))
    assert ledger.presence.oldest_results(BEFORE_ALL, 100) == []


def test_a_name_that_an_intent_may_meet_again_is_not_freed(ledger: Ledger) -> None:
    """A delivery that is repeated after a crash must find the same names taken."""
    keep(ledger, "a.jpg", 1)
    keep(ledger, "b.jpg", 2)
    ledger.intend(Entry(FileKey("a.jpg", 11, 21), "c", 3, Reason.CHANGED, 40, 1, sha256=b"y"))
    assert ledger.presence.oldest_results(BEFORE_ALL, 100) == []
    ledger.finish(FileKey("a.jpg", 11, 21), "a_1.jpg")
    ledger.flush()
    assert names(ledger.presence.oldest_results(BEFORE_ALL, 100)) == ["a.jpg", "b.jpg"]


def test_a_name_that_a_layout_has_planned_for_an_intent_is_not_freed(ledger: Ledger) -> None:
    """By a layout frames of other names want the same one: it, too, must be found taken after a crash."""
    keep(ledger, "day/a.jpg", 1)
    keep(ledger, "b.jpg", 2)
    keep(ledger, "c.jpg", 3)
    intent = Entry(
        FileKey("x/a.jpg", 11, 21), "c", 4, Reason.CHANGED, 40, 1, sha256=b"y", planned="day/a.jpg"
    )
    ledger.intend(intent)
    assert names(ledger.presence.oldest_results(BEFORE_ALL, 100)) == ["b.jpg"]


def test_the_sizes_of_what_stands_are_summed(ledger: Ledger) -> None:
    """Only results count that are delivered and not known to be gone."""
    for number in range(4):
        keep(ledger, f"{number}.jpg", number)
    ledger.intend(entry("5.jpg", Reason.CHANGED))
    ledger.note(entry("6.jpg"))
    ledger.flush()
    assert ledger.presence.results_bytes() == 40
    oldest = ledger.presence.oldest_results(BEFORE_ALL, 1)[0]
    ledger.presence.mark(results={oldest.id: 5})
    assert ledger.presence.results_bytes() == 30


def test_a_result_belongs_to_the_last_frame_that_was_found_in_it(ledger: Ledger) -> None:
    """Two frames of the same bytes at one name are one file: it counts once, and for the younger."""
    keep(ledger, "a.jpg", 1)
    keep(ledger, "b.jpg", 2, result="a.jpg")
    keep(ledger, "c.jpg", 3)
    assert ledger.presence.results_bytes() == 20
    assert names(ledger.presence.oldest_results(BEFORE_ALL, 100)) == ["b.jpg"]
    assert ledger.unfinished() == []


def test_what_is_deleted_stays_delivered(ledger: Ledger, path: Path) -> None:
    """A result that had its time is no intent again, and its frame is known."""
    keep(ledger, "a.jpg", 1)
    keep(ledger, "b.jpg", 2)
    ledger.presence.mark(results={ledger.presence.after(0, 1)[0].id: 5})
    ledger.close()
    again = Ledger(path)
    assert again.unfinished() == []
    assert again.knows(entry("a.jpg").key)
    again.close()


def test_a_row_that_is_decided_again_has_no_marks(ledger: Ledger) -> None:
    """A frame that came back and is judged anew is there, whatever was said of it before."""
    ledger.note(entry("a.jpg"))
    ledger.flush()
    ledger.presence.mark(inputs={ledger.presence.after(0, 1)[0].id: 5})
    ledger.note(entry("a.jpg"))
    ledger.flush()
    assert [row.input_gone_ns for row in ledger.presence.after(0, 10)] == [None]


def test_no_question_goes_through_all_rows(ledger: Ledger, path: Path) -> None:
    """Each question that is asked again and again is answered from an index."""
    seen = synced(ledger)
    ledger.presence.clearable(Verdict.DROPPED, 0, 20)
    ledger.presence.oldest_results(BEFORE_ALL, 20)
    ledger.presence.first_decided_ns(1, 2)
    ledger.presence.results_bytes()
    ledger.presence.gone(10**18, 500)
    ledger.finish(FileKey("a.jpg", 1, 2), "a.jpg")
    ledger.flush()
    db = sqlite3.connect(path)
    for statement in (each for each in seen if each.startswith(("SELECT", "UPDATE"))):
        plan = [step for *_, step in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not {"SCAN f", "SCAN frame", "SCAN f USING INDEX delivered"} & set(plan), (statement, plan)
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, (statement, plan)
    db.close()


def test_a_frame_that_vanished_is_neither_known_nor_cleared(ledger: Ledger) -> None:
    """It was never judged: if it comes back, it is judged, and not deleted as a rejected one."""
    ledger.note(entry("gone.jpg", Reason.VANISHED))
    ledger.note(entry("bad.jpg", Reason.UNDECODABLE))
    ledger.flush()
    keys = [entry("gone.jpg").key, entry("bad.jpg").key]
    assert [ledger.knows(key) for key in keys] == [False, True]
    assert ledger.unknown(keys) == keys[:1]
    assert clearable(ledger, Verdict.REJECTED) == ["bad.jpg"]
