from pathlib import Path

import pytest

from benchmarks.figures import Figures, Judged, Outcome, auc, figures
from benchmarks.product import judged
from benchmarks.rivals import against_last_kept
from benchmarks.sets import FrameSet
from benchmarks.truth import Truth


def _frames(truth: Truth, count: int) -> FrameSet:
    return FrameSet("made-up", "made-up", "rooms", [Path(f"{number}.png") for number in range(count)], truth)


@pytest.mark.parametrize(
    ("positives", "negatives", "area"),
    [
        ([3, 4], [1, 2], 1.0),
        ([1, 2], [3, 4], 0.0),
        ([1, 3], [2], 0.5),
        ([2], [2], 0.5),
        ([float("inf"), 1], [1, 1], 0.75),
        ([1], [], None),
    ],
)
def test_area_under_the_curve(positives: list[float], negatives: list[float], area: float | None) -> None:
    """The area is the share of pairs in which the positive scores higher; an equal pair is a half."""
    assert auc(positives, negatives) == area


def test_truth_is_asked_about_the_frame_that_was_compared_with() -> None:
    """A filter that overlooked a car is wrong about every frame until it keeps one, not only once."""
    states = (0, 1, 1, 1, 1)
    frames = _frames(lambda a, b: states[int(Path(a).stem)] != states[int(Path(b).stem)], 5)
    found = figures(
        [
            Outcome(
                frames,
                [
                    Judged("0.png", None, None, kept=True),
                    Judged("1.png", "0.png", 1.0, kept=False),
                    Judged("2.png", "0.png", 1.5, kept=False),
                    Judged("3.png", "0.png", 3.0, kept=True),
                    Judged("4.png", "3.png", 1.0, kept=True),
                ],
            )
        ]
    )
    assert found == Figures(3, 1, 1 / 3, 1.0, 2.5 / 3, 3, 5)


def test_what_is_not_judged_counts_as_kept_alone() -> None:
    """Where nothing is known, a kept frame is neither right nor wrong, but it is kept."""
    frames = _frames(lambda _a, _b: None, 2)
    verdicts = [Judged("0.png", None, None, kept=True), Judged("1.png", "0.png", 9.0, kept=True)]
    assert figures([Outcome(frames, verdicts)]) == Figures(0, 0, None, None, None, 2, 2)


def test_the_last_kept_frame_is_compared_with() -> None:
    """A slow change is kept once it has added up; comparing with the frame before would never see it."""
    levels = {f"{number}.png": level for number, level in enumerate((0, 2, 4, 6, 8))}
    judge = against_last_kept(lambda frame: levels[frame.name], lambda a, b: b - a, 5)
    verdicts = judge(_frames(lambda _a, _b: None, 5))
    assert [one.name for one in verdicts if one.kept] == ["0.png", "3.png"]
    assert [one.reference for one in verdicts] == [None, "0.png", "0.png", "0.png", "3.png"]


def test_the_product_is_read_from_its_table() -> None:
    """A row without a reference is asked against the last kept frame, a rejected frame is not asked."""
    rows = [
        {"frame": "a", "reference": "", "score": "", "verdict": "kept"},
        {"frame": "b", "reference": "a", "score": "0.5", "verdict": "dropped"},
        {"frame": "c", "reference": "", "score": "", "verdict": "dropped"},
        {"frame": "d", "reference": "", "score": "", "verdict": "rejected"},
    ]
    assert judged(rows, "score") == [
        Judged("a", None, None, kept=True),
        Judged("b", "a", 0.5, kept=False),
        Judged("c", "a", None, kept=False),
        Judged("d", None, None, kept=False),
    ]
