import itertools
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate import ChangeDetector
from framegate.commands.demo.scene import Lot
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import decode
from framegate.detect.noise import BLOCK, NoiseMap
from framegate.model import GrayImage


def gray(lot: Lot) -> GrayImage:
    frame = decode(lot.jpeg())
    assert not hasattr(frame, "reason")
    return frame.gray


def scores(detector: ChangeDetector, frames: list[GrayImage]) -> list[float]:
    """Score each frame against the first, learning on the way, as the daemon does."""
    prepared = [detector.prepare(frame) for frame in frames]
    found = []
    for previous, current in itertools.pairwise(prepared):
        found.append(detector.score(prepared[0], current).score)
        detector.learn(previous, current)
    return found


def flat(level: int, shape: tuple[int, int] = (90, 161)) -> GrayImage:
    return np.full(shape, level, np.uint8)


def test_restless_places_are_discounted_after_some_frames() -> None:
    """Leaves that blow in every frame score at first, and no more once they are learnt."""
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(40):
        picture = np.full((360, 640), 90, np.uint8)
        picture[40:120, 500:600] = rng.integers(60, 150, (20, 25)).repeat(4, 0).repeat(4, 1)
        frames.append(picture)
    learning = scores(ChangeDetector(DetectionSettings.preset("adaptive")), frames)
    plain = scores(ChangeDetector(DetectionSettings.preset("adaptive", noise_gain=0.0)), frames)
    assert min(plain) > 0.2
    assert max(learning[-10:]) < 0.2


def test_a_car_is_noticed_from_the_second_frame_on() -> None:
    """A car that comes in the second frame and leaves in the third is noticed both times."""
    lot = Lot(width=640, height=360)
    empty = gray(lot)
    lot.parked[2] = 5
    with_car = gray(lot)
    detector = ChangeDetector(DetectionSettings.preset("adaptive"))
    before, during, after = (detector.prepare(frame) for frame in (empty, with_car, empty))
    assert detector.score(before, during).score > 0.2
    detector.learn(before, during)
    assert detector.score(during, after).score > 0.2


def test_what_passes_often_does_not_blind_its_path() -> None:
    """Where something bright passes in every third frame, it is still noticed after a hundred."""
    detector = ChangeDetector(DetectionSettings.preset("adaptive"))
    road = np.full((360, 640), 90, np.uint8)
    lorry = road.copy()
    lorry[150:230, 200:330] = 230
    prepared = [detector.prepare(lorry if n % 3 == 0 else road) for n in range(100)]
    for previous, current in itertools.pairwise(prepared):
        detector.learn(previous, current)
    assert detector.score(prepared[1], prepared[0]).score > 0.2


def test_a_place_is_forgotten_when_it_comes_to_rest() -> None:
    """A place that has been still for a hundred frames is judged like any other again."""
    noise = NoiseMap()
    for _ in range(20):
        noise.learn(flat(30), 30)
    assert noise.threshold(30, 4).min() > 100
    for _ in range(100):
        noise.learn(flat(0), 30)
    assert noise.threshold(30, 4).max() <= 31


def test_a_steady_difference_is_learnt_exactly() -> None:
    """The map of a place that always differs by so much comes to be that much."""
    noise = NoiseMap()
    for _ in range(300):
        noise.learn(flat(7), 30)
    assert np.array_equal(noise.threshold(30, 4), flat(58))


@pytest.mark.parametrize("shape", [(360, 640), (359, 641), (1, 1), (3, 5)], ids=str)
def test_the_threshold_fits_any_picture(shape: tuple[int, int]) -> None:
    """Pictures whose sides are no multiple of a block have a threshold for every pixel."""
    noise = NoiseMap()
    noise.learn(flat(10, shape), 30)
    assert noise.threshold(30, 4).shape == noise.shape == shape


def test_a_restless_block_does_not_spread() -> None:
    """Only the blocks in which something moved are discounted."""
    noise = NoiseMap()
    difference = flat(0, (40, 40))
    difference[BLOCK : 2 * BLOCK, 2 * BLOCK : 3 * BLOCK] = 30
    noise.learn(difference, 30)
    raised = noise.threshold(30, 4) > 30
    assert raised[BLOCK : 2 * BLOCK, 2 * BLOCK : 3 * BLOCK].all()
    assert raised.sum() == BLOCK * BLOCK


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=30), st.data())
def test_a_restored_map_goes_on_as_if_never_saved(levels: list[int], data: st.DataObject) -> None:
    """Saved and restored after any frame, the map gives the same thresholds ever after."""
    restart = data.draw(st.integers(1, len(levels) - 1))
    undisturbed, restarted = NoiseMap(), NoiseMap()
    for number, level in enumerate(levels):
        if number == restart:
            saved = restarted.to_bytes()
            assert saved is not None
            restarted = NoiseMap()
            restarted.restore(saved)
        for noise in (undisturbed, restarted):
            noise.learn(flat(level, (10, 13)), 30)
    assert np.array_equal(undisturbed.threshold(30, 4), restarted.threshold(30, 4))
    assert undisturbed.to_bytes() == restarted.to_bytes()


