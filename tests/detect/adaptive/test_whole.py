"""What changes most of the picture at once is named: the light, or where the camera looks."""

import cv2
import numpy as np
import pytest

from framegate import DetectionSettings, Judge, Reason
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.adaptive.working import BLOCK
from pictures import Pixels, picture_for

ADAPTIVE = DetectionSettings.preset("adaptive")
LOW = DetectionSettings.preset("adaptive", score_threshold="1000x")
MINUTE_NS = 60 * 10**9
ROWS, COLUMNS = 180, 320


def place(seed: int) -> np.ndarray:
    """Return a place in colour: a rough ground with some forty things on it, float (180, 320, 3)."""
    chance = np.random.default_rng(seed)
    rough = chance.uniform(70, 130, (ROWS // 6, COLUMNS // 6, 1)) * chance.uniform(0.8, 1.2, 3)
    picture = cv2.resize(rough, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        x, y = int(chance.integers(0, COLUMNS)), int(chance.integers(0, ROWS))
        width, height = chance.integers(8, 50, 2)
        picture[y : y + height, x : x + width] = chance.uniform(20, 220, 3)
    return picture


def seen(scene: np.ndarray, noise_seed: int = 0, noise: float = 2.0) -> Pixels:
    """Return what a camera makes of a scene: noise, and whole numbers from 0 to 255."""
    chance = np.random.default_rng(noise_seed)
    return np.clip(scene + chance.normal(0, noise, scene.shape), 0, 255).astype(np.uint8)


def spot(least: float, most: float) -> np.ndarray:
    """Return the light of one lamp, (180, 320, 1)."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    far = ((y - 60) / ROWS) ** 2 + ((x - 120) / ROWS) ** 2
    return np.asarray(least + (most - least) * np.exp(-far))[..., None]


def infrared(scene: np.ndarray) -> np.ndarray:
    """Return a scene in the light of the camera's own lamps, in gray."""
    return np.asarray(scene.mean(axis=2, keepdims=True).repeat(3, axis=2) * spot(0.4, 1.3))


def shifted(scene: np.ndarray, right: float, down: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(scene, matrix, (COLUMNS, ROWS), borderMode=cv2.BORDER_REFLECT)


def with_thing(scene: np.ndarray, thing: np.ndarray | float) -> np.ndarray:
    """Return a scene, 55 % of it hidden by something."""
    hidden = scene * 0 + thing
    hidden[:, int(COLUMNS * 0.55) :] = scene[:, int(COLUMNS * 0.55) :]
    return hidden


HERE, ELSEWHERE = place(1), place(2)
NIGHT = HERE * 0.2
CASES = {
    "lamp on": (NIGHT, HERE * spot(0.5, 1.3), Reason.LIGHTING),
    "lamp off": (HERE * spot(0.5, 1.3), NIGHT, Reason.LIGHTING),
    "lamp on in a black room": (HERE * 0 + 3, HERE * spot(0.5, 1.3), Reason.LIGHTING),
    "infrared on at night": (NIGHT, infrared(HERE), Reason.LIGHTING),
    "infrared on at dusk": (HERE * 0.7, infrared(HERE), Reason.LIGHTING),
    "infrared off at dawn": (infrared(HERE), HERE * 0.7, Reason.LIGHTING),
    "turned": (HERE, ELSEWHERE, Reason.MOVED),
    "turned by a fifth": (HERE, np.roll(HERE, COLUMNS // 5, axis=1), Reason.MOVED),
    "covered, black": (HERE, HERE * 0 + 5, Reason.MOVED),
    "covered, gray": (HERE, HERE * 0 + 120, Reason.MOVED),
    "covered by a hand": (HERE, (HERE * 0 + np.array([60, 80, 150])) * spot(0.4, 1.1), Reason.MOVED),
    "the same": (HERE, HERE, None),
    "the same at night": (NIGHT, NIGHT, None),
    "a shaking mast": (HERE, shifted(HERE, 3.5, -4), None),
    "a shaking mast at night": (NIGHT, shifted(NIGHT, -4, 2.5), None),
    "a cloud leaves the sun": (HERE * 0.67, HERE, None),
    "a step of dusk": (HERE * 0.6, HERE * 0.5, None),
    "a bus fills half of it": (HERE, with_thing(HERE, ELSEWHERE), None),
    "a black coat fills half of it": (HERE, with_thing(HERE, 15.0), None),
    "a dark hedge fills half of it": (HERE, with_thing(HERE, ELSEWHERE * 0.25), None),
    "a white van fills half of it": (HERE, with_thing(HERE, 240.0), None),
    "someone before a bare wall": (HERE * 0 + 120, with_thing(HERE * 0 + 120, ELSEWHERE), None),
}


def named(before: np.ndarray, after: np.ndarray, *, is_changed: bool = False) -> Reason | None:
    detector = Adaptive(ADAPTIVE)
    previous, current = (
        detector.prepare(detector.reduce(picture_for(ADAPTIVE, seen(scene, number))))
        for number, scene in enumerate((before, after))
    )
    return detector.whole_change(previous, current, is_changed=is_changed)


@pytest.mark.parametrize(("before", "after", "reason"), CASES.values(), ids=CASES)
def test_a_drastic_change_of_the_whole_picture_is_named(
    before: np.ndarray, after: np.ndarray, reason: Reason | None
) -> None:
    """Lamps and infrared are light; turned and covered cameras are moved; things and weather neither."""
    assert named(before, after) is reason


def test_a_cloud_is_named_when_the_frame_has_changed_anyway() -> None:
    """Half as much light again keeps no frame, but tells why one is kept; a fifth more does not."""
    assert named(HERE * 0.67, HERE, is_changed=True) is Reason.LIGHTING
    assert named(HERE * 0.85, HERE, is_changed=True) is None


def test_a_thing_is_never_light_however_much_it_fills() -> None:
    """What hides the place has changed it, and is not named as light."""
    for thing in (ELSEWHERE, ELSEWHERE * 0.25, 15.0, 240.0):
        assert named(HERE, with_thing(HERE, thing), is_changed=True) is None


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (93, 154), (60, 180), (2, 500)])
def test_pictures_of_every_size_have_an_answer(shape: tuple[int, int]) -> None:
    """A picture too small to say anything of the whole is not named; none raises."""
    detector = Adaptive(ADAPTIVE)
    bright = seen(cv2.resize(HERE, shape[::-1]))
    dark = seen(cv2.resize(HERE, shape[::-1]) * 0.2)
    previous, current = (
        detector.prepare(detector.reduce(picture_for(ADAPTIVE, each))) for each in (dark, bright)
    )
    expected = None if max(shape) < BLOCK * 8 else Reason.LIGHTING
    assert detector.whole_change(previous, current, is_changed=False) is expected


def test_what_is_ignored_is_not_asked() -> None:
    """A lamp that lights an ignored part is no light; one that lights all of the rest is."""
    left = np.zeros((ROWS, COLUMNS), np.uint8)
    left[:, : COLUMNS * 2 // 5] = 255
    lit = HERE * 0.3
    lit[:, COLUMNS * 2 // 5 :] = HERE[:, COLUMNS * 2 // 5 :]
    for mask, expected in ((left, None), (255 - left, Reason.LIGHTING), (left * 0, None)):
        detector = Adaptive(ADAPTIVE, mask)
        previous, current = (
            detector.prepare(detector.reduce(picture_for(ADAPTIVE, seen(each)))) for each in (HERE * 0.3, lit)
        )
        assert detector.whole_change(previous, current, is_changed=False) is expected


def reasons(judge: Judge, scenes: list[np.ndarray]) -> list[Reason]:
    return [
        judge.judge(f"{number}.png", number * MINUTE_NS, picture_for(ADAPTIVE, seen(scene, number))).reason
        for number, scene in enumerate(scenes)
    ]


def test_a_switch_is_kept_once() -> None:
    """Even if the score says nothing, a lamp and a cover keep one frame each; what follows is unchanged."""
    lit, black = HERE * spot(0.5, 1.3), HERE * 0 + 5
    assert reasons(Judge(LOW), [NIGHT, NIGHT, lit, lit, lit, NIGHT, NIGHT, black, black, ELSEWHERE]) == [
        Reason.FIRST, Reason.UNCHANGED, Reason.LIGHTING, Reason.UNCHANGED, Reason.UNCHANGED, Reason.LIGHTING,
        Reason.UNCHANGED, Reason.MOVED, Reason.UNCHANGED, Reason.LIGHTING,
    ]  # fmt: skip
    assert reasons(Judge(LOW), [HERE, ELSEWHERE, ELSEWHERE])[1:] == [Reason.MOVED, Reason.UNCHANGED]


def test_slow_dusk_is_no_switch() -> None:
    """Each frame a little darker, until all is a fifth as bright: nothing happened at once."""
    dusk = [HERE * 0.93**step for step in range(24)]
    assert set(reasons(Judge(LOW), dusk)[1:]) == {Reason.UNCHANGED}


def test_switches_count_in_a_storm() -> None:
    """A lamp that flickers fills the hour like anything else that changes."""
    settings = DetectionSettings.preset("adaptive", score_threshold="1000x", max_kept_per_hour=3)
    flickering = [NIGHT if number % 2 else HERE for number in range(6)]
    assert reasons(Judge(settings), flickering) == [
        Reason.FIRST, Reason.LIGHTING, Reason.LIGHTING, Reason.STORM, Reason.STORM, Reason.STORM,
    ]  # fmt: skip


def test_a_restored_judge_sees_the_switch_as_well() -> None:
    """The frame before the switch is part of the state."""
    judge = Judge(LOW)
    assert reasons(judge, [HERE, NIGHT, NIGHT])[1] is Reason.LIGHTING
    again = Judge.restored(LOW, judge.state())
    picture = picture_for(LOW, seen(HERE))
    for each in (judge, again):
        assert each.judge("lit.png", 9 * MINUTE_NS, picture).reason is Reason.LIGHTING
    assert again.state() == judge.state()
