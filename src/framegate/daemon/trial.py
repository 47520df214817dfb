"""A process that judges one file and ends: ``python -m framegate.daemon.trial FILE BYTES PIXELS``.

The crash guard runs it for a frame at which the daemon crashed twice (see ``crash_guard.py``). The camera's
settings come as JSON on stdin. Only a signal that ends it counts as a crash: the daemon survives exceptions,
and finds out itself whether the picture is good.
"""

import sys
from pathlib import Path

from framegate.cameras.camera import mask_of
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import decode
from framegate.detect.judging.judge import Judge
from framegate.ingest.reading import look_at, read_frame
from framegate.model import EncodedFrame, Picture


def main(file: Path, most_bytes: int, most_pixels: float, detection: str) -> None:
    """Read, decode and judge a file as the daemon would; judge it twice, so that it is scored as well."""
    key = look_at(file.parent, file.name)
    read = None if key is None else read_frame(file.parent, key, most_bytes)
    if key is None or not isinstance(read, EncodedFrame):
        return
    settings = DetectionSettings.model_validate_json(detection)
    picture = decode(read.data, settings, max_pixels=most_pixels)
    if not isinstance(picture, Picture):
        return
    judge = Judge(settings, mask_picture=mask_of(settings))
    for _ in range(2):
        judge.judge(key, 0, picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.stdin.read())
