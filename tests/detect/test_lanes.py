"""Pictures of several sizes by turns: each size is judged as if it were alone."""

import random
from itertools import islice

import numpy as np
import pytest

from framegate import Decision, DetectionSettings, Judge, Reason
from framegate.detect.judging.lane import MOST_LANES
from pictures import picture_for
from places import below, place, rolled, seen

MINUTE_NS = 60 * 10**9
CLASSIC = DetectionSettings.preset("classic", min_contour_area="20px", score_threshold="1%")
ADAPTIVE = DetectionSettings.preset("adaptive")
PRESETS = pytest.mark.parametrize("settings", [CLASSIC, ADAPTIVE], ids=["classic", "adaptive"])

Size = tuple[int, int]
"""(width, height)."""

MAIN, SUB, CROP = (320, 180), (160, 90), (100, 100)
TURNS: dict[str, list[Size]] = {
    "main and sub stream": [MAIN, SUB],
    "a burst of one, then the other": [MAIN, MAIN, MAIN, SUB, SUB, SUB],
    "three sizes": [MAIN, SUB, CROP],
    "portrait and landscape": [MAIN, MAIN[::-1]],
    "padding rows": [(320, 180), (320, 184)],
    "one row more": [(320, 180), (320, 181)],
    "four sizes": [MAIN, SUB, CROP, MAIN[::-1]],
    "now and then": [MAIN] * 7 + [SUB],
}


