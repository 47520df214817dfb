"""Reads and decodes the frames of a folder, and nothing else: ``python decode_loop.py FOLDER REDUCTION``.

The floor below every program that looks at pictures: a thread for each core, each decoding on its own.
REDUCTION is how many pixels of a side become one, in colour; ``gray`` decodes the whole picture in gray.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

FLAGS = {
    "gray": cv2.IMREAD_GRAYSCALE,
    "1": cv2.IMREAD_COLOR,
    "2": cv2.IMREAD_REDUCED_COLOR_2,
    "4": cv2.IMREAD_REDUCED_COLOR_4,
    "8": cv2.IMREAD_REDUCED_COLOR_8,
}


def main() -> None:
    folder, reduction = sys.argv[1:]
    cv2.setNumThreads(1)  # one picture is one thread's: OpenCV's own threads would only wait for each other

    def decode(frame: Path) -> bool:
        return cv2.imdecode(np.frombuffer(frame.read_bytes(), np.uint8), FLAGS[reduction]) is not None

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        decoded = sum(pool.map(decode, sorted(Path(folder).iterdir())))
    print(decoded)


if __name__ == "__main__":
    main()
