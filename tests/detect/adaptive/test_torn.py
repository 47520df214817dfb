"""A picture whose lower part stands elsewhere is rejected; what a whole camera may show never is."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate import DetectionSettings, Judge, Reason
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.tear import Tear
from pictures import Pixels, decoded, picture_for
from places import COLUMNS, ROWS, below, place, rolled, seen

ADAPTIVE = DetectionSettings.preset("adaptive")
MINUTE_NS = 60 * 10**9


def without_blocks(scene: Pixels, first: int, count: int, side: int = 16) -> Pixels:
    """Return the picture after some of its JPEG blocks were lost and all that follow moved up."""
    rows, columns = scene.shape[0] // side, scene.shape[1] // side
    whole = scene[: rows * side, : columns * side]
    blocks = whole.reshape(rows, side, columns, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    left = np.concatenate((blocks[:first], blocks[first + count :], np.repeat(blocks[-1:], count, axis=0)))
    torn = scene.copy()
    torn[: rows * side, : columns * side] = (
        left.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(whole.shape)
    )
    return torn


HERE, ELSEWHERE = place(1), place(2)
TEARS = {
    "blocks lost in the upper half": without_blocks(HERE, 330, 13),
    "blocks lost in the lower half": without_blocks(HERE, 610, 25),
    "more than a row of blocks lost": without_blocks(HERE, 250, 55),
    "blocks lost at the very top": without_blocks(HERE, 1, 16),
    "blocks lost twice": without_blocks(without_blocks(HERE, 200, 13), 500, 11),
    "sideways to the right": below(HERE, 170, rolled(HERE, 140)),
    "sideways to the left": below(HERE, 80, rolled(HERE, -250)),
    "sideways, a band of it": below(below(HERE, 150, rolled(HERE, 200)), 220, HERE),
    "from higher up": below(HERE, 200, rolled(HERE, 0, 130)),
}


def tear(reference: Pixels, current: Pixels, settings: DetectionSettings = ADAPTIVE) -> Tear | None:
    detector = Adaptive(settings)
    was, now = (
        detector.prepare(detector.reduce(picture_for(settings, each))) for each in (reference, current)
    )
    return detector.tear(was, now)


@pytest.mark.parametrize("light", [1.0, 0.6, 1.15])
@pytest.mark.parametrize("name", TEARS)
def test_a_torn_picture_is_found(name: str, light: float) -> None:
    """A picture whose lower part stands elsewhere is torn, whatever the light became meanwhile."""
    assert tear(seen(HERE, 1), seen(TEARS[name], 2, light)) is not None


@pytest.mark.parametrize("name", TEARS)
def test_a_whole_picture_is_not_torn_because_its_reference_is(name: str) -> None:
    """When the reference is torn, the whole picture after it is not rejected: it has no seam."""
    assert tear(seen(TEARS[name], 1), seen(HERE, 2)) is None


def test_the_words_say_where_it_is_torn() -> None:
    """The verdict says from which row on the picture is moved, by how much and whereto, in pixels."""
    torn = tear(seen(HERE, 1), seen(below(HERE, 200, rolled(HERE, -160)), 2))
    assert torn is not None
    words = torn.in_words((COLUMNS, ROWS))
    found = re.fullmatch(r"from about row (\d+) of 360 on it is moved 160 pixels to the left", words)
    assert found is not None, words
    assert 196 <= int(found[1]) <= 204


def lorry(left: int, top: int = 150) -> Pixels:
    scene = HERE.copy()
    side = place(3, ROWS - top, 500)
    first, stop = max(0, left), min(COLUMNS, left + 500)
    scene[top:, first:stop] = side[:, first - left : stop - left]
    return scene


def train(at: int, top: int = 120, bottom: int = 300) -> Pixels:
    scene = HERE.copy()
    scene[top:bottom] = place(4, bottom - top, 2000)[:, at : at + COLUMNS]
    return scene


def shutter(down: int) -> Pixels:
    scene = HERE.copy()
    scene[40 : 40 + down] = place(5, 300, COLUMNS)[300 - down :]
    return scene


def panned(right: int, down: int, banner: int = 0) -> Pixels:
    wide = place(6, 800, 1400)
    scene = wide[200 + down : 200 + down + ROWS, 300 + right : 300 + right + COLUMNS].copy()
    scene[:banner] = HERE[:banner]
    return scene


def blinds(down: int) -> Pixels:
    scene = HERE.copy()
    stripes = np.where((np.arange(100, ROWS) + down) // 16 % 2, 210, 90)[:, None, None]
    grain = np.random.default_rng(9).normal(0, 5, (ROWS - 100, COLUMNS, 1))  # of the lens: it does not move
    scene[100:] = np.clip(stripes + grain, 0, 255)
    return scene


def turned(degrees: float) -> Pixels:
    matrix = cv2.getRotationMatrix2D((COLUMNS / 2, 0), degrees, 1)
    return cv2.warpAffine(HERE, matrix, (COLUMNS, ROWS), borderMode=cv2.BORDER_REFLECT).astype(np.uint8)


WHOLE = {
    "a lorry comes": (HERE, lorry(60)),
    "a lorry moves on": (lorry(-20), lorry(90)),
    "a train passes": (train(0), train(700)),
    "a train moves on": (train(0), train(150)),
    "a train comes": (HERE, train(100)),
    "a shutter closes": (shutter(60), shutter(240)),
    "a shutter opens": (shutter(260), shutter(130)),
    "blinds on a shaking mast": (blinds(0), blinds(21)),
    "a camera is turned": (panned(0, 0), panned(220, 0)),
    "a camera is turned and tilted": (panned(0, 0), panned(-150, 90)),
    "a camera below a banner is turned": (panned(0, 0, banner=50), panned(180, 0, banner=50)),
    "a camera is tilted sideways": (HERE, turned(4)),
    "a shaking mast": (HERE, rolled(HERE, 6, -5)),
    "a banner comes": (HERE, below(HERE, 300, ELSEWHERE)),
    "the lower half is another": (HERE, below(HERE, 180, ELSEWHERE)),
    "a shadow with a straight edge": (HERE, below(HERE, 190, (HERE * 0.45).astype(np.uint8))),
    "another place": (HERE, ELSEWHERE),
    "a bare wall": (HERE, np.full_like(HERE, 120)),
    "a mirror": (HERE, np.ascontiguousarray(HERE[:, ::-1])),
}


@pytest.mark.parametrize("light", [1.0, 0.3])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_picture_is_not_torn(name: str, light: float) -> None:
    """What a camera may really show is not torn, in either order, by day or by night."""
    before, after = (seen(each, seed, light) for seed, each in enumerate(WHOLE[name]))
    assert (tear(before, after), tear(after, before)) == (None, None)


@pytest.mark.parametrize("size", [(16, 16), (20, 300), (300, 20), (161, 121), (50, 1200)])
def test_a_picture_of_any_size_can_be_asked(size: tuple[int, int]) -> None:
    """Small, narrow and odd pictures are compared like all others, and are whole."""
    rows, columns = size
    assert tear(seen(place(7, rows, columns)), seen(place(8, rows, columns))) is None


def judged(judge: Judge, pictures: list[Pixels]) -> list[Reason]:
    return [
        judge.judge(f"{number}.png", number * MINUTE_NS, picture_for(judge.settings, picture)).reason
        for number, picture in enumerate(pictures)
    ]


def test_a_torn_frame_leaves_no_trace() -> None:
    """A torn frame is rejected and teaches nothing: after the next frame it is as if it had not come."""
    good = [seen(HERE, seed) for seed in range(4)]
    torn = seen(TEARS["sideways to the right"], 9)
    judge, other = Judge(ADAPTIVE), Judge(ADAPTIVE)
    assert judged(judge, good[:3]) == judged(other, good[:3])
    decision = judge.judge("torn.png", 3 * MINUTE_NS, picture_for(ADAPTIVE, torn))
    assert (decision.reason, decision.verdict, decision.score) == (Reason.TORN, "rejected", None)
    assert decision.detail.endswith("of 360 on it is moved 140 pixels to the right")
    assert judged(judge, good[3:]) == judged(other, good[3:]) == [Reason.UNCHANGED]
    assert judge.state() == other.state()


def test_the_frame_before_may_prove_it_where_the_reference_cannot() -> None:
    """When the reference shows too little of the place, the frame before it is asked."""
    judge = Judge(DetectionSettings.preset("adaptive", score_threshold="1000x"))
    night = [seen(HERE * 0, 1), seen((HERE * 0.05).astype(np.uint8), 2)]
    reasons = judged(judge, [*night, *(seen(HERE, 3, light) for light in (0.15, 0.3, 0.5))])
    (lane,) = judge.lanes.values()
    assert lane.previous is not lane.reference, reasons
    torn = seen(TEARS["sideways to the right"], 9, 0.5)
    assert judge.judge("torn.png", 9 * MINUTE_NS, picture_for(judge.settings, torn)).reason is Reason.TORN


def test_after_a_torn_first_frame_whole_ones_are_kept() -> None:
    """When the first frame is torn, the next whole one is kept, and is what the others are compared with."""
    torn = seen(TEARS["sideways to the right"], 9)
    reasons = judged(Judge(ADAPTIVE), [torn, *(seen(HERE, seed) for seed in range(3))])
    assert reasons[0] is Reason.FIRST
    assert reasons[1].is_kept
    assert reasons[2:] == [Reason.UNCHANGED] * 2


def test_classic_knows_no_torn_pictures() -> None:
    """The published algorithm keeps a torn picture as changed: it is that algorithm to the bit."""
    torn = TEARS["sideways to the right"]
    settings = DetectionSettings.preset("classic", min_contour_area="500px", score_threshold="2%")
    assert judged(Judge(settings), [HERE, torn]) == [Reason.FIRST, Reason.CHANGED]


def test_the_torn_stills_of_a_real_camera_are_found(shared_data: Path) -> None:
    """Of all stills of a parking lot, judged in their order, the torn ones are rejected, and no other."""
    folders = [shared_data / name for name in ("lot_empty", "lot_empty_days", "lot_torn")]
    torn = {path.name for path in folders[-1].glob("*.jpg")}
    paths = {path.name: path for folder in folders for path in folder.glob("*.jpg")}
    assert len(torn) == 11
    judge = Judge(ADAPTIVE)
    found = set()
    for number, name in enumerate(sorted(paths)):
        picture = decoded(paths[name].read_bytes(), ADAPTIVE)
        if judge.judge(name, number * 5 * MINUTE_NS, picture).reason is Reason.TORN:
            found.add(name)
    assert found == torn
