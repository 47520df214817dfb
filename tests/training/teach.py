"""Teaches one network: by the labels of samples; or a student, by networks that have been taught before."""

import copy
import sys
import time
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from training.losses import by_labels, by_teachers
from training.network import Network, tensor, tensors
from training.stored import Batch, Samples

BATCH = 32

FASTEST_PACE, FASTEST_PACE_OF_STUDENTS = 4e-3, 3e-3
SLOWEST_PACE, FIRST_STEPS = 1e-5, 100
WEIGHT_DECAY = 1e-3
MOST_GRADIENT = 2.0

MEMORY = 0.998
"""What is returned is a running mean of the weights, over some 500 steps."""

REPORT_STEPS = 500

Loss = Callable[[Batch, Tensor], Tensor]
"""Of some samples, and of what the network says of them."""


def teach(samples: Samples, seed: int, steps: int, begin: Network | None = None) -> Network:
    """Return a network that these samples have taught.

    Args:
        samples: by which it learns.
        seed: of its first weights, and of the order of samples.
        steps: of 32 samples each; 4,100 took 5 minutes of one processor.
        begin: a network to go on with; None for a new one.
    """
    torch.manual_seed(seed)
    network = copy.deepcopy(begin) if begin is not None else Network()
    if begin is None:
        network.scale_by(samples.evenly(1500))
    return _taught(
        network,
        samples,
        (seed, steps, FASTEST_PACE),
        lambda batch, says: by_labels(says, tensor(batch.labels)),
    )


def student(samples: Samples, seed: int, steps: int, teachers: list[Network]) -> Network:
    """Return a network that says by itself what several say in the mean, and is a little better than each.

    Args:
        samples: by which it learns.
        seed: of the order of samples.
        steps: of 32 samples each; they take longer, as each teacher is asked.
        teachers: it begins as the first of them.
    """

    def loss(batch: Batch, says: Tensor) -> Tensor:
        with torch.no_grad():
            mean = torch.stack([teacher(*tensors(batch)) for teacher in teachers]).mean(0)
        return by_teachers(says, mean, tensor(batch.labels))

    return _taught(copy.deepcopy(teachers[0]), samples, (seed, steps, FASTEST_PACE_OF_STUDENTS), loss)


def _taught(network: Network, samples: Samples, plan: tuple[int, int, float], loss_of: Loss) -> Network:
    """Go ``plan``'s (seed, steps, fastest pace) through the samples; return the mean of the last weights."""
    torch.set_num_threads(1)
    seed, steps, fastest = plan
    mean = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), fastest, weight_decay=WEIGHT_DECAY)
    losses: list[float] = []
    began_s = time.process_time()
    for step, batch in enumerate(islice(samples.batches(np.random.default_rng(seed), BATCH), steps)):
        optimizer.param_groups[0]["lr"] = _pace(fastest, step, steps)
        loss = loss_of(batch, network(*tensors(batch)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), MOST_GRADIENT)
        optimizer.step()
        _follow(mean, network, step + 1)
        losses.append(loss.item())
        if len(losses) == REPORT_STEPS:
            spent_s = time.process_time() - began_s
            print(f"step {step + 1}: {spent_s:.0f} s, loss {np.mean(losses):.3f}", file=sys.stderr)
            losses.clear()
    mean.eval()
    return mean


def _pace(fastest: float, step: int, steps: int) -> float:
    """Return the learning rate: it rises over the first steps, and falls as half a cosine."""
    rising = min(1, step / FIRST_STEPS + 0.05)
    return float(fastest * rising * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + SLOWEST_PACE)


def _follow(mean: Network, network: Network, steps: int) -> None:
    memory = min(MEMORY, steps / (steps + 10))
    with torch.no_grad():
        for past, now in zip(mean.parameters(), network.parameters(), strict=True):
            past.mul_(memory).add_(now, alpha=1 - memory)
