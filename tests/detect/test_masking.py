import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.detect.masking import counted_pixels

sides = st.integers(1, 200)
percents = st.one_of(st.just(0), st.integers(0, 49), st.floats(0, 49.9))


def _published_border(width: int, height: int, border: tuple[float, ...]) -> np.ndarray:
    picture = np.full((height, width), 255, np.uint8)
    x_min, y_min = int(border[0] * width / 100), int(border[1] * height / 100)
    x_max, y_max = width - int(border[2] * width / 100), height - int(border[3] * height / 100)
    rectangles = [
        ((0, 0), (x_min, height)),
        ((0, 0), (width, y_min)),
        ((x_max, 0), (width, height)),
        ((0, y_max), (width, height)),
    ]
    for percent, (start, end) in zip(border, rectangles, strict=True):
        if percent:
            cv2.rectangle(picture, start, end, 0, -1)
    return picture


@settings(deadline=None)
@given(sides, sides, st.tuples(percents, percents, percents, percents))
def test_a_border_mask_is_the_published_one_to_the_pixel(
    width: int, height: int, border: tuple[float, float, float, float]
) -> None:
    """The border is what the published program paints black, its doubled edge pixels included."""
    counted = counted_pixels(width, height, border_mask=border)
    np.testing.assert_array_equal(counted, _published_border(width, height, border))


def test_the_documented_example_of_a_border_mask_is_true() -> None:
    """Left 5 percent of 640 columns ignores the columns 0 to 32."""
    counted = counted_pixels(640, 10, border_mask=(5, 0, 0, 0))
    assert not counted[:, :33].any()
    assert counted[:, 33:].all()


@given(sides, sides)
def test_without_a_mask_everything_counts(width: int, height: int) -> None:
    """Where nothing is masked, every pixel counts."""
    counted = counted_pixels(width, height)
    assert (counted.shape, counted.dtype) == ((height, width), np.uint8)
    assert (counted == 255).all()


@given(sides, sides)
def test_a_polygon_around_the_picture_masks_all_of_it(width: int, height: int) -> None:
    """The fractions 0 and 1 are the picture's outermost pixels, at every size."""
    assert not counted_pixels(width, height, polygons=[[(0, 0), (1, 0), (1, 1), (0, 1)]]).any()


def test_a_polygon_masks_its_inside_and_nothing_else() -> None:
    """A rectangle drawn as a polygon ignores its own pixels, edges included, and no other."""
    counted = counted_pixels(101, 51, polygons=[[(0.2, 0.2), (0.4, 0.2), (0.4, 0.6), (0.2, 0.6)]])
    ignored = np.zeros((51, 101), bool)
    ignored[10:31, 20:41] = True
    np.testing.assert_array_equal(counted == 0, ignored)


def test_a_polygon_is_in_x_and_y() -> None:
    """The first number of a corner goes to the right and the second one down."""
    counted = counted_pixels(100, 100, polygons=[[(0.5, 0), (1, 0), (1, 0.25), (0.5, 0.25)]])
    assert counted[5, 95] == 0
    assert counted[95, 5] == 255


def test_each_polygon_masks() -> None:
    """Two polygons ignore what either of them encloses, also where they overlap."""
    left = [(0, 0), (0.6, 0), (0.6, 1), (0, 1)]
    right = [(0.4, 0), (1, 0), (1, 1), (0.4, 1)]
    assert not counted_pixels(50, 20, polygons=[left, right]).any()


@pytest.mark.parametrize("level", [1, 128, 255])
def test_only_black_of_a_mask_picture_is_ignored(level: int) -> None:
    """Black ignores; the darkest gray counts."""
    picture = np.full((10, 10), level, np.uint8)
    picture[:, :5] = 0
    counted = counted_pixels(10, 10, mask_picture=picture)
    assert not counted[:, :5].any()
    assert (counted[:, 5:] == 255).all()


@pytest.mark.parametrize("size", [(2, 4), (40, 20), (1000, 3)], ids=str)
def test_a_mask_picture_is_stretched_over_the_picture(size: tuple[int, int]) -> None:
    """A mask of another size and shape covers the same share of the picture, without a gray seam."""
    width, height = size
    mask = np.full((height, width), 255, np.uint8)
    mask[:, : width // 2] = 0
    counted = counted_pixels(200, 100, mask_picture=mask)
    assert not counted[:, :100].any()
    assert (counted[:, 100:] == 255).all()


def test_masks_of_all_kinds_add_up() -> None:
    """A pixel counts only where the border, each polygon and the mask picture let it."""
    picture = np.full((60, 90), 255, np.uint8)
    picture[40:] = 0
    polygon = [(0.5, 0), (1, 0), (1, 0.3)]
    alone = [
        counted_pixels(90, 60, mask_picture=picture),
        counted_pixels(90, 60, polygons=[polygon]),
        counted_pixels(90, 60, border_mask=(10, 0, 0, 0)),
    ]
    together = counted_pixels(90, 60, border_mask=(10, 0, 0, 0), polygons=[polygon], mask_picture=picture)
    np.testing.assert_array_equal(together, alone[0] & alone[1] & alone[2])


def test_a_mask_is_read_only_and_the_given_picture_unchanged() -> None:
    """Nobody can write to a mask, and making it writes to nothing."""
    picture = np.arange(100, dtype=np.uint8).reshape(10, 10)
    counted = counted_pixels(10, 10, mask_picture=picture, border_mask=(20, 20, 20, 20))
    np.testing.assert_array_equal(picture, np.arange(100, dtype=np.uint8).reshape(10, 10))
    with pytest.raises(ValueError, match="read-only"):
        counted[0, 0] = 255
