import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from framegate.ingest.queue.settling import WRITER_HOLD_S, SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.model import Candidate, FileKey, NotYet, Origin, Unsettled

SETTLE_S = 2.0
GIVE_UP_S = 5.0
TICK_S = 0.25
"""A binary fraction, so that sums of times are exact."""


def describe(key: FileKey) -> Candidate:
    """Read ``camera-second.jpg``: the camera, and when the frame was taken."""
    camera, _, rest = key.name.partition("-")
    return Candidate(key, camera, int(rest.partition(".")[0]))


def key(name: str, size: int = 10, mtime: int = 1) -> FileKey:
    return FileKey(name, size, mtime)


Taken = dict[str, Candidate]
"""What was taken last, by name."""

Action = Callable[[Uploads, float, Taken], object]


def saw(name: str, origin: Origin, size: int = 10, mtime: int = 1, *, is_done: bool = False) -> Action:
    return lambda uploads, now_s, _: uploads.observe(
        key(name, size, mtime), origin, now_s, writer_is_done=is_done
    )


def created(name: str, size: int = 10) -> Action:
    return saw(name, Origin.CREATED, size)


def closed(name: str, size: int = 10) -> Action:
    return saw(name, Origin.CLOSED, size)


def moved(name: str, size: int = 10) -> Action:
    return saw(name, Origin.MOVED, size)


def swept(name: str, size: int = 10, mtime: int = 1, *, is_done: bool = False) -> Action:
    return saw(name, Origin.SWEEP, size, mtime, is_done=is_done)


def gone(name: str) -> Action:
    return lambda uploads, *_: uploads.vanished(name)


def sweep_found(*names: str) -> Action:
    def sweep(uploads: Uploads, now_s: float, _: Taken) -> None:
        for name in uploads.unseen(names, now_s):
            uploads.vanished(name)

    return sweep


def put_back(name: str, size: int = 10, delay_s: float = 0.0, *, lacks_its_end: bool = False) -> Action:
    why = NotYet.UNFINISHED if lacks_its_end else NotYet.CHANGED
    return lambda uploads, now_s, taken: uploads.put_back(
        Unsettled(taken[name], key(name, size), why), now_s, delay_s=delay_s
    )


@dataclass
class Story:
    """What is seen, second by second, and what has to come out, and when."""

    told: str
    script: list[tuple[float, Action]]
    taken: list[tuple[float, str]]
    """Seconds and names; a question mark: not quiet yet; an exclamation mark: to be judged as it is."""

    sizes: list[int] = field(default_factory=list)
    """Sizes of what was taken, where they matter."""