def test_a_saved_map_is_small() -> None:
    """The map of a restless 640 x 360 picture is stored in less than 32 kB."""
    rng = np.random.default_rng(5)
    noise = NoiseMap()
    for _ in range(30):
        noise.learn(rng.integers(0, 31, (360, 640)).astype(np.uint8), 30)
    assert len(noise.to_bytes() or b"") < 32_000


def saved(shape: tuple[int, int] = (90, 161)) -> bytes:
    """Return a map of one difference, as bytes."""
    noise = NoiseMap()
    noise.learn(flat(20, shape), 30)
    return noise.to_bytes() or b""


def header(height: int, width: int) -> bytes:
    return b"FGN2" + struct.pack("<3I", 5, height, width)


GIGABYTES_OF_ZEROS = zlib.compress(b"\0" * 50_000_000)

NO_MAPS = {
    "nothing": b"",
    "short": b"abc",
    "a tag alone": b"FGN2",
    "zeros": b"\0" * 8,
    "no zlib": b"\1\0\0\0\10\0\10\0nonsense",
    "cut in the header": saved()[:10],
    "cut in the state": saved()[:-9],
    "of another shape": header(90, 400) + saved()[16:],
    "of an empty picture": header(0, 161) + zlib.compress(b""),
    "of a giant picture": header(2**32 - 1, 2**32 - 1) + saved()[16:],
    "of a large picture": header(20_000, 40_000) + saved()[16:],
    "odd length": header(4, 4) + zlib.compress(b"abc"),
    "more than it claims": header(90, 161) + GIGABYTES_OF_ZEROS,
    "damaged state": saved()[:20] + b"\xff\xff\xff" + saved()[23:],
}


@pytest.mark.parametrize("data", NO_MAPS.values(), ids=NO_MAPS.keys())
def test_bytes_that_are_no_map_are_refused(data: bytes) -> None:
    """A damaged map is a ValueError, and leaves the map as it was."""
    noise = NoiseMap()
    noise.restore(saved((6, 7)))
    before = noise.to_bytes()
    with pytest.raises(ValueError, match="no noise map"):
        noise.restore(data)
    assert noise.shape == (6, 7)
    assert noise.to_bytes() == before


def test_a_damaged_map_that_claims_a_giant_picture_takes_no_memory_for_it() -> None:
    """What the bytes claim is refused before memory is taken; what is packed in them is not unpacked."""
    for name in ("of a giant picture", "of a large picture", "more than it claims"):
        tracemalloc.start()
        with pytest.raises(ValueError, match="no noise map"):
            NoiseMap().restore(NO_MAPS[name])
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most_bytes < 1_000_000, name


def test_a_map_of_the_form_before_goes_on() -> None:
    """A map that an older framegate saved, without a tag and with sides of 16 bits, is restored exactly."""
    older = struct.pack("<I2H", 1, 90, 161) + saved()[16:]
    noise = NoiseMap()
    noise.restore(older)
    assert noise.to_bytes() == saved()


@pytest.mark.parametrize("shape", [(2, 70_000), (70_000, 2), (3, 65_536)], ids=str)
def test_a_map_of_an_absurdly_wide_picture_is_saved_and_restored(shape: tuple[int, int]) -> None:
    """No side is too long for the header: what is learnt natively from a strip comes back as well."""
    noise = NoiseMap()
    noise.restore(saved(shape))
    assert noise.shape == shape
    assert noise.to_bytes() == saved(shape)


def test_a_map_that_learns_for_years_can_still_be_saved() -> None:
    """The count of frames is no clock: it stops where it changes nothing any more."""
    noise = NoiseMap()
    noise.restore(struct.pack("<I2H", 2**32 - 1, 90, 161) + saved()[16:])
    noise.learn(flat(20), 30)
    again = NoiseMap()
    again.restore(noise.to_bytes() or b"")
    assert np.array_equal(again.threshold(30, 4), noise.threshold(30, 4))


@pytest.mark.parametrize(("frames", "threshold"), [(1, 58), (2, 75)])
def test_a_new_map_assumes_three_quiet_frames(frames: int, threshold: int) -> None:
    """Started as if three frames without any change had come before, the first difference counts a quarter.

    Of 28 gray levels 7 are usual after the first frame, and 7 + 21 / 5 after the second; the threshold is
    30, the gain 4.
    """
    noise = NoiseMap()
    for _ in range(frames):
        noise.learn(flat(28), 30)
    assert np.array_equal(noise.threshold(30, 4), flat(threshold))


def test_an_empty_map_is_stored_as_nothing() -> None:
    """Before the first difference there is nothing to remember."""
    assert NoiseMap().to_bytes() is None


def test_a_picture_of_another_size_begins_a_new_map() -> None:
    """What was learnt at one size does not count at another."""
    noise = NoiseMap()
    noise.learn(flat(30, (40, 40)), 30)
    noise.learn(flat(0, (20, 40)), 30)
    assert np.array_equal(noise.threshold(30, 4), flat(30, (20, 40)))
