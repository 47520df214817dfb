"""Where a camera's picture is always restless: leaves, rain, a running clock, a shaking mast."""

import numpy as np
from numpy.typing import NDArray

from framegate.model import GrayImage

RATE = 0.05
"""Weight of the newest difference: a place is forgotten over about twenty frames."""


class NoiseMap:
    """An exponential mean of the difference between one frame and the next, for each pixel."""

    def __init__(self) -> None:
        self._mean: NDArray[np.float32] | None = None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the pictures learnt from; None before the first."""
        return None if self._mean is None else self._mean.shape

    def learn(self, difference: GrayImage) -> None:
        """Take in one absolute difference of two consecutive frames, uint8 (height, width)."""
        if self._mean is None or self._mean.shape != difference.shape:
            self._mean = difference.astype(np.float32)
        else:
            self._mean += np.float32(RATE) * (difference - self._mean)

    def threshold(self, pixel_threshold: int, noise_gain: float) -> GrayImage:
        """Return the threshold of each pixel, uint8: ``pixel_threshold + noise_gain * mean``, at most 255."""
        assert self._mean is not None
        limit = pixel_threshold + noise_gain * self._mean
        return np.clip(np.rint(limit), 0, 255).astype(np.uint8)

    def to_bytes(self) -> bytes | None:
        """TEMP"""
        return None

    def restore(self, data: bytes) -> None: ...
