"""Where a picture is torn, and how often in a row it was torn alike.

A fault of the camera tears each picture at another row. What is torn alike again and again is what the
camera shows from now on, such as a picture that is rolled for good: if it were refused each time, all frames
would be lost.
"""

from dataclasses import dataclass
from typing import Self

from framegate.detect.adaptive.working import working_size
from framegate.model import Size

TIMES_SHOWN = 3
"""Frames in a row after which a tear is what the camera shows: two are lost before."""

ROWS_ALIKE, PIXELS_ALIKE, ROWS_LOWER = 8, 4, 12
"""Pixels of the working size within which two tears are alike: in the row, in how far they moved the picture,
and down where one was seen on the left and the other on the right: there it is a row of JPEG blocks lower."""

_MOST = 2**31


@dataclass(frozen=True, slots=True)
class Tear:
    """Where a picture is torn, in pixels of the working size."""

    row: int
    """The first row that stands elsewhere."""

    right: int
    """How far to the right it was moved, negative to the left."""

    down: int
    """How far down, negative up."""

    def in_words(self, source_size: Size) -> str:
        """Return it in words, in pixels of the frame, whose size is (width, height)."""
        (width, height), (columns, rows) = source_size, working_size(source_size)
        moved = [
            f"{abs(pixels)} pixels {words[pixels > 0]}"
            for pixels, words in (
                (round(self.right * width / columns), ("to the left", "to the right")),
                (round(self.down * height / rows), ("up", "down")),
            )
            if pixels
        ]
        where = (
            "the picture"
            if not self.row
            else f"from about row {round(self.row * height / rows)} of {height} on it"
        )
        return f"{where} is moved {' and '.join(moved)}"

    def is_like(self, other: Self, source_size: Size) -> bool:
        """Return whether a frame of the size (width, height) is torn as another of its size was."""
        columns, _ = working_size(source_size)
        apart = abs(self.right - other.right)
        around = min(
            apart, abs(columns - apart)
        )  # what leaves the picture on one side comes back on the other
        return (
            abs(self.row - other.row) <= ROWS_ALIKE
            and around <= PIXELS_ALIKE
            and abs(self.down - other.down) <= (PIXELS_ALIKE if around == apart else ROWS_LOWER)
        )


@dataclass(frozen=True, slots=True)
class TornAlike:
    """Frames of one picture size in a row, each torn as the one before."""

    last: Tear
    times: int = 1
    """1 to ``TIMES_SHOWN``; more are not counted."""

    @property
    def is_shown(self) -> bool:
        """Whether this is what the camera shows: its frames are judged as any others."""
        return self.times >= TIMES_SHOWN

    def saved(self) -> list[int]:
        """Return it as values for JSON."""
        return [self.times, self.last.row, self.last.right, self.last.down]

    @classmethod
    def restored(cls, values: object) -> Self:
        """Return what ``saved`` returned these values of.

        Raises:
            ValueError: they are no such values.
        """
        if not isinstance(values, list) or [type(value) for value in values] != [int] * 4:
            raise ValueError("not a count and three numbers of pixels")
        times, *pixels = values
        if not 1 <= times <= TIMES_SHOWN or max(map(abs, pixels)) > _MOST:
            raise ValueError("a count or a number of pixels that cannot be")
        return cls(Tear(*pixels), times)


def torn_alike(before: TornAlike | None, tear: Tear | None, source_size: Size) -> TornAlike | None:
    """Return the frames that are torn alike, up to one that is torn so; None if it is not torn.

    Args:
        before: up to the frame before.
        tear: where the frame is torn; None if it is not.
        source_size: (width, height) of the frames.
    """
    if tear is None:
        return None
    if before is None or not tear.is_like(before.last, source_size):
        return TornAlike(tear)
    return TornAlike(tear, min(before.times + 1, TIMES_SHOWN))
