from collections import defaultdict
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from framegate.ingest.queue import backlog
from framegate.ingest.queue.backlog import Backlog, shard_of
from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.model import Candidate, FileKey, NotYet, Origin, Unsettled

MOST_IN_HAND, REFILL_BELOW, SHARDS = 16, 2, 4
MOST_BY_SWEEP = 12
CAMERAS = [f"c{number}" for number in range(12)]


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Let a hand be small enough to be filled in every example."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MOST_IN_HAND", "MOST_BY_SWEEP", "REFILL_BELOW", "SHARDS"):
            patch.setattr(backlog, name, globals()[name])
        yield


def frame(camera: str, moment: int) -> Candidate:
    name = f"{camera}-{moment}.jpg"
    return Candidate(FileKey(name, 1, moment), camera, moment)


def describe(key: FileKey) -> Candidate:
    return frame(key.name.partition("-")[0], key.mtime_ns)


class Queue(Uploads):
    """The files in hand, of which each is settled as soon as it is seen."""

    def __init__(self) -> None:
        super().__init__(SettlingRules(0.0, 0.0), describe)

    def append(self, candidate: Candidate) -> None:
        self.observe(candidate.key, Origin.CLOSED, 0.0)
        self.settle(0.0)

    def serve(self) -> Candidate:
        candidate = next(self.upcoming())
        self.done(candidate)
        return candidate


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.key.name for candidate in candidates]


