"""What a frame shows, known by its content, whether its picture was read or not."""

import hashlib
from dataclasses import dataclass
from typing import Any

from framegate.detect.small_picture import SmallPicture
from framegate.errors import FramegateError
from framegate.model import Size

DIGITS = 24
"""Of a digest in hexadecimal: 96 bits, of which no two of a billion are equal by chance."""


class NotKnownError(FramegateError):
    """Something has to be computed, and the picture was not read: replay the camera with its pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a frame shows. It stands in for the small picture and for the prepared one."""

    content: str
    """Digest of the frame's bytes."""

    source_size: Size
    shape: tuple[int, ...]
    """Of the picture at the working size."""

    small: SmallPicture | None = None
    """None if the frame was not read: then only what is known of it can be used."""

    @property
    def image(self) -> Any:
        """The picture at the working size; NotKnownError if the frame was not read."""
        if self.small is None:
            raise NotKnownError
        return self.small.image

    @property
    def size_bytes(self) -> int:
        """Memory in bytes."""
        return 0 if self.small is None else self.small.size_bytes


def shown_of(small: SmallPicture, sha256: bytes | None = None) -> Shown:
    """Return what a picture shows.

    Args:
        small: at the working size.
        sha256: of its frame's bytes; by default it is known by its pixels.
    """
    if sha256 is None:
        content = digest_of(f"{small.source_size}".encode() + small.image.tobytes())
    else:
        content = content_of(sha256)
    return Shown(content, small.source_size, small.shape, small)


def content_of(sha256: bytes) -> str:
    """Return by what a frame's content is known, from the SHA-256 of its bytes."""
    return sha256.hex()[:DIGITS]


def digest_of(data: bytes) -> str:
    """Return a digest of bytes, as long as those by which contents are known."""
    return hashlib.blake2b(data, digest_size=DIGITS // 2).hexdigest()
