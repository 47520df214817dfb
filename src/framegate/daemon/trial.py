"""A process that judges one file and ends: ``python -m framegate.daemon.trial FILE BYTES PIXELS``.

The crash guard runs it for a frame at which the daemon crashed twice (see ``crash_guard.py``). The camera's
settings come as JSON on stdin. Only a signal that ends it counts as a crash: the daemon survives exceptions,
and finds out itself whether the picture is good.
"""

import sys
from pathlib import Path

from framegate.camera import Camera, detector_of
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import decode
from framegate.ingest.reading import look_at, read_frame
from framegate.model import EncodedFrame, Frame


def main(file: Path, most_bytes: int, most_pixels: float, detection: str) -> None:
    """Read, decode and judge a file as the daemon would; judge it twice, so that it is scored as well."""
    key = look_at(file.parent, file.name)
    read = None if key is None else read_frame(file.parent, key, most_bytes)
    frame = decode(read.data, max_pixels=most_pixels) if isinstance(read, EncodedFrame) else None
    if key is None or not isinstance(frame, Frame):
        return
    camera = Camera("trial", detector_of(DetectionSettings.model_validate_json(detection)))
    for _ in range(2):
        camera.judge(key, 0, frame)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.stdin.read())
