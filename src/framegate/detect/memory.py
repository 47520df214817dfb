"""OpenCV tells of a want of memory in its own way."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def want_of_memory_told() -> Iterator[None]:
    """Turn OpenCV's want of memory into a MemoryError: no picture is to blame for it, and it may pass.

    Raises:
        MemoryError: OpenCV could not have what it asked for.
    """
    try:
        yield
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise
