"""Match the light of one picture to another, so that dusk, clouds and exposure do not count as change."""

import cv2
import numpy as np

from framegate.model import GrayImage

LARGEST_GAIN = 4.0
"""Beyond two stops a match only multiplies noise; what is left counts as a change, as it should."""


def matched(current: GrayImage, reference: GrayImage, counted: GrayImage | None = None) -> GrayImage:
    """Scale ``current`` so that its median brightness is that of ``reference``.

    Args:
        current, reference: uint8 (height, width), one shape.
        counted: 255 where pixels count; the median is taken there. None: everywhere.

    Returns:
        uint8 (height, width), a new array, or ``current`` itself when there is nothing to scale.
    """
    there, here = median_gray(reference, counted), median_gray(current, counted)
    if there == here or not here or not there:
        return current
    gain = float(np.clip(there / here, 1 / LARGEST_GAIN, LARGEST_GAIN))
    table = np.clip(np.rint(np.arange(256) * gain), 0, 255).astype(np.uint8)
    return cv2.LUT(current, table)  # type: ignore[return-value]


def median_gray(image: GrayImage, counted: GrayImage | None = None) -> float:
    """Return the median gray level of the counted pixels; 0.0 when none counts."""
    histogram = cv2.calcHist([image], [0], counted, [256], [0, 256]).ravel()
    return float(np.searchsorted(np.cumsum(histogram), histogram.sum() / 2)) if histogram.any() else 0.0
