"""A frame at the working size, with what every comparison needs of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.scoring import WIDEST_ASPECT
from framegate.model import GrayImage

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

WORKING_SIDE = 180
"""Pixels of the shorter side. Finer pictures show more leaves; at 120 rows the cars far away are lost."""

BLOCK = 4
"""Side of a block in pixels of the working size. 5 lost planted cars (AUC .886 for .929)."""

WINDOW = 5
"""Side of the square around a pixel whose texture is compared; 7 is the same within what data can tell."""

LEAST_CHROMA = 1.5
"""Mean of ``|Cr - 128| + |Cb - 128|`` below which a picture has no colour: infrared, or a gray camera."""

NEUTRAL = 128
"""What stands in for pixels that do not count, in every channel and every frame: nothing changes there."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkingPicture:
    """A picture at the working size, and its local statistics.

    ``rows`` and ``columns`` below are multiples of ``BLOCK``; a block's mean is over its 4 x 4 pixels.
    """

    image: GrayImage
    """Y, Cr, Cb as decoded, nothing ignored: uint8 (rows, columns, 3), read-only."""

    luma: GrayImage
    """Y, uint8 (rows, columns), ``NEUTRAL`` where it is ignored."""

    window_sum: Floats
    """Sum of Y over the window of each pixel: whole numbers up to 6,375, (rows, columns)."""

    variance: Floats
    """Variance of Y over the window of each pixel, in squared gray levels, (rows, columns)."""

    block_luma: Floats
    block_cr: Floats
    block_cb: Floats
    """Block means, 0 to 255 in sixteenths, (rows / 4, columns / 4)."""

    block_texture: Floats
    """Standard deviation of Y within windows, gray levels, (rows / 4, columns / 4)."""

    has_colour: bool

    source_size: tuple[int, int]
    """(width, height) of the whole frame, in pixels."""

    counted: GrayImage | None
    """Which pixels counted when it was made: 255, or 0 where ignored; None when all did."""

    @property
    def size_bytes(self) -> int:
        """Memory in bytes, without the mask, which all pictures of a camera share."""
        arrays = (self.image, self.luma, self.window_sum, self.variance, self.block_luma)
        return sum(array.nbytes for array in arrays) + 3 * self.block_luma.nbytes


def colours_of(pixels: GrayImage, source_size: tuple[int, int]) -> GrayImage:
    """Return a picture at the working size in Y, Cr, Cb; it is never enlarged.

    Args:
        pixels: uint8 (height, width, 3) in BGR, or (height, width) in gray.
        source_size: (width, height) of the whole frame: the pixels may be fewer, and rounded otherwise, as a
            JPEG of 1366 x 768 at half its size, which has to meet a PNG of the same size.

    Returns:
        uint8 (rows, columns, 3), each side rounded up to whole blocks by repeating the edge. The shorter
        side is ``WORKING_SIDE`` at most. First a mean over whole pixels, then OpenCV's bit-exact
        interpolation, in half the time of its area averaging.
    """
    bgr = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels  # noqa: PLR2004
    small = cv2.cvtColor(_shrunk(bgr, source_size), cv2.COLOR_BGR2YCrCb)
    rows, columns = small.shape[:2]
    if rows % BLOCK or columns % BLOCK:
        small = cv2.copyMakeBorder(small, 0, -rows % BLOCK, 0, -columns % BLOCK, cv2.BORDER_REPLICATE)
    small.flags.writeable = False
    return small  # type: ignore[return-value]


def working_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (columns, rows) at which a picture of (width, height) is compared, before whole blocks."""
    width, height = size
    short, long = min(size), max(size)
    scale = min(1.0, WORKING_SIDE / short, WIDEST_ASPECT * WORKING_SIDE / long)
    return max(1, round(width * scale)), max(1, round(height * scale))


def working_picture(
    colours: GrayImage, source_size: tuple[int, int], counted: GrayImage | None
) -> WorkingPicture:
    """Return what is needed to compare a picture with others.

    Args:
        colours: as ``colours_of`` returns it.
        source_size: (width, height) of the whole frame.
        counted: 255 where pixels count, 0 where not, uint8 (rows, columns); None when all do.
    """
    seen = colours if counted is None else np.where(counted[..., None] > 0, colours, np.uint8(NEUTRAL))
    luma = np.ascontiguousarray(seen[..., 0])
    total = floats(cv2.boxFilter(luma, cv2.CV_32F, (WINDOW, WINDOW), normalize=False))
    squares = floats(cv2.sqrBoxFilter(luma, cv2.CV_32F, (WINDOW, WINDOW), normalize=False))
    variance = (squares * np.float32(WINDOW**2) - total * total) * np.float32(1 / WINDOW**4)
    np.maximum(variance, 0, out=variance)
    means = block_means(seen.astype(np.float32))
    luma_mean, cr, cb = (np.ascontiguousarray(means[..., channel]) for channel in range(3))
    texture = np.sqrt(block_means(np.rint(variance)))
    return WorkingPicture(
        colours, luma, total, variance, luma_mean, cr, cb, texture, _has_colour(cr, cb), source_size, counted
    )  # fmt: skip


def block_means(values: Floats) -> Floats:
    """Return the mean of each block; exact for whole numbers up to a million."""
    size = (values.shape[1] // BLOCK, values.shape[0] // BLOCK)
    return floats(cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def floats(array: cv2.typing.MatLike) -> Floats:
    """Return the array, as the type that OpenCV's stubs do not know it has: float32."""
    assert array.dtype == np.float32
    return array  # type: ignore[return-value]


def _shrunk(bgr: cv2.typing.MatLike, source_size: tuple[int, int]) -> cv2.typing.MatLike:
    height, width = bgr.shape[:2]
    columns, rows = working_size(source_size)
    if (columns, rows) == (width, height):
        return bgr
    across, down = max(1, width // columns), max(1, height // rows)
    if across > 1 or down > 1:
        # What is left over on both sides is cut off: only a mean over whole factors is of whole numbers;
        # over others it is of floats, which a compiler may add and round in other ways.
        top, left = height % down // 2, width % across // 2
        bgr = bgr[top : top + height // down * down, left : left + width // across * across]
        bgr = cv2.resize(bgr, (width // across, height // down), interpolation=cv2.INTER_AREA)
    return cv2.resize(bgr, (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)


def _has_colour(cr: Floats, cb: Floats) -> bool:
    sixteenths = (np.abs(cr - NEUTRAL) + np.abs(cb - NEUTRAL)) * 16
    return int(sixteenths.sum(dtype=np.int64)) >= LEAST_CHROMA * 16 * sixteenths.size
