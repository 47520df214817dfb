import random
import re

import numpy as np
import pytest

from framegate.formats.jpeg.structure import END, SCAN, read_structure

HEAD = b"\xff\xd8\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
COMMENT = b"\xff\xfe\x00\x04ok"


def coded(length: int, seed: int = 1) -> bytes:
    """Return so many bytes of a scan, with what stands among its data: stuffed zeros and restarts."""
    rng = random.Random(seed)
    data = np.random.default_rng(seed).bytes(length).replace(b"\xff", b"\xfe")
    parts = [data[at : at + 5000] for at in range(0, length, 5000)]
    between = [b"\xff\x00", b"\xff\xd3", b"\xff\x00\xff\x00", b"\xff\xff\x00"]
    joined = b"".join(part + rng.choice(between) for part in parts)
    return joined[: length - 1] + b"\x55"


@pytest.mark.parametrize("stuffing", [b"\xff\x00", b"\xff\xd0", b"\xff\xff\x00"])
@pytest.mark.parametrize("length", [*range(253, 259), *range(131_066, 131_076), *range(262_138, 262_148)])
def test_a_marker_is_found_at_every_place(length: int, stuffing: bytes) -> None:
    """A marker is found right where it stands, be it where two pieces of the data meet, or behind fill."""
    for data in (b"\x55" * length, (stuffing * length)[:length]):
        last = b"\0" if data.endswith(b"\xff") else b""
        file = HEAD + data + last + COMMENT + b"\xff\xd9"
        segments = read_structure(file).segments
        assert [segment.code for segment in segments] == [SCAN, 0xFE, END]
        assert segments[1].start == len(HEAD + data + last)


def test_what_stands_in_scans_is_found_as_by_looking_at_each_byte() -> None:
    """In data of every length the markers found are those that are there, wherever a file stops."""
    marker = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
    for seed in range(60):
        rng = random.Random(seed)
        scans = [coded(rng.choice([1, 300, 140_000, 270_000]), seed + part) for part in range(3)]
        file = b"\xff\xd8" + b"".join(HEAD[2:] + scan for scan in scans) + b"\xff\xd9" * rng.randrange(2)
        found = [segment.start for segment in read_structure(file).segments]
        assert found == [match.start() for match in marker.finditer(file, 2)]
