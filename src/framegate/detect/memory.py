"""Turns OpenCV's own error for running out of memory into Python's."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def opencv_out_of_memory_as_memory_error() -> Iterator[None]:
    """Raise OpenCV's out-of-memory error as MemoryError: it is temporary, and no fault of the picture's.

    Raises:
        MemoryError: OpenCV could not allocate what it needed.
    """
    try:
        yield
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise
