"""Which change decides at a place, against a search through all levels and all blocks."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.detect.adaptive.exact import Codes, Flags
from framegate.detect.adaptive.places import Place, as_times, blocks_of, decisive, regions, strongest_code

law = settings(deadline=None, max_examples=300)
BLOCK_PX = 16

Block = tuple[int, int]
Scene = tuple[Codes, Place, float]
"""The codes, a place, and its threshold."""


@st.composite
def _scenes(draw: st.DrawFn) -> Scene:
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = draw(st.sampled_from([1, 4, 200]))
    codes = chance.integers(-most, most + 1, (rows, columns)).astype(np.int32)
    blocks = chance.random((rows, columns)) < draw(st.sampled_from([0.4, 0.8, 1]))
    least_px = draw(st.sampled_from([0, 16, 16.5, 32, 50, 64, 100, 160, 400, 5000]))
    threshold = draw(st.sampled_from([0.5, 1.0, 1.015625, 2.3, 2.249999999999, 7.0]))
    return codes, Place(blocks, least_px), threshold


def _groups(chosen: Flags) -> list[set[Block]]:
    """Return the groups of blocks that touch, also at corners, found one neighbour at a time."""
    left = {(int(row), int(column)) for row, column in np.argwhere(chosen)}
    groups = []
    while left:
        group, to_visit = set(), deque([left.pop()])
        while to_visit:
            row, column = to_visit.popleft()
            group.add((row, column))
            for near in [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    to_visit.append(near)
        groups.append(group)
    return groups


def _large_groups(chosen: Flags, place: Place) -> list[set[Block]]:
    return [group for group in _groups(chosen & place.blocks) if BLOCK_PX * len(group) >= place.least_px]


@law
@given(_scenes())
def test_the_strongest_change_is_the_one_that_a_search_of_all_levels_finds(
    scene: Scene,
) -> None:
    """It is the largest code at which a change of the least area is left; else the least code there is."""
    codes, place, _ = scene
    levels = sorted({int(code) for code in codes[place.blocks]}, reverse=True)
    found = next((level for level in levels if _large_groups(codes >= level, place)), None)
    if found is None:
        found = levels[-1] if levels else None
    assert strongest_code(codes, place) == found


@law
@given(_scenes())
def test_regions_are_the_changes_above_the_threshold(scene: Scene) -> None:
    """Each group of blocks above the threshold, if large enough, is a region of its area around all of it."""
    codes, place, threshold = scene
    above = np.array([[as_times(int(code)) > threshold for code in row] for row in codes])
    expected = []
    for group in _large_groups(above, place):
        rows, columns = [row for row, _ in group], [column for _, column in group]
        left, top = 4 * max(0, min(columns) - 1), 4 * max(0, min(rows) - 1)
        right, bottom = 4 * (max(columns) + 1), 4 * (max(rows) + 1)
        expected.append((left, top, right - left, bottom - top, BLOCK_PX * len(group)))
    found = regions(codes, place, threshold)
    assert sorted((one.x, one.y, one.width, one.height, one.area_px) for one in found) == sorted(expected)


@law
@given(_scenes())
def test_there_is_a_region_exactly_if_the_score_is_above_the_threshold(scene: Scene) -> None:
    """Score and regions never contradict each other, where a place is as large as the least change."""
    codes, place, threshold = scene
    code = strongest_code(codes, place)
    if code is None:
        assert regions(codes, place, threshold) == []
    elif _large_groups(place.blocks, place):
        assert bool(regions(codes, place, threshold)) == (as_times(code) > threshold)


@law
@given(_scenes())
def test_what_decides_is_the_change_around_the_strongest_block(scene: Scene) -> None:
    """Above the threshold it is one of the regions; below, the blocks of the strongest code alone."""
    codes, place, threshold = scene
    code, one = strongest_code(codes, place), decisive(codes, place, threshold)
    if code is None or not _large_groups(codes >= code, place):
        assert one is None
        return
    assert one is not None
    assert BLOCK_PX <= one.area_px <= codes.size * BLOCK_PX
    assert one.area_px >= place.least_px
    if as_times(code) > threshold:
        assert one in regions(codes, place, threshold)


def test_a_small_thing_counts_as_little_as_the_larger_change_around_it() -> None:
    """A strong block of 16 px in a weak change of 64 px is as weak as that where only 50 px count."""
    codes = np.full((8, 8), -300, np.int32)
    codes[2:4, 2:4] = 70
    codes[2, 2] = 500
    everywhere = np.ones((8, 8), bool)
    assert strongest_code(codes, Place(everywhere, 0)) == 500
    assert strongest_code(codes, Place(everywhere, 50)) == 70
    assert strongest_code(codes, Place(everywhere, 65)) == -300


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (7, 11)], ids=str)
def test_a_block_counts_if_one_of_its_pixels_does(row: int, column: int) -> None:
    """A single pixel makes its block count, and no other."""
    pixels = np.zeros((8, 12), np.uint8)
    pixels[row, column] = 1
    blocks = blocks_of(pixels)
    assert blocks.shape == (2, 3)
    assert np.argwhere(blocks).tolist() == [[row // 4, column // 4]]
