import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framegate.commands.demo.scene import Lot, encoded
from framegate.commands.explain.two_files import in_words
from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.classic import Classic
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
def detector() -> Classic:
    return Classic(
        DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="2%", blur=0, dilate=0)
    )


def test_a_change_is_explained_by_what_the_daemon_compares(tmp_path: Path, detector: Classic) -> None:
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


def test_pictures_of_unlike_sizes_are_not_compared(tmp_path: Path, detector: Classic) -> None:
    """Another size has its reason and no numbers, and the overlay is the picture itself."""
    other = picture(tmp_path, "b.png", width=160)
    told = explain(picture(tmp_path, "a.png"), other, detector, max_pixels=1e6)
    assert (told.decision.reason, told.decision.detail) == (Reason.SIZE_CHANGED, "200x100 -> 160x100")
    assert told.as_json()["score"] is None
    assert told.as_json()["regions"] == []
    assert overlay(other, told).shape == (100, 160, 3)


def test_the_overlay_shows_the_frame_beside_what_changed(tmp_path: Path, detector: Classic) -> None:
    """Both panels are at least 480 rows high, the right one white where the car is, outlined in red."""
    current = picture(tmp_path, "b.png", car=True)
    drawn = overlay(current, explain(picture(tmp_path, "a.png"), current, detector, max_pixels=1e6))
    scale = SMALLEST_OVERLAY_HEIGHT / 100
    assert drawn.shape == (480, 2 * round(200 * scale) + GAP, 3)
    right = drawn[:, round(200 * scale) + GAP :]
    assert (right[round(45 * scale), round(120 * scale)] == 255).all()
    assert (right[round(90 * scale), round(20 * scale)] == 0).all()
    assert right[round(45 * scale), round(100 * scale)].tolist() == [60, 60, 255]


def test_what_is_no_frame_is_named(tmp_path: Path, detector: Classic) -> None:
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


def textured(folder: Path, name: str, *, car: bool = False) -> Path:
    """Write a picture of noisy ground, 640 x 360, perhaps with a car of 80 x 60 pixels at (400, 200)."""
    ground = np.random.default_rng(1).integers(90, 110, (360, 640, 3)).astype(np.uint8)
    if car:
        ground[200:260, 400:480] = np.random.default_rng(2).integers(0, 256, (60, 80, 3))
    (folder / name).write_bytes(cv2.imencode(".png", ground)[1].tobytes())
    return folder / name


GATE = {"name": "gate", "polygon": [[0.5, 0.4], [0.9, 0.4], [0.9, 0.9], [0.5, 0.9]]}


def adaptive(**overrides: Any) -> Adaptive:
    return Adaptive(DetectionSettings.preset("adaptive", **overrides))


def test_adaptive_names_the_place_that_changed_most(tmp_path: Path) -> None:
    """Its place is that of the car, in pixels of the picture and not of the small ones that are compared."""
    told = explain(
        textured(tmp_path, "a.png"), textured(tmp_path, "b.png", car=True), adaptive(), max_pixels=1e6
    )
    assert told.decision.reason is Reason.CHANGED
    place = told.as_json()["place"]
    assert place["x"] == pytest.approx(400, abs=24)
    assert place["y"] == pytest.approx(200, abs=24)
    assert place["width"] == pytest.approx(80, abs=48)
    words = in_words(told)
    assert re.search(r"score \d+(\.\d+)?x > threshold 2\.3x\n", words)
    assert f"at x {place['x']}, y {place['y']}, {place['width']} x {place['height']} of 640x360" in words
    assert "px of" not in words


def test_adaptive_names_a_place_that_did_not_change_enough(tmp_path: Path) -> None:
    """A dropped frame has a place that changed most as well; it is a small one, and no region."""
    told = explain(textured(tmp_path, "a.png"), textured(tmp_path, "b.png"), adaptive(), max_pixels=1e6)
    assert told.decision.reason is Reason.UNCHANGED
    assert told.place is not None
    assert told.as_json()["regions"] == []
    assert re.search(r"score \d+(\.\d+)?x <= threshold 2\.3x\n", in_words(told))


def test_a_lamp_is_explained_as_the_daemon_names_it(tmp_path: Path) -> None:
    """Light that doubles is kept as ``lighting``, whatever its score."""
    dark, lit = tmp_path / "dark.png", tmp_path / "lit.png"
    scene = Lot(light=0.4).picture(noise=0)
    dark.write_bytes(encoded(scene, ".png"))
    lit.write_bytes(encoded(np.minimum(scene, 127) * 2, ".png"))
    explanation = explain(dark, lit, adaptive(), max_pixels=1e6)
    assert explanation.decision.reason is Reason.LIGHTING
    assert in_words(explanation).startswith("kept: lighting\nscore ")


@pytest.mark.parametrize("preset", ["adaptive", "classic"])
def test_the_zone_that_decided_is_named_and_drawn(tmp_path: Path, preset: str) -> None:
    """Words and JSON name the zone, and both panels of the overlay have its outline."""
    areas = {"min_contour_area": "1px", "score_threshold": "0.1%"}
    classic = Classic(DetectionSettings.preset("classic", zone=[GATE], **areas))
    detector = classic if preset == "classic" else adaptive(zone=[GATE])
    current = textured(tmp_path, "b.png", car=True)
    told = explain(textured(tmp_path, "a.png"), current, detector, max_pixels=1e6)
    assert told.as_json()["zone"] == "gate"
    assert " of zone gate\n" in in_words(told)
    plain = replace(told, zones=())
    drawn = np.any(overlay(current, told) != overlay(current, plain), axis=2)
    half = drawn.shape[1] // 2
    for panel in (drawn[:, :half], drawn[:, half:]):
        rows, columns = np.nonzero(panel)
        assert rows.min() == pytest.approx(0.4 * panel.shape[0], abs=4)
        assert columns.max() == pytest.approx(0.9 * panel.shape[1], abs=12)


def test_the_overlay_of_adaptive_is_white_where_it_changed_enough(tmp_path: Path) -> None:
    """What changed less than the threshold is at most half gray."""
    told = explain(
        textured(tmp_path, "a.png"), textured(tmp_path, "b.png", car=True), adaptive(), max_pixels=1e6
    )
    assert told.changed is not None
    height, width = told.changed.shape
    assert told.changed[round(height * 230 / 360), round(width * 440 / 640)] == 255
    assert set(np.unique(told.changed)) - set(range(128)) == {255}
    assert (told.changed[: height // 3] < 128).all()
