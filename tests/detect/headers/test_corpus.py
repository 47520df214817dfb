import os
import random
from collections import Counter

import pytest

import stills
from framegate import DetectionSettings, Undecodable, decode
from framegate.formats.sniffing import read_header
from framegate.model import Picture

ADAPTIVE = DetectionSettings.preset("adaptive")
CLASSIC = DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
MAY_PASS = {
    "png": 0.02, "webp, lossy": 0.15, "webp, lossless": 0.6, "bmp": 0.8, "tiff, plain": 0.8,
    "tiff, deflate": 0.1, "tiff, packbits": 0.4, "tiff, lzw": 0.2, "tiff, jpeg": 0.35,
}  # fmt: skip
"""Largest share of damaged pictures that may pass. PNG and deflate have checksums. Lossy WebP ends elsewhere
after damage; the codes of lossless WebP, LZW and PackBits find their way back; plain
pixels hold any bytes."""

MANY = max(20, int(os.environ.get("FRAMEGATE_CORPUS", "200")) // 5)
"""How many pictures of each kind."""

COUNTS = pytest.mark.parametrize(
    "count", [pytest.param(20, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
)


@COUNTS
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", stills.ENCODERS)
def test_no_whole_picture_is_refused(kind: str, count: int) -> None:
    """Pictures of all formats, sizes, depths and layouts are decoded."""
    rng = random.Random(f"{kind} {count} whole")
    for number in range(count):
        said = decode(stills.whole(kind, rng, stills.SIZES), rng.choice([ADAPTIVE, CLASSIC]))
        assert isinstance(said, Picture), f"{number}: {said}"


@COUNTS
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", stills.ENCODERS)
def test_damaged_pictures_are_refused_where_the_format_shows_it(kind: str, count: int) -> None:
    """Of pictures that were cut, holed, flipped or overwritten as few pass as the format allows."""
    rng = random.Random(f"{kind} {count} damaged")
    passed: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for _ in range(count):
        what, data = stills.damaged(kind, rng)
        made[what] += 1
        passed[what] += not isinstance(decode(data, ADAPTIVE), Undecodable)
    print(f"\n{kind}: " + ", ".join(f"{what} {passed[what]}/{made[what]}" for what in sorted(made)))
    assert passed.total() <= (MAY_PASS[kind] + 0.1) * count


@pytest.mark.parametrize("kind", stills.ENCODERS)
def test_no_damage_breaks_a_reader(kind: str) -> None:
    """Pictures that were damaged several times over give a header or none, and no other error."""
    rng = random.Random(f"{kind} broken")
    for _ in range(40):
        data = bytearray(stills.damaged(kind, rng)[1])
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(min(len(data), rng.choice([40, 400, 10**6])))] = rng.randrange(256)
        read_header(bytes(data))
        read_header(bytes(data[: rng.randrange(len(data))]))
