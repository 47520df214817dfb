"""What the network sees of each block, as whole numbers from 0 to 255."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.difference import Difference
from framegate.detect.adaptive.strength import Strength
from framegate.detect.adaptive.working import NEUTRAL, Floats, WorkingPicture

Codes = NDArray[np.int32]

STEPS_AN_OCTAVE = 16
_MANTISSA_BITS, _EXPONENT_OF_ONE = 23, 127

LOWEST_LEVEL, LOWEST_RATIO = -2, -5
"""Octaves of the smallest gray level and ratio that are told apart: 0.25 and 1/32."""

DARKNESS = 3
"""Octaves of the luma below which factors of light mean little: 8 gray levels."""

CLEAR_LEVELS = 8
"""Gray levels by which a block is clearly brighter or darker."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """The network's input."""

    blocks: NDArray[np.uint8]
    """(16, block rows, block columns): see ``quantities`` for which is which."""

    picture: NDArray[np.uint8]
    """(8,): what is the same for all blocks."""


def in_octaves(values: Floats, steps_an_octave: int = STEPS_AN_OCTAVE) -> Codes:
    """Return the logarithm to the base 2 in whole steps, rounded down, linear within each octave.

    A float's bits are that: its exponent, then its mantissa. So it is exact everywhere, and costs a shift.

    Args:
        values: above 0.
        steps_an_octave: a power of 2.
    """
    fine_bits = steps_an_octave.bit_length() - 1
    bits = np.asarray(values, np.float32).view(np.int32)
    return (bits >> np.int32(_MANTISSA_BITS - fine_bits)) - np.int32(_EXPONENT_OF_ONE << fine_bits)


def quantities(
    a: WorkingPicture, b: WorkingPicture, between: Difference, strong: Strength, frames_learnt: int
) -> Quantities:
    """Return what the network sees of the change from ``a`` to ``b``.

    Args:
        a, b: the reference and the frame.
        between: their difference.
        strong: how many times more than usual each block changed.
        frames_learnt: from how many frames it is known what is usual.
    """
    brighter = b.block_luma - a.block_luma
    levels = np.stack([*strong.measures, *strong.usual, between.texture, between.brightness])
    changes = np.stack([brighter, b.block_cr - a.block_cr, b.block_cb - a.block_cb])
    blocks = np.concatenate(
        [
            _level(levels),
            _ratio(np.stack([*strong.ratios, strong.times])),
            _signed(changes),
            _level(np.stack([a.block_texture, b.block_texture])),
            _luma(np.stack([a.block_luma, b.block_luma])),
        ]
    )
    middle = brighter.size // 2
    of_the_picture = np.array(
        [*strong.medians, np.partition(brighter, middle, axis=None)[middle]], np.float32
    )
    picture = [
        *_level(of_the_picture[:2]),
        NEUTRAL * strong.is_gray,
        *_signed(of_the_picture[2:]),
        _share(strong.times > 1),
        _share(strong.times > 2),  # noqa: PLR2004 - twice the usual
        _share(between.brightness > CLEAR_LEVELS),
        STEPS_AN_OCTAVE * frames_learnt,
    ]
    return Quantities(blocks.astype(np.uint8), np.array(picture, np.uint8))


def _coded(values: Floats, lowest: int) -> Codes:
    codes = in_octaves(values) - np.int32(lowest * STEPS_AN_OCTAVE)
    bounded: Codes = np.minimum(np.maximum(codes, np.int32(0)), np.int32(255))
    return bounded  # np.clip takes three times as long


def _level(values: Floats) -> Codes:
    return _coded(values + np.float32(2.0**LOWEST_LEVEL), LOWEST_LEVEL)


def _ratio(values: Floats) -> Codes:
    return _coded(values, LOWEST_RATIO)


def _luma(values: Floats) -> Codes:
    """Finer, and above a little light: light that changes by a factor is then the same step everywhere."""
    steps = in_octaves(values + np.float32(2.0**DARKNESS), 2 * STEPS_AN_OCTAVE)
    return steps - DARKNESS * 2 * STEPS_AN_OCTAVE


def _signed(values: Floats) -> Codes:
    half = _level(np.abs(values)) >> 1
    return np.where(values < 0, NEUTRAL - half, NEUTRAL + half)


def _share(blocks: NDArray[np.bool_]) -> int:
    return 255 * int(np.count_nonzero(blocks)) // blocks.size
