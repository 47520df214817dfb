"""Draws the areas that may be ignored."""

from collections.abc import Sequence

import cv2
import numpy as np

from framegate.model import GrayImage
from framegate.tune.suggest.restless import RestlessArea

WIDTH = 960
PROPOSED, TOO_LARGE = (60, 60, 255), (0, 190, 255)  # BGR: red, amber
LETTERS, PLATE = (255, 255, 255), (30, 30, 30)


def with_areas(picture: GrayImage, areas: Sequence[RestlessArea], name: str) -> GrayImage:
    """Return a picture with areas outlined; those that are too large to be ignored in another colour.

    Args:
        picture: BGR, uint8 (height, width, 3), of any size.
        areas: of it.
        name: written into its corner.

    Returns:
        uint8 (height, 960, 3), BGR.
    """
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    panel = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_CUBIC)
    for number, area in enumerate([each for each in areas if not each.is_too_large], start=1):
        _outline(panel, area, PROPOSED, f"restless {number}: in {area.share_of_frames:.0%} of the frames")
    for area in areas:
        if area.is_too_large:
            _outline(
                panel, area, TOO_LARGE, f"{area.share_of_picture:.0%} of the picture: too large to ignore"
            )
    _write(panel, name, (8, height - 10))
    return panel.astype(np.uint8)


def _outline(panel: cv2.typing.MatLike, area: RestlessArea, colour: tuple[int, int, int], words: str) -> None:
    height, width = panel.shape[:2]
    corners = np.rint(np.array(area.polygon) * (width - 1, height - 1)).astype(np.int32)
    cv2.polylines(panel, [corners], isClosed=True, color=colour, thickness=2)
    left, bottom = int(corners[:, 0].min()), int(corners[:, 1].max())
    _write(panel, words, (max(4, min(left, width - 330)), min(bottom + 20, height - 28)))


def _write(panel: cv2.typing.MatLike, words: str, at: tuple[int, int]) -> None:
    """Write on a dark plate; Hershey's letters are ASCII alone."""
    words = words.encode("ascii", "replace").decode()
    (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    x, y = at
    cv2.rectangle(panel, (x - 3, y - height - 3), (x + width + 3, y + below), PLATE, -1)
    cv2.putText(panel, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, LETTERS, 1, cv2.LINE_AA)
