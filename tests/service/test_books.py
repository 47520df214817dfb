import random

from framegate.events import FrameDecided
from framegate.model import Entry, FileKey, Reason, Verdict
from framegate.service.books import MOST_PAGES, OTHERS, SCORES, Books


def entry(camera: str, reason: Reason, number: int = 0, score_percent: float | None = None) -> Entry:
    key = FileKey(f"{camera}_{number}.jpg", 10, number)
    return Entry(key, camera, number, reason, number, 1, score_percent=score_percent)


def decided(
    camera: str, reason: Reason, number: int = 0, *, before: Reason | None = None, score: float | None = None
) -> FrameDecided:
    return FrameDecided(entry(camera, reason, number, score), 5.0, recovered_from=before)


def test_every_verdict_is_counted_once() -> None:
    """What is in the books is the ledger's totals and every verdict since, by camera and reason."""
    books = Books({("a", Reason.FIRST): 1, ("a", Reason.UNCHANGED): 5, ("b", Reason.EMPTY): 2})
    for event in (decided("a", Reason.CHANGED), decided("a", Reason.UNCHANGED), decided("c", Reason.FIRST)):
        books(event)
    assert books.pages["a"].reasons == {Reason.FIRST: 1, Reason.UNCHANGED: 6, Reason.CHANGED: 1}
    assert [books.count(verdict) for verdict in (Verdict.KEPT, Verdict.DROPPED, Verdict.REJECTED)] == [
        3,
        6,
        2,
    ]


def test_a_frame_that_is_recovered_is_not_counted_again() -> None:
    """A frame whose delivery a crash cut is in the totals; one whose bytes are gone changes its reason."""
    books = Books({("a", Reason.CHANGED): 2})
    books(decided("a", Reason.CHANGED, before=Reason.CHANGED))
    books(decided("a", Reason.VANISHED, before=Reason.CHANGED))
    assert +books.pages["a"].reasons == {Reason.CHANGED: 1, Reason.VANISHED: 1}


def test_the_last_frames_and_scores_are_remembered() -> None:
    """The books know the last frame, the last kept one, and so many scores of each camera."""
    books = Books(latest=[entry("a", Reason.FIRST, 0), entry("a", Reason.UNCHANGED, 1, 0.1)])
    for number in range(2, 2 + SCORES):
        books(decided("a", Reason.UNCHANGED, number, score=number / 10))
    page = books.pages["a"]
    assert page.last is not None
    assert page.last_kept is not None
    assert (page.last.key.name, page.last_kept.key.name) == (f"a_{1 + SCORES}.jpg", "a_0.jpg")
    assert list(page.scores) == [number / 10 for number in range(2, 2 + SCORES)]


def test_names_from_outside_do_not_make_the_books_grow() -> None:
    """Cameras beyond the last page share one, and nothing is lost from the sums."""
    books = Books()
    for number in range(MOST_PAGES + 50):
        books(decided(f"c{number}", Reason.FIRST))
    assert len(books.pages) == MOST_PAGES + 1
    assert books.pages[OTHERS].reasons[Reason.FIRST] == 50
    assert books.count(Verdict.KEPT) == MOST_PAGES + 50


def test_durations_are_counted_below_their_bounds() -> None:
    """The histogram says of each bound how many took at most so long."""
    books, chance = Books(), random.Random(1)
    milliseconds = [chance.uniform(0, 3000) for _ in range(500)]
    for value in milliseconds:
        books(FrameDecided(entry("a", Reason.FIRST), value))
    for bound_s, count in books.durations.cumulative():
        assert count == sum(value / 1000 <= bound_s for value in milliseconds)
    assert abs(books.durations.sum_s - sum(milliseconds) / 1000) < 1e-6