STORIES = [
    Story("closed is taken at once", [(0, created("c-1")), (0.5, closed("c-1"))], [(0.5, "c-1?")]),
    Story("moved in is taken at once", [(1, moved("c-1"))], [(1, "c-1?")]),
    Story("created only waits until it was quiet", [(1, created("c-1"))], [(3, "c-1")]),
    Story("swept only waits until it was quiet", [(1, swept("c-1"))], [(3, "c-1")]),
    Story("an old mtime is no proof", [(5, swept("c-1", mtime=0))], [(7, "c-1")]),
    Story("seen again and the same goes on settling", [(0, created("c-1")), (1, swept("c-1"))], [(2, "c-1")]),
    Story(
        "a growing file resets the clock",
        [(t, swept("c-1", size=10 + t)) for t in range(6)],
        [(7, "c-1")],
        sizes=[15],
    ),
    Story(
        "a new mtime alone resets the clock",
        [(0, swept("c-1", mtime=1)), (1.5, swept("c-1", mtime=2))],
        [(3.5, "c-1")],
    ),
    Story(
        "made at full size and filled later is taken after the last write",
        [(0, created("c-1", 1000)), (1.5, swept("c-1", 1000, mtime=2)), (3, swept("c-1", 1000, mtime=3))],
        [(5, "c-1")],
        sizes=[1000],
    ),
    Story(
        "a stalled upload that goes on is another version",
        [(0, created("c-1", 10)), (6, swept("c-1", 20)), (6.5, closed("c-1", 30))],
        [(2, "c-1"), (6.5, "c-1?")],
        sizes=[10, 30],
    ),
    Story("vanished is forgotten", [(0, created("c-1")), (1, gone("c-1"))], []),
    Story("vanished without having been seen is nothing", [(0, gone("c-1"))], []),
    Story(
        "vanished and made anew begins anew",
        [(0, created("c-1")), (1, gone("c-1")), (1.5, created("c-1"))],
        [(3.5, "c-1")],
    ),
    Story(
        "what a sweep no longer finds is forgotten",
        [(0, created("c-1")), (0, created("c-2")), (1, sweep_found("c-2", "c-3"))],
        [(2, "c-2")],
    ),
    Story("known to have no writer is taken at once", [(1, swept("c-1", is_done=True))], [(1, "c-1?")]),
    Story(
        "known to have no writer any more is taken at once",
        [(0, created("c-1")), (1, swept("c-1", is_done=True))],
        [(1, "c-1?")],
    ),
    Story(
        "a writer that came back has to finish again",
        [(0, created("c-1")), (0.5, swept("c-2", is_done=True)), (1, swept("c-2", 20))],
        [(2, "c-1"), (3, "c-2")],
        sizes=[10, 20],
    ),
    Story(
        "put back as another version waits until it was quiet",
        [(0, moved("c-1")), (0.25, put_back("c-1", 20))],
        [(0, "c-1?"), (2.25, "c-1")],
        sizes=[10, 20],
    ),
    Story(
        "put back as it was waits until it was quiet",
        [(0, moved("c-1")), (0.25, put_back("c-1"))],
        [(0, "c-1?"), (2, "c-1")],
    ),
    Story(
        "put back waits for its delay",
        [(0, created("c-1")), (2.25, put_back("c-1", delay_s=1))],
        [(2, "c-1"), (3.25, "c-1")],
    ),
    Story(
        "put back waits longer than a short delay",
        [(0, moved("c-1")), (0.25, put_back("c-1", delay_s=1))],
        [(0, "c-1?"), (2, "c-1")],
    ),
    Story(
        "put back again and again it is judged as it is in the end",
        [(0, created("c-1")), *((t, put_back("c-1", delay_s=1)) for t in (2.25, 3.5, 4.75))],
        [(2, "c-1"), (3.25, "c-1"), (4.5, "c-1"), (5.75, "c-1!")],
    ),
    Story(
        "put back and closed is taken at once",
        [(0, moved("c-1")), (0.25, put_back("c-1")), (0.5, closed("c-1", 30))],
        [(0, "c-1?"), (0.5, "c-1?")],
        sizes=[10, 30],
    ),
    Story(
        "a close ends every wait",
        [(0, moved("c-1")), (0.25, put_back("c-1", delay_s=1)), (0.5, closed("c-1"))],
        [(0, "c-1?"), (0.5, "c-1?")],
    ),
    Story(
        "put back and swept does not settle sooner",
        [(0, moved("c-1")), (0.25, put_back("c-1", 20)), (2, swept("c-1", 20)), (2, sweep_found("c-1"))],
        [(0, "c-1?"), (2.25, "c-1")],
    ),
    Story(
        "put back after something newer was heard of it adds nothing",
        [(0, moved("c-1")), (0.25, closed("c-1", 30)), (0.25, put_back("c-1", 10, 4, lacks_its_end=True))],
        [(0, "c-1?"), (0.25, "c-1?")],
        sizes=[10, 30],
    ),
    Story(
        "without its end it waits until nothing more can be expected",
        [(0, closed("c-1")), (0.25, put_back("c-1", lacks_its_end=True))],
        [(0, "c-1?"), (5, "c-1!")],
    ),
    Story(
        "without its end and quiet it waits from its last change",
        [(0, created("c-1")), (1, swept("c-1", 20)), (3.25, put_back("c-1", 20, lacks_its_end=True))],
        [(3, "c-1"), (6, "c-1!")],
    ),
    Story(
        "without its end and seen again it waits no less",
        [(0, closed("c-1")), (0.25, put_back("c-1", lacks_its_end=True)), (3, swept("c-1"))],
        [(0, "c-1?"), (5, "c-1!")],
    ),
    Story(
        "without its end and closed it is taken at once",
        [(0, created("c-1")), (2.25, put_back("c-1", lacks_its_end=True)), (2.5, closed("c-1"))],
        [(2, "c-1"), (2.5, "c-1")],
    ),
    Story(
        "without its end and longer now it is taken when it was quiet",
        [(0, closed("c-1")), (0.25, put_back("c-1", lacks_its_end=True)), (1, swept("c-1", 20))],
        [(0, "c-1?"), (3, "c-1")],
        sizes=[10, 20],
    ),
    Story(
        "without an end that another version may have it is taken when it was quiet",
        [(0, closed("c-1")), (0.25, put_back("c-1", 20, lacks_its_end=True))],
        [(0, "c-1?"), (2.25, "c-1")],
        sizes=[10, 20],
    ),
    Story(
        "without its end it holds younger frames no longer than the settling time",
        [(0, closed("c-1")), (0.25, put_back("c-1", lacks_its_end=True)), (0.5, closed("c-2"))],
        [(0, "c-1?"), (2, "c-2?"), (5, "c-1!")],
    ),
    Story(
        "one that is put back all the time holds younger frames until it was known for the settling time",
        [
            (0, created("c-1")),
            *((t + 0.25, put_back("c-1", delay_s=1.75)) for t in (2, 4)),
            *((t, closed(name)) for t, name in ((1, "c-2"), (3, "c-3"), (5, "c-5"))),
        ],
        [(2, "c-1"), (2, "c-2?"), (3, "c-3?"), (4, "c-1"), (5, "c-5?"), (6, "c-1!")],
    ),
    Story(
        "an older frame of the camera goes first",
        [(0, created("c-1")), (0.5, closed("c-2")), (1, closed("c-1"))],
        [(1, "c-1?"), (1, "c-2?")],
    ),
    Story(
        "a younger frame does not hold an older one",
        [(0, created("c-2")), (0.5, closed("c-1"))],
        [(0.5, "c-1?"), (2, "c-2")],
    ),
    Story(
        "a stalled older frame holds no longer than the settling time",
        [*((t / 2, swept("c-1", size=t)) for t in range(12)), (0.5, closed("c-2"))],
        [(2, "c-2?"), (7.5, "c-1")],
    ),
    Story(
        "an older frame that grew once lets go when its time is over",
        [(0, created("c-1")), (1, swept("c-1", 20)), (1.25, closed("c-2"))],
        [(2, "c-2?"), (3, "c-1")],
    ),
    Story(
        "an older frame that was seen to settle lets the held one go with it",
        [(0, created("c-1")), (0.5, closed("c-2"))],
        [(2, "c-1"), (2, "c-2?")],
    ),
    Story(
        "an older frame that vanishes lets go",
        [(0, created("c-1")), (0.5, closed("c-2")), (1, gone("c-1"))],
        [(1, "c-2?")],
    ),
    Story(
        "other cameras are not held",
        [(0, created("c-1")), (0.5, closed("d-2"))],
        [(0.5, "d-2?"), (2, "c-1")],
    ),
    Story(
        "what is ready together comes by capture time",
        [(0, moved("c-10")), (0, moved("d-5")), (0, moved("c-9")), (0, moved("a-11"))],
        [(0, "d-5?"), (0, "c-9?"), (0, "c-10?"), (0, "a-11?")],
    ),
    Story(
        "frames of one moment come by name",
        [(0, moved("c-1.b")), (0, moved("c-1.a")), (0, moved("b-1"))],
        [(0, "b-1?"), (0, "c-1.a?"), (0, "c-1.b?")],
    ),
    Story(
        "held by an older one, then written to, the close no longer counts",
        [(0, created("c-1")), (0.5, closed("c-2", 10)), (1, swept("c-2", 20))],
        [(2, "c-1"), (3, "c-2")],
        sizes=[10, 20],
    ),
    Story(
        "written to and closed again counts again",
        [(0, created("c-1")), (0.5, closed("c-2", 10)), (1, swept("c-2", 20)), (1.5, closed("c-2", 20))],
        [(2, "c-1"), (2, "c-2?")],
        sizes=[10, 20],
    ),
]  # fmt: skip


