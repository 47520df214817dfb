import numpy as np
import pytest

from benchmarks.planting import Picture
from benchmarks.truth import always
from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.adaptive.working import BLOCK
from framegate.model import Picture as Frame
from training.drawing import COLUMNS, ROWS, nothing
from training.footage import KINDS, CutOut, Footage, Library
from training.runs import Shown, run
from training.samples import CHANGED, NOT_JUDGED, UNCHANGED, Sample, labels_of, samples
from training.stored import TIMES, Batch
from training.things import Thing, plant

BOX = slice(80, 120), slice(120, 180)
"""Rows and columns of a thing, in whole blocks."""


def _ground() -> Picture:
    """Return a drawn ground, with some texture and colour."""
    coarse = np.random.default_rng(3).integers(60, 140, (ROWS // 2, COLUMNS // 2, 3), np.uint8)
    return coarse.repeat(2, axis=0).repeat(2, axis=1)


def _red_box(*, shadow: bool = False) -> Thing:
    rows, columns = BOX
    height, width = rows.stop - rows.start, columns.stop - columns.start
    pixels = np.full((height, width, 3), (30, 40, 220), np.float32)
    cast = (0.5, 0.6) if shadow else None
    still = np.zeros(2, np.float32)
    cover = np.ones((height, width), np.float32)
    return Thing(pixels, cover, columns.start, rows.start, still, cast, None)


def _pair(*, shadow: bool = False) -> tuple[Shown, Shown]:
    """Return a ground, and the same ground with a red box on it."""
    levels = _ground().astype(np.float32)
    planted = plant(levels, _red_box(shadow=shadow), 0, is_gray=False)
    after = levels.astype(np.uint8)
    return Shown(_ground(), {}, None, "0"), Shown(after, {(0, 0): planted}, None, "0")


def _seen(before: Picture, after: Picture) -> Batch:
    detector = Adaptive(DetectionSettings())
    a, b = (detector.prepare(detector.reduce(Frame(pixels, (COLUMNS, ROWS)))) for pixels in (before, after))
    found = detector.seen(a, b)[1]
    return Batch(
        found.blocks[None].astype(np.float32),
        found.picture[None].astype(np.float32),
        np.zeros((1, ROWS // BLOCK, COLUMNS // BLOCK), np.uint8),
    )


def _library() -> Library:
    frames = [_ground()] * 8
    names = [str(number) for number in range(8)]
    masks = [nothing().astype(np.uint8)] * 8
    footage = [Footage(kind, "lot", kind, frames, names, masks, always(changed=False)) for kind in KINDS]
    cut_out = CutOut(np.full((30, 40, 3), 200, np.uint8), np.ones((30, 40), np.float32), "lot")
    return Library(footage, [cut_out])


def _drawn(seed: int, runs: int) -> list[Sample]:
    rng, library = np.random.default_rng(seed), _library()
    return [sample for _ in range(runs) for sample in samples(rng, run(rng, library))]


def test_what_was_planted_is_labelled_as_changed() -> None:
    """The blocks of a thing are changed, those at its rim are not judged, all others are unchanged."""
    labels = labels_of(*_pair())
    expected = np.full((ROWS // BLOCK, COLUMNS // BLOCK), UNCHANGED, np.uint8)
    expected[19:31, 29:46] = NOT_JUDGED
    expected[20:30, 30:45] = CHANGED
    assert np.array_equal(labels, expected)


def test_what_stays_and_what_light_does_is_no_change() -> None:
    """Two frames with the same thing have nothing to be found, and the shadow of a thing is not judged."""
    before, after = _pair(shadow=True)
    assert not labels_of(after, after).any()
    labels = labels_of(before, after)
    assert np.count_nonzero(labels == CHANGED) == 10 * 15
    assert np.count_nonzero(labels == NOT_JUDGED) > 2 * (12 + 15)


def test_masks_say_what_moved() -> None:
    """Where a thing is in one of two ground truths it came or went; where it is in both, nobody knows."""
    first, second = np.zeros((ROWS, COLUMNS), np.uint8), np.zeros((ROWS, COLUMNS), np.uint8)
    first[40:80, 40:80], second[40:80, 60:100] = 255, 255
    labels = labels_of(Shown(_ground(), {}, first, "0"), Shown(_ground(), {}, second, "1"))
    assert (labels[11:19, 10:15] == CHANGED).all()
    assert (labels[11:19, 16:19] == NOT_JUDGED).all()
    assert (labels[11:19, 20:25] == CHANGED).all()
    assert not labels[30:].any()


def test_the_network_sees_the_change_where_the_label_is() -> None:
    """The strongest block is a changed one, and no unchanged one is as strong as any of them."""
    before, after = _pair()
    seen, labels = _seen(before.pixels, after.pixels), labels_of(before, after)
    times = seen.blocks[0, TIMES]
    assert labels[np.unravel_index(times.argmax(), times.shape)] == CHANGED
    assert times[labels == UNCHANGED].max() < times[labels == CHANGED].min()


def test_the_other_order_is_what_would_be_seen_if_the_frames_were_exchanged() -> None:
    """Which quantity is which, and which have a sign: a batch in the other order is that of (b, a)."""
    before, after = _pair(shadow=True)
    there, back = _seen(before.pixels, after.pixels), _seen(after.pixels, before.pixels)
    assert not np.array_equal(there.blocks, back.blocks)
    assert np.array_equal(there.in_other_order().blocks, back.blocks)
    assert np.array_equal(there.in_other_order().picture, back.picture)


def test_the_same_seed_draws_the_same_samples() -> None:
    """Samples depend on the seed alone, and among them are changed and unchanged ones."""
    one, same, other = _drawn(5, 2), _drawn(5, 2), _drawn(6, 1)
    assert len(one) >= 5
    for a, b in zip(one, same, strict=True):
        assert np.array_equal(a.blocks, b.blocks)
        assert np.array_equal(a.picture, b.picture)
        assert np.array_equal(a.labels, b.labels)
    assert {bool((sample.labels == CHANGED).any()) for sample in one} == {False, True}
    assert not {sample.blocks.tobytes() for sample in one} & {sample.blocks.tobytes() for sample in other}


def test_whole_numbers_say_what_the_network_in_floats_says() -> None:
    """The package corrects each block by what the network does, to a tenth of its spread."""
    torch = pytest.importorskip("torch")
    from training.network import Network
    from training.whole_numbers import cost, in_whole_numbers

    drawn = _drawn(7, 2)
    batch = Batch(
        np.stack([sample.blocks for sample in drawn]).astype(np.float32),
        np.stack([sample.picture for sample in drawn]).astype(np.float32),
        np.stack([sample.labels for sample in drawn]),
    )
    torch.manual_seed(1)
    network = Network()
    network.scale_by(batch)
    torch.nn.init.normal_(network.correction.weight, std=0.3)
    with torch.no_grad():
        corrected = network.corrections(torch.from_numpy(batch.blocks), torch.from_numpy(batch.picture))
    spent = cost(network, in_whole_numbers(network, batch), batch)
    assert spent.mean < corrected.std() / 10
    assert spent.worst_of_scores < 0.3