def scene(number: int, size: Size) -> np.ndarray:
    """Return what a camera sees at a moment, in colour: noise, and a car in some frames."""
    width, height = size
    picture = np.full((height, width, 3), 100, np.uint8)
    picture += np.random.default_rng(number).integers(0, 5, picture.shape, np.uint8)
    if number // 24 % 2:
        picture[height // 3 : height * 2 // 3, width // 4 : width // 2] = (220, 210, 200)
    return picture


def turns(sizes: list[Size], count: int) -> list[Size]:
    return [sizes[number % len(sizes)] for number in range(count)]


def decided(judge: Judge, number: int, size: Size) -> Decision:
    """Judge what the camera sees in one minute."""
    return judge.judge(f"{number}", number * MINUTE_NS, picture_for(judge.settings, scene(number, size)))


def as_if_alone(settings: DetectionSettings, sizes: list[Size]) -> list[Decision]:
    """Return the decisions of a judge for each size; its first frame is as one judge for all says."""
    alone = {size: Judge(settings) for size in sizes}
    decisions = [decided(alone[size], number, size) for number, size in enumerate(sizes)]
    before = [None, *sizes]
    for number, size in enumerate(sizes[1:], 1):
        if decisions[number].reason is Reason.FIRST:
            was = before[number]
            assert was is not None
            detail = f"{was[0]}x{was[1]} -> {size[0]}x{size[1]}"
            decisions[number] = Decision(Reason.SIZE_CHANGED, detail=detail)
    return decisions


@PRESETS
@pytest.mark.parametrize("sizes", TURNS.values(), ids=TURNS)
def test_each_size_is_judged_as_if_it_were_alone(settings: DetectionSettings, sizes: list[Size]) -> None:
    """By turns or in bursts: verdicts, scores and references are those of a judge for each size."""
    settings = settings.model_copy(update={"keep_every": 600.0})
    sent = turns(sizes, 40)
    judge = Judge(settings)
    decisions = [decided(judge, number, size) for number, size in enumerate(sent)]
    assert decisions == as_if_alone(settings, sent)
    assert [each.reason for each in decisions].count(Reason.SIZE_CHANGED) == len(set(sizes)) - 1
    assert {Reason.FIRST, Reason.CHANGED, Reason.UNCHANGED, Reason.HEARTBEAT} <= {d.reason for d in decisions}


@pytest.mark.parametrize("seed", range(4))
def test_sizes_without_any_order_are_told_apart(seed: int) -> None:
    """Four sizes in an order of chance are still each compared with their own reference."""
    sent = random.Random(seed).choices([MAIN, SUB, CROP, MAIN[::-1]], weights=[9, 5, 2, 1], k=60)
    judge = Judge(ADAPTIVE)
    decisions = [decided(judge, number, size) for number, size in enumerate(sent)]
    assert decisions == as_if_alone(ADAPTIVE, sent)


@PRESETS
def test_a_size_that_changes_for_good_keeps_one_frame(settings: DetectionSettings) -> None:
    """After an update of the camera its first frame of the new size is kept, and the scene goes on."""
    judge = Judge(settings)
    sent = [*[SUB] * 5, *[MAIN] * 5]
    reasons = [str(decided(judge, number, size).reason) for number, size in enumerate(sent)]
    assert reasons == ["first", *["unchanged"] * 4, "size_changed", *["unchanged"] * 4]


@PRESETS
def test_the_size_that_was_unused_longest_goes(settings: DetectionSettings) -> None:
    """A fifth size takes the place of the one of which no frame has come for the longest time."""
    a, b, c, d, e = ((64 + 4 * number, 48) for number in range(5))
    judge = Judge(settings)
    for number, size in enumerate((a, b, c, d)):
        assert decided(judge, number, size).reason.is_kept
    assert decided(judge, 4, a).reason is Reason.UNCHANGED
    assert judge.judge_repeat(5 * MINUTE_NS, size=b) == Decision(Reason.IDENTICAL, reference="1")
    assert decided(judge, 6, e).reason is Reason.SIZE_CHANGED
    assert list(judge.lanes) == [d, a, b, e]
    assert decided(judge, 7, c) == Decision(Reason.SIZE_CHANGED, detail="80x48 -> 72x48")
    assert [decided(judge, 8, size).reason for size in (a, b, e)] == [Reason.UNCHANGED] * 3


@PRESETS
def test_crops_of_a_size_of_their_own_are_all_kept_and_cost_no_memory(settings: DetectionSettings) -> None:
    """What never comes twice in one size is kept, as it cannot be compared, and is forgotten soon."""
    judge = Judge(settings)
    assert decided(judge, 0, (60, 60)).reason is Reason.FIRST
    most = 0
    for number in range(1, 40):
        assert decided(judge, number, (60 + number, 60)).reason is Reason.SIZE_CHANGED
        assert len(judge.lanes) <= MOST_LANES
        if number == MOST_LANES:
            most = judge.size_bytes
    assert judge.size_bytes < 1.8 * most
    assert len(judge.state()) < judge.size_bytes


@PRESETS
def test_a_storm_keeps_one_frame_a_minute_of_all_sizes_together(settings: DetectionSettings) -> None:
    """Above max_kept_per_hour it is one for the camera, not one for each size."""
    judge = Judge(settings.model_copy(update={"max_kept_per_hour": 4}))
    kept_s = []
    for number in range(60):
        picture = picture_for(settings, scene(24 * (number // 2), (MAIN, SUB)[number % 2]))
        if judge.judge(f"{number}", number * 10 * 10**9, picture).reason.is_kept:
            kept_s.append(10 * number)
    assert kept_s[:4] == [0, 10, 20, 30]
    assert all(
        after - before >= 60 for before, after in zip(kept_s[3:], islice(kept_s, 4, None), strict=False)
    )
    assert len(kept_s) > 8


def test_what_a_storm_drops_takes_no_other_sizes_place() -> None:
    """A new size in a storm has to wait for its minute; until then those that are known stay."""
    judge = Judge(CLASSIC.model_copy(update={"max_kept_per_hour": 2}))
    sizes = [(64, 48), (68, 48)]
    for number, size in enumerate(sizes):
        judge.judge(f"{number}", number, picture_for(CLASSIC, scene(0, size)))
    for number in range(4):
        dropped = judge.judge("new", 10**9, picture_for(CLASSIC, scene(0, (80 + number, 48))))
        assert (dropped.reason, dropped.reference) == (Reason.STORM_DROPPED, None)
    assert list(judge.lanes) == sizes
    assert judge.judge("new", MINUTE_NS + 1, picture_for(CLASSIC, scene(0, (80, 48)))).reason is Reason.STORM
    assert list(judge.lanes) == [*sizes, (80, 48)]


@PRESETS
@pytest.mark.parametrize(
    "sizes", [[MAIN, SUB], [MAIN, SUB, CROP, SUB], [(60 + n, 60) for n in range(5)]], ids=len
)
def test_a_judge_of_several_sizes_is_restored_at_any_frame(
    settings: DetectionSettings, sizes: list[Size]
) -> None:
    """Restored after any frame it decides the same and has the same bytes, to the end."""
    settings = settings.model_copy(update={"keep_every": 1200.0, "max_kept_per_hour": 20})
    sent = turns(sizes, 30)
    plain = Judge(settings)
    expected, states = [], [plain.state()]
    for number, size in enumerate(sent):
        expected.append(decided(plain, number, size))
        states.append(plain.state())
    for cut in range(0, len(sent), 5):
        judge = Judge.restored(settings, states[cut])
        assert judge.state() == states[cut]
        assert [decided(judge, cut + n, size) for n, size in enumerate(sent[cut:])] == expected[cut:]
        assert judge.state() == states[-1]


def test_each_size_counts_its_own_tears_and_is_restored_with_them() -> None:
    """Two sizes by turns, both torn: two of each are rejected, and a restart at any frame changes nothing."""
    wholes = place(1), place(1, 240, 320)
    torn = [below(whole, 100, rolled(whole, 70)) for whole in wholes]
    sent = [picture_for(ADAPTIVE, seen(scene, n)) for n, scene in enumerate([*wholes, *torn * 4])]
    plain, reasons, states = Judge(ADAPTIVE), [], []
    for number, picture in enumerate(sent):
        states.append(plain.state())
        reasons.append(plain.judge(f"{number}", number * MINUTE_NS, picture).reason)
    assert [reason is Reason.TORN for reason in reasons] == [False] * 2 + [True] * 4 + [False] * 4
    assert all(reason.is_kept for reason in reasons[6:8])
    for cut, state in enumerate(states):
        judge = Judge.restored(ADAPTIVE, state)
        rest = [judge.judge(f"{n}", n * MINUTE_NS, sent[n]).reason for n in range(cut, len(sent))]
        assert rest == reasons[cut:]
        assert judge.state() == plain.state()


@PRESETS
def test_other_masks_hold_for_every_size(settings: DetectionSettings) -> None:
    """A judge of several sizes that is retuned goes on as one that had the masks from the start."""
    masked = settings.model_copy(update={"border_mask": (30.0, 0.0, 0.0, 0.0)})
    sent = turns([MAIN, SUB], 16)
    late, early = Judge(settings), Judge(masked)
    for number, size in enumerate(sent[:2]):
        decided(late, number, size)
        decided(early, number, size)
    assert late.retune(masked)
    for number, size in enumerate(sent[2:], 2):
        assert decided(late, number, size) == decided(early, number, size)
    assert late.state() == early.state()


@PRESETS
@pytest.mark.parametrize("seed", range(3))
def test_a_judge_that_rests_at_any_moment_goes_on_to_the_bit(settings: DetectionSettings, seed: int) -> None:
    """Resting before frames of any size, before an edit or a save, changes no decision and no state."""
    chance = random.Random(seed)
    settings = settings.model_copy(update={"border_mask": (5.0, 0.0, 0.0, 10.0)})
    edited = settings.model_copy(update={"border_mask": (0.0, 20.0, 0.0, 0.0)})
    awake, resting = Judge(settings), Judge(settings)
    for number, size in enumerate(chance.choices([MAIN, SUB, CROP], k=40)):
        for _ in range(chance.randrange(3)):
            resting.rest()
        if number == 20:
            assert awake.retune(edited)
            assert resting.retune(edited)
        assert decided(resting, number, size) == decided(awake, number, size)
        if chance.random() < 0.3:
            resting.rest()
            assert resting.state() == awake.state()
    assert resting.state() == awake.state()


def test_a_judge_that_rests_takes_little_more_than_its_pictures() -> None:
    """Two pictures at 320 x 180 in three channels are left, and what was learnt: a quarter of the memory."""
    judge = Judge(ADAPTIVE)
    for number in range(3):
        decided(judge, number, MAIN)
    awake_bytes = judge.size_bytes
    judge.rest()
    pictures_bytes = 2 * 320 * 180 * 3
    assert pictures_bytes < judge.size_bytes < min(pictures_bytes + 50_000, awake_bytes / 2)


def test_classic_remembers_no_frame_but_the_reference() -> None:
    """It never compares consecutive frames: the memory of the last dropped one is for a second camera."""
    judge = Judge(CLASSIC)
    reasons = [decided(judge, number, MAIN).reason for number in range(3)]
    assert reasons == [Reason.FIRST, Reason.UNCHANGED, Reason.UNCHANGED]
    picture_bytes = 320 * 180
    assert picture_bytes < judge.size_bytes < 1.2 * picture_bytes
    assert picture_bytes < len(judge.state()) < 1.2 * picture_bytes