def play(script: list[tuple[float, Action]], until_s: float = 12.0) -> list[tuple[float, Candidate]]:
    """Tell a settler a story, asking it at every tick what is ready."""
    uploads = Uploads(SettlingRules(SETTLE_S, GIVE_UP_S), describe)
    taken: list[tuple[float, Candidate]] = []
    last: Taken = {}
    for now_s in (tick * TICK_S for tick in range(int(until_s / TICK_S))):
        for at_s, action in script:
            if at_s == now_s:
                action(uploads, now_s, last)
        ready = uploads.settle(now_s)
        last |= {candidate.key.name: candidate for candidate in ready}
        taken += [(now_s, candidate) for candidate in ready]
    assert len(uploads._settling) == 0
    return taken


def shown(now_s: float, candidate: Candidate) -> str:
    is_quiet = now_s - candidate.unchanged_since_s >= SETTLE_S
    return candidate.key.name + ("!" if candidate.is_final else "" if is_quiet else "?")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.told.replace(" ", "-"))
def test_a_file_is_taken_when_it_is_complete(story: Story) -> None:
    """Whatever the way in which it was written, a file is taken when it is complete, and in order."""
    taken = play(story.script)
    assert [(at_s, shown(at_s, candidate)) for at_s, candidate in taken] == story.taken
    assert not story.sizes or [c.key.size_bytes for _, c in taken] == story.sizes


