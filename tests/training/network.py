"""The network in floats, as it is taught; the package has the same in whole numbers, ``neighbourhood.py``."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as fn
from numpy.typing import NDArray
from torch import Tensor, nn

from framegate.detect.adaptive.neighbourhood import CELL, REACHES
from framegate.detect.adaptive.quantities import LOWEST_RATIO, STEPS_AN_OCTAVE
from training.samples import BLOCK_QUANTITIES, PICTURE_QUANTITIES
from training.stored import TIMES, Batch

VALUES = 16
"""Of each cell, in each layer: 8,196 weights in all."""

LEAST_SPREAD, LEAST_SPREAD_OF_PICTURE = 4, 8
"""Added to the standard deviation of quantities, so that one which hardly ever differs is not magnified."""


class Network(nn.Module):  # type: ignore[misc]  # mypy is not shown torch: it need not be installed
    """Corrects the strength of each block by what surrounds it. At first it corrects nothing."""

    def __init__(self) -> None:
        super().__init__()
        for name, count in (("blocks", BLOCK_QUANTITIES), ("picture", PICTURE_QUANTITIES)):
            self.register_buffer(f"{name}_mean", torch.zeros(count))
            self.register_buffer(f"{name}_scale", torch.ones(count))
        self.cells = nn.Conv2d(BLOCK_QUANTITIES * CELL**2, VALUES, 1)
        self.picture = nn.Linear(PICTURE_QUANTITIES, VALUES, bias=False)
        self.around = nn.ModuleList(
            nn.Conv2d(VALUES, VALUES, 3, padding=reach, dilation=reach) for reach in REACHES
        )
        self.correction = nn.Conv2d(VALUES, CELL**2, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def scale_by(self, batch: Batch) -> None:
        """Bring quantities to about the same mean and spread, as these samples have them."""
        for name, values, axes, least in (
            ("blocks", batch.blocks, (0, 2, 3), LEAST_SPREAD),
            ("picture", batch.picture, (0,), LEAST_SPREAD_OF_PICTURE),
        ):
            getattr(self, f"{name}_mean")[:] = torch.from_numpy(values.mean(axes))
            getattr(self, f"{name}_scale")[:] = torch.from_numpy(1 / (values.std(axes) + least))

    def layers(self, blocks: Tensor, picture: Tensor) -> list[Tensor]:
        """Return the values after each layer but the last, (samples, 16, cell rows, cell columns)."""
        of_picture = self.picture((picture - self.picture_mean) * self.picture_scale)
        scaled = (blocks - self.blocks_mean[:, None, None]) * self.blocks_scale[:, None, None]
        odd_columns, odd_rows = blocks.shape[3] % CELL, blocks.shape[2] % CELL
        whole = fn.pad(scaled, (0, odd_columns, 0, odd_rows), mode="replicate")
        values = [torch.relu(self.cells(fn.pixel_unshuffle(whole, CELL)) + of_picture[:, :, None, None])]
        for layer in self.around:
            values.append(torch.relu(layer(values[-1]) + values[-1]))
        return values

    def corrections(self, blocks: Tensor, picture: Tensor) -> Tensor:
        """Return by how many octaves each block counts for more: (samples, block rows, block columns)."""
        rows, columns = blocks.shape[2:]
        of_cells = self.correction(self.layers(blocks, picture)[-1])
        return fn.pixel_shuffle(of_cells, CELL)[:, 0, :rows, :columns]

    def forward(self, blocks: Tensor, picture: Tensor) -> Tensor:
        """Return by how many octaves more than usual each block changed, likewise."""
        return blocks[:, TIMES] / STEPS_AN_OCTAVE + LOWEST_RATIO + self.corrections(blocks, picture)


def save(network: Network, path: Path) -> None:
    """Write the weights, as arrays of float32."""
    np.savez(path, **{name: value.numpy() for name, value in network.state_dict().items()})


def load(path: Path) -> Network:
    """Return the network that ``save`` has written."""
    network = Network()
    with np.load(path, allow_pickle=False) as stored:
        network.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored.files})
    network.eval()
    return network


def tensors(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the quantities of blocks and of pictures."""
    return tensor(batch.blocks), tensor(batch.picture)


def tensor(array: NDArray[np.generic]) -> Tensor:
    """Return an array as torch wants it: one piece of memory, in order."""
    return torch.from_numpy(np.ascontiguousarray(array))
