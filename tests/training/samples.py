"""From runs of frames to samples: what the network sees of two frames, and what it should say.

The detector of the package goes over each run as it would over a camera's frames and learns what is usual; a
sample is what it sees of two of them, see ``detect/adaptive/quantities.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap

from benchmarks.planting import Reals
from benchmarks.truth import MOVING, OUTSIDE, UNKNOWN, Mask
from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.adaptive.working import BLOCK, WorkingPicture
from framegate.model import Picture
from training.drawing import COLUMNS, ROWS, Rng, has_luck
from training.footage import GROUPS, Group, Library
from training.runs import Run, Shown, run

BLOCK_ROWS, BLOCK_COLUMNS = ROWS // BLOCK, COLUMNS // BLOCK
BLOCK_QUANTITIES, PICTURE_QUANTITIES = 16, 8

UNCHANGED, CHANGED, NOT_JUDGED = 0, 1, 255

SHADOW = 50
"""Level of a CDnet ground truth for a thing's shadow, which is no change."""

LEAST_CHANGED, LEAST_NEAR = 0.4, 0.03
"""Part of a block that a change covers: it is changed; it or one beside it: it is not judged."""

LEAST_AT_BEST = 0.15
"""A thing too small to cover that much is the block that it covers most, if it covers so much."""

LEAST_THING_PX, LEAST_CONTRAST = 24, 12
"""A planted thing of less area, or less contrast in gray levels, is not judged."""

FARTHEST_CHANCE = 0.2
"""The reference is any earlier frame; else it is near, with a chance of 0.3 to be the one before."""

Labels = np.typing.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sample:
    """What the network sees of two frames, and what it should say.

    Attributes:
        blocks: uint8, (16, 45, 80).
        picture: uint8, (8,).
        labels: uint8, (45, 80): 0 unchanged, 1 changed, 255 not judged.
        groups: of the footage and of what is planted in it.
    """

    blocks: np.typing.NDArray[np.uint8]
    picture: np.typing.NDArray[np.uint8]
    labels: Labels
    groups: frozenset[Group]


def labels_of(before: Shown, after: Shown) -> Labels:
    """Return which blocks changed from one frame to another of a run: uint8, (45, 80), as in ``Sample``."""
    changed = np.zeros((ROWS, COLUMNS), np.float32)
    unsure = np.zeros((ROWS, COLUMNS), np.float32)
    for key in before.standing.keys() ^ after.standing.keys():
        planted = before.standing[key] if key in before.standing else after.standing[key]
        is_clear = planted.cover.sum() >= LEAST_THING_PX and planted.contrast >= LEAST_CONTRAST
        known = changed if is_clear else unsure
        np.maximum(known, planted.cover, out=known)
        np.maximum(unsure, planted.shadow > 0.1, out=unsure)
    if before.mask is not None and after.mask is not None:
        moved, unknown = _moved(before.mask, after.mask)
        np.maximum(changed, moved, out=changed)
        np.maximum(unsure, unknown, out=unsure)
    share = _in_blocks(changed)
    near = cv2.dilate(np.maximum(share, _in_blocks(unsure)), np.ones((3, 3), np.uint8))
    labels = np.where(near > LEAST_NEAR, NOT_JUDGED, UNCHANGED).astype(np.uint8)
    labels[share > LEAST_CHANGED] = CHANGED
    if not (labels == CHANGED).any() and share.max() > LEAST_AT_BEST:
        labels[share == share.max()] = CHANGED
    return labels


def samples(rng: Rng, drawn: Run) -> Iterator[Sample]:
    """Yield samples of a run: of about half of its frames, each against an earlier one."""
    detector = Adaptive(DetectionSettings())
    seen: list[tuple[Shown, WorkingPicture]] = []
    for shown in drawn.frames:
        picture = detector.prepare(detector.reduce(Picture(shown.pixels, (COLUMNS, ROWS))))
        if seen and has_luck(rng, 0.55):
            before, after = seen[_reference(rng, len(seen))], (shown, picture)
            if has_luck(
                rng, 0.3
            ):  # against the order of time, so that what goes is as frequent as what comes
                before, after = after, before
            names = before[0].name, after[0].name
            if names[0] == names[1] or drawn.footage.truth(*names) is False:
                found = detector.seen(before[1], after[1])[1]
                labels = labels_of(before[0], after[0])
                yield Sample(found.blocks, found.picture, labels, drawn.groups)
        if seen:
            detector.learn(seen[-1][1], picture)
        seen.append((shown, picture))


def write(folder: Path, library: Library, seed: int, count: int) -> None:
    """Draw runs until there are so many samples, and write them.

    Args:
        folder: where ``blocks.npy``, ``picture.npy``, ``labels.npy`` and ``groups.npy`` come; 61 kB a sample.
        library: what the runs are drawn from.
        seed: the same one, library and versions of numpy and OpenCV give the same samples.
        count: of the samples.
    """
    folder.mkdir(parents=True)
    shapes = {
        "blocks": (BLOCK_QUANTITIES, BLOCK_ROWS, BLOCK_COLUMNS),
        "picture": (PICTURE_QUANTITIES,),
        "labels": (BLOCK_ROWS, BLOCK_COLUMNS),
        "groups": (),
    }
    stored = {
        name: open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, *shape))
        for name, shape in shapes.items()
    }
    rng, written = np.random.default_rng(seed), 0
    while written < count:
        for sample in samples(rng, run(rng, library)):
            if written == count:
                break
            stored["blocks"][written] = sample.blocks
            stored["picture"][written] = sample.picture
            stored["labels"][written] = sample.labels
            stored["groups"][written] = bits_of(sample.groups)
            written += 1
    for array in stored.values():
        array.flush()


def bits_of(groups: frozenset[Group]) -> int:
    """Return groups as one number, a bit for each."""
    return sum(1 << GROUPS.index(group) for group in groups)


def _reference(rng: Rng, count: int) -> int:
    """Return the number of one of the frames so far: mostly one of the last few."""
    if has_luck(rng, FARTHEST_CHANCE):
        return int(rng.integers(count))
    return max(0, count - int(rng.geometric(0.3)))


def _moved(before: Mask, after: Mask) -> tuple[Reals, Reals]:
    """Return where something came or went, and where that is not known, of two ground truths."""
    unknown = (before == MOVING) & (after == MOVING)  # of one thing or of two
    for mask in (before, after):
        unknown |= (mask == OUTSIDE) | (mask == UNKNOWN)
    moved = ((before == MOVING) != (after == MOVING)) & ~unknown
    shadow = ((before == SHADOW) != (after == SHADOW)).astype(np.uint8)
    inside = cv2.erode(shadow, np.ones((5, 5), np.uint8))
    unknown |= (shadow != 0) & (inside == 0)  # the rim of a shadow is half of the thing that casts it
    return moved.astype(np.float32), unknown.astype(np.float32)


def _in_blocks(pixels: Reals) -> Reals:
    size = BLOCK_COLUMNS, BLOCK_ROWS
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
