from hypothesis import given
from hypothesis import strategies as st

from framegate.ingest.pending import Pending
from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.model import Candidate, FileKey, Origin

SETTLE_S, GIVE_UP_S, REORDER_S = 2.0, 60.0, 10.0
TICK_S = 0.25


def describe(key: FileKey) -> Candidate:
    """Read ``camera-second.jpg``: the camera, and when the frame was taken."""
    camera, _, rest = key.name.partition("-")
    return Candidate(key, camera, int(rest.partition(".")[0]))


def with_order(reorder_s: float = REORDER_S) -> Uploads:
    return Uploads(SettlingRules(SETTLE_S, GIVE_UP_S, reorder_s=reorder_s), describe)


def judged(uploads: Uploads, arrivals: list[tuple[float, str, Origin]]) -> list[Candidate]:
    """Let files arrive, and judge each at the moment it is queued; return them in that order."""
    done: list[Candidate] = []
    end_s = max(at_s for at_s, *_ in arrivals) + REORDER_S + GIVE_UP_S
    for tick in range(int(end_s / TICK_S)):
        now_s = tick * TICK_S
        for at_s, name, origin in arrivals:
            if at_s == now_s:
                uploads.observe(FileKey(name, 1, 1), origin, now_s)
        uploads.settle(now_s)
        while (candidate := next(uploads.upcoming(), None)) is not None:
            uploads.done(candidate)
            done.append(candidate)
    return done


NUMBERS = st.lists(st.integers(0, 99), unique=True, min_size=1, max_size=12)
MOMENTS = st.integers(0, int(REORDER_S / TICK_S)).map(lambda tick: tick * TICK_S)
ORIGINS = st.sampled_from([Origin.CLOSED, Origin.MOVED, Origin.CREATED, Origin.SWEEP])


@given(NUMBERS, st.data())
def test_frames_that_arrive_within_reorder_s_are_judged_in_order(
    numbers: list[int], data: st.DataObject
) -> None:
    """Whatever the order and the way in which frames arrive, each camera's are judged as they were taken."""
    arrivals = [
        (data.draw(MOMENTS), f"{camera}-{number}.jpg", data.draw(ORIGINS))
        for number in numbers
        for camera in "cd"
    ]
    done = judged(with_order(), arrivals)
    assert len(done) == len(arrivals)
    for camera in "cd":
        mine = [candidate.captured_at_ns for candidate in done if candidate.camera == camera]
        assert mine == sorted(numbers)


@given(NUMBERS, st.data())
def test_only_what_arrives_later_than_that_is_late(numbers: list[int], data: st.DataObject) -> None:
    """A frame is judged after a younger one only if it came more than reorder_s after some younger one."""
    came_s = {number: data.draw(MOMENTS) * 3 for number in numbers}
    done = judged(with_order(), [(at_s, f"c-{number}.jpg", Origin.CLOSED) for number, at_s in came_s.items()])
    order = [candidate.captured_at_ns for candidate in done]
    for at, number in enumerate(order):
        if any(earlier > number for earlier in order[:at]):
            assert any(came_s[number] - came_s[other] > REORDER_S for other in numbers if other > number)


def test_a_frame_waits_no_longer_than_reorder_s() -> None:
    """A frame goes when it has been known for reorder_s, and those older than it go with it; others wait."""
    uploads = with_order()
    for at_s, number in [(0.0, 5), (4.0, 3), (8.0, 7)]:
        uploads.observe(FileKey(f"c-{number}.jpg", 1, 1), Origin.CLOSED, at_s)
        assert uploads.settle(at_s) == []
        assert uploads.settle_deadline_s(at_s) == REORDER_S
    assert [candidate.captured_at_ns for candidate in uploads.settle(REORDER_S)] == [3, 5]
    assert uploads.settle_deadline_s(REORDER_S) == 8.0 + REORDER_S


def test_other_rules_take_effect_at_once() -> None:
    """When reorder_s is edited, frames that wait by the former one go by the new one."""
    uploads = with_order()
    uploads.observe(FileKey("c-1.jpg", 1, 1), Origin.CLOSED, 0.0)
    assert uploads.settle(1.0) == []
    uploads.use(SettlingRules(SETTLE_S, GIVE_UP_S))
    assert len(uploads.settle(1.0)) == 1


def test_a_waiting_frame_says_what_it_waits_for() -> None:
    """Status shows that a frame is complete and waits for older ones."""
    uploads = with_order()
    uploads.observe(FileKey("c-1.jpg", 1, 1), Origin.CLOSED, 0.0)
    why = "c-1.jpg: waits for older frames (drop.reorder_s)"
    assert uploads.pending({}, 1.0) == {"c": Pending(1, 0.0, why)}
