"""Where a camera's picture is always restless: leaves, rain, a running clock, a shaking mast.

The map is the mean of |frame - frame before| for each place, in which old frames fade. A pixel then counts as
changed when it differs by more than ``pixel_threshold + noise_gain * map``. Three things about it were
measured against human truth (office, highway, parking lot) and a drawn lot:

- A difference counts for at most ``pixel_threshold``. Unclipped, one car in eight on a busy road and ten true
  changes in an office were lost: passing cars made their own path insensitive. Clipped, recall is 0.995.
- Blocks of 4 x 4 pixels serve as well as single pixels (AUC 0.992 against 0.994) in a sixteenth of the room.
- It starts as if three frames without any change had been seen. If it started from the first difference, a
  car that comes in the second frame and leaves in the third would not be noticed.

The arithmetic is in whole numbers, so that a map that was saved and restored gives exactly the same scores.
"""

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.model import GrayImage

BLOCK = 4
"""Side of a place, in pixels of the working size."""

ONE_LEVEL = 256
"""The state is in units of 1/256 of a gray level; in quarters the slow rate would change nothing."""

ONE, SLOWEST_RATE = 65536, 3277
"""The weight of the newest frame falls to 3277/65536 = 0.05: a place is forgotten in some twenty frames."""

QUIET_FRAMES = 3
"""Frames without change that a new map assumes before its first."""

SLOWEST_AFTER = ONE // SLOWEST_RATE
"""Frames after which the rate falls no further, and the count stops, so that it cannot overflow."""

_TAG, _HEADER = b"FGN2", struct.Struct("<4s3I")
"""The beginning of a saved map: the tag, frames learnt, height, width."""

_HEADER_1 = struct.Struct("<I2H")
"""The older form: no tag, and no room for a side above 65,535, which ended the daemon. The tag, read as its
count, would be 844 million frames."""

MOST_PIXELS = 1_000_000_000
"""The largest picture of a restored map, as ``max_megapixels`` allows. Damaged bytes may claim any size."""


class NoiseMap:
    """How restless each place is. Empty until the first ``learn``."""

    def __init__(self) -> None:
        self._shape: tuple[int, int] | None = None
        self._state: NDArray[np.uint16] = np.zeros((0, 0), np.uint16)
        self._learnt = 0

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) of the pictures learnt from; None when it is empty."""
        return self._shape

    def learn(self, difference: GrayImage, most: int) -> None:
        """Learn from the difference of two consecutive frames; another shape begins a new map.

        Args:
            difference: absolute, uint8 (height, width).
            most: a difference counts for at most this many gray levels, 0 to 255.
        """
        height, width = difference.shape
        state, learnt = self._state, self._learnt + 1
        if self._shape != (height, width):
            state, learnt = np.zeros((_places(height), _places(width)), np.uint16), 1
        rate = max(SLOWEST_RATE, ONE // (learnt + QUIET_FRAMES))
        step = _block_means(np.minimum(difference, most)) - state.astype(np.int32)
        state = (state + ((step * rate + ONE // 2) >> 16)).astype(np.uint16)
        self._shape, self._state, self._learnt = (height, width), state, min(learnt, SLOWEST_AFTER)

    @property
    def size_bytes(self) -> int:
        """Memory of the map in bytes."""
        return self._state.nbytes

    def threshold(self, pixel_threshold: int, noise_gain: float) -> GrayImage:
        """Return the threshold of each pixel, uint8 (height, width), in gray levels; nothing exceeds 255."""
        assert self._shape is not None
        height, width = self._shape
        raised = np.floor(self._state * (noise_gain / ONE_LEVEL) + 0.5)
        blocks = np.minimum(255, pixel_threshold + raised).astype(np.uint8)
        size = (blocks.shape[1] * BLOCK, blocks.shape[0] * BLOCK)
        full: GrayImage = cv2.resize(blocks, size, interpolation=cv2.INTER_NEAREST).astype(
            np.uint8, copy=False
        )
        return full[:height, :width]

    def to_bytes(self) -> bytes | None:
        """Return the map as bytes, some 20 kB for 640 x 360; None when it is empty."""
        if self._shape is None:
            return None
        header = _HEADER.pack(_TAG, self._learnt, *self._shape)
        return header + zlib.compress(self._state.astype("<u2").tobytes(), 1)

    def restore(self, data: bytes) -> None:
        """Replace this map by one that ``to_bytes`` of this or an older version returned.

        Raises:
            ValueError: the bytes are not a noise map. This one is not changed.
        """
        try:
            learnt, (height, width), packed = _unpacked(data)
            state = np.frombuffer(_decompressed(packed, 2 * _places(height) * _places(width)), "<u2")
        except (struct.error, zlib.error) as error:
            raise ValueError("these bytes are no noise map") from error
        self._state = state.reshape(_places(height), _places(width)).astype(np.uint16)
        self._shape, self._learnt = (height, width), min(learnt, SLOWEST_AFTER)


def _unpacked(data: bytes) -> tuple[int, tuple[int, int], bytes]:
    """Return how many frames a saved map learnt from, their (height, width), and the compressed state."""
    if data.startswith(_TAG):
        _, learnt, height, width = _HEADER.unpack_from(data)
        packed = data[_HEADER.size :]
    else:
        learnt, height, width = _HEADER_1.unpack_from(data)
        packed = data[_HEADER_1.size :]
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(f"these bytes are no noise map: of a picture of {width}x{height}")
    return learnt, (height, width), packed


def _decompressed(packed: bytes, size_bytes: int) -> bytes:
    """Decompress exactly ``size_bytes``; whatever more is packed there takes no memory."""
    state = zlib.decompressobj().decompress(packed, size_bytes + 1)
    if len(state) != size_bytes:
        raise ValueError("these bytes are no noise map: of another length than its picture needs")
    return state


def _places(side_px: int) -> int:
    """Return how many blocks cover a side of the picture."""
    return -(-side_px // BLOCK)


def _block_means(difference: GrayImage) -> NDArray[np.int32]:
    """Return the mean of each block in 1/256 level. In float: INTER_AREA rounds uint8 to whole levels."""
    height, width = difference.shape
    below, right = -height % BLOCK, -width % BLOCK
    padded = cv2.copyMakeBorder(difference, 0, below, 0, right, cv2.BORDER_REPLICATE).astype(np.float32)
    size = (padded.shape[1] // BLOCK, padded.shape[0] // BLOCK)
    return (cv2.resize(padded, size, interpolation=cv2.INTER_AREA) * ONE_LEVEL).astype(np.int32)
