"""How much each block usually changes from one frame to the next: leaves, rain, a clock, a shaking mast.

For each block and each of two measures it follows the level that two thirds of the frames stay below. It is
not a mean: a car that passes now and then moves a quantile no more than a small thing does, while leaves move
in most frames. It learns from consecutive frames, kept or not. Learning from the difference to the kept frame
as well made the lot look better (AUC .970) and lost 60% of single cars: it goes deaf while nothing happens.

The level is kept as its logarithm in whole steps, so that a saved and restored state gives exactly the same
scores, and one step up or down is the same factor at every level.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from framegate.detect.adaptive.exact import Floats
from framegate.detect.adaptive.working import SIXTEENTHS

STEPS_AN_OCTAVE = 256
LOWEST_LEVEL, OCTAVES = 0.05, 13
"""Levels go from 0.05 of a gray level to 0.05 * 2**13 = 410."""

LEVELS: Floats = (
    np.round(1024 * LOWEST_LEVEL * 2.0 ** (np.arange(OCTAVES * STEPS_AN_OCTAVE) / STEPS_AN_OCTAVE)) / 1024
).astype(np.float32)
"""The level of each step, in 1/1024: rounded, so that no library's last bit shows."""

_LEVELS = LEVELS * np.float32(SIXTEENTHS)

MARGIN_AT_FIRST = np.float32(0.2)
"""The first difference of two frames is taken as usual, and this much more."""

UP, DOWN = (106, 74, 57, 46), (67, 44, 32, 25)
"""Steps by which a level rises when exceeded, and falls when not: at the second, third, fourth frame, and
from then on. They are factors of ``1 + 2/3 h`` and ``1 - 1/3 h`` with ``h = max(0.2, 1 / frames learnt)``: so
it becomes the 2/3 quantile. A level follows a change within some ten frames; 0.1 and 0.4 were no better."""

MOST_COUNTED = 15
"""Frames learnt are counted up to here: more of them say nothing about how far a level can be trusted."""

_TAG, _HEADER = b"FGU1", struct.Struct("<4sBHH")
MOST_BLOCKS = 45 * 45 * 16
"""Of the widest working picture: 180 x 2,880 pixels."""


class Usual:
    """The usual change of each block. Empty until the first ``learn``. Levels are in sixteenths."""

    def __init__(self) -> None:
        self._steps: NDArray[np.int16] | None = None
        self._levels: Floats = np.zeros((2, 0, 0), np.float32)
        """The levels of the steps: every frame is compared with them twice."""

        self.frames_learnt = 0
        """Differences learnt from, at most ``MOST_COUNTED``."""

    def levels(self, shape: tuple[int, int]) -> Floats | None:
        """Return the usual level of both measures, (2, *shape); None when none of this shape is known."""
        return None if self._levels.shape[1:] != shape else self._levels

    def learn(self, measures: Floats) -> None:
        """Learn from two frames' measures, (2, rows, columns), in sixteenths; another shape begins again."""
        if self._steps is None or self._steps.shape != measures.shape:
            first = np.searchsorted(LEVELS, measures / SIXTEENTHS + MARGIN_AT_FIRST)
            self._go_on_from(np.minimum(first, len(LEVELS) - 1).astype(np.int16), frames_learnt=1)
            return
        pace = min(self.frames_learnt, len(UP)) - 1
        steps = (measures > self._levels).view(np.int8) * np.int16(UP[pace] + DOWN[pace])  # np.where is slow
        steps += self._steps - np.int16(DOWN[pace])
        np.clip(steps, 0, len(LEVELS) - 1, out=steps)
        self._go_on_from(steps, min(self.frames_learnt + 1, MOST_COUNTED))

    def _go_on_from(self, steps: NDArray[np.int16], frames_learnt: int) -> None:
        self._steps, self._levels, self.frames_learnt = steps, _LEVELS.take(steps), frames_learnt

    @property
    def size_bytes(self) -> int:
        """Memory in bytes."""
        return 0 if self._steps is None else self._steps.nbytes + self._levels.nbytes

    def to_bytes(self) -> bytes | None:
        """Return the state, 14 kB for 16:9; None when it is empty.

        It is not compressed: equal states are equal bytes, whichever zlib there is.
        """
        if self._steps is None:
            return None
        _, rows, columns = self._steps.shape
        return _HEADER.pack(_TAG, self.frames_learnt, rows, columns) + self._steps.astype("<i2").tobytes()

    def restore(self, data: bytes) -> None:
        """Replace the state by one that ``to_bytes`` returned.

        Raises:
            ValueError: the bytes are no such state. This one is not changed.
        """
        try:
            tag, learnt, rows, columns = _HEADER.unpack_from(data)
        except struct.error as error:
            raise ValueError("these bytes are not what adaptive learns") from error
        if tag != _TAG or not 0 < learnt <= MOST_COUNTED or not 0 < rows * columns <= MOST_BLOCKS:
            raise ValueError("these bytes are not what adaptive learns")
        if len(data) != _HEADER.size + 2 * 2 * rows * columns:
            raise ValueError("these bytes are not what adaptive learns: of another length than they say")
        steps = np.frombuffer(data, "<i2", offset=_HEADER.size).astype(np.int16).reshape(2, rows, columns)
        if steps.min() < 0 or steps.max() >= len(LEVELS):
            raise ValueError("these bytes are not what adaptive learns: a level is out of bounds")
        self._go_on_from(steps, learnt)
