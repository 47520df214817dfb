"""A process that decodes one file and ends: ``python -m framegate.service.trial FILE BYTES PIXELS``.

It is run for a frame that was in flight when the daemon died twice (see ``in_flight.py``). That it ends with
0 says all: whether the picture is good is for the daemon to find.
"""

import sys
from pathlib import Path

from framegate.detect.decoding import decode
from framegate.ingest.reading import look_at, read_frame
from framegate.model import EncodedFrame


def main(file: Path, most_bytes: int, most_pixels: float) -> None:
    """Read and decode a file as the daemon would."""
    key = look_at(file.parent, file.name)
    read = None if key is None else read_frame(file.parent, key, most_bytes)
    if isinstance(read, EncodedFrame):
        decode(read.data, max_pixels=most_pixels)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
