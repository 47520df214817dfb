"""A drawn parking lot: cars, a pedestrian, dusk, rustling leaves, sensor noise. Seeded, so always the same.

The demo and the tests use it; no footage is needed.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from framegate.model import GrayImage

ASPHALT, LINE, SKY, GRASS = (88, 86, 84), (215, 220, 220), (205, 180, 160), (70, 105, 80)
LEAF = (50, 92, 60)
GLASS, TYRE, SKIN = (60, 50, 45), (25, 25, 25), (150, 175, 205)
PAINTS = ((40, 40, 170), (190, 190, 195), (140, 70, 30), (45, 45, 48), (60, 150, 190), (235, 235, 235))
BAYS = 6

Picture = GrayImage
"""uint8, (height, width, 3), BGR."""


@dataclass(slots=True)
class Lot:
    """The lot as it is now; change an attribute, then take a picture.

    Attributes:
        width, height: of the picture, in pixels.
        parked: number of the car's paint, by bay; an empty bay is not in it.
        pedestrian: where somebody walks, from 0 (left) to 1 (right); None for nobody.
        light: 1.0 is noon; 0.6 is dusk.
        clock: text burnt in at the top left; empty for none.
    """

    width: int = 960
    height: int = 540
    seed: int = 7
    parked: dict[int, int] = field(default_factory=lambda: {1: 0, 4: 1})
    pedestrian: float | None = None
    light: float = 1.0
    clock: str = ""
    _rng: np.random.Generator = field(init=False, repr=False)
    _empty: Picture = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._empty = self._draw_empty()

    def picture(self, *, noise: float = 3.0) -> Picture:
        """Return a picture, uint8 (height, width, 3) BGR; ``noise`` is the sensor's, in gray levels."""
        canvas = self._empty.copy()
        self._draw_leaves(canvas)
        for bay, paint in sorted(self.parked.items()):
            self._draw_car(canvas, bay, PAINTS[paint % len(PAINTS)])
        if self.pedestrian is not None:
            self._draw_pedestrian(canvas, self.pedestrian)
        lit = canvas.astype(np.float32) * self.light + self._rng.normal(0, noise, canvas.shape)
        picture: Picture = np.clip(lit, 0, 255).astype(np.uint8)
        if self.clock:
            size = self.height / 800
            cv2.putText(picture, self.clock, self._at(0.01, 0.05), cv2.FONT_HERSHEY_SIMPLEX, size, LINE, 2)
        return picture

    def jpeg(self, *, noise: float = 3.0, quality: int = 85) -> bytes:
        """Return a picture as the bytes of a JPEG file."""
        return encoded(self.picture(noise=noise), ".jpg", quality)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self.width), round(y * self.height)

    def _bay(self, bay: int) -> tuple[float, float]:
        """Return the left and right edge of a bay, as fractions of the width."""
        return 0.06 + bay * 0.15, 0.06 + (bay + 1) * 0.15

    def _draw_empty(self) -> Picture:
        plain = np.full((self.height, self.width, 3), ASPHALT, np.uint8)
        coarse = self._rng.normal(0, 9, (self.height // 4, self.width // 4)).astype(np.float32)
        texture = cv2.resize(coarse, (self.width, self.height))[..., None]
        canvas: Picture = np.clip(plain + texture, 0, 255).astype(np.uint8)
        canvas[: round(0.2 * self.height)] = SKY
        canvas[round(0.2 * self.height) : round(0.3 * self.height)] = GRASS
        for bay in range(BAYS + 1):
            x = self._bay(bay)[0]
            cv2.line(canvas, self._at(x, 0.42), self._at(x, 0.74), LINE, max(2, self.width // 240))
        cv2.line(canvas, self._at(0.06, 0.42), self._at(0.96, 0.42), LINE, max(2, self.width // 240))
        return canvas

    def _draw_leaves(self, canvas: Picture) -> None:
        """Draw a tree whose leaves shimmer: in every picture other leaves are bright."""
        center, radius = np.array(self._at(0.9, 0.19)), 0.11 * self.height
        cv2.circle(canvas, center.tolist(), round(radius), LEAF, -1)
        places = center + self._rng.normal(0, radius / 3.4, (90, 2))
        for (x, y), shade in zip(
            np.rint(places).astype(int).tolist(), self._rng.integers(-26, 27, 90), strict=True
        ):
            leaf = tuple(int(channel + shade) for channel in LEAF)
            cv2.circle(canvas, (x, y), max(2, self.height // 120), leaf, -1)

    def _draw_car(self, canvas: Picture, bay: int, paint: tuple[int, int, int]) -> None:
        left, right = self._bay(bay)
        body = (left + 0.022, right - 0.022)
        cv2.rectangle(canvas, self._at(body[0] - 0.004, 0.48), self._at(body[0] + 0.008, 0.70), TYRE, -1)
        cv2.rectangle(canvas, self._at(body[1] - 0.008, 0.48), self._at(body[1] + 0.004, 0.70), TYRE, -1)
        cv2.rectangle(canvas, self._at(body[0], 0.45), self._at(body[1], 0.73), paint, -1)
        cv2.rectangle(canvas, self._at(body[0] + 0.01, 0.51), self._at(body[1] - 0.01, 0.56), GLASS, -1)
        cv2.rectangle(canvas, self._at(body[0] + 0.01, 0.65), self._at(body[1] - 0.01, 0.69), GLASS, -1)

    def _draw_pedestrian(self, canvas: Picture, x: float) -> None:
        cv2.rectangle(canvas, self._at(x - 0.012, 0.79), self._at(x + 0.012, 0.94), (70, 30, 30), -1)
        cv2.circle(canvas, self._at(x, 0.77), round(0.022 * self.height), SKIN, -1)


def encoded(picture: Picture, extension: str = ".jpg", quality: int = 85) -> bytes:
    """Return a picture as a file's bytes, in the format of an extension."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if extension in {".jpg", ".jpeg"} else []
    return cv2.imencode(extension, picture, options)[1].tobytes()
