"""How wrong a network is: by the labels of samples, and by what its teachers say."""

import numpy as np
import torch
import torch.nn.functional as fn
from torch import Tensor

from training.samples import CHANGED, UNCHANGED

THRESHOLD = 2.3
"""Times the usual above which a frame is kept: the default, which the scores are taught to fit."""

STEEPNESS = 3.0
"""An octave above the threshold is odds of exp(3) to 1 that something changed."""

STRONGEST = 6
"""Unchanged blocks by which a picture would be kept wrongly; one alone would teach by outliers."""

PART_OF_CHANGED = 0.15
"""A changed block counts for less than an unchanged one: one block is enough to keep a frame."""

PART_OF_FOUND = 0.6
"""A frame wrongly dropped counts for less than one wrongly kept: at a camera most frames are unchanged."""

SURE, PART_OF_THE_REST = 0.2, 0.03
"""Octaves above which a student has to say the same as its teachers; how much it has to elsewhere."""

FAR = 0.5
"""Octaves from which on a difference is no longer squared."""

TOP, FAR_AT_THE_TOP = 4, 0.3
"""Blocks whose mean is the score of a picture as its teachers see it, and ``FAR`` for that."""

PART_OF_TEACHERS, PART_OF_SCORES, PART_OF_LABELS = 4.0, 3.0, 0.25
"""Without the scores a student kept twice as many unchanged frames as its teachers in the mean."""

UNLIKELY = -20.0


def by_labels(says: Tensor, labels: Tensor) -> Tensor:
    """Return how wrong the blocks are, and the frames by their strongest blocks.

    Args:
        says: octaves more than usual, (samples, block rows, block columns).
        labels: of the same shape.
    """
    certainty = _certainty(says)
    changed, unchanged = labels == CHANGED, labels == UNCHANGED
    wrong = fn.binary_cross_entropy_with_logits(certainty, changed.float(), reduction="none")
    missed = (wrong * changed).sum() / changed.sum().clamp(min=1)
    false = (wrong * unchanged).sum() / unchanged.sum().clamp(min=1)
    return PART_OF_CHANGED * missed + false + _of_frames(certainty, labels)


def by_teachers(says: Tensor, teachers: Tensor, labels: Tensor) -> Tensor:
    """Return how far a student is from the mean of its teachers, and how wrong its frames are.

    Args:
        says: octaves more than usual, (samples, block rows, block columns).
        teachers: what they say in the mean, likewise.
        labels: of the same shape.
    """
    weights = torch.sigmoid(2 * (teachers - SURE)) + PART_OF_THE_REST
    far = fn.smooth_l1_loss(says, teachers, reduction="none", beta=FAR)
    difference = (weights * far).sum() / weights.sum()
    scores = fn.smooth_l1_loss(_score(says), _score(teachers), beta=FAR_AT_THE_TOP)
    of_frames = _of_frames(_certainty(says), labels)
    return PART_OF_TEACHERS * difference + PART_OF_SCORES * scores + PART_OF_LABELS * of_frames


def _score(says: Tensor) -> Tensor:
    return says.flatten(1).topk(TOP, 1).values.mean(1)


def _certainty(says: Tensor) -> Tensor:
    return STEEPNESS * (says - float(np.log2(THRESHOLD)))


def _of_frames(certainty: Tensor, labels: Tensor) -> Tensor:
    """Return how wrong the strongest blocks are, which decide over the frame."""
    strongest = certainty.masked_fill(labels != UNCHANGED, UNLIKELY).flatten(1).topk(STRONGEST, 1).values
    loss = fn.softplus(strongest).mean()
    is_changed = (labels == CHANGED).flatten(1).any(1)
    if not is_changed.any():
        return loss
    found = certainty.masked_fill(labels != CHANGED, UNLIKELY).flatten(1).max(1).values
    return loss + PART_OF_FOUND * fn.softplus(-found)[is_changed].mean()
