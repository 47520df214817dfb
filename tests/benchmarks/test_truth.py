from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.truth import (
    MOVING,
    OUTSIDE,
    UNKNOWN,
    Mask,
    mask_truth,
    masks_differ,
    state_truth,
    states_differ,
)

SHADOW = 50


def _mask(moving_px: int = 0, level: int = MOVING) -> Mask:
    mask = np.zeros((100, 100), np.uint8)
    mask.reshape(-1)[:moving_px] = level
    return mask


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ((0, 1), (0, 1), False),
        ((0, 1), (2, 1), True),
        ((0, -1), (0, 1), None),
        ((0, -1), (0, -1), None),
        ((0, -1), (2, 1), True),
        ((-1, -1), (0, 0), None),
    ],
)
def test_states(before: tuple[int, ...], after: tuple[int, ...], changed: bool | None) -> None:
    """A known difference is a change; where there is none, an unknown state leaves the pair unjudged."""
    assert states_differ(before, after) is changed
    assert states_differ(after, before) is changed


def test_a_table_of_states_is_asked_by_stem(tmp_path: Path) -> None:
    """The table may name PNG files where the frames are JPEG files."""
    (tmp_path / "states.csv").write_text("frame,car\na.png,0\nb.png,0\nc.png,1\n", encoding="utf-8")
    truth = state_truth(tmp_path / "states.csv")
    assert truth("a.jpg", "b.jpg") is False
    assert truth("a.jpg", "c.jpg") is True


@pytest.mark.parametrize(
    ("moving_px", "changed"), [(0, False), (5, False), (6, None), (99, None), (100, True), (5000, True)]
)
def test_moving_share(moving_px: int, changed: bool | None) -> None:
    """From 1 % of the judged pixels on it is a change, up to 0.05 % it is none, between them neither."""
    assert masks_differ(_mask(), _mask(moving_px)) is changed
    assert masks_differ(_mask(moving_px), _mask()) is changed


@pytest.mark.parametrize("level", [SHADOW, OUTSIDE, UNKNOWN])
def test_what_does_not_count_as_moving(level: int) -> None:
    """Shadows are static; what is outside or unknown, in either frame, is not asked."""
    assert masks_differ(_mask(), _mask(5000, level)) is False
    if level != SHADOW:
        assert masks_differ(_mask(5000, level), _mask(5000)) is False


def test_nothing_to_judge() -> None:
    """Two masks without a judged pixel in common say nothing."""
    assert masks_differ(_mask(10_000, UNKNOWN), _mask()) is None


def test_masks_are_asked_of_any_two_frames(tmp_path: Path) -> None:
    """A frame is compared with the named one, however far back it lies."""
    for number, moving_px in enumerate((0, 400, 400, 0)):
        cv2.imwrite(str(tmp_path / f"gt{number:06d}.png"), _mask(moving_px))
    truth = mask_truth(tmp_path)
    assert truth("in000001.jpg", "in000002.jpg") is False
    assert truth("in000000.jpg", "in000002.jpg") is True
    assert truth("in000000.jpg", "in000003.jpg") is False
