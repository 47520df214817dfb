import cv2
import numpy as np
import pytest

from forked import python
from framegate.detect.memory import opencv_out_of_memory_as_memory_error

LITTLE_MEMORY = """
import resource

import cv2
import numpy as np

from framegate.detect.memory import opencv_out_of_memory_as_memory_error

picture = np.zeros((10, 10), np.uint8)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + 50_000_000, resource.RLIM_INFINITY))
try:
    with opencv_out_of_memory_as_memory_error():
        cv2.resize(picture, (20_000, 20_000))
except MemoryError as error:
    print(type(error.__cause__).__name__)
"""


def test_opencv_without_memory_is_a_memory_error() -> None:
    """When OpenCV cannot allocate a picture, the error is Python's own, with OpenCV's as its cause."""
    done = python(LITTLE_MEMORY)
    assert (done.stdout, done.stderr) == (b"error\n", b"")


def test_any_other_error_of_opencv_stays_as_it_is() -> None:
    """What is wrong with the picture is no want of memory."""
    with pytest.raises(cv2.error), opencv_out_of_memory_as_memory_error():
        cv2.resize(np.zeros((10, 10), np.uint8), (0, 0))
