"""Small pictures of the frames, as many and as large as the page has room for."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.config.settings import DropSettings
from framegate.detect.decoding import Undecodable, decode
from framegate.ingest.reading import read_frame
from framegate.model import EncodedFrame, Picture, Size
from framegate.tune.replay.outcomes import Frame

WIDTHS = (480, 320, 240, 160)
"""In pixels, the best first."""

QUALITY = 60
"""Of WebP: at 160 pixels 2 to 3 kB a picture, a fifth less than JPEG; AVIF saves no more."""

SAMPLE = 40
"""Pictures whose sizes tell which width is possible for all."""

BATCH = 64

_IN_COLOUR = DetectionSettings()
"""``adaptive`` decodes in colour, and a JPEG no larger than needed."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SmallImage:
    """A frame as a small picture."""

    webp: bytes
    source_size: Size
    """(width, height) of the whole picture, in pixels."""


def small_images(
    frames: Sequence[Frame], drop: DropSettings, most_bytes: int, progress: Progress
) -> dict[int, SmallImage]:
    """Return pictures of frames, by their place in the sequence, that together have at most so many bytes.

    Args:
        frames: what matters most first: if not all fit even at the smallest width, the last are left out.
        drop: the folder, and which files are too large.
        most_bytes: of all pictures together.
        progress: called with the number of frames that were read since the last call.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sample = frames[:: max(1, len(frames) // SAMPLE)]
        for width in WIDTHS:
            is_last = width == WIDTHS[-1]
            sizes = [len(image.webp) for _, image in _encoded(pool, sample, drop, width) if image is not None]
            if not is_last and sum(sizes) / len(sample) * len(frames) > most_bytes:
                continue
            images = _fitting(_encoded(pool, frames, drop, width), most_bytes, progress)
            if is_last or len(images) == len(frames):
                return {place: image for place, image in images.items() if image is not None}
            progress(-len(images))
    return {}


def _fitting(
    images: Iterable[tuple[int, SmallImage | None]], most_bytes: int, progress: Progress
) -> dict[int, SmallImage | None]:
    """Return the first pictures, as many as have together at most so many bytes."""
    fitting: dict[int, SmallImage | None] = {}
    room = most_bytes
    for place, image in images:
        room -= 0 if image is None else len(image.webp)
        if room < 0:
            break
        fitting[place] = image
        progress(1)
    return fitting


def _encoded(
    pool: ThreadPoolExecutor, frames: Sequence[Frame], drop: DropSettings, width: int
) -> Iterator[tuple[int, SmallImage | None]]:
    numbered = enumerate(frames)
    while batch := list(islice(numbered, BATCH)):
        images = pool.map(lambda each: _small_image(each[1], drop, width), batch)
        yield from zip((place for place, _ in batch), images, strict=True)


def _small_image(frame: Frame, drop: DropSettings, width: int) -> SmallImage | None:
    """Return a frame as a small picture; None if it is gone, has changed, or cannot be decoded."""
    encoded = read_frame(Path(frame.folder or drop.folder), frame.candidate.key, drop.max_size)
    if not isinstance(encoded, EncodedFrame):
        return None
    return small_image(encoded.data, width, max_pixels=drop.max_megapixels * 1e6)


def small_image(data: bytes, width: int, *, max_pixels: float, quality: int = QUALITY) -> SmallImage | None:
    """Return a picture as a small one; None if it has too many pixels, or cannot be decoded.

    Args:
        data: of any kind that framegate reads.
        width: of the small one in pixels, at most; it is not enlarged.
        max_pixels: of the whole one; more are not decoded.
        quality: of the WebP, 1 to 100.
    """
    picture = decode(data, _IN_COLOUR, max_pixels=max_pixels)
    if isinstance(picture, Undecodable):
        return None
    pixels = _wide_enough(picture, data, width)
    rows, columns = pixels.shape[:2]
    width = min(width, columns)
    size = width, max(1, round(rows * width / columns))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    webp = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return SmallImage(webp.tobytes(), picture.size)


def _wide_enough(picture: Picture, data: bytes, width: int) -> NDArray[np.uint8]:
    """Return the pixels of a picture; of a JPEG that was decoded to fewer than asked for, more of them."""
    whole = picture.size[0]
    if picture.pixels.shape[1] >= min(width, whole):
        return picture.pixels
    flags = cv2.IMREAD_REDUCED_COLOR_2 if whole >= 2 * width else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return picture.pixels if pixels is None else pixels.astype(np.uint8, copy=False)
