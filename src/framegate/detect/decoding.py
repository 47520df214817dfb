"""Decodes the bytes of a file to a picture, or finds the reason why that is impossible."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.working import WORKING_SIDE
from framegate.detect.headers import Header, read_header
from framegate.detect.memory import opencv_out_of_memory_as_memory_error
from framegate.model import Picture, Reason

_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
"""How many pixels of a JPEG's side become one, the most first."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why bytes could not be decoded to a picture."""

    reason: Reason
    detail: str

    @property
    def may_be_unfinished(self) -> bool:
        """Whether more bytes of the upload could still make it a picture."""
        return self.reason in {Reason.EMPTY, Reason.TRUNCATED}


def decode(data: bytes, settings: DetectionSettings, *, max_pixels: float = 100e6) -> Picture | Undecodable:
    """Decode an encoded picture as the preset of the settings wants it. An EXIF orientation is honoured.

    ``classic`` gets the gray values that the decoder makes: for JPEG the luma plane as stored, which is exact
    and needs no conversion. ``adaptive`` gets colour, and a JPEG at the smallest of its sizes 1/8,
    1/4, 1/2 that still has ``WORKING_SIDE`` both ways: for 1080p that takes 4.0 ms instead of 13.3.

    Example:
        >>> import cv2, numpy as np
        >>> from framegate import DetectionSettings, decode
        >>> photo = cv2.imencode(".jpg", np.zeros((1080, 1920, 3), np.uint8))[1].tobytes()
        >>> picture = decode(photo, DetectionSettings.preset("adaptive"))
        >>> picture.pixels.shape, picture.size
        ((270, 480, 3), (1920, 1080))

    Args:
        data: a whole JPEG, PNG, WebP, TIFF or BMP file.
        settings: of the camera; only the preset matters.
        max_pixels: a picture with more pixels is refused by its header, before memory is used for it.

    Returns:
        The picture; or why there is none: ``empty``, ``truncated`` (the content does not end as its format
        demands), ``too_large``, ``undecodable``.

    Raises:
        MemoryError: there is too little memory for the picture now.
    """
    if not data:
        return Undecodable(Reason.EMPTY, "0 bytes")
    header = read_header(data)
    if header is None:
        return Undecodable(Reason.UNDECODABLE, "no JPEG, PNG, WebP, TIFF or BMP by its content")
    size = f"{header.format} {header.width}x{header.height}"
    if header.pixels > max_pixels:
        return Undecodable(Reason.TOO_LARGE, f"{size} has more than {max_pixels / 1e6:g} million pixels")
    if not header.whole and not header.pixels:
        return Undecodable(Reason.TRUNCATED, f"{header.format} stops after {len(data)} bytes, in its header")
    if not header.whole:
        return Undecodable(Reason.TRUNCATED, f"{size} stops after {len(data)} bytes without an end")
    picture = _as_gray(data) if settings.preset_name == "classic" else _in_colour(data, header)
    return picture or Undecodable(Reason.UNDECODABLE, f"{size} is damaged")


def _as_gray(data: bytes) -> Picture | None:
    gray = _pixels(data, cv2.IMREAD_GRAYSCALE)
    return None if gray is None or gray.ndim != 2 else Picture(gray, _size_of(gray))  # noqa: PLR2004


def _in_colour(data: bytes, header: Header) -> Picture | None:
    reduction = _reduction_of(header)
    colour = _pixels(data, _REDUCED.get(reduction, cv2.IMREAD_COLOR))
    if colour is None or colour.ndim != 3:  # noqa: PLR2004
        return None
    width, height = _size_of(colour)
    if reduction == 1:
        return Picture(colour, (width, height))
    is_turned = (width < height) != (header.width < header.height)
    return Picture(colour, (header.height, header.width) if is_turned else (header.width, header.height))


def _reduction_of(header: Header) -> int:
    """Return by how much to reduce: only a JPEG, whose decoder averages; that of other formats skips pixels.

    A picture that is nearly square is not made square: its sides show whether it was turned.
    """
    if header.format == "jpeg":
        for reduction in _REDUCED:
            width, height = -(-header.width // reduction), -(-header.height // reduction)
            if min(width, height) >= WORKING_SIDE and (width == height) == (header.width == header.height):
                return reduction
    return 1


def _pixels(data: bytes, flags: int) -> NDArray[np.uint8] | None:
    try:
        with opencv_out_of_memory_as_memory_error():
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None  # for example OpenCV's own limit of pixels
    if pixels is None:
        return None
    as_bytes: NDArray[np.uint8] = pixels.astype(np.uint8, copy=False)
    as_bytes.flags.writeable = False
    return as_bytes


def _size_of(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[0]
