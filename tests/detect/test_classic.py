"""``classic`` is the published algorithm to the bit; it is written down here once more, without framegate."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import drawn
from framegate.config.detection import DetectionSettings
from framegate.detect.classic import Classic
from framegate.detect.deciding import decide
from framegate.detect.decoding import decode
from framegate.model import Picture, Verdict

MOST_REAL = 40
NO_MASK, MASK = (0, 0, 0, 0), (5, 10, 5, 0)
Border = tuple[float, float, float, float]

as_published = pytest.mark.parametrize(
    ("border", "min_contour_area", "score_threshold"),
    [
        pytest.param(NO_MASK, 5000, 50000, id="unmasked-5000-50000"),
        pytest.param(MASK, 500, 5000, id="masked-500-5000"),
        pytest.param(NO_MASK, 500, 5000, id="unmasked-500-5000", marks=pytest.mark.slow),
        pytest.param(MASK, 5000, 50000, id="masked-5000-50000", marks=pytest.mark.slow),
    ],
)


def _published_prepare(path: Path, border: Border) -> np.ndarray:
    read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert read is not None
    gray = cv2.GaussianBlur(read, (5, 5), 0)
    height, width = gray.shape
    x_min, y_min = int(border[0] * width / 100), int(border[1] * height / 100)
    x_max, y_max = width - int(border[2] * width / 100), height - int(border[3] * height / 100)
    if border[0]:
        gray = cv2.rectangle(gray, (0, 0), (x_min, height), 0, -1)
    if border[1]:
        gray = cv2.rectangle(gray, (0, 0), (width, y_min), 0, -1)
    if border[2]:
        gray = cv2.rectangle(gray, (x_max, 0), (width, height), 0, -1)
    if border[3]:
        gray = cv2.rectangle(gray, (0, y_max), (width, height), 0, -1)
    return gray


def _published_score(before: np.ndarray, after: np.ndarray, min_contour_area: float) -> float:
    delta = cv2.absdiff(before, after)
    changed = cv2.threshold(delta, 45, 255, cv2.THRESH_BINARY)[1]
    changed = cv2.dilate(changed, None, iterations=2)  # type: ignore[call-overload]
    contours, _ = cv2.findContours(changed.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    score = 0.0
    for contour in contours:
        area = cv2.contourArea(contour)
        if area < min_contour_area:
            continue
        score += area
    return score


def _by_publication(
    files: list[Path], border: Border, min_contour_area: int, score_threshold: int
) -> Iterator[tuple[float, bool]]:
    for before, after in pairwise(_published_prepare(file, border) for file in files):
        score = _published_score(before, after, min_contour_area)
        yield score, score > score_threshold


def _by_framegate(
    files: list[Path], border: Border, min_contour_area: int, score_threshold: int
) -> Iterator[tuple[float, bool]]:
    detector = Classic(
        DetectionSettings.preset(
            "classic",
            min_contour_area=f"{min_contour_area}px",
            score_threshold=f"{score_threshold}px",
            border_mask=border,
        )
    )
    pictures = (decode(file.read_bytes(), detector.settings) for file in files)
    prepared = (
        detector.prepare(detector.reduce(picture)) for picture in pictures if isinstance(picture, Picture)
    )
    for before, after in pairwise(prepared):
        score = detector.score(before, after)
        decision = decide(score)
        yield score.changed_px, decision.verdict is Verdict.KEPT


def _drawn_lot(folder: Path, ending: str) -> list[Path]:
    rng = np.random.default_rng(2015)
    ground = cv2.GaussianBlur(rng.integers(60, 150, (480, 640, 3), np.uint8), (15, 15), 0)
    files = []
    for n in range(16):
        picture = ground.copy()
        for _ in range(int(rng.integers(0, 4))):
            x, y, width, height = (int(side) for side in rng.integers((0, 0, 5, 5), (600, 440, 330, 260)))
            tone = tuple(int(level) for level in rng.integers(0, 256, 3))
            cv2.rectangle(picture, (x, y), (x + width, y + height), tone, -1)
            cv2.circle(picture, (y, x), width // 4, tone[::-1], 3)
        picture = cv2.add(picture, rng.integers(0, 12, picture.shape, np.uint8))
        files.append(folder / f"{n:04d}{ending}")
        cv2.imwrite(str(files[-1]), picture)
    return files


@as_published
def test_classic_is_the_published_algorithm_on_a_drawn_yard(
    tmp_path: Path, border: Border, min_contour_area: int, score_threshold: int
) -> None:
    """Every score and decision on frames with noise, leaves, dusk and a lamp is the published program's."""
    files = drawn.written(tmp_path)
    published = list(_by_publication(files, border, min_contour_area, score_threshold))
    assert {kept for _, kept in published} == {True, False}
    assert list(_by_framegate(files, border, min_contour_area, score_threshold)) == published


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@as_published
def test_classic_is_the_published_algorithm_on_drawn_pictures(
    tmp_path: Path, ending: str, border: Border, min_contour_area: int, score_threshold: int
) -> None:
    """Every score and decision on a drawn lot is the published program's, to the bit."""
    files = _drawn_lot(tmp_path, ending)
    published = list(_by_publication(files, border, min_contour_area, score_threshold))
    assert {kept for _, kept in published} == {True, False}
    assert list(_by_framegate(files, border, min_contour_area, score_threshold)) == published


@pytest.mark.parametrize("folder", ["lot_empty", "webcam_day"])
@as_published
def test_classic_is_the_published_algorithm_on_real_frames(
    shared_data: Path, folder: str, border: Border, min_contour_area: int, score_threshold: int
) -> None:
    """Every score and decision on real footage is the published program's, to the bit."""
    files = sorted((shared_data / folder).glob("*.jpg"))[:MOST_REAL]
    published = list(_by_publication(files, border, min_contour_area, score_threshold))
    assert len(published) > 20
    assert any(score for score, _ in published)
    assert list(_by_framegate(files, border, min_contour_area, score_threshold)) == published
