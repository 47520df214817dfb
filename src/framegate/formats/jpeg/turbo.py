"""libjpeg-turbo by way of simplejpeg: pixels, and what the decoder says of the data."""

import numpy as np
import simplejpeg
from numpy.typing import NDArray


def decode_turbo(
    data: bytes, *, is_colour: bool, size: tuple[int, int] | None = None
) -> tuple[NDArray[np.uint8] | None, str]:
    """Decode a JPEG, and listen to the decoder.

    Args:
        data: a JPEG, from its start marker on.
        is_colour: whether to decode to (height, width, 3) of blue, green, red; else (height, width) of gray.
        size: (width, height) to reduce to, by a factor that libjpeg has; None for the whole size.

    Returns:
        The pixels, None where the decoder found something wrong; and its first complaint, as it says it,
        empty when it has none.

    Raises:
        MemoryError: there is too little memory for the picture now.
    """
    width, height = size or (0, 0)
    try:
        pixels = simplejpeg.decode_jpeg(
            data, "BGR" if is_colour else "GRAY", min_width=width, min_height=height
        )
    except ValueError as error:
        return None, _words(error)
    return _shaped(pixels), ""


def decode_in_spite(
    data: bytes, *, is_colour: bool, size: tuple[int, int] | None = None
) -> NDArray[np.uint8] | None:
    """Decode a JPEG as ``decode_turbo`` does, whatever the decoder says of its data.

    Returns:
        The pixels; None where the decoder gave up.

    Raises:
        MemoryError: there is too little memory for the picture now.
    """
    width, height = size or (0, 0)
    try:
        pixels = simplejpeg.decode_jpeg(
            data, "BGR" if is_colour else "GRAY", min_width=width, min_height=height, strict=False
        )
    except ValueError as error:
        _words(error)
        return None
    return _shaped(pixels)


def _shaped(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _words(error: ValueError) -> str:
    words = str(error)
    if words.startswith("Insufficient memory") or words.endswith("Memory allocation failure"):
        raise MemoryError from error
    return words or "no reason"
