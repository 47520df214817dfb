"""How a camera shows a scene: which part of it, in which colours, by night, with what noise, how packed."""

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.planting import Picture, Reals
from training.drawing import COLUMNS, ROWS, Rng, has_luck

ASPECT = COLUMNS / ROWS

LUMA_OF_BGR = (0.114, 0.587, 0.299)


@dataclass(frozen=True, eq=False)
class Look:
    """What is the same for all frames of a run."""

    window: tuple[slice, slice]
    """Rows and columns of the part that is seen."""

    is_mirrored: bool
    is_gray: bool
    saturation: float
    noise_levels: float
    """Standard deviation of the sensor's noise."""

    jpeg_quality: int | None
    brightness: float
    """Below 1 by night."""

    def cropped(self, picture: Picture) -> Picture:
        """Return the part of a picture that is seen, (180, 320, 3)."""
        seen = picture[self.window]
        smaller = seen.shape[1] > COLUMNS
        return self._scaled(seen, cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    def cropped_mask(self, mask: Picture) -> Picture:
        """Return the same part of a ground truth, (180, 320)."""
        return self._scaled(mask[self.window], cv2.INTER_NEAREST)

    def toned(self, picture: Picture) -> Reals:
        """Return a picture in the colours of this camera, float32."""
        levels = picture.astype(np.float32)
        if self.is_gray:
            luma = levels @ np.array(LUMA_OF_BGR, np.float32)[:, None]
            return np.asarray(np.repeat(luma, 3, axis=2), np.float32)
        gray = levels.mean(axis=2, keepdims=True)
        return np.asarray(gray + (levels - gray) * np.float32(self.saturation), np.float32)

    def taken(self, rng: Rng, levels: Reals) -> Picture:
        """Return a frame as it would arrive: with noise, rounded, and packed."""
        shape = (*levels.shape[:2], 1) if self.is_gray else levels.shape
        noise = rng.normal(0, self.noise_levels, shape).astype(np.float32) if self.noise_levels else 0
        picture: Picture = np.clip(levels + noise, 0, 255).astype(np.uint8)
        if self.jpeg_quality is None:
            return picture
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)

    def _scaled(self, seen: Picture, interpolation: int) -> Picture:
        scaled = cv2.resize(seen, (COLUMNS, ROWS), interpolation=interpolation)
        return np.asarray(scaled[:, ::-1] if self.is_mirrored else scaled, np.uint8)


def look(rng: Rng, rows: int, columns: int, *, may_be_night: bool) -> Look:
    """Return a random look.

    Args:
        rng: the source of all chance.
        rows: of the footage.
        columns: likewise.
        may_be_night: the footage is not dark itself.
    """
    is_gray = has_luck(rng, 0.22)
    noise_levels = rng.uniform(0, 3) if has_luck(rng, 0.5) else 0.0
    brightness = 1.0
    if may_be_night and has_luck(rng, 0.15):
        brightness, noise_levels = rng.uniform(0.12, 0.5), max(noise_levels, rng.uniform(1, 5))
    return Look(
        _window(rng, rows, columns),
        has_luck(rng, 0.5),
        is_gray,
        rng.uniform(0.3, 1.5) if has_luck(rng, 0.4) else 1.0,
        noise_levels,
        int(rng.integers(50, 96)) if has_luck(rng, 0.6) else None,
        brightness,
    )


def _window(rng: Rng, rows: int, columns: int) -> tuple[slice, slice]:
    """Return a part of the working size's aspect; a third of them are as large as can be."""
    most = min(columns, rows * ASPECT)
    width = most if has_luck(rng, 0.35) else most * rng.uniform(0.4, 1)
    height = width / ASPECT
    left, top = int(rng.uniform(0, columns - width)), int(rng.uniform(0, rows - height))
    return slice(top, top + int(height)), slice(left, left + int(width))
