"""Pictures that are no JPEG, whole and damaged, of every kind, from a seed."""

import random
from collections.abc import Callable

import cv2
import numpy as np

from jpegs import drawn
from tiffs import DEFLATE, PACK_BITS, PLAIN, Order, Sheet, tiff

SIZES = [(2, 3), (17, 9), (64, 48), (97, 61), (160, 120), (211, 150), (320, 240)]
DAMAGED_SIZES = SIZES[3:]
_PACKET_BYTES = 1448


def _png(picture: np.ndarray, rng: random.Random) -> bytes:
    kind = rng.choice(["colour", "gray", "alpha", "deep", "bilevel"])
    if kind == "gray":
        picture = picture[:, :, 0]
    elif kind == "alpha":
        picture = np.dstack([picture, picture[:, :, 0]])
    elif kind == "deep":
        picture = picture.astype(np.uint16) * 257
    options = [cv2.IMWRITE_PNG_COMPRESSION, rng.randrange(10)]
    if kind == "bilevel":
        picture, options = picture[:, :, 0], [*options, cv2.IMWRITE_PNG_BILEVEL, 1]
    return cv2.imencode(".png", picture, options)[1].tobytes()


def _webp_lossy(picture: np.ndarray, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        picture = np.dstack([picture, picture[:, :, 0]])
    return cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, rng.randint(1, 100)])[1].tobytes()


def _webp_lossless(picture: np.ndarray, _rng: random.Random) -> bytes:
    return cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()


def _bmp(picture: np.ndarray, rng: random.Random) -> bytes:
    return cv2.imencode(".bmp", picture if rng.random() < 0.5 else picture[:, :, 0])[1].tobytes()


def _sheets(compression: int) -> Callable[[np.ndarray, random.Random], bytes]:
    def encoded(picture: np.ndarray, rng: random.Random) -> bytes:
        pixels = picture if rng.random() < 0.7 else picture[:, :, 0]
        if rng.random() < 0.3:
            pixels = pixels.astype(np.uint16) * 257
        orders: list[Order] = ["<", ">"]
        sheet = Sheet(
            np.ascontiguousarray(pixels),
            compression,
            tile=rng.choice([0, 0, 32, 64]),
            rows=rng.choice([0, 1, 16, 50]),
            is_planar=pixels.ndim == 3 and rng.random() < 0.3,
        )
        small = [Sheet(np.zeros((8, 8), np.uint8), tags={254: 1})] if rng.random() < 0.2 else []
        return tiff([*small, sheet, *small], order=rng.choice(orders), is_big=rng.random() < 0.3)

    return encoded


def _tiff_by_opencv(compression: int) -> Callable[[np.ndarray, random.Random], bytes]:
    def encoded(picture: np.ndarray, rng: random.Random) -> bytes:
        rows = rng.choice([8, 16, 64])
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_ROWSPERSTRIP, rows]
        return cv2.imencode(".tif", picture, options)[1].tobytes()

    return encoded


ENCODERS: dict[str, Callable[[np.ndarray, random.Random], bytes]] = {
    "png": _png,
    "webp, lossy": _webp_lossy,
    "webp, lossless": _webp_lossless,
    "bmp": _bmp,
    "tiff, plain": _sheets(PLAIN),
    "tiff, deflate": _sheets(DEFLATE),
    "tiff, packbits": _sheets(PACK_BITS),
    "tiff, lzw": _tiff_by_opencv(5),
    "tiff, jpeg": _tiff_by_opencv(7),
}


def whole(kind: str, rng: random.Random, sizes: list[tuple[int, int]]) -> bytes:
    """Return a picture of a kind, at times with a maker's bytes behind it."""
    data = ENCODERS[kind](drawn(rng, rng.choice(sizes)), rng)
    return data + rng.choice([b"", b"", bytes(100), b"camera v2\n"])


def damaged(kind: str, rng: random.Random) -> tuple[str, bytes]:
    """Return what was done to a picture, and the picture."""
    while True:
        data = ENCODERS[kind](drawn(rng, rng.choice(DAMAGED_SIZES)), rng)
        if len(data) > 600:
            what = rng.choice(list(_DAMAGE))
            at = rng.randrange(len(data) // 8, len(data) - 60)
            changed = _DAMAGE[what](data, at, min(rng.randint(20, _PACKET_BYTES), len(data) - at), rng)
            if changed != data:
                return what, changed


def _flipped(data: bytes, at: int, _length: int, rng: random.Random) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _holed(data: bytes, at: int, length: int, _rng: random.Random) -> bytes:
    return data[:at] + bytes(length) + data[at + length :]


def _cut(data: bytes, at: int, _length: int, _rng: random.Random) -> bytes:
    return data[:at]


def _unfilled(data: bytes, at: int, _length: int, _rng: random.Random) -> bytes:
    return data[:at].ljust(len(data), b"\0")


def _lost(data: bytes, at: int, length: int, _rng: random.Random) -> bytes:
    return data[:at] + data[at + length :]


def _overwritten(data: bytes, at: int, length: int, rng: random.Random) -> bytes:
    return data[:at] + rng.randbytes(length) + data[at + length :]


_DAMAGE: dict[str, Callable[[bytes, int, int, random.Random], bytes]] = {
    "one bit flipped": _flipped,
    "hole of zeros": _holed,
    "cut": _cut,
    "rest is zeros": _unfilled,
    "packet lost": _lost,
    "overwritten": _overwritten,
}
