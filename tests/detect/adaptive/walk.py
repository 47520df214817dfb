"""Frames in colour, drawn in whole numbers and so the same everywhere, and what adaptive makes of them."""

import json
import sys
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.decoding import decode
from framegate.model import Picture

Pixels = npt.NDArray[np.uint8]

SHAPES = (180, 320), (453, 801), (722, 1283), (93, 154), (500, 201), (5, 7)
"""Rows and columns: as they are, shrunk by 2.5 and by 4, tiny, portrait, a thumbnail's thumbnail."""

FRAMES = 4


def walked() -> dict[str, Any]:
    """Return the scores of frames of each shape, and a hash of all that was computed on the way."""
    judged = {str(shape): _judged([drawn(shape, number) for number in range(FRAMES)]) for shape in SHAPES}
    files = [cv2.imencode(".jpg", drawn((372, 563), number))[1].tobytes() for number in range(FRAMES)]
    settings = DetectionSettings.preset("adaptive")
    pictures = [decode(data, settings) for data in files]
    judged["jpeg"] = _judged([picture.pixels for picture in pictures if isinstance(picture, Picture)])
    return judged


def drawn(shape: tuple[int, int], number: int) -> Pixels:
    """Return a frame of colourful ground under noise and changing light, across which a red car drives."""
    light_percent = 100 - 4 * number
    picture = 40 + hashed(shape, 1, 110, cell_px=6) + hashed(shape, 2, 30, cell_px=2)
    rows, columns = shape
    left = columns * number // (FRAMES + 1)
    picture[rows // 2 : rows // 2 + rows // 5 + 1, left : left + columns // 5 + 1] = (30, 40, 210)
    lit = picture * light_percent // 100 + hashed(shape, 10 + number, 7)
    frame: npt.NDArray[np.uint8] = np.clip(lit, 0, 255).astype(np.uint8)
    return frame


def hashed(shape: tuple[int, int], seed: int, levels: int, *, cell_px: int = 1) -> npt.NDArray[np.int64]:
    """Return (rows, columns, 3) levels from 0 to ``levels - 1`` that look random, one for each cell."""
    rows, columns, channels = np.indices((*shape, 3), np.uint64)
    rows, columns = rows // np.uint64(cell_px), columns // np.uint64(cell_px)
    mixed = rows * np.uint64(0x9E3779B97F4A7C15) + columns * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed += channels * np.uint64(0x165667B19E3779F9) + np.uint64(seed)
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # as splitmix64 mixes
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(factor)
    chosen: npt.NDArray[np.int64] = ((mixed >> np.uint64(33)) % np.uint64(levels)).astype(np.int64)
    return chosen


def _judged(frames: list[Pixels]) -> dict[str, Any]:
    detector = Adaptive(DetectionSettings.preset("adaptive"))
    first, *others = (
        detector.prepare(detector.reduce(Picture(frame, frame.shape[1::-1]))) for frame in frames
    )
    previous, scores, seen = first, [], sha256(first.image.tobytes())
    for current in others:
        scores.append(detector.score(first, current).score)
        seen.update(current.image.tobytes() + detector.codes(first, current).astype("<i4").tobytes())
        detector.learn(previous, current)
        previous = current
    learnt = detector.learnt()
    assert learnt is not None
    return {"scores": scores, "seen": seen.hexdigest(), "learnt": sha256(learnt).hexdigest()}


if __name__ == "__main__":
    json.dump({"walked": walked(), "features": cv2.getCPUFeaturesLine()}, sys.stdout)
