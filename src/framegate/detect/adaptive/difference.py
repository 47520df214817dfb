"""What differs between two pictures, block by block: texture, brightness and colour."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Floats
from framegate.detect.adaptive.working import (
    SIXTEENTHS,
    WINDOW,
    WorkingPicture,
    block_means,
    block_sums,
    window_sums,
)


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What differs in each block, in sixteenths of a gray level."""

    texture: Floats
    """What no change of light explains: the part of the texture that is not a multiple of the other's.

    (block rows, block columns), in sixteenths of a sixteenth."""

    brightness: Floats
    """Mean absolute difference of luma, (block rows, block columns), whole."""

    measures: Floats
    """The two of which it is known what is usual, (2, block rows, block columns), whole: the geometric mean
    of texture and brightness, both of which have to change; and the distance of the mean chroma."""


def difference(a: WorkingPicture, b: WorkingPicture) -> Difference:
    """Return what differs between two pictures of one working size; their order does not matter.

    Texture: within a window of 5 x 5 pixels, a change of light is ``b = gain * a + offset``. What it does not
    explain of the larger variance is ``max(va, vb) - cov**2 / min(va, vb)``: 0 for a shadow over asphalt, all
    of it where a car hides the asphalt. 1 is added to the smaller variance, so that noise counts as nothing.
    """
    texture = block_means(_unexplained(a, b))
    apart: NDArray[np.uint16] = cv2.absdiff(a.luma, b.luma)  # type: ignore[assignment]
    brightness = block_sums(apart)
    measures = np.empty((2, *texture.shape), np.float32)
    np.multiply(texture, brightness, out=measures[0])
    red_and_blue = b.blocks[1:] - a.blocks[1:]
    red_and_blue *= red_and_blue
    np.add(red_and_blue[0], red_and_blue[1], out=measures[1])
    np.sqrt(measures, out=measures)
    return Difference(texture, brightness, np.rint(measures, out=measures))


def _unexplained(a: WorkingPicture, b: WorkingPicture) -> Floats:
    """Return the root of the unexplained variance of each pixel's window, in whole sixteenths of a level.

    It is the root of no negative number. What is rounded is off by less than 0.01 squared gray levels, and
    that can make a covariance too large by less than the 1 that is added.
    """
    covariance = window_sums(a.luma * b.luma)
    covariance *= np.float32(WINDOW**2)
    covariance -= a.window_sum * b.window_sum
    covariance *= np.float32(SIXTEENTHS**2 / WINDOW**4)
    # The negative of a texture is another texture. (np.maximum takes twice as long.)
    cv2.threshold(covariance, 0, 0, cv2.THRESH_TOZERO, dst=covariance)
    covariance *= covariance
    variance = np.minimum(a.variance, b.variance)
    variance += np.float32(SIXTEENTHS**2)
    covariance /= variance
    left = np.maximum(a.variance, b.variance, out=variance)
    left -= covariance
    np.sqrt(left, out=left)
    return np.rint(left, out=left)
