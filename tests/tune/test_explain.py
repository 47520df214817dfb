import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate.config.detection import DetectionSettings
from framegate.detect.detector import ChangeDetector
from framegate.model import Reason
from framegate.tune.explain import GAP, SMALLEST_OVERLAY_HEIGHT, NotAFrameError, explain, overlay


def picture(folder: Path, name: str, *, car: bool = False, width: int = 200) -> Path:
    """Write a grey PNG, perhaps with a white car of 40 x 30 pixels in it."""
    drawn = np.full((100, width), 60, np.uint8)
    if car:
        drawn[30:60, 100:140] = 255
    (folder / name).write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
    return folder / name


@pytest.fixture
def detector() -> ChangeDetector:
    return ChangeDetector(
        DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="2%", blur=0, dilate=0)
    )


def test_a_change_is_explained_by_what_the_daemon_compares(tmp_path: Path, detector: ChangeDetector) -> None:
    """Score, threshold, verdict and region are those of the car, in pixels and in percent of the picture."""
    told = explain(
        picture(tmp_path, "a.png"), picture(tmp_path, "b.png", car=True), detector, max_pixels=1e6
    ).as_json()
    assert (told["verdict"], told["reason"], told["picture_px"]) == ("kept", "changed", 20_000)
    assert told["changed_px"] == 39 * 29
    assert told["score"] == pytest.approx(100 * 39 * 29 / 20_000)
    assert (told["threshold"], told["unit"], told["working_size"]) == (pytest.approx(2.0), "%", [200, 100])
    ((x, y, width, height),) = [[r[key] for key in ("x", "y", "width", "height")] for r in told["regions"]]
    assert (x, y, width, height) == (100, 30, 40, 30)
    assert json.loads(json.dumps(told)) == told


def test_pictures_of_unlike_sizes_are_not_compared(tmp_path: Path, detector: ChangeDetector) -> None:
    """Another size has its reason and no numbers, and the overlay is the picture itself."""
    other = picture(tmp_path, "b.png", width=160)
    told = explain(picture(tmp_path, "a.png"), other, detector, max_pixels=1e6)
    assert (told.decision.reason, told.decision.detail) == (Reason.SIZE_CHANGED, "200x100 -> 160x100")
    assert told.as_json()["score"] is None
    assert told.as_json()["regions"] == []
    assert overlay(other, told).shape == (100, 160, 3)


def test_the_overlay_shows_the_frame_beside_what_changed(tmp_path: Path, detector: ChangeDetector) -> None:
    """Both panels are at least 480 rows high, the right one white where the car is, outlined in red."""
    current = picture(tmp_path, "b.png", car=True)
    drawn = overlay(current, explain(picture(tmp_path, "a.png"), current, detector, max_pixels=1e6))
    scale = SMALLEST_OVERLAY_HEIGHT / 100
    assert drawn.shape == (480, 2 * round(200 * scale) + GAP, 3)
    right = drawn[:, round(200 * scale) + GAP :]
    assert (right[round(45 * scale), round(120 * scale)] == 255).all()
    assert (right[round(90 * scale), round(20 * scale)] == 0).all()
    assert right[round(45 * scale), round(100 * scale)].tolist() == [60, 60, 255]


def test_what_is_no_frame_is_named(tmp_path: Path, detector: ChangeDetector) -> None:
    """A missing file, a FIFO, a text and a picture above the limit are each one sentence with the path."""
    good = picture(tmp_path, "a.png")
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, why in {
        "gone.png": "No such file",
        "fifo.png": "not a regular file",
        "text.png": "undecodable",
    }.items():
        with pytest.raises(NotAFrameError, match=f"{name}: .*{why}"):
            explain(good, tmp_path / name, detector, max_pixels=1e6)
    with pytest.raises(NotAFrameError, match=r"a\.png: too_large"):
        explain(good, good, detector, max_pixels=100)
