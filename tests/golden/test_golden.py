"""Scores of real footage, written down: what a new OpenCV, or a change of ours, must not move."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from framegate.config.detection import DetectionSettings
from framegate.detect.classic import Classic
from framegate.detect.deciding import decide
from framegate.detect.decoding import decode
from framegate.detect.small_picture import SmallPicture
from framegate.model import ChangeScore, Picture, Verdict

BOOK = Path(__file__).with_name("scores.json")
FOLDERS = ("lot_empty", "webcam_day")
MIN_CONTOUR_AREA_PX, SCORE_THRESHOLD_PX = 500, 5000
EVERY = 3

Scores = dict[str, float]
"""Score in pixels by ``reference > frame``."""


def _margin(score_px: float) -> float:
    """Return how far a score may move: decoders round JPEG's transform by a gray level here and there."""
    return max(0.02 * score_px, 250)


def _detector() -> Classic:
    return Classic(
        DetectionSettings.preset(
            "classic",
            min_contour_area=f"{MIN_CONTOUR_AREA_PX}px",
            score_threshold=f"{SCORE_THRESHOLD_PX}px",
        )
    )


def _prepared(detector: Classic, file: Path) -> SmallPicture:
    picture = decode(file.read_bytes(), detector.settings)
    assert isinstance(picture, Picture)
    return detector.prepare(detector.reduce(picture))


def _score(detector: Classic, folder: Path, pair: str) -> tuple[ChangeScore, Verdict]:
    reference, current = (_prepared(detector, folder / name) for name in pair.split(" > "))
    score = detector.score(reference, current)
    return score, decide(score).verdict


def _measured(folder: Path) -> Scores:
    detector = _detector()
    names = sorted(file.name for file in folder.glob("*.jpg"))
    pairs = [f"{before} > {after}" for before, after in pairwise(names)][::EVERY]
    return {pair: _score(detector, folder, pair)[0].changed_px for pair in pairs}


@pytest.fixture(scope="module")
def book(shared_data: Path) -> dict[str, Scores]:
    """The scores as written down, or written anew when FRAMEGATE_UPDATE_GOLDEN=1."""
    if os.environ.get("FRAMEGATE_UPDATE_GOLDEN") == "1":
        scores = {folder: _measured(shared_data / folder) for folder in FOLDERS}
        BOOK.write_text(json.dumps(scores, indent=1) + "\n")
    written: dict[str, Scores] = json.loads(BOOK.read_text())
    return written


@pytest.mark.parametrize("folder", FOLDERS)
def test_scores_of_real_footage_stay(shared_data: Path, book: dict[str, Scores], folder: str) -> None:
    """Every pair scores what is written down, but for the rounding of a decoder."""
    detector = _detector()
    measured = {pair: _score(detector, shared_data / folder, pair)[0].changed_px for pair in book[folder]}
    moved = {
        pair: (score_px, measured[pair])
        for pair, score_px in book[folder].items()
        if abs(measured[pair] - score_px) > _margin(score_px)
    }
    assert moved == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_decisions_about_real_footage_stay(shared_data: Path, book: dict[str, Scores], folder: str) -> None:
    """Every pair whose score is not about at the threshold is decided as written down."""
    detector = _detector()
    clear = {
        pair: Verdict.KEPT if score_px > SCORE_THRESHOLD_PX else Verdict.DROPPED
        for pair, score_px in book[folder].items()
        if abs(score_px - SCORE_THRESHOLD_PX) > _margin(score_px)
    }
    assert set(clear.values()) == {Verdict.KEPT, Verdict.DROPPED}
    decided = {pair: _score(detector, shared_data / folder, pair)[1] for pair in clear}
    assert decided == clear
