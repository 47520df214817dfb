"""JPEGs as cameras write them, whole though odd, and damaged as uploads damage them; all from a seed."""

import random
import struct
from collections.abc import Callable

import cv2
import numpy as np

from framegate.formats.jpeg.structure import END, SCAN, TABLES, read_structure

SAMPLINGS = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, "4:4:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "4:1:1": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}  # fmt: skip
SMALL = [(64, 48), (97, 61), (160, 120), (211, 150), (320, 240)]
SIZES = [*SMALL, (352, 288), (640, 360), (641, 481), (1280, 720)]
_PACKET_BYTES = 1448


def drawn(rng: random.Random, size: tuple[int, int]) -> np.ndarray:
    """Return a picture of one of several kinds: a scene by day or night, noise, bars, a ramp, or flat."""
    width, height = size
    numbers = np.random.default_rng(rng.randrange(1 << 32))
    kind = rng.choice(["day", "day", "day", "night", "noise", "bars", "ramp", "flat"])
    coarse = numbers.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3), np.uint8)
    scene: np.ndarray = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    if kind == "night":
        scene = scene * 0.06 + numbers.normal(4, 2, scene.shape)
    elif kind == "noise":
        scene = numbers.integers(0, 256, (height, width, 3), np.uint8).astype(np.float32)
    elif kind == "bars":
        scene = np.full((height, width, 3), 0, np.float32) + (np.arange(width) // 20 % 2 * 255)[None, :, None]
    elif kind == "ramp":
        scene = np.zeros((height, width, 3), np.float32) + np.linspace(0, 255, width)[None, :, None]
    elif kind == "flat":
        scene = np.full((height, width, 3), rng.randrange(256), np.float32)
    else:
        scene += numbers.normal(0, rng.choice([0, 2, 8]), scene.shape)
    picture: np.ndarray = np.clip(scene, 0, 255).astype(np.uint8)
    return picture


def options(rng: random.Random, width: int, *, may_be_progressive: bool = True) -> list[int]:
    """Return how to encode: quality, sampling, and at times progressive, restarts or tables of its own."""
    chosen = [cv2.IMWRITE_JPEG_QUALITY, rng.choice([20, 50, 75, 85, 95, 100])]
    chosen += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, rng.choice([*SAMPLINGS.values(), SAMPLINGS["4:2:0"]])]
    if rng.random() < 0.3:
        chosen += [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    if may_be_progressive and rng.random() < 0.2:
        chosen += [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    elif rng.random() < 0.3:
        chosen += [cv2.IMWRITE_JPEG_RST_INTERVAL, rng.choice([1, 4, max(width // 16, 1)])]
    return chosen


def encoded(picture: np.ndarray, chosen: list[int]) -> bytes:
    """Return a picture as a JPEG."""
    return cv2.imencode(".jpg", picture, chosen)[1].tobytes()


def segment(code: int, content: bytes) -> bytes:
    """Return a marker and its segment."""
    return bytes([0xFF, code]) + struct.pack(">H", len(content) + 2) + content


def _stray(rng: random.Random, most: int) -> bytes:
    return bytes(rng.randrange(255) for _ in range(rng.randint(1, most)))  # never FF: that is a marker


def _first(data: bytes, code: int) -> tuple[int, int]:
    found = next(part for part in read_structure(data).segments if part.code == code)
    return found.start, found.end


def _without_tables(data: bytes, rng: random.Random) -> bytes:
    del rng
    if b"\xff\xc4" not in USUAL_TABLES:
        raise AssertionError
    parts = [data[part.start : part.end] for part in read_structure(data).segments if part.code == TABLES]
    return data if b"".join(parts) != USUAL_TABLES else data.replace(USUAL_TABLES, b"")


def _before_restarts(data: bytes, rng: random.Random) -> bytes:
    _, start = _first(data, SCAN)
    out, at = [data[:start]], start
    while at < len(data):
        found = data.find(b"\xff", at)
        if found < 0:
            break
        is_restart = 0xD0 <= data[found + 1] <= 0xD7
        out += [data[at:found], _stray(rng, 10) if is_restart else b"", data[found : found + 2]]
        at = found + 2
    return b"".join([*out, data[at:]])


def _zero_scan_header(data: bytes, rng: random.Random) -> bytes:
    del rng
    if read_structure(data).frame != 0xC0:
        return data
    _, end = _first(data, SCAN)
    return data[: end - 3] + bytes(3) + data[end:]


USUAL_TABLES = b"".join(
    encoded(np.zeros((8, 8, 3), np.uint8), [])[part.start : part.end]
    for part in read_structure(encoded(np.zeros((8, 8, 3), np.uint8), [])).segments
    if part.code == TABLES
)

HARMLESS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "plain": lambda data, _: data,
    "no Huffman tables": _without_tables,
    "bytes before the end": lambda data, rng: data[:-2] + _stray(rng, 11) + data[-2:],
    "zeros before the end": lambda data, rng: data[:-2] + bytes(rng.randint(1, 3000)) + data[-2:],
    "fill before the end": lambda data, rng: data[:-2] + b"\xff" * rng.randint(1, 500) + data[-2:],
    "bytes before restarts": _before_restarts,
    "zeros behind": lambda data, rng: data + bytes(rng.randint(1, 9000)),
    "trailer": lambda data, rng: data + rng.randbytes(rng.randint(1, 9000)),
    "second picture behind": lambda data, rng: data + encoded(drawn(rng, (64, 48)), []),
    "no JFIF segment": lambda data, _: data[:2] + data[_first(data, 0xE0)[1] :],
    "another JFIF revision": lambda data, _: data[:11] + b"\2" + data[12:],
    "EXIF and preview": lambda data, rng: (
        data[:2]
        + segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + encoded(drawn(rng, (160, 120)), []))
        + data[2:]
    ),
    "maker's note": lambda data, rng: (
        data[:2] + segment(0xFE, rng.randbytes(rng.randint(0, 5000))) + data[2:]
    ),
    "broken colour profile": lambda data, _: data[:2] + segment(0xE2, b"ICC_PROFILE\0\5\3abc") + data[2:],
    "gap of zeros": lambda data, _: (
        data[: _first(data, 0xDB)[0]] + bytes(608) + data[_first(data, 0xDB)[0] :]
    ),
    "zeros in the scan header": _zero_scan_header,
    "two start markers": lambda data, _: data[:2] + data,
    "bytes before the start": lambda data, rng: (
        rng.choice([b"\xff", b"\r\n", b"--b\r\nContent-Type: image/jpeg\r\n\r\n"]) + data
    ),
    "no end marker": lambda data, _: data[:-2],
    "zeros for the end marker": lambda data, rng: data[:-2] + bytes(rng.randint(1, 3000)),
}
"""What cameras, servers and phones do to a JPEG that is whole all the same."""


def _place(data: bytes, rng: random.Random) -> tuple[int, int, int]:
    """Return a place within the coded data, and where that begins and ends."""
    structure = read_structure(data)
    start = structure.scans[0][0].end
    end = next(part.start for part in structure.segments if part.code == END)
    return start + int((end - start) * rng.uniform(0.02, 0.95)), start, end


def _cut(data: bytes, _: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)[0]] + b"\xff\xd9"


def _lost(data: bytes, rng: random.Random, count: int) -> bytes:
    at, _, end = _place(data, rng)
    return data[:at] + data[min(at + count, end) :]


def _overwritten(data: bytes, rng: random.Random, content: bytes) -> bytes:
    at, _, end = _place(data, rng)
    content = content[: end - at]
    return data[:at] + content + data[at + len(content) :]


def _flipped(data: bytes, _: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _flip in range(rng.choice([1, 1, 3, 10])):
        changed[_place(data, rng)[0]] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _spliced(data: bytes, other: bytes, rng: random.Random) -> bytes:
    share = rng.uniform(0.1, 0.9)
    _, start, end = _place(data, rng)
    _, other_start, other_end = _place(other, rng)
    return (
        data[: start + int((end - start) * share)]
        + other[other_start + int((other_end - other_start) * share) :]
    )


DAMAGING: dict[str, Callable[[bytes, bytes, random.Random], bytes]] = {
    "cut, end marker put": _cut,
    "packet lost": lambda data, _, rng: _lost(data, rng, _PACKET_BYTES),
    "512 to 4096 bytes lost": lambda data, _, rng: _lost(data, rng, rng.randint(512, 4096)),
    "1 to 100 bytes lost": lambda data, _, rng: _lost(data, rng, rng.randint(1, 100)),
    "zeroed": lambda data, _, rng: _overwritten(data, rng, bytes(rng.choice([64, 512, 4096]))),
    "overwritten": lambda data, _, rng: _overwritten(data, rng, rng.randbytes(rng.choice([64, 512, 4096]))),
    "1 to 10 bits flipped": _flipped,
    "end of another frame": _spliced,
}
"""What uploads, buffers and cards do to a JPEG; its end marker stays, or is put."""


def whole(rng: random.Random, sizes: list[tuple[int, int]]) -> tuple[str, bytes]:
    """Return what is odd about it, and a JPEG that is whole."""
    size = rng.choice(sizes)
    kind = rng.choice(list(HARMLESS))
    picture = drawn(rng, size)
    if rng.random() < 0.15:
        picture = picture[:, :, 0]
    return kind, HARMLESS[kind](encoded(picture, options(rng, size[0])), rng)


def damaged(rng: random.Random, sizes: list[tuple[int, int]]) -> tuple[str, bytes, bytes]:
    """Return what was done to it, a damaged JPEG of a scene, and the whole one."""
    size = rng.choice(sizes[2:])
    chosen = options(rng, size[0])
    numbers = np.random.default_rng(rng.randrange(1 << 32))
    coarse = numbers.integers(0, 256, (size[1] // 12 + 2, size[0] // 12 + 2, 3), np.uint8)
    scene = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.int16)
    first, second = (
        np.clip(scene + numbers.normal(0, 4, scene.shape), 0, 255).astype(np.uint8) for _ in "12"
    )
    data = encoded(first, chosen)
    kind = rng.choice(list(DAMAGING))
    return kind, DAMAGING[kind](data, encoded(second, chosen), rng), data
