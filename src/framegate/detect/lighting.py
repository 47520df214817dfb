"""Matches the brightness of two pictures, so that dusk, clouds and exposure do not count as change.

The gain is the median of the ratios of single pixels, not the ratio of the medians: the latter follows a
large object (a lorry over a quarter of the picture gave 56% false change, this 20%). The darker picture is
raised to the brighter: lowering the brighter turns what is saturated there into a change (false change at
gains up to two: 15.5%, raising: 2.5%).
"""

import cv2
import numpy as np

from framegate.model import GrayImage

SAMPLED_EVERY = 4
"""Pixels from one sample to the next, across and down: 14,400 of 640 x 360 are enough for a median."""

DARKEST, BRIGHTEST = 8, 247
"""Nearly black and nearly white pixels do not scale with the light."""

FEWEST_SAMPLES, SMALLEST_SHARE = 50, 0.05
"""With fewer usable samples, as when one picture is black, the gain is unknown."""

LARGEST_GAIN = 4.0
"""Beyond two stops matching only multiplies noise; what remains counts as a change, as it should."""


def in_one_light(a: GrayImage, b: GrayImage, counted: GrayImage | None = None) -> tuple[GrayImage, GrayImage]:
    """Raise the darker of two pictures to the brightness of the other.

    Args:
        a, b: uint8 (height, width), of one shape.
        counted: 255 where pixels count, 0 where not; None when all do.

    Returns:
        Both pictures, uint8; at least one of them is the array that was given, neither array is changed.
    """
    gain = gain_between(a, b, counted)
    if gain > 1:
        return _raised(a, gain), b
    return (a, _raised(b, 1 / gain)) if gain < 1 else (a, b)


def gain_between(a: GrayImage, b: GrayImage, counted: GrayImage | None = None) -> float:
    """Return the factor, 0.25 to 4, by which ``a`` becomes as bright as ``b``; 1 when it is unknown.

    Args:
        a, b: uint8 (height, width), of one shape.
        counted: 255 where pixels count, 0 where not; None when all do.
    """
    grid = np.s_[::SAMPLED_EVERY, ::SAMPLED_EVERY]
    here, there = a[grid], b[grid]
    usable = (np.minimum(here, there) >= DARKEST) & (np.maximum(here, there) <= BRIGHTEST)
    if counted is not None:
        usable &= counted[grid] > 0
    if np.count_nonzero(usable) < max(FEWEST_SAMPLES, SMALLEST_SHARE * usable.size):
        return 1.0
    ratio = np.median(there[usable].astype(np.float32) / here[usable])
    return float(np.clip(ratio, 1 / LARGEST_GAIN, LARGEST_GAIN))


def _raised(image: GrayImage, gain: float) -> GrayImage:
    return cv2.convertScaleAbs(image, alpha=gain).astype(np.uint8, copy=False)
