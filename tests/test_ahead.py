"""Frames that are examined ahead: which, in what order, and that nothing depends on it."""

from collections.abc import Collection, Sequence
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.ahead import THREADS, Ahead, Outcome
from framegate.config.settings import Settings
from framegate.errors import Exhausted
from framegate.examining import Examined
from framegate.model import Candidate, Decision, EncodedFrame, FileKey, Reason
from pools import Lazy

SETTINGS = Settings.model_validate(
    {"version": 1, "drop": {"folder": "/drop"}, "results": {"folder": "/results"}}
)


def frame(number: int) -> Candidate:
    return Candidate(FileKey(f"{number}.jpg", 1, number), "default", number)


FRAMES = [frame(number) for number in range(20)]


class Examiner:
    """Examines frames by giving them so many bytes, and remembers which."""

    def __init__(self, size_bytes: int = 1) -> None:
        self.examined: list[Candidate] = []
        self.size_bytes = size_bytes
        self.fails: set[Candidate] = set()

    def __call__(self, candidate: Candidate) -> Outcome:
        self.examined.append(candidate)
        if candidate in self.fails:
            raise Exhausted("no more files")
        return Examined(candidate, 0.0, EncodedFrame(candidate.key.name, bytes(self.size_bytes), 0))


class Guard:
    """A crash guard that remembers all marks."""

    def __init__(self, *suspects: Candidate, refused: bool = False) -> None:
        self.marks: list[list[FileKey]] = []
        self._suspects, self._refused = {each.key for each in suspects}, refused

    def mark(self, keys: Collection[FileKey]) -> None:
        self.marks.append(list(keys))

    def deaths_of(self, key: FileKey) -> int:
        return 2 * (key in self._suspects)

    def refusal(self, candidate: Candidate, settings: Settings) -> Decision | None:  # noqa: ARG002
        return Decision(Reason.CRASHER) if self._refused else None


def keys(candidates: Sequence[Candidate]) -> list[FileKey]:
    return [candidate.key for candidate in candidates]


def test_one_frame_alone_is_examined_in_the_thread_that_takes_it() -> None:
    """A live frame is not handed over to another thread."""
    examiner, pool = Examiner(), Lazy()
    with closing(Ahead(examiner, SETTINGS, pool=pool)) as ahead:
        ahead.take(FRAMES[0])
        assert examiner.examined == [FRAMES[0]]
        assert not pool.waiting


def test_frames_are_begun_in_their_turn_up_to_the_limit() -> None:
    """What will be taken next is begun, so many frames at once, and none twice."""
    examiner, pool = Examiner(), Lazy()
    with closing(Ahead(examiner, SETTINGS, pool=pool, most_frames=3)) as ahead:
        for number, candidate in enumerate(FRAMES):
            assert ahead.take(candidate, FRAMES[number + 1 :]).candidate is candidate
            assert len(pool.waiting) <= 3
    assert examiner.examined == FRAMES


@pytest.mark.parametrize(("size_bytes", "begun"), [(100, 4), (400, 2), (5000, 0)])
def test_frames_in_hand_take_no_more_memory_than_is_allowed(size_bytes: int, begun: int) -> None:
    """Large frames are begun one after the other, small ones together."""
    pool = Lazy()
    with closing(Ahead(Examiner(size_bytes), SETTINGS, pool=pool, most_frames=4, most_bytes=1000)) as ahead:
        for number in range(5):
            ahead.take(FRAMES[number], FRAMES[number + 1 :])
            for _ in range(len(pool.waiting)):
                pool.run_one()
        assert len(ahead.in_hand) == begun


def test_a_frame_that_is_no_longer_expected_is_forgotten() -> None:
    """What came before it, or another version of its file, takes its place."""
    examiner, pool = Examiner(), Lazy()
    with closing(Ahead(examiner, SETTINGS, pool=pool)) as ahead:
        ahead.take(FRAMES[1], FRAMES[2:5])
        ahead.take(FRAMES[0], FRAMES[3:6])
        while pool.waiting:
            pool.run_one()
    assert FRAMES[2] not in examiner.examined


