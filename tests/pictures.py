"""Pictures for tests of the detectors, from arrays or as files of any kind."""

import cv2
import numpy as np
import numpy.typing as npt

from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import decode
from framegate.model import Picture

Pixels = npt.NDArray[np.uint8]


def gray(pixels: Pixels) -> Picture:
    """Return a picture for ``classic``, as large as the array."""
    return Picture(pixels, (pixels.shape[1], pixels.shape[0]))


def png(pixels: npt.NDArray[np.uint8 | np.uint16]) -> bytes:
    """Return the pixels as a file without loss."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def decoded(data: bytes, settings: DetectionSettings) -> Picture:
    """Return the picture in a file that surely has one."""
    picture = decode(data, settings)
    assert isinstance(picture, Picture), picture
    return picture


def picture_for(settings: DetectionSettings, pixels: Pixels) -> Picture:
    """Return pixels, gray or colour, as the preset of the settings gets them."""
    return decoded(png(pixels), settings)
