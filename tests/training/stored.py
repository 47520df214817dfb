"""Samples as they are read for teaching: in batches, turned over at random, without a group's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.planting import Reals
from training.drawing import Rng, has_luck
from training.footage import Group
from training.samples import Labels, bits_of

TIMES = 8
"""Which of a block's quantities is its strength, see ``detect/adaptive/quantities.py``."""

BRIGHTER, REDDER, BLUER = 9, 10, 11
SIGNED = [BRIGHTER, REDDER, BLUER]
"""Those that are below 128 where there is less, and above where there is more."""

OTHER_ORDER = [*range(12), 13, 12, 15, 14]
"""The quantities with those of the two pictures exchanged: their texture and their luma."""

PICTURE_BRIGHTER = 3
"""Which of the picture's quantities is signed likewise."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples.

    Attributes:
        blocks: float32, (count, 16, block rows, block columns), whole numbers from 0 to 255.
        picture: float32, (count, 8), likewise.
        labels: uint8, (count, block rows, block columns).
    """

    blocks: Reals
    picture: Reals
    labels: Labels

    def mirrored(self) -> "Batch":
        """Return left as right."""
        return Batch(self.blocks[..., ::-1], self.picture, self.labels[..., ::-1])

    def upside_down(self) -> "Batch":
        """Return top as bottom."""
        return Batch(self.blocks[..., ::-1, :], self.picture, self.labels[..., ::-1, :])

    def in_other_order(self) -> "Batch":
        """Return what would be seen if the frame were the reference, and the reference the frame."""
        blocks, picture = self.blocks[:, OTHER_ORDER], self.picture.copy()
        blocks[:, SIGNED] = 256 - blocks[:, SIGNED]
        picture[:, PICTURE_BRIGHTER] = 256 - picture[:, PICTURE_BRIGHTER]
        return Batch(blocks, picture, self.labels)


class Samples:
    """The samples of some folders that ``samples.write`` has made."""

    def __init__(self, folders: list[Path], without: tuple[Group, ...] = ()) -> None:
        """Open them; they are read as they are asked for.

        Raises:
            FileNotFoundError: there are none.
        """
        self._parts = [
            tuple(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("blocks", "picture", "labels"))
            for folder in folders
        ]
        groups = [np.load(folder / "groups.npy") for folder in folders]
        self._where = np.concatenate(
            [
                np.stack([np.full(len(part), number), np.arange(len(part))], 1)
                for number, part in enumerate(groups)
            ]
        )[(np.concatenate(groups) & bits_of(frozenset(without))) == 0]

    def __len__(self) -> int:
        return len(self._where)

    def evenly(self, count: int) -> Batch:
        """Return about so many, from all over."""
        return self._batch(self._where[:: max(1, len(self) // count)])

    def batches(self, rng: Rng, size: int) -> Iterator[Batch]:
        """Yield batches without end, each mirrored, upside down or in the other order by chance."""
        while True:
            batch = self._batch(self._where[np.sort(rng.integers(0, len(self), size))])
            if has_luck(rng, 0.5):
                batch = batch.mirrored()
            if has_luck(rng, 0.3):
                batch = batch.upside_down()
            if has_luck(rng, 0.5):
                batch = batch.in_other_order()
            yield batch

    def _batch(self, where: np.typing.NDArray[np.int64]) -> Batch:
        chosen = [[array[row] for array in self._parts[part]] for part, row in where]
        blocks, picture, labels = (np.stack(arrays) for arrays in zip(*chosen, strict=True))
        return Batch(blocks.astype(np.float32), picture.astype(np.float32), labels)
