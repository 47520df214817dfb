"""Scores of drawn frames, written down for both presets: they need no footage, so they are never skipped."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from drawn import FRAMES, frame
from framegate.config.detection import DetectionSettings
from framegate.detect.judging.judge import Judge
from pictures import picture_for

BOOK = Path(__file__).with_name("drawn_scores.json")
PRESETS = {
    "classic": DetectionSettings.preset("classic", min_contour_area="500px", score_threshold="5000px"),
    "adaptive": DetectionSettings.preset("adaptive"),
}
PLACES = 6
"""Digits behind the point: scores are sums of products of floats, whose last bit no library promises."""


def _walk(settings: DetectionSettings) -> list[dict[str, Any]]:
    """Judge all frames in order as a camera does; return score and verdict of each but the first."""
    judge = Judge(settings)
    judged = []
    for number in range(FRAMES):
        decision = judge.judge(f"{number}", 0, picture_for(settings, frame(number)))
        if number:
            assert decision.score is not None
            verdict = str(decision.verdict)
            judged.append({"score": round(decision.score.score, PLACES), "verdict": verdict})
    return judged


@pytest.fixture(scope="module")
def book() -> dict[str, Any]:
    """What is written down, or is written anew when FRAMEGATE_UPDATE_GOLDEN=1."""
    if os.environ.get("FRAMEGATE_UPDATE_GOLDEN") == "1":
        measured = {"frames": _frames_sha256()} | {name: _walk(preset) for name, preset in PRESETS.items()}
        fresh = BOOK.with_suffix(f".{os.getpid()}")  # each worker of pytest-xdist writes, others read
        fresh.write_text(json.dumps(measured, indent=1) + "\n")
        fresh.replace(BOOK)
    written: dict[str, Any] = json.loads(BOOK.read_text())
    return written


def _frames_sha256() -> str:
    return sha256(b"".join(frame(number).tobytes() for number in range(FRAMES))).hexdigest()


def test_the_drawn_frames_are_the_same_everywhere(book: dict[str, Any]) -> None:
    """On every machine, and with every version of the libraries, the frames have the same bytes."""
    assert _frames_sha256() == book["frames"]


@pytest.mark.parametrize("preset", PRESETS)
def test_scores_and_verdicts_of_drawn_frames_stay(book: dict[str, Any], preset: str) -> None:
    """Every frame, compared with the last kept one, scores and is decided as written down."""
    assert {judged["verdict"] for judged in book[preset]} == {"kept", "dropped"}
    assert _walk(PRESETS[preset]) == book[preset]
