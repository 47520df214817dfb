"""What the header of an encoded picture shows before it is decoded."""

from dataclasses import dataclass, field

from framegate.formats.jpeg.structure import Structure
from framegate.formats.tiff.page import Page


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's first bytes announce, and whether the rest of it is there."""

    format: str
    """``jpeg``, ``png``, ``webp``, ``tiff``, ``bmp``, ``heic``, ``avif``; ``heif`` before it is
    known which of the two."""

    width: int = 0
    height: int = 0
    """In pixels; 0 when the file stops before its size."""

    whole: bool = False
    """Whether the content ends as the format demands. There may be damage in between."""

    unsupported: str = ""
    """What kind of picture it is, if it is one that nothing here decodes, whole or not: ``12-bit JPEG``."""

    start: int = 0
    """How many bytes stand before the picture; only a JPEG may have some."""

    jpeg: Structure | None = None
    """The markers of a JPEG, counted from ``start``."""

    unfinished: str = ""
    """Why more of it may be still to come, although it can be decoded: it is judged when it is final."""

    page: Page | None = field(default=None, compare=False)
    """The directory of a TIFF's picture."""

    @property
    def pixels(self) -> int:
        """Number of pixels after decoding."""
        return self.width * self.height