def by_camera(candidates: list[Candidate]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        found[candidate.camera].append(candidate)
    return found


def sweep(box: Backlog, folder: list[Candidate], in_hand: int = 0) -> list[Candidate]:
    selection = box.selection(in_hand)
    for candidate in folder:
        selection.offer(candidate)
    return box.settle_on(selection, in_hand, 0.0)


def other_shard(camera: str) -> str:
    return next(c for c in (f"other{number}" for number in range(1000)) if shard_of(c) != shard_of(camera))


FOLDERS = st.lists(
    st.builds(frame, st.sampled_from(CAMERAS), st.integers(0, 60)),
    unique_by=lambda c: c.key.name,
    max_size=90,
)


@given(folder=FOLDERS, in_hand=st.integers(0, MOST_IN_HAND))
@settings(database=None, deadline=None)
def test_a_sweep_takes_the_oldest_of_each_shard_in_equal_shares(
    folder: list[Candidate], in_hand: int
) -> None:
    """What is chosen fits into the room: the oldest of every shard, none with more than its share."""
    box = Backlog()
    chosen = sweep(box, folder, in_hand)
    room = max(0, MOST_BY_SWEEP - in_hand)
    shards: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in sorted(folder, key=lambda c: c.order):
        shards[shard_of(candidate.camera)].append(candidate)
    expected = {shard: theirs[: room // len(shards)] for shard, theirs in shards.items()}
    assert sorted(names(chosen)) == sorted(names([c for theirs in expected.values() for c in theirs]))
    assert all(theirs == sorted(theirs, key=lambda c: c.order) for theirs in by_camera(chosen).values())
    assert box.is_left == (len(chosen) < len(folder))
    left = set(folder) - set(chosen)
    assert not any(box.admit(candidate, 0) for candidate in left), "it would overtake what was left"


@given(folder=FOLDERS, order=st.randoms(use_true_random=False))
@settings(database=None, deadline=None)
def test_the_order_in_which_a_folder_lists_its_files_is_nothing(
    folder: list[Candidate], order: Random
) -> None:
    """A folder lists its files as it likes: the same are chosen, in the same order for each camera."""
    shuffled = list(folder)
    order.shuffle(shuffled)
    assert by_camera(sweep(Backlog(), shuffled)) == by_camera(sweep(Backlog(), folder))


def test_a_folder_that_fits_is_taken_whole() -> None:
    """Without a backlog nothing is left, whatever comes is admitted, and no further sweep is asked for."""
    box = Backlog()
    folder = [frame("c1", moment) for moment in range(MOST_BY_SWEEP)]
    assert sweep(box, folder) == folder
    assert not box.is_left
    assert not box.wants_refill(0)
    assert box.admit(frame("c1", 99), MOST_BY_SWEEP)


def test_a_live_frame_comes_after_what_its_camera_has_left_in_the_folder() -> None:
    """Of a camera with a backlog only older frames come into hand; other cameras are not held."""
    box = Backlog()
    sweep(box, [frame("c1", moment) for moment in range(10, 10 + MOST_BY_SWEEP + 1)])
    oldest_left = 10 + MOST_BY_SWEEP
    assert not box.admit(frame("c1", 99), 0)
    assert not box.admit(frame("c1", oldest_left), 0)
    assert box.admit(frame("c1", oldest_left - 1), 0)
    assert box.admit(frame(other_shard("c1"), 99), 0)


def test_a_full_hand_leaves_live_frames_in_the_folder() -> None:
    """With no room in hand a live frame stays in the folder, and what comes after it stays behind it."""
    box = Backlog()
    assert box.admit(frame("c1", 1), MOST_IN_HAND - 1)
    assert not box.is_left
    assert not box.admit(frame("c1", 2), MOST_IN_HAND)
    assert box.is_left
    assert not box.admit(frame("c1", 3), 0)
    assert not box.admit(frame("c1", 2), 0)
    assert box.admit(frame("c1", 1), 0)


def test_the_oldest_that_was_left_is_remembered() -> None:
    """Left in whatever order, a camera goes on at the oldest."""
    box = Backlog()
    for moment in (7, 5, 9):
        box.admit(frame("c1", moment), MOST_IN_HAND)
    assert not box.admit(frame("c1", 5), 0)
    assert box.admit(frame("c1", 4), 0)


def test_a_sweep_that_finds_nothing_left_ends_the_backlog() -> None:
    """What was left and has gone meanwhile, as by a camera's own cleaning, holds up nobody for ever."""
    box = Backlog()
    box.admit(frame("c1", 5), MOST_IN_HAND)
    assert sweep(box, []) == []
    assert not box.is_left
    assert box.admit(frame("c1", 99), 0)


def test_the_next_sweep_comes_when_the_hand_is_nearly_empty() -> None:
    """A backlog asks for its next sweep once, at the mark, not after every frame."""
    box = Backlog()
    box.admit(frame("c1", 5), MOST_IN_HAND)
    assert [box.wants_refill(n) for n in (REFILL_BELOW + 1, REFILL_BELOW, 0)] == [False, True, True]


def test_a_sweep_leaves_room_for_what_other_cameras_send() -> None:
    """A camera whose backlog fills what a sweep may take does not keep the live frames of others out."""
    box = Backlog()
    chosen = sweep(box, [frame("c1", moment) for moment in range(100)])
    assert len(chosen) == MOST_BY_SWEEP < MOST_IN_HAND
    assert box.admit(frame(other_shard("c1"), 1), len(chosen))


def test_any_number_of_cameras_takes_no_more_room_than_the_shards() -> None:
    """Names make cameras, and names come from outside: what is remembered of each does not grow with them."""
    box = Backlog()
    for number in range(500):
        box.admit(frame(f"camera{number}", number), MOST_IN_HAND)
    assert len(box._oldest_left) <= SHARDS


def test_while_a_folder_is_swept_no_more_is_held_than_shards_share() -> None:
    """A sweep of a million files holds but a few times what it will choose."""
    selection = Backlog().selection(0)
    most = 0
    for number in range(3000):
        selection.offer(frame(CAMERAS[number // 250], 3000 - number))
        most = max(most, sum(len(share.chosen) for share in selection._shares.values()))
    assert most <= 3 * MOST_BY_SWEEP


def test_cameras_are_served_in_turn() -> None:
    """Within a camera in order, the cameras one after the other: a flood of one does not delay another."""
    queue = Queue()
    for camera, moment in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1), ("b", 2)]:
        queue.append(frame(camera, moment))
    served = [queue.serve().key.name for _ in range(len(queue))]
    assert served == ["a-1.jpg", "b-1.jpg", "c-1.jpg", "a-2.jpg", "b-2.jpg", "a-3.jpg"]


def test_an_older_frame_that_comes_later_is_judged_first() -> None:
    """Frames that wait for their turn are judged by capture time, whenever they settled."""
    queue = Queue()
    for moment in (10, 11, 5, 6):
        queue.append(frame("a", moment))
    assert [queue.serve().captured_at_ns for _ in range(4)] == [5, 6, 10, 11]


def test_a_file_is_queued_until_it_was_served() -> None:
    """Who is in the queue can be asked by version; looking at the next takes nothing out."""
    queue = Queue()
    queue.append(frame("a", 1))
    assert names(list(queue.upcoming())) == names(list(queue.upcoming())) == ["a-1.jpg"]
    assert queue.is_queued_as(frame("a", 1).key)
    assert not queue.is_queued_as(FileKey("a-1.jpg", 2, 1))
    queue.serve()
    assert not queue.is_queued_as(frame("a", 1).key)
    assert len(queue) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), unique=True), st.data())
def test_what_comes_next_is_known_in_advance(frames: list[tuple[str, int]], data: st.DataObject) -> None:
    """The upcoming frames are those that are judged, one after the other and each once, if no others come."""
    queue = Queue()
    for camera, moment in frames:
        queue.append(frame(camera, moment))
    for camera, moment in frames:
        tried = frame(camera, moment)
        fate = data.draw(st.sampled_from(["stays", "gone", "queued again"]), label=tried.key.name)
        if fate == "gone":
            queue.forget(tried.key.name)
        elif fate == "queued again":
            queue.put_back(Unsettled(tried, tried.key, NotYet.UNFINISHED), 0.0)
            queue.settle(0.0)
    foreseen = list(queue.upcoming())
    assert [queue.serve() for _ in range(len(queue))] == foreseen


def test_a_file_that_is_left_during_a_sweep_stays_left() -> None:
    """What had no room while a sweep was listing other folders is found by the next sweep."""
    box = Backlog()
    selection = box.selection(0)
    assert not box.admit(frame("c1", 7), MOST_IN_HAND)
    assert box.settle_on(selection, 0, 0.0) == []
    assert box.is_left
    assert not box.admit(frame("c1", 9), 0)


def test_a_sweep_takes_no_more_than_there_is_room_for_at_its_end() -> None:
    """Live frames that came into hand during a sweep take their places from what it found."""
    box = Backlog()
    selection = box.selection(0)
    for moment in range(MOST_BY_SWEEP):
        selection.offer(frame("c1", moment))
    assert len(box.settle_on(selection, MOST_BY_SWEEP - 3, 0.0)) == 3
    assert box.is_left


class BacklogMachine(RuleBasedStateMachine):
    """A folder that cameras fill, and a daemon that judges when it may and hears of all frames, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Backlog()
        self.queue = Queue()
        self.folder: dict[str, Candidate] = {}
        """What has no verdict yet."""

        self.last_judged: dict[str, Candidate] = {}
        self.moment = 0

    @initialize(hears=st.booleans())
    def watch(self, *, hears: bool) -> None:
        self.hears = hears

    @rule(cameras=st.lists(st.sampled_from(CAMERAS), max_size=30))
    def frames_come(self, cameras: list[str]) -> None:
        """Frames come in the order in which they were taken."""
        for camera in cameras:
            self.moment += 1
            candidate = frame(camera, self.moment)
            self.folder[candidate.key.name] = candidate
            if self.hears:
                self.hear(candidate)

    @precondition(lambda self: self.folder and self.hears)
    @rule(data=st.data())
    def one_is_heard_of_again(self, data: st.DataObject) -> None:
        self.hear(self.folder[data.draw(st.sampled_from(sorted(self.folder)))])

    @precondition(lambda self: self.folder)
    @rule(data=st.data())
    def one_goes_away(self, data: st.DataObject) -> None:
        """A camera cleans up what is not in hand yet."""
        candidate = self.folder[data.draw(st.sampled_from(sorted(self.folder)))]
        if not self.queue.is_queued_as(candidate.key):
            del self.folder[candidate.key.name]

    def cameras_in_hand(self) -> set[str]:
        return {c.camera for c in self.folder.values() if self.queue.is_queued_as(c.key)}

    def hear(self, candidate: Candidate) -> None:
        if not self.queue.is_queued_as(candidate.key) and self.box.admit(candidate, len(self.queue)):
            self.queue.append(candidate)

    @rule()
    def sweep(self) -> None:
        new = [c for c in self.folder.values() if not self.queue.is_queued_as(c.key)]
        for candidate in sweep(self.box, new, len(self.queue)):
            self.queue.append(candidate)

    @precondition(lambda self: len(self.queue) > 0)
    @rule(count=st.integers(1, 12))
    def judge(self, count: int) -> None:
        """Judge some; none of a camera comes twice while another camera waits in hand."""
        served: set[str] = set()
        for _ in range(min(count, len(self.queue))):
            in_hand = self.cameras_in_hand()
            candidate = self.queue.serve()
            assert candidate.camera not in served or in_hand <= served
            served = {candidate.camera} if in_hand <= served else served | {candidate.camera}
            del self.folder[candidate.key.name]
            before = self.last_judged.get(candidate.camera)
            assert before is None or before.order < candidate.order
            self.last_judged[candidate.camera] = candidate

    @invariant()
    def the_hand_is_never_fuller_than_it_may_be(self) -> None:
        assert len(self.queue) <= MOST_IN_HAND

    @invariant()
    def what_is_not_in_hand_is_known_to_be_left(self) -> None:
        """Of what was heard of nothing depends on the next round: who has no room makes a sweep come."""
        if self.hears and len(self.queue) < len(self.folder):
            assert self.box.is_left
            assert self.box.wants_refill(0)

    def teardown(self) -> None:
        """When nothing more comes, refills bring out everything, and each brings something of every shard."""
        while self.folder:
            while len(self.queue) > REFILL_BELOW:
                self.judge(1)
            self.sweep()
            shards_in_hand = {shard_of(camera) for camera in self.cameras_in_hand()}
            assert shards_in_hand == {shard_of(c.camera) for c in self.folder.values()}
            self.judge(1)


BacklogMachine.TestCase.settings = settings(stateful_step_count=30, deadline=None, database=None)


class TestCamerasDoWhatTheyLike(BacklogMachine.TestCase):  # type: ignore[valid-type,misc]
    """Whatever comes, nothing is lost, every camera has its order and its turn, and no hand is too full."""
