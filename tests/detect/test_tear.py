"""A tear that comes again and again is what the camera shows: its frames are judged like any others."""

from itertools import pairwise

import pytest

from framegate import DetectionSettings, Judge, Reason
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.tear import Tear, TornAlike, torn_alike
from pictures import Pixels, picture_for
from places import below, place, rolled, seen

ADAPTIVE = DetectionSettings.preset("adaptive")
MINUTE_NS = 60 * 10**9
HERE = place(1)
HERE_TORN = below(HERE, 170, rolled(HERE, 140))
TORN, UNCHANGED = Reason.TORN, Reason.UNCHANGED


def judged(judge: Judge, pictures: list[Pixels], begin: int = 0) -> list[Reason]:
    """Judge what a camera sees minute by minute, each time with noise of its own."""
    return [
        judge.judge(f"{n}", n * MINUTE_NS, picture_for(judge.settings, seen(picture, n))).reason
        for n, picture in enumerate(pictures, begin)
    ]


def test_the_third_that_is_torn_alike_is_kept_and_the_reference() -> None:
    """A picture that stays torn costs two frames: the third is kept, and the rest is compared with it."""
    judge = Judge(ADAPTIVE)
    reasons = judged(judge, [HERE, *[HERE_TORN] * 6])
    assert reasons[:3] == [Reason.FIRST, TORN, TORN]
    assert reasons[3].is_kept
    assert reasons[4:] == [UNCHANGED] * 3
    (lane,) = judge.lanes.values()
    assert (lane.reference.name, lane.torn) == ("3", None)


def test_different_tears_are_all_refused() -> None:
    """Frames that are each torn at another row, or by another width, are rejected however many come."""
    torn = [below(HERE, row, rolled(HERE, 140)) for row in (60, 100, 140, 180, 220)]
    torn += [below(HERE, 170, rolled(HERE, right)) for right in (100, 140, 180, -140, -100)]
    assert judged(Judge(ADAPTIVE), [HERE, *torn, HERE]) == [Reason.FIRST, *[TORN] * len(torn), UNCHANGED]


def test_a_whole_frame_in_between_starts_over() -> None:
    """Two that are torn alike before a whole frame and two after it are all rejected."""
    pair = [HERE_TORN] * 2
    assert judged(Judge(ADAPTIVE), [HERE, *pair, HERE, *pair]) == [
        Reason.FIRST, TORN, TORN, UNCHANGED, TORN, TORN,
    ]  # fmt: skip


def test_a_repeat_of_a_whole_frame_starts_over() -> None:
    """A frame that is dropped as identical is a whole one in between, although it is not decoded."""
    judge, pair = Judge(ADAPTIVE), [HERE_TORN] * 2
    assert judged(judge, [HERE, *pair]) == [Reason.FIRST, TORN, TORN]
    repeat = judge.judge_repeat(3 * MINUTE_NS, size=picture_for(ADAPTIVE, HERE).size)
    assert repeat is not None
    assert judged(judge, pair, 4) == [TORN, TORN]


def test_what_is_shown_is_judged_until_a_whole_frame_comes() -> None:
    """When the third is dropped by its score, those after it are not rejected either."""
    judge = Judge(ADAPTIVE.model_copy(update={"max_kept_per_hour": 1}))
    reasons = judged(judge, [HERE, *[HERE_TORN] * 2])
    for n in range(3, 7):  # within the minute of a storm nothing is kept
        picture = picture_for(judge.settings, seen(HERE_TORN, n))
        reasons.append(judge.judge(f"{n}", 3 * 10**9 + n, picture).reason)
    assert reasons == [Reason.FIRST, TORN, TORN, *[Reason.STORM_DROPPED] * 4]


def test_a_restart_between_changes_nothing() -> None:
    """Restored after any frame, the judge gives the same verdicts and has the same state to the end."""
    whole_then_torn = [HERE, *[HERE_TORN] * 2, HERE, *[HERE_TORN] * 4, *[HERE] * 4]
    plain = Judge(ADAPTIVE)
    states, expected = [plain.state()], []
    for n, picture in enumerate(whole_then_torn):
        expected += judged(plain, [picture], n)
        states.append(plain.state())
    assert expected.count(TORN) == 4
    for cut, state in enumerate(states):
        judge = Judge.restored(ADAPTIVE, state)
        assert judge.state() == state
        assert judged(judge, whole_then_torn[cut:], cut) == expected[cut:]
        assert judge.state() == states[-1]


def test_other_settings_go_on_counting() -> None:
    """A live edit between two that are torn alike does not start over."""
    judge = Judge(ADAPTIVE)
    assert judged(judge, [HERE, *[HERE_TORN] * 2])[1:] == [TORN, TORN]
    assert judge.retune(ADAPTIVE.model_copy(update={"max_kept_per_hour": 9}))
    (reason,) = judged(judge, [HERE_TORN], 3)
    assert reason.is_kept


@pytest.mark.parametrize("right", [140, -140, 310, 320, -330])
def test_noise_and_light_do_not_make_tears_differ(right: int) -> None:
    """The same tear is seen at the same place again, also where it parts the picture in two halves."""
    detector = Adaptive(ADAPTIVE)
    reference = detector.prepare(detector.reduce(picture_for(ADAPTIVE, seen(HERE))))
    tears = []
    for seed, light in enumerate((1.0, 0.5, 0.8, 1.15, 0.7), 1):
        picture = picture_for(ADAPTIVE, seen(below(HERE, 170, rolled(HERE, right)), seed, light))
        tear = detector.tear(reference, detector.prepare(detector.reduce(picture)))
        assert tear is not None
        tears.append(tear)
    assert all(now.is_like(before, picture.size) for before, now in pairwise(tears))


@pytest.mark.parametrize(
    ("other", "is_alike"),
    [
        (Tear(58, 80, 0), True),
        (Tear(59, 80, 0), False),
        (Tear(42, 84, -4), True),
        (Tear(50, 85, 0), False),
        (Tear(50, 80, 5), False),
        (Tear(50, -240, 8), True),
        (Tear(50, -240, 13), False),
        (Tear(50, -80, 0), False),
    ],
)
def test_tears_are_alike_within_some_pixels(other: Tear, *, is_alike: bool) -> None:
    """In the row and in what they moved; both sides of a picture that is 320 wide are one place."""
    tear = Tear(50, 80, 0)
    assert tear.is_like(other, (1280, 720)) is other.is_like(tear, (1280, 720)) is is_alike


def test_a_count_comes_back_from_its_values() -> None:
    """What is saved is restored; the count ends where it decides."""
    torn = None
    for _ in range(9):
        torn = torn_alike(torn, Tear(50, -80, 3), (1280, 720))
    assert torn == TornAlike(Tear(50, -80, 3), 3)
    assert TornAlike.restored(torn.saved()) == torn


@pytest.mark.parametrize(
    "values", [None, 3, "abcd", [], [1, 2, 3], [1, 2, 3, 4, 5], [0, 1, 1, 1], [4, 1, 1, 1], [True, 1, 1, 1],
               [1, 1.0, 1, 1], [1, None, 1, 1], [1, 2**40, 1, 1], {"times": 1}]
)  # fmt: skip
def test_damaged_values_are_refused(values: object) -> None:
    """What no count was saved as raises ValueError."""
    with pytest.raises(ValueError, match=r"not a count|cannot be"):
        TornAlike.restored(values)
