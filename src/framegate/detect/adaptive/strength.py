"""How many times more than usual each block changed."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.difference import Difference
from framegate.detect.adaptive.exact import Flags, Floats
from framegate.detect.adaptive.usual import Usual
from framegate.detect.adaptive.working import SIXTEENTHS, WorkingPicture

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
    """Each is a mean of 2 x 2 blocks: a block with those above and left. Levels are in sixteenths."""

    ratios: Floats
    """How many times more than usual each measure is, 0.05 and more: texture and brightness; colour; and the
    geometric mean of both. (3, block rows, block columns)."""

    measures: Floats
    """The measures, (2, block rows, block columns)."""

    usual: Floats
    """Likewise what is usual there; 0 while nothing is learnt."""

    medians: tuple[float, float]
    """The median of each measure over the picture."""

    is_gray: bool
    """One of the two pictures has no colour."""

    @property
    def times(self) -> Floats:
        """How many times more than usual each block changed, (block rows, block columns)."""
        times: Floats = self.ratios[2]
        return times


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
    measures = _over_four(between.measures)
    levels = usual.levels(between.texture.shape)
    learnt = np.zeros_like(measures) if levels is None else _over_four(levels)
    medians = tuple(_median(each if counted is None else each[counted]) for each in measures)
    forgiven = [min(median, MOST_MEDIAN * SIXTEENTHS) + NOTHING * SIXTEENTHS for median in medians]
    ratios = np.empty((3, *between.texture.shape), np.float32)
    np.divide(measures, learnt + np.array(forgiven, np.float32)[:, None, None], out=ratios[:2])
    ratios[:2] += LEAST_RATIO
    times = np.sqrt(ratios[0] * ratios[1], out=ratios[2])
    is_gray = not (a.has_colour and b.has_colour)
    if is_gray:  # something red may still stand on a gray ground
        np.maximum(times, ratios[0] / WITHOUT_COLOUR, out=times)
    return Strength(ratios, measures, learnt, medians, is_gray)  # type: ignore[arg-type]


def _over_four(blocks: Floats) -> Floats:
    """Return the mean of each block, the one above, left, and above left; the edge is repeated."""
    means = np.empty_like(blocks)
    for each, mean in zip(blocks, means, strict=True):
        cv2.boxFilter(
            each, cv2.CV_32F, (2, 2), mean, (1, 1), normalize=False, borderType=cv2.BORDER_REPLICATE
        )
    means *= A_FOURTH
    return means


def _median(values: NDArray[np.float32]) -> float:
    """Return the upper median, which needs no mean of two; 0 of nothing."""
    if not values.size:
        return 0.0
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])
