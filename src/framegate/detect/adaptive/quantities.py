"""What the network sees of each block, as whole numbers from 0 to 255."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.difference import Difference
from framegate.detect.adaptive.exact import BITS_BELOW_AN_OCTAVE, Flags, Floats, octaves_of
from framegate.detect.adaptive.strength import Strength
from framegate.detect.adaptive.working import NEUTRAL, SIXTEENTHS, WorkingPicture

Bytes = NDArray[np.uint8]

STEPS_AN_OCTAVE = 16
_STEP_BITS = 4

LOWEST_LEVEL, LOWEST_RATIO = -2, -5
"""Octaves of the smallest gray level and ratio that are told apart: 0.25 and 1/32."""

DARKNESS = 3
"""Octaves of the luma below which factors of light mean little: 8 gray levels."""

CLEAR_LEVELS = 8
"""Gray levels by which a block is clearly brighter or darker."""

_LEVELS, _RATIOS, _CHANGES = slice(0, 6), slice(6, 9), slice(9, 12)
_TEXTURES, _LUMAS = slice(12, 14), slice(14, 16)
"""Which of a block's quantities are which."""

_LEAST_LEVEL, _LEAST_LUMA = SIXTEENTHS * 2.0**LOWEST_LEVEL, SIXTEENTHS * 2.0**DARKNESS
"""Added to levels and to luma: their logarithm begins there."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """The network's input."""

    blocks: Bytes
    """(16, block rows, block columns): see ``quantities`` for which is which."""

    picture: Bytes
    """(8,): what is the same for all blocks."""


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
    changes = b.blocks - a.blocks
    values = np.concatenate(
        [
            *(strong.measures, strong.usual, between.texture[None], between.brightness[None]),
            *(strong.ratios, np.abs(changes)),
            *(a.texture[None], b.texture[None], a.blocks[:1], b.blocks[:1]),
        ]
    )
    middle = strong.times.size // 2
    brighter = float(np.partition(changes[0], middle, axis=None)[middle])
    picture = [
        *map(_level, strong.medians),
        NEUTRAL * strong.is_gray,
        NEUTRAL + (_level(abs(brighter)) >> 1) * (-1 if brighter < 0 else 1),
        _share(strong.times > 1),
        _share(strong.times > 2),  # noqa: PLR2004 - twice the usual
        _share(between.brightness > CLEAR_LEVELS * SIXTEENTHS),
        STEPS_AN_OCTAVE * frames_learnt,
    ]
    return Quantities(_coded(values, changes < 0), np.array(picture, np.uint8))


def _coded(values: Floats, is_darker: Flags) -> Bytes:
    """Return a block's quantities in steps above the lowest; their values are used up."""
    for levels in (_LEVELS, _CHANGES, _TEXTURES):
        values[levels] += np.float32(_LEAST_LEVEL)
    values[_LUMAS] += np.float32(_LEAST_LUMA)
    codes = _steps(values)
    codes -= _LOWEST
    halves = codes[_CHANGES]
    halves >>= 1
    halves *= np.uint8(1) - np.uint8(2) * is_darker  # in eight bits, 255 is -1
    halves += np.uint8(NEUTRAL)
    return codes


def _steps(values: Floats) -> Bytes:
    """Return the last eight bits of the logarithms of all quantities; their values are used up.

    As in ``in_octaves``, the logarithm is in the bits of a float. Eight are enough to tell how far apart two
    are, if by fewer than 256 steps. Luma is twice as fine: light that changes by a factor is then the same
    step everywhere.
    """
    bits = values.view(np.int32)
    bits[: _LUMAS.start] >>= BITS_BELOW_AN_OCTAVE - _STEP_BITS
    bits[_LUMAS] >>= BITS_BELOW_AN_OCTAVE - _STEP_BITS - 1
    return bits.astype(np.uint8)


def _lowest() -> Bytes:
    least = np.full((16, 1, 1), _LEAST_LEVEL, np.float32)
    least[_RATIOS] = 2.0**LOWEST_RATIO
    least[_LUMAS] = _LEAST_LUMA
    return _steps(least)


_LOWEST = _lowest()


def _level(sixteenths: float) -> int:
    least = octaves_of(_LEAST_LEVEL, STEPS_AN_OCTAVE)
    return octaves_of(sixteenths + _LEAST_LEVEL, STEPS_AN_OCTAVE) - least


def _share(blocks: NDArray[np.bool_]) -> int:
    return 255 * int(np.count_nonzero(blocks)) // blocks.size