def test_an_edit_has_all_examined_again() -> None:
    """Nothing that was examined by the settings of before is used."""
    examiner, pool = Examiner(), Lazy()
    with closing(Ahead(examiner, SETTINGS, pool=pool, most_frames=2)) as ahead:
        ahead.take(FRAMES[0], FRAMES[1:3])
        while pool.waiting:
            pool.run_one()
        ahead.retune(SETTINGS)
        ahead.take(FRAMES[1], FRAMES[2:3])
    assert examiner.examined.count(FRAMES[1]) == 2


def test_a_frame_that_cannot_be_opened_now_can_be_taken_again() -> None:
    """An error that is not the frame's is raised when it is its turn, and not kept."""
    examiner, pool = Examiner(), Lazy()
    examiner.fails.add(FRAMES[1])
    with closing(Ahead(examiner, SETTINGS, pool=pool)) as ahead:
        ahead.take(FRAMES[0], FRAMES[1:3])
        with pytest.raises(Exhausted):
            ahead.take(FRAMES[1], FRAMES[2:3])
        examiner.fails.clear()
        assert ahead.take(FRAMES[1], FRAMES[2:3]).candidate is FRAMES[1]


def test_that_a_frame_could_not_be_opened_a_while_ago_is_no_error() -> None:
    """Frames that failed together, ahead of their turn, do not make the intake pause one after the other."""
    examiner, pool = Examiner(), Lazy()
    examiner.fails.update(FRAMES[1:3])
    with closing(Ahead(examiner, SETTINGS, pool=pool)) as ahead:
        ahead.take(FRAMES[0], FRAMES[1:3])
        while pool.waiting:
            pool.run_one()
        examiner.fails.clear()
        assert [ahead.take(each).candidate for each in FRAMES[1:3]] == FRAMES[1:3]


def test_every_frame_in_hand_is_marked() -> None:
    """If the process ends now, the frame that is judged and all that are begun are suspects."""
    guard = Guard()
    with closing(Ahead(Examiner(), SETTINGS, pool=Lazy(), guard=guard, most_frames=3)) as ahead:
        with ahead.batch():
            ahead.take(FRAMES[0], FRAMES[1:])
            assert guard.marks[-1] == keys(FRAMES[: 1 + min(3, THREADS)]), "no sizes are known yet"
            ahead.take(FRAMES[1], FRAMES[2:])
            assert guard.marks[-1] == keys(FRAMES[1:5])
        assert guard.marks[-1] == keys(FRAMES[2:5]), "the one that was judged is not to blame any more"
    assert guard.marks[-1] == []


def test_a_suspect_is_examined_with_no_other_frame_in_hand() -> None:
    """If the process ends at it once more, it is known which frame it was."""
    guard, examiner, pool = Guard(FRAMES[2]), Examiner(), Lazy()
    with closing(Ahead(examiner, SETTINGS, pool=pool, guard=guard)) as ahead:
        for number in range(3):
            ahead.take(FRAMES[number], FRAMES[number + 1 :])
        assert guard.marks[-1] == keys(FRAMES[2:3])
        assert examiner.examined == FRAMES[:3]
        assert not pool.waiting
        ahead.take(FRAMES[3], FRAMES[4:])
        assert len(guard.marks[-1]) > 1


def test_a_crasher_is_rejected_unread() -> None:
    """What the guard refuses is not opened."""
    examiner, pool = Examiner(), Lazy()
    with closing(Ahead(examiner, SETTINGS, pool=pool, guard=Guard(FRAMES[0], refused=True))) as ahead:
        outcome = ahead.take(FRAMES[0], FRAMES[1:])
    assert isinstance(outcome, Examined)
    assert outcome.rejection == Decision(Reason.CRASHER)
    assert not examiner.examined


@given(st.data(), st.integers(0, 8))
def test_frames_come_in_the_order_in_which_they_are_taken(data: st.DataObject, most_frames: int) -> None:
    """Whichever is ready first."""
    pool = Lazy(lambda waiting: data.draw(st.integers(0, waiting - 1)))
    with closing(Ahead(Examiner(), SETTINGS, pool=pool, most_frames=most_frames)) as ahead:
        taken = [ahead.take(each, FRAMES[number + 1 :]) for number, each in enumerate(FRAMES)]
    assert [outcome.candidate for outcome in taken] == FRAMES
