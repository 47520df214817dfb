"""Where a camera's picture is always restless: leaves, rain, a running clock, a shaking mast.

The map is the mean of |frame - frame before| for each place, in which old frames fade. A pixel then counts as
changed when it differs by more than ``pixel_threshold + noise_gain * map``. Three things about it were
measured against human truth (office, highway, parking lot) and a drawn lot:

- A difference counts for at most ``pixel_threshold``. Unclipped, one car in eight on a busy road and ten true
  changes in an office were lost: what passes blinded its own path. Clipped, recall is 0.995 and none is lost.
- Blocks of 4 x 4 pixels serve as well as single pixels (AUC 0.992 against 0.994) in a sixteenth of the room.
- It starts as if three frames without any change had been seen. Started from the first difference, as was
  first planned, a car that comes in the second frame and leaves in the third is not noticed.

The arithmetic is in whole numbers, so that a map that was saved and restored goes on exactly as it was.
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
"""The state counts in 1/256 of a gray level; in quarters the slow rate gets stuck."""

ONE, SLOWEST_RATE = 65536, 3277
"""The rate of the newest frame is this over 65536: at last 0.05, so a place is forgotten in twenty frames."""

QUIET_FRAMES = 3
"""Frames without change that are taken as seen at the start."""

_HEADER = struct.Struct("<IHH")


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
        """Take in the difference of two consecutive frames; one of another shape begins a new map.

        Args:
            difference: absolute, uint8 (height, width).
            most: gray levels for which a pixel counts at most.
        """
        height, width = difference.shape
        state, learnt = self._state, self._learnt + 1
        if self._shape != (height, width):
            state, learnt = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), np.uint16), 1
        rate = max(SLOWEST_RATE, ONE // (learnt + QUIET_FRAMES))
        step = _block_means(np.minimum(difference, most)) - state.astype(np.int32)
        state = (state + ((step * rate + ONE // 2) >> 16)).astype(np.uint16)
        self._shape, self._state, self._learnt = (height, width), state, learnt

    def threshold(self, pixel_threshold: int, noise_gain: float) -> GrayImage:
        """Return the threshold of each pixel, uint8 (height, width), at most 255: which nothing exceeds."""
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
        return _HEADER.pack(self._learnt, *self._shape) + zlib.compress(
            self._state.astype("<u2").tobytes(), 1
        )

    def restore(self, data: bytes) -> None:
        """Become the map that ``to_bytes`` wrote.

        Raises:
            ValueError: the bytes are none.
        """
        try:
            learnt, height, width = _HEADER.unpack_from(data)
            state = np.frombuffer(zlib.decompress(data[_HEADER.size :]), "<u2")
            self._state = state.reshape(-(-height // BLOCK), -(-width // BLOCK)).astype(np.uint16)
        except (struct.error, zlib.error) as error:
            raise ValueError("these bytes are no noise map") from error
        self._learnt, self._shape = learnt, (height, width)


def _block_means(difference: GrayImage) -> NDArray[np.int32]:
    """Return the mean of each block in 1/256 level. In float: on uint8 INTER_AREA rounds to whole levels."""
    height, width = difference.shape
    below, right = -height % BLOCK, -width % BLOCK
    padded = cv2.copyMakeBorder(difference, 0, below, 0, right, cv2.BORDER_REPLICATE).astype(np.float32)
    size = (padded.shape[1] // BLOCK, padded.shape[0] // BLOCK)
    return (cv2.resize(padded, size, interpolation=cv2.INTER_AREA) * ONE_LEVEL).astype(np.int32)
