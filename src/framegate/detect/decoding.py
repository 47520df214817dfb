"""Decodes the bytes of a file to a picture, or finds the reason why that is impossible."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.working import WORKING_SIDE
from framegate.detect.memory import opencv_out_of_memory_as_memory_error
from framegate.formats import heif_decoding as heif
from framegate.formats.damage import find_damage
from framegate.formats.jpeg.damage import MARKERS_IN_DATA
from framegate.formats.jpeg.decoding import Damaged, decode_jpeg, with_end
from framegate.formats.png import find_wrong_checksum
from framegate.formats.sniffing import Header, read_header
from framegate.formats.strangers import name_of
from framegate.formats.tiff.reading import with_first_page
from framegate.model import Picture, Reason

_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
"""How many pixels of a JPEG's side become one, the most first."""


_ZEROS_OF_A_HOLE = 64
"""At the end of a damaged file: its size was set first, and the rest has not been written."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why bytes could not be decoded to a picture."""

    reason: Reason
    detail: str

    @property
    def may_be_unfinished(self) -> bool:
        """Whether more bytes of the upload could still make it a picture."""
        return self.reason in {Reason.EMPTY, Reason.TRUNCATED}


def decode(
    data: bytes, settings: DetectionSettings, *, max_pixels: float = 100e6, is_final: bool = True
) -> Picture | Undecodable:
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
        data: a whole JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF file.
        settings: of the camera; only the preset matters.
        max_pixels: a picture with more pixels is refused by its header, before memory is used for it.
        is_final: whether the file will not change any more: then a JPEG may lack its end marker, and zeros at
            the end of a TIFF or BMP are its pixels.

    Returns:
        The picture; or why there is none: ``empty``, ``truncated`` (the content does not end as its format
        demands), ``too_large``, ``damaged`` (there are bytes missing or wrong within it), ``undecodable``.

    Raises:
        MemoryError: there is too little memory for the picture now.
    """
    if not data:
        return Undecodable(Reason.EMPTY, "0 bytes")
    header = read_header(data)
    if header is None:
        return Undecodable(Reason.UNDECODABLE, _what_else(data))
    refusal = _refusal_by_header(data, header, max_pixels)
    if refusal is not None:
        return refusal
    size = f"{header.format} {header.width}x{header.height}"
    data = data[header.start :]
    if not header.whole and header.jpeg and is_final:
        data, header = _completed(data, header)
    if not header.whole or (header.unfinished and not is_final):
        words = header.unfinished or f"it stops after {len(data)} bytes without an end"
        return Undecodable(Reason.TRUNCATED, f"{size}: {words}")
    is_colour = settings.preset_name != "classic"
    pixels = _decoded(data, header, is_colour=is_colour)
    if isinstance(pixels, Damaged):
        is_unfilled = header.jpeg is None and not any(data[-_ZEROS_OF_A_HOLE:])
        return Undecodable(Reason.TRUNCATED if is_unfilled else Reason.DAMAGED, f"{size}: {pixels.detail}")
    if pixels is None or pixels.ndim != (3 if is_colour else 2):
        is_lossless = header.jpeg is not None and header.jpeg.is_lossless
        detail = (
            "lossless JPEG is not supported"
            if is_lossless
            else f"{size} is damaged, or of a kind that is not supported"
        )
        return Undecodable(Reason.UNDECODABLE, detail)
    pixels.flags.writeable = False
    return Picture(pixels, _size_of_whole(pixels, header))


def _refusal_by_header(data: bytes, header: Header, max_pixels: float) -> Undecodable | None:
    """Return why a picture is refused, whatever the rest of it is like, before memory is used for it."""
    size = f"{header.format} {header.width}x{header.height}"
    if header.pixels > max_pixels:
        return Undecodable(Reason.TOO_LARGE, f"{size} has more than {max_pixels / 1e6:g} million pixels")
    if header.unsupported:
        return Undecodable(Reason.UNDECODABLE, f"{header.unsupported} is not supported")
    if header.format in heif.NEEDS and not heif.can_decode(header.format):
        return Undecodable(Reason.UNDECODABLE, heif.NEEDS[header.format])
    if not header.whole and not header.pixels:
        return Undecodable(Reason.TRUNCATED, f"{header.format} stops after {len(data)} bytes, in its header")
    if header.jpeg and header.jpeg.has_impossible_marker:
        return Undecodable(Reason.DAMAGED, f"{size}: {MARKERS_IN_DATA}")
    return None


def _completed(data: bytes, header: Header) -> tuple[bytes, Header]:
    """Return a JPEG and its header, whole if nothing but the end marker was missing."""
    completed = with_end(data)
    if completed is None:
        return data, header
    return completed[0], replace(header, whole=True, jpeg=completed[1])


def _decoded(data: bytes, header: Header, *, is_colour: bool) -> NDArray[np.uint8] | Damaged | None:
    reduction = _reduction_of(header) if is_colour else 1
    pixels = None
    if header.jpeg:
        pixels = decode_jpeg(data, header.jpeg, is_colour=is_colour, reduction=reduction)
    if pixels is not None:
        return pixels
    if header.format == "png" and (wrong := find_wrong_checksum(data)):
        return Damaged(wrong)
    if header.page:
        data = with_first_page(data, header.page)
    if header.format == "heic":
        pixels = heif.decode_heic(data, is_colour=is_colour)
    else:
        in_colour = _REDUCED.get(reduction, cv2.IMREAD_COLOR)
        pixels = _decode_opencv(data, in_colour if is_colour else cv2.IMREAD_GRAYSCALE)
    wrong = "" if header.jpeg else find_damage(data, header, _decodes, is_decoded=pixels is not None)
    return Damaged(wrong) if wrong else pixels


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


def _decode_opencv(data: bytes, flags: int) -> NDArray[np.uint8] | None:
    try:
        with opencv_out_of_memory_as_memory_error():
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None  # for example OpenCV's own limit of pixels
    return None if pixels is None else pixels.astype(np.uint8, copy=False)


def _decodes(data: bytes) -> bool:
    return _decode_opencv(data, cv2.IMREAD_COLOR) is not None


def _what_else(data: bytes) -> str:
    name = name_of(data)
    return (
        f"{name} is not supported" if name else "no JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF by its content"
    )


def _size_of_whole(pixels: NDArray[np.uint8], header: Header) -> tuple[int, int]:
    """Return the (width, height) that the picture has before it is reduced, and after it is turned."""
    height, width = pixels.shape[:2]
    if max(width, height) == max(header.width, header.height):
        return width, height
    is_turned = (width < height) != (header.width < header.height)
    return (header.height, header.width) if is_turned else (header.width, header.height)
