import struct
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

WIDTH, HEIGHT = 64, 48

WAYS: dict[str, tuple[str, list[int]]] = {
    "jpeg-baseline": (".jpg", []),
    "jpeg-progressive": (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "jpeg-restarts": (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
    "jpeg-thumbnail": (".jpg", []),
    "png": (".png", []),
    "webp-lossy": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
    "webp-lossless": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
    "tiff": (".tif", []),
    "tiff-plain": (".tif", [cv2.IMWRITE_TIFF_COMPRESSION, 1]),
    "bmp": (".bmp", []),
}


@dataclass(frozen=True)
class Encoded:
    """One picture in one format, as a camera would upload it."""

    way: str
    data: bytes

    @property
    def format(self) -> str:
        """The format's name as framegate says it."""
        return self.way.partition("-")[0]


def _picture(width: int, height: int) -> np.ndarray:
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (3, 3), 0)


def _encode(way: str) -> Encoded:
    ending, options = WAYS[way]
    data = cv2.imencode(ending, _picture(WIDTH, HEIGHT), options)[1].tobytes()
    if way == "jpeg-thumbnail":
        thumbnail = cv2.imencode(".jpg", _picture(16, 12))[1].tobytes()
        exif = b"Exif\0\0II*\0\x08\0\0\0\0\0" + thumbnail
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    return Encoded(way, data)


@pytest.fixture(params=WAYS, ids=str)
def encoded(request: pytest.FixtureRequest) -> Encoded:
    """A small, busy picture, in each format in turn."""
    return _encode(request.param)


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """The picture as a plain JPEG."""
    return _encode("jpeg-baseline").data


@pytest.fixture(scope="session")
def png() -> bytes:
    """The picture as a PNG."""
    return _encode("png").data
