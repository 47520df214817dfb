"""Arithmetic that gives the same on every processor, and what its results are called."""

from math import frexp

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int32]

BITS_BELOW_AN_OCTAVE, _EXPONENT_OF_ONE = 23, 127
"""Bits of a float's mantissa, and the exponent that the number 1 is written with."""

STEPS_AT_ONCE = 2**18
"""OpenBLAS starts threads for a product of more multiplications. On a busy machine of two cores the network
then took 25 ms instead of 0.5."""


def floats(array: cv2.typing.MatLike) -> Floats:
    """Return the array, as the type that OpenCV's stubs do not know it has: float32."""
    assert array.dtype == np.float32
    return array  # type: ignore[return-value]


def in_octaves(values: Floats, steps_an_octave: int) -> Codes:
    """Return the logarithm to the base 2 in whole steps, rounded down, linear within each octave.

    A float's bits are that: its exponent, then its mantissa. So it is exact everywhere, and costs a shift.

    Args:
        values: above 0.
        steps_an_octave: a power of 2.
    """
    fine_bits = steps_an_octave.bit_length() - 1
    codes = np.asarray(values, np.float32).view(np.int32) >> np.int32(BITS_BELOW_AN_OCTAVE - fine_bits)
    codes -= np.int32(_EXPONENT_OF_ONE << fine_bits)
    return codes


def octaves_of(value: float, steps_an_octave: int) -> int:
    """Return the same of one number, which a float32 holds."""
    mantissa, exponent = frexp(value)
    return (exponent - 1) * steps_an_octave + int((2 * mantissa - 1) * steps_an_octave)


def product(weights: Floats, values: Floats) -> Floats:
    """Return the product of two matrices of whole numbers, exact if no sum on the way reaches 2**24."""
    result = np.empty((len(weights), values.shape[1]), np.float32)
    columns = max(1, STEPS_AT_ONCE // weights.size)
    for begin in range(0, values.shape[1], columns):
        at_once = np.s_[:, begin : begin + columns]
        np.matmul(weights, values[at_once], out=result[at_once])
    return result
