"""What differs between two pictures, block by block: texture, brightness and colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from framegate.detect.adaptive.working import WINDOW, Floats, WorkingPicture, block_means, floats

IN_SIXTEENTHS = np.float32(16)


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The measures of two pictures; each is (block rows, block columns), in gray levels, in sixteenths."""

    texture: Floats
    """What no change of light explains: the part of the texture that is not a multiple of the other's."""

    brightness: Floats
    """Mean absolute difference of luma."""

    shape_and_light: Floats
    """The geometric mean of the two above: both have to change."""

    colour: Floats
    """Distance of the mean chroma."""

    @property
    def measures(self) -> tuple[Floats, Floats]:
        """The two measures of which it is known what is usual."""
        return self.shape_and_light, self.colour


def difference(a: WorkingPicture, b: WorkingPicture) -> Difference:
    """Return what differs between two pictures of one working size; their order does not matter.

    Texture: within a window of 5 x 5 pixels, a change of light is ``b = gain * a + offset``. What it does not
    explain of the larger variance is ``max(va, vb) - cov**2 / min(va, vb)``: 0 for a shadow over asphalt, all
    of it where a car hides the asphalt. 1 is added to the smaller variance, so that noise counts as nothing.
    """
    texture = block_means(_unexplained(a, b)) * np.float32(1 / 16)
    brightness = block_means(cv2.absdiff(a.luma, b.luma).astype(np.float32))
    red, blue = b.block_cr - a.block_cr, b.block_cb - a.block_cb
    return Difference(
        texture,
        brightness,
        _in_sixteenths(np.sqrt(texture * brightness)),
        _in_sixteenths(np.sqrt(red * red + blue * blue)),
    )


def _unexplained(a: WorkingPicture, b: WorkingPicture) -> Floats:
    """Return the root of the unexplained variance of each pixel's window, in whole sixteenths of a level."""
    product = cv2.multiply(a.luma, b.luma, dtype=cv2.CV_32F)
    covariance = floats(cv2.boxFilter(product, cv2.CV_32F, (WINDOW, WINDOW), normalize=False))
    covariance *= np.float32(WINDOW**2)
    covariance -= a.window_sum * b.window_sum
    covariance *= np.float32(1 / WINDOW**4)
    np.maximum(covariance, 0, out=covariance)  # the negative of a texture is another texture
    covariance *= covariance
    covariance /= np.minimum(a.variance, b.variance) + np.float32(1)
    left = np.maximum(a.variance, b.variance)
    left -= covariance
    np.maximum(left, 0, out=left)
    np.sqrt(left, out=left)
    left *= IN_SIXTEENTHS
    return np.rint(left, out=left)


def _in_sixteenths(values: Floats) -> Floats:
    values *= IN_SIXTEENTHS
    np.rint(values, out=values)
    values *= np.float32(1 / 16)
    return values
