"""How many times more than usual each block changed."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.difference import Difference
from framegate.detect.adaptive.usual import Usual
from framegate.detect.adaptive.working import Flags, Floats, WorkingPicture, floats

MOST_MEDIAN = 5.0
"""Gray levels by which a change of the whole picture raises what is usual, at most. Unbounded, a car that
fills the picture hides itself (recall .05); at 8 it hides in every second picture (.38)."""

NOTHING = 1.0
"""Gray levels that count as no change; it also keeps a quiet place from dividing by nothing."""

LEAST_RATIO = np.float32(0.05)
"""Added to each ratio, so that neither witness alone can say no."""

WITHOUT_COLOUR = np.float32(1.5)
"""In a picture without colour one witness is enough: it has to be this much stronger."""

A_FOURTH = np.float32(0.25)


@dataclass(frozen=True, slots=True, eq=False)
class Strength:
    """Each is (block rows, block columns), and a mean of 2 x 2 blocks: with those above and left."""

    times: Floats
    """How many times more than usual: the geometric mean of ``ratios``, 0.05 and more."""

    ratios: tuple[Floats, Floats]
    """The same of each measure: texture and brightness; colour."""

    measures: tuple[Floats, Floats]
    """The measures, in gray levels."""

    usual: tuple[Floats, Floats]
    """What is usual there, in gray levels; 0 while nothing is learnt."""

    medians: tuple[float, float]
    """The median of each measure over the picture, in gray levels."""

    is_gray: bool
    """One of the two pictures has no colour."""


def strength(
    a: WorkingPicture, b: WorkingPicture, between: Difference, usual: Usual, counted: Flags | None
) -> Strength:
    """Return how many times more than usual each block changed.

    Args:
        a, b: two pictures of one working size.
        between: their difference.
        usual: what the camera's frames usually show.
        counted: which blocks count for the medians; None when all do.
    """
    measures = tuple(_over_four(measure) for measure in between.measures)
    levels = usual.levels(between.colour.shape)
    learnt = tuple(np.zeros_like(m) for m in measures) if levels is None else tuple(map(_over_four, levels))
    medians = tuple(_median(measure if counted is None else measure[counted]) for measure in measures)
    ratios = tuple(
        measure / (level + np.float32(min(median, MOST_MEDIAN) + NOTHING)) + LEAST_RATIO
        for measure, level, median in zip(measures, learnt, medians, strict=True)
    )
    is_gray = not (a.has_colour and b.has_colour)
    times = np.sqrt(ratios[0] * ratios[1])
    if is_gray:  # something red may still stand on a gray ground
        times = np.maximum(times, ratios[0] / WITHOUT_COLOUR)
    return Strength(times, ratios, measures, learnt, medians, is_gray)  # type: ignore[arg-type]


def _over_four(blocks: Floats) -> Floats:
    """Return the mean of each block, the one above, left, and above left; the edge is repeated."""
    summed = cv2.boxFilter(
        blocks, cv2.CV_32F, (2, 2), anchor=(1, 1), normalize=False, borderType=cv2.BORDER_REPLICATE
    )
    return floats(summed) * A_FOURTH


def _median(values: NDArray[np.float32]) -> float:
    """Return the upper median, which needs no mean of two; 0 of nothing."""
    if not values.size:
        return 0.0
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])