@pytest.fixture
def uploads() -> Uploads:
    return Uploads(SettlingRules(SETTLE_S, GIVE_UP_S), describe)


def test_a_waiting_file_is_contained_until_it_is_taken(uploads: Uploads) -> None:
    """Who waits can be asked by name, and leaves when it is taken."""
    uploads.observe(key("c-1.jpg"), Origin.CREATED, 0.0)
    uploads.observe(key("c-1.jpg"), Origin.SWEEP, 1.0)
    assert uploads.is_settling("c-1.jpg")
    assert len(uploads._settling) == 1
    assert [c.key for c in uploads.settle(2.0)] == [key("c-1.jpg")]
    assert not uploads.is_settling("c-1.jpg")
    assert uploads.settle(99.0) == []


def test_a_settling_time_of_zero_takes_everything_at_once(describe_zero: Uploads) -> None:
    """With settle_s = 0 and give_up_s = 0 whatever is seen is complete, and judged as it is."""
    describe_zero.observe(key("c-2.jpg"), Origin.CREATED, 5.0)
    describe_zero.observe(key("c-1.jpg"), Origin.SWEEP, 5.0)
    ready = describe_zero.settle(5.0)
    assert [(c.key.name, c.is_final) for c in ready] == [("c-1.jpg", True), ("c-2.jpg", True)]
    assert describe_zero.settle_deadline_s(5.0) == math.inf


@pytest.fixture
def describe_zero() -> Uploads:
    return Uploads(SettlingRules(0.0, 0.0), describe)


def test_giving_up_takes_no_less_than_settling() -> None:
    """A give_up_s below settle_s means settle_s: nothing is judged as it is before it was quiet."""
    uploads = Uploads(SettlingRules(SETTLE_S, SETTLE_S / 4), describe)
    uploads.observe(key("c-1.jpg"), Origin.CREATED, 0.0)
    uploads.observe(key("c-1.jpg"), Origin.CLOSED, SETTLE_S / 2)
    (candidate,) = uploads.settle(SETTLE_S / 2)
    assert not candidate.is_final
    uploads.put_back(Unsettled(candidate, candidate.key, NotYet.UNFINISHED), SETTLE_S / 2)
    assert uploads.settle(SETTLE_S - 0.01) == []
    assert [c.is_final for c in uploads.settle(SETTLE_S)] == [True]


