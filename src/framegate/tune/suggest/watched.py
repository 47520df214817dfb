"""Reads some of a camera's frames to see which places are restless."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np

from framegate.cameras.camera import mask_of
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.detect.masking import counted_pixels
from framegate.model import GrayImage, Size
from framegate.tune.replay.outcomes import Frame
from framegate.tune.replay.reader import Reader
from framegate.tune.replay.shown import Shown
from framegate.tune.suggest.restless import Restlessness

MOST_PAIRS = 300
"""Pairs of frames that are read, evenly spread over all: some 600 pictures take a few seconds."""

READING = "adaptive"


@dataclass(slots=True)
class Watched:
    """What was seen of a camera."""

    restlessness: Restlessness
    picture: GrayImage | None = None
    """The last frame at 180 rows, BGR, to draw on; None if none could be read."""

    size: Size | None = None
    """(width, height) of that frame, in pixels."""


def watched(frames: Sequence[Frame], settings: Settings, camera: str) -> Watched:
    """Read consecutive frames of a camera, and note where they differ.

    Args:
        frames: of this camera alone, in their order.
        settings: which parts of the picture count.
        camera: its name.

    Raises:
        OSError: the mask cannot be read.
        ValueError: the mask is not a picture.
    """
    found = Watched(Restlessness())
    detection = settings.detection_of(camera)
    mask, as_adaptive = mask_of(detection), _read_as_adaptive(settings)
    with closing(Reader(frames)) as reader:
        before: tuple[int, GrayImage] | None = None
        for number in _chosen(len(frames)):
            if frames[number].settled is not None:
                continue
            shown = reader.take(number, {READING: as_adaptive})[1][READING]
            if not isinstance(shown, Shown):
                continue
            image: GrayImage = shown.image
            found.size = shown.source_size
            if before is not None and before[0] == number - 1 and before[1].shape == image.shape:
                counted = _counted(detection, image.shape[:2], mask)
                found.restlessness.add(before[1][..., 0], image[..., 0], counted > 0)
            before = number, image
    if before is not None:
        found.picture = cv2.cvtColor(before[1], cv2.COLOR_YCrCb2BGR).astype(np.uint8)
    return found


def _chosen(count: int) -> Iterator[int]:
    """Yield the numbers of frames to read, in pairs of neighbours."""
    if count <= MOST_PAIRS:
        yield from range(count)
        return
    last = -1
    for pair in range(MOST_PAIRS):
        first = round(pair * (count - 2) / (MOST_PAIRS - 1))
        for number in (first, first + 1):
            if number > last:
                yield number
                last = number


def _read_as_adaptive(settings: Settings) -> Settings:
    return settings.model_copy(update={"detection": DetectionSettings(), "camera": {}})


def _counted(detection: DetectionSettings, shape: tuple[int, ...], mask: GrayImage | None) -> GrayImage:
    rows, columns = shape
    polygons = [area.polygon for area in detection.ignore]
    return counted_pixels(
        columns, rows, border_mask=detection.border_mask, polygons=polygons, mask_picture=mask
    )
