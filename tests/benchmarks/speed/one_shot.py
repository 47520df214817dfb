"""The published program, written again straight from its description.

``python one_shot.py FOLDER MIN_CONTOUR_AREA SCORE_THRESHOLD``

For each file in order: read in colour, gray, blur 5 x 5, black borders, 640 x 480; then the difference to the
last picture that was kept, a threshold of 45, two rounds of dilation, and the sum of the contours' areas. It
copies nothing, and uses OpenCV as it comes, with OpenCV's own threads.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

BORDERS_PERCENT = (2, 5, 2, 0)
"""Left, top, right and bottom: where a camera writes its clock."""

Gray = npt.NDArray[np.uint8]


def prepared(path: Path) -> Gray:
    """Return a file's picture as it is compared."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None, path
    gray = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    height, width = gray.shape
    left, top, right, bottom = (
        side * percent // 100 for side, percent in zip((width, height) * 2, BORDERS_PERCENT, strict=True)
    )
    gray[:top] = gray[height - bottom :] = 0
    gray[:, :left] = gray[:, width - right :] = 0
    return cv2.resize(gray, (640, 480)).astype(np.uint8, copy=False)


def score(before: Gray, after: Gray, min_contour_area: float) -> float:
    """Return the sum of the areas of the contours that are large enough."""
    changed = cv2.threshold(cv2.absdiff(before, after), 45, 255, cv2.THRESH_BINARY)[1]
    thick = cv2.dilate(changed, np.ones((3, 3), np.uint8), iterations=2)
    contours, _ = cv2.findContours(thick, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    areas = (cv2.contourArea(contour) for contour in contours)
    return sum(area for area in areas if area >= min_contour_area)


def main() -> None:
    folder, min_contour_area, score_threshold = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    last_kept: Gray | None = None
    kept = 0
    for path in sorted(Path(folder).iterdir()):
        current = prepared(path)
        if last_kept is None or score(last_kept, current, min_contour_area) > score_threshold:
            last_kept = current
            kept += 1
    print(kept)


if __name__ == "__main__":
    main()
