"""A picture at the working size: all that threads hand on of a frame, and all that a resting camera keeps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.model import Size


@dataclass(frozen=True, slots=True, eq=False)
class SmallPicture:
    """A picture at the working size, as a preset compares it: from it everything else is computed."""

    image: NDArray[np.uint8]
    """(rows, columns) in gray, or (rows, columns, 3), read-only."""

    source_size: Size
    """(width, height) of the whole picture, in pixels."""

    @property
    def small(self) -> "SmallPicture":
        """Itself: with ``classic`` it is compared as it is."""
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """That of ``image``."""
        return self.image.shape

    @property
    def size_bytes(self) -> int:
        """Memory in bytes."""
        return self.image.nbytes
