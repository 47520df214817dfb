"""From the weights of the network in floats to whole ones, ``neighbourhood.npz``; and how much that costs.

A layer's values become whole numbers from 0 to ``MOST_VALUE``, so that all of them fit: the strongest decide.
The weights of each of its outputs become whole numbers up to ``MOST_WEIGHT`` either way. What is left of the
scales is one factor for each output.
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch

from benchmarks.planting import Reals
from framegate.detect.adaptive.neighbourhood import (
    CELL,
    LEAST_CORRECTION,
    MOST_CORRECTION,
    MOST_VALUE,
    MOST_WEIGHT,
    REACHES,
    STEPS_AN_OCTAVE,
    corrections,
    network_of,
)
from framegate.detect.adaptive.quantities import STEPS_AN_OCTAVE as CODES_AN_OCTAVE
from framegate.detect.adaptive.quantities import Quantities
from training.network import Network, tensors
from training.stored import TIMES, Batch

CALIBRATION = -0.075
"""Octaves added to what the network says. The samples have the strength in 16 steps an octave, rounded down,
and 2.3x is its logarithm there; the package has 64, and goes straight between whole octaves."""

Doubles = np.typing.NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """What whole numbers change, in octaves.

    Attributes:
        mean: of a block's correction.
        mean_of_scores: of the strongest block of a sample.
        worst_of_scores: likewise, in the worst of a hundred samples.
    """

    mean: float
    mean_of_scores: float
    worst_of_scores: float


def in_whole_numbers(network: Network, batch: Batch) -> bytes:
    """Return the file that the package reads.

    Args:
        network: as it was taught.
        batch: samples by which it is known how large the values become; 200 are enough.
    """
    state = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}
    with torch.no_grad():
        values = [layer.numpy() for layer in network.layers(*tensors(batch))]
    steps = [float(layer.max()) / MOST_VALUE for layer in values]
    arrays = _first_layer(state, steps[0])
    for number, reach in enumerate(REACHES):
        step, next_step = steps[number : number + 2]
        weights = state[f"around.{number}.weight"].transpose(0, 2, 3, 1)  # the place first, then which value
        bias = state[f"around.{number}.bias"]
        arrays |= _layer(f"around{reach}", weights, bias, step, next_step)
        arrays[f"around{reach}.passed_on"] = np.array(step / next_step, np.float32)
    arrays |= _layer(
        "correction", state["correction.weight"], state["correction.bias"] + CALIBRATION, steps[-1], 1.0
    )
    packed = BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def cost(network: Network, packed: bytes, batch: Batch) -> Cost:
    """Return how far the package's corrections are from those of the network in floats."""
    whole = network_of(packed)
    with torch.no_grad():
        floats: Reals = network.corrections(*tensors(batch)).numpy()
    least, most = (bound / STEPS_AN_OCTAVE for bound in (LEAST_CORRECTION, MOST_CORRECTION))
    errors, of_scores = [], []
    for blocks, picture, exact in zip(
        batch.blocks, batch.picture, np.clip(floats + CALIBRATION, least, most), strict=True
    ):
        seen = Quantities(blocks.astype(np.uint8), picture.astype(np.uint8))
        rounded = corrections(seen, whole) / STEPS_AN_OCTAVE
        strength = blocks[TIMES] / CODES_AN_OCTAVE
        errors.append(np.abs(rounded - exact).mean())
        of_scores.append(abs((strength + rounded).max() - (strength + exact).max()))
    return Cost(float(np.mean(errors)), float(np.mean(of_scores)), float(np.quantile(of_scores, 0.99)))


def _first_layer(state: dict[str, Doubles], next_step: float) -> dict[str, np.typing.NDArray[np.generic]]:
    """Return the layer over cells, together with what is the same for all cells, in one scale."""
    scale, mean = (np.repeat(state[f"blocks_{name}"], CELL**2) for name in ("scale", "mean"))
    cells = state["cells.weight"].reshape(len(state["cells.weight"]), -1) * scale
    picture = state["picture.weight"] * state["picture_scale"]
    bias = state["cells.bias"] - cells @ mean - picture @ state["picture_mean"]
    both = np.concatenate([cells, picture], axis=1)
    arrays = _layer("cells", both, bias, 1.0, next_step)
    whole = arrays["cells.weights"]
    inputs = cells.shape[1]
    return {**arrays, "cells.weights": whole[:, :inputs], "picture.weights": whole[:, inputs:]}


def _layer(
    name: str, weights: Doubles, bias: Doubles, step: float, next_step: float
) -> dict[str, np.typing.NDArray[np.generic]]:
    """Return a layer's arrays.

    Args:
        name: of the layer.
        weights: (values out, ...).
        bias: (values out,).
        step: what 1 of its inputs is worth.
        next_step: what 1 of its outputs will be worth.
    """
    flat = weights.reshape(len(weights), -1)
    unit = np.abs(flat).max(axis=1) / MOST_WEIGHT + np.finfo(np.float32).tiny  # weights may all be 0
    return {
        f"{name}.weights": np.rint(flat / unit[:, None]).astype(np.int16),
        f"{name}.scale": (unit * step / next_step).astype(np.float32),
        f"{name}.bias": (bias / next_step).astype(np.float32),
    }