def test_what_was_on_trial_says_since_when_it_is_unchanged(uploads: Uploads) -> None:
    """What is taken says since when nothing about it has changed, so that putting it back loses no time."""
    uploads.observe(key("c-1.jpg"), Origin.CREATED, 1.0)
    uploads.observe(key("c-1.jpg", size=20), Origin.CLOSED, 1.5)
    (candidate,) = uploads.settle(1.75)
    assert (candidate.unchanged_since_s, candidate.is_final) == (1.5, False)


def test_what_settles_while_others_are_judged_is_due_at_once(uploads: Uploads) -> None:
    """Asked for the deadline later than for what is ready, a settler forgets nothing that settled between."""
    uploads.observe(key("c-1.jpg"), Origin.SWEEP, 0.0)
    uploads.observe(key("c-2.jpg"), Origin.CLOSED, 0.1)
    assert uploads.settle(SETTLE_S - 0.01) == []
    assert uploads.settle_deadline_s(SETTLE_S + 0.01) == SETTLE_S + 0.01
    assert [c.key.name for c in uploads.settle(SETTLE_S + 0.01)] == ["c-1.jpg", "c-2.jpg"]


def test_nothing_waiting_has_no_deadline(uploads: Uploads) -> None:
    """An empty settler wakes nobody, before and after it held something."""
    assert uploads.settle_deadline_s(0.0) == math.inf
    uploads.observe(key("c-1.jpg"), Origin.CLOSED, 0.0)
    uploads.settle(0.0)
    assert uploads.settle_deadline_s(0.0) == math.inf


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.told.replace(" ", "-"))
def test_the_deadline_is_never_later_than_what_it_is_for(story: Story) -> None:
    """Asked only at hints and deadlines, a settler gives what it gives when it is asked all the time."""
    uploads = Uploads(SettlingRules(SETTLE_S, GIVE_UP_S), describe)
    taken: list[tuple[float, Candidate]] = []
    last: Taken = {}
    told = sorted({at_s for at_s, _ in story.script})
    now_s: float | None = told[0]
    while now_s is not None:
        for at_s, action in story.script:
            if at_s == now_s:
                action(uploads, now_s, last)
        ready = uploads.settle(now_s)
        last |= {candidate.key.name: candidate for candidate in ready}
        taken += [(now_s, candidate) for candidate in ready]
        deadline_s = uploads.settle_deadline_s(now_s)
        assert (deadline_s == math.inf) == (len(uploads._settling) == 0)
        assert deadline_s > now_s
        now_s = min((t for t in [*told, deadline_s] if now_s < t < math.inf), default=None)
    assert taken == play(story.script)


@pytest.mark.parametrize("is_written", [True, False])
def test_a_frame_that_is_being_written_holds_no_other(is_written: bool) -> None:
    """Younger frames do not wait for an upload that takes long, when it is known to be going on."""
    uploads = Uploads(SettlingRules(SETTLE_S, GIVE_UP_S, lambda name: is_written and name == "c-1"), describe)
    uploads.observe(key("c-1"), Origin.CREATED, 0.0)
    uploads.observe(key("c-2"), Origin.CLOSED, 0.125)
    assert uploads.settle(0.125) == []
    assert uploads.settle_deadline_s(0.125) == WRITER_HOLD_S
    free = [candidate.key.name for candidate in uploads.settle(WRITER_HOLD_S)]
    assert free == (["c-2"] if is_written else [])


def test_a_slow_upload_is_judged_when_its_writer_closes_it(uploads: Uploads) -> None:
    """However often it was found to be still written, the close of a file ends its wait."""
    uploads.observe(key("c-1"), Origin.CREATED, 0.0)
    for now_s in (2.0, 4.0, 6.0):
        (candidate,) = uploads.settle(now_s)
        uploads.put_back(Unsettled(candidate, candidate.key, NotYet.BEING_WRITTEN), now_s, delay_s=SETTLE_S)
    assert uploads.settle(6.5) == []
    uploads.observe(key("c-1"), Origin.CLOSED, 6.5)
    assert [c.key.name for c in uploads.settle(6.5)] == ["c-1"]
