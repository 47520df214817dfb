"""Draw the README's picture, .github/overlay.png, from the demo's lot: python tests/readme_overlay.py."""

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from framegate.commands.demo.scene import Lot, Picture, encoded
from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.tune.explain import explain, overlay
from readme import README

OVERLAY = README.with_name(".github") / "overlay.png"
NOISE = 1.0
"""Gray levels of the sensor: little, so that the file is small."""

SHADE = 0.55
"""Of the light that is left in the shadow."""

SHADOW = [
    (0.0, 0.80),
    (0.44, 0.75),
    (0.54, 0.60),
    (0.63, 0.57),
    (0.71, 0.78),
    (0.60, 0.93),
    (0.3, 0.97),
    (0.0, 0.97),
]
"""Corners, as fractions of the picture."""


def shaded(picture: Picture) -> Picture:
    """Return the picture with a shadow over the asphalt, soft at its edge."""
    height, width = picture.shape[:2]
    light = np.ones((height, width), np.float32)
    corners = np.rint(np.array(SHADOW) * (width, height)).astype(np.int32)
    cv2.fillPoly(light, [corners], SHADE)
    soft = cv2.GaussianBlur(light, (0, 0), height / 180)
    result: Picture = np.rint(picture * soft[..., None]).astype(np.uint8)
    return result


def main() -> None:
    lot = Lot()
    detector = Adaptive(DetectionSettings())
    with TemporaryDirectory() as folder:
        before, after = Path(folder, "before.png"), Path(folder, "after.png")
        before.write_bytes(encoded(lot.picture(noise=NOISE), ".png"))
        lot.parked[2] = 2
        after.write_bytes(encoded(shaded(lot.picture(noise=NOISE)), ".png"))
        explanation = explain(before, after, detector, max_pixels=1e6)
        picture = overlay(after, explanation)
    OVERLAY.write_bytes(encoded(picture, ".png"))


if __name__ == "__main__":
    main()
