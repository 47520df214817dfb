"""Decodes HEIC and AVIF, which need more than the libraries that are always there."""

import re
from functools import cache
from importlib.util import find_spec

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.errors import how_to_install

NEEDS = {
    # Without this environment's path: it stands in tables, and those of two machines are compared.
    "heic": f"HEIC pictures need the Python package pillow-heif: {how_to_install('heic', pip='pip')}",
    "avif": "AVIF pictures need an opencv-python-headless that is built with AVIF, as 5.0 is",
}
"""What is said of a format that this installation cannot decode."""


@cache
def can_decode(kind: str) -> bool:
    """Return whether this installation decodes ``heic`` or ``avif``."""
    if kind == "heic":
        return find_spec("pillow_heif") is not None
    return re.search(r"^\s*AVIF: +(?!NO)", cv2.getBuildInformation(), re.MULTILINE) is not None


def decode_heic(data: bytes, *, is_colour: bool) -> NDArray[np.uint8] | None:
    """Decode a HEIC, turned as it says, to blue, green, red, or to gray; None when it is damaged."""
    from pillow_heif import open_heif  # noqa: PLC0415 - an extra

    try:
        picture = open_heif(data, convert_hdr_to_8bit=True, bgr_mode=True)
        pixels = np.asarray(picture)
    except (ValueError, RuntimeError, SyntaxError, OSError, EOFError):
        return None
    if pixels.ndim == 2:  # noqa: PLR2004
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR).astype(np.uint8) if is_colour else pixels.copy()
    colour = np.ascontiguousarray(pixels[:, :, :3])
    return colour if is_colour else cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(np.uint8)
