"""Counts the frames whose perceptual hash differs from the last kept one's: ``python phash.py FOLDER HOW``.

HOW is ``documented``, as ImageHash's own description does it, or ``draft``, which lets Pillow decode a JPEG
at a size near the one that the hash needs.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

imagehash: Any = import_module("imagehash")
image: Any = import_module("PIL.Image")

BITS = 10
"""A frame is kept when more than so many of the 64 bits differ."""

DRAFT_SIDE = 256


def main() -> None:
    folder, how = sys.argv[1:]
    last_kept: Any = None
    kept = 0
    for path in sorted(Path(folder).iterdir()):
        with image.open(path) as picture:
            if how == "draft":
                picture.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
            current = imagehash.phash(picture)
        if last_kept is None or last_kept - current > BITS:
            last_kept = current
            kept += 1
    print(kept)


if __name__ == "__main__":
    main()
