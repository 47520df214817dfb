import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import jpegs
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import Undecodable, decode
from framegate.model import Picture

CLASSIC = DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
ADAPTIVE = DetectionSettings.preset("adaptive")
MAY_PASS = {
    "1 to 10 bits flipped": 0.75, "end of another frame": 0.6, "1 to 100 bytes lost": 0.5, "overwritten": 0.3,
}  # fmt: skip
"""Largest share that may pass, by kind: damage that leaves the coding valid. A JPEG has no checksum."""

LARGE = int(os.environ.get("FRAMEGATE_CORPUS", "200"))
"""How many pictures of the sizes of cameras; 300 small ones show what does not hang on the size."""

CORPORA = pytest.mark.parametrize(
    ("count", "sizes"),
    [
        pytest.param(300, jpegs.SMALL, id="small"),
        pytest.param(LARGE, jpegs.SIZES, id="large", marks=pytest.mark.slow),
    ],
)


def picture_of(data: bytes) -> np.ndarray:
    picture = decode(data, CLASSIC)
    assert isinstance(picture, Picture)
    return picture.pixels.astype(int)


@pytest.mark.timeout(600)
@CORPORA
def test_no_whole_jpeg_is_refused(count: int, sizes: list[tuple[int, int]]) -> None:
    """Pictures of all kinds, encoded in all ways and odd as cameras make them, are decoded."""
    rng = random.Random(2_000_000 + count)
    for number in range(count):
        kind, data = jpegs.whole(rng, sizes)
        said = decode(data, rng.choice([ADAPTIVE, CLASSIC]))
        assert isinstance(said, Picture), f"{number}: {kind}: {said}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_jpeg_of_the_footage_is_refused(shared_data: Path) -> None:
    """Every JPEG of real cameras is decoded by each preset."""
    files = sorted(path for path in shared_data.rglob("*") if path.suffix in {".jpg", ".jpeg"})
    assert len(files) > 1000
    for file in files:
        for preset in (ADAPTIVE, CLASSIC):
            said = decode(file.read_bytes(), preset)
            assert isinstance(said, Picture), f"{file}: {said}"


@pytest.mark.timeout(600)
@CORPORA
def test_damaged_jpegs_are_refused_but_where_their_coding_stays_valid(
    count: int, sizes: list[tuple[int, int]]
) -> None:
    """Of pictures that were cut, holed, overwritten, flipped or spliced few pass, as the table says."""
    rng = random.Random(3_000_000 + count)
    made: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for _ in range(count):
        kind, data, whole = jpegs.damaged(rng, sizes)
        made[kind] += 1
        if not isinstance(decode(data, ADAPTIVE), Undecodable):
            passed[kind] += 1
            seen[kind] += bool((np.abs(picture_of(data) - picture_of(whole)) > 10).mean() > 0.01)
    print(f"\n{'what was done':28}{'made':>6}{'passed':>8}{'seen in 1% of the pixels':>26}")
    for kind in jpegs.DAMAGING:
        print(f"{kind:28}{made[kind]:6}{passed[kind]:8}{seen[kind]:26}")
    print(f"{'all':28}{count:6}{passed.total():8}{seen.total():26}")
    assert {
        kind for kind, number in passed.items() if number > MAY_PASS.get(kind, 0.04) * made[kind]
    } == set()
    assert passed.total() < 0.22 * count


def test_no_damage_raises_an_error() -> None:
    """Nothing that is done to a JPEG makes its decoding raise an error."""
    rng = random.Random(4)
    for _ in range(100):
        _, data, _ = jpegs.damaged(rng, jpegs.SMALL)
        at = rng.randrange(len(data))
        changed = data[:at] + rng.randbytes(rng.randrange(20)) + data[at + rng.randrange(20) :]
        for odd in (changed, data[at:], data[:at], b"\xff\xd8" + data[at:]):
            assert isinstance(decode(odd, CLASSIC, max_pixels=2e6), Picture | Undecodable)
