"""A frame at the working size, with what every comparison needs of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Floats, floats, product
from framegate.detect.adaptive.rows import BlockDetails, block_details
from framegate.detect.scoring import WIDEST_ASPECT, as_uint8
from framegate.detect.small_picture import SmallPicture
from framegate.model import GrayImage

WORKING_SIDE = 180
"""Pixels of the shorter side. Finer pictures show more leaves; at 120 rows the cars far away are lost."""

BLOCK = 4
"""Side of a block in pixels of the working size. 5 lost planted cars (AUC .886 for .929)."""

WINDOW = 5
"""Side of the square around a pixel whose texture is compared; 7 is the same within what data can tell."""

LEAST_CHROMA = 1.5
"""Mean of ``|Cr - 128| + |Cb - 128|`` below which a picture has no colour: infrared, or a gray camera."""

SIXTEENTHS = 16
"""Of a gray level. Levels of blocks are counted in them: a mean of 4 x 4 pixels is a whole number then."""

NEUTRAL = 128
"""What stands in for pixels that do not count, in every channel and every frame: nothing changes there."""

_ADD_FOUR_PIXELS = np.tile(np.eye(3, dtype=np.float32), BLOCK)


@dataclass(frozen=True, slots=True, eq=False)
class WorkingPicture:
    """A picture at the working size, and its local statistics.

    ``rows`` and ``columns`` below are multiples of ``BLOCK``; a block's mean is over its 4 x 4 pixels.
    """

    image: GrayImage
    """Y, Cr, Cb as decoded, nothing ignored: uint8 (rows, columns, 3), read-only."""

    luma: NDArray[np.uint16]
    """Y, 0 to 255, ``NEUTRAL`` where it is ignored, (rows, columns): 16 bits hold the product of two."""

    window_sum: Floats
    """Sum of Y over the window of each pixel: whole numbers up to 6,375, (rows, columns)."""

    variance: Floats
    """Variance of Y over the window of each pixel, in squared sixteenths of a gray level, (rows, columns)."""

    blocks: Floats
    """Block means of Y, Cr, Cb in whole sixteenths of a gray level, to 4,080: (3, rows / 4, columns / 4)."""

    texture: Floats
    """Standard deviation of Y within windows, in sixteenths of a gray level, (rows / 4, columns / 4)."""

    details: BlockDetails
    """By which it is seen whether it is torn."""

    has_colour: bool

    source_size: tuple[int, int]
    """(width, height) of the whole frame, in pixels."""

    counted: GrayImage | None
    """Which pixels counted when it was made: 255, or 0 where ignored; None when all did."""

    @property
    def small(self) -> SmallPicture:
        """What it was prepared from."""
        return SmallPicture(self.image, self.source_size)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of ``image``."""
        return self.image.shape

    @property
    def size_bytes(self) -> int:
        """Memory in bytes, without the mask, which all pictures of a camera share."""
        arrays = self.image, self.luma, self.window_sum, self.variance, self.blocks, self.texture
        return sum(array.nbytes for array in arrays) + self.details.values.nbytes


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
    seen = colours if counted is None else _only(counted, colours)
    luma = cv2.extractChannel(seen, 0).astype(np.uint16)
    total, squares = window_sums(luma), window_sums(luma * luma)
    squares *= np.float32(WINDOW**2)
    squares -= total * total
    squares *= np.float32(SIXTEENTHS**2 / WINDOW**4)
    texture = squares * np.float32(1 / SIXTEENTHS**2)
    np.rint(texture, out=texture)
    blocks = _sums_of_blocks(seen)
    return WorkingPicture(
        colours,
        luma,
        total,
        squares,
        blocks,
        np.sqrt(block_means(texture)) * np.float32(SIXTEENTHS),
        block_details(blocks[0]),
        _has_colour(blocks[1:]),
        source_size,
        counted,
    )


def window_sums(values: NDArray[np.uint16]) -> Floats:
    """Return the sum over the window of each pixel, mirrored at the edge."""
    return floats(cv2.boxFilter(values, cv2.CV_32F, (WINDOW, WINDOW), normalize=False))


def block_means(values: Floats) -> Floats:
    """Return the mean of each block; exact for whole numbers up to a million."""
    return floats(_over_blocks(values))


def block_sums(values: NDArray[np.uint16]) -> Floats:
    """Return the sum over each block, which is its mean in sixteenths; of values below 4,096."""
    return _over_blocks(values * np.uint16(BLOCK**2)).astype(np.float32)


def _over_blocks(values: NDArray[np.floating | np.uint16]) -> cv2.typing.MatLike:
    """Return the mean of each block: twice of 2 x 2, which OpenCV does in half the time of once 4 x 4."""
    rows, columns = values.shape
    halves = cv2.resize(values, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(halves, (columns // BLOCK, rows // BLOCK), interpolation=cv2.INTER_AREA)


def _only(counted: GrayImage, colours: GrayImage) -> GrayImage:
    return as_uint8(cv2.copyTo(colours, counted, np.full_like(colours, NEUTRAL)))


def _sums_of_blocks(colours: GrayImage) -> Floats:
    """Return the sum of each channel over each block: (3, rows / 4, columns / 4)."""
    rows, columns, channels = colours.shape
    bands = colours.reshape(rows // BLOCK, BLOCK, columns * channels)
    four_rows = np.add.reduce(bands, axis=1, dtype=np.uint16).astype(np.float32)
    sums = product(_ADD_FOUR_PIXELS, four_rows.reshape(-1, BLOCK * channels).T)
    return sums.reshape(channels, rows // BLOCK, columns // BLOCK)


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
    four = cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA)  # OpenCV interpolates four channels faster than three
    return cv2.resize(four, (columns, rows), interpolation=cv2.INTER_LINEAR_EXACT)


def _has_colour(chroma: Floats) -> bool:
    distance = np.abs(chroma - NEUTRAL * SIXTEENTHS).sum(dtype=np.float64)
    return bool(distance >= LEAST_CHROMA * SIXTEENTHS * chroma[0].size)
