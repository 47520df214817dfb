"""Runs of frames of one camera: real ones in order, or one picture again and again with all else drawn."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.planting import Picture, Reals
from benchmarks.truth import Mask
from training.drawing import Rng, has_luck
from training.footage import GROUPS, KINDS, CutOut, Footage, Group, Kind, Library
from training.light import Light, lights
from training.looks import Look, look
from training.moving import Movement, movement, shake
from training.specks import add_specks
from training.things import Planted, Thing, plant, thing

CHANCES = {"quiet": 0.27, "masks": 0.22, "states": 0.13, "drawn": 0.38}
"""How often a run is of each kind of footage; ``drawn`` is of one picture of any."""

SHORTEST, LONGEST = 6, 25
"""Frames of a run."""

MOST_COUNTED = 60
"""Frames of footage that make it more likely to be chosen, by their root."""

LONG = 60
"""Frames of footage of which some may be left out between two of a run."""

DARK = "webcam_nights"


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame as the detector gets it, and what is known of it.

    Attributes:
        pixels: BGR, uint8, (180, 320, 3).
        standing: what is planted in it, by number and frame; the frame of what does not move is 0, so that
            two frames have the same keys where nothing has changed.
        mask: the ground truth, uint8, (180, 320), if there is one.
        name: by which the footage knows it.
    """

    pixels: Picture
    standing: dict[tuple[int, int], Planted]
    mask: Mask | None
    name: str


@dataclass(frozen=True, eq=False)
class Run:
    """Frames of one camera, in order.

    Attributes:
        footage: of which they are.
        groups: of the footage, and of what is planted in it.
        frames: what it shows; they are drawn one at a time.
    """

    footage: Footage
    groups: frozenset[Group]
    frames: Iterator[Shown]


def run(rng: Rng, library: Library) -> Run:
    """Return a run of 6 to 25 frames, fewer where the footage has not as many.

    The things planted in it are from its own group and one other: so a network that is taught without a group
    still learns from most runs.
    """
    kind = rng.choice(list(CHANCES), p=list(CHANCES.values()))
    is_drawn = kind == "drawn"
    footage = _footage(rng, library, KINDS if is_drawn else (kind,))
    numbers = _numbers(rng, len(footage.frames), is_drawn=is_drawn)
    groups = frozenset({footage.group, GROUPS[int(rng.integers(len(GROUPS)))]})
    cut_outs = [cut for cut in library.cut_outs if cut.group in groups]
    return Run(footage, groups, _frames(rng, footage, numbers, cut_outs, is_drawn=is_drawn))


def _footage(rng: Rng, library: Library, kinds: tuple[Kind, ...]) -> Footage:
    possible = [footage for footage in library.footage if footage.kind in kinds]
    weights = np.array([f.weight * min(len(f.frames), MOST_COUNTED) ** 0.5 for f in possible])
    return possible[rng.choice(len(possible), p=weights / weights.sum())]


def _numbers(rng: Rng, count: int, *, is_drawn: bool) -> list[int]:
    """Return which frames a run is of: in order, sometimes backwards, with equal steps."""
    frames = int(rng.integers(SHORTEST, LONGEST + 1))
    if is_drawn:
        return [int(rng.integers(count))] * frames
    step = int(rng.choice([1, 1, 1, 2, 3])) if count > LONG else 1
    frames = min(frames, (count - 1) // step + 1)
    first = int(rng.integers(count - (frames - 1) * step))
    numbers = list(range(first, first + frames * step, step))
    return numbers[::-1] if has_luck(rng, 0.15) else numbers


def _frames(
    rng: Rng, footage: Footage, numbers: list[int], cut_outs: list[CutOut], *, is_drawn: bool
) -> Iterator[Shown]:
    rows, columns = footage.frames[numbers[0]].shape[:2]
    seen = look(rng, rows, columns, may_be_night=footage.name != DARK)
    lit = lights(rng, len(numbers), is_drawn=is_drawn) if is_drawn or has_luck(rng, 0.2) else None
    moving = movement(rng) if is_drawn else shake(rng) if has_luck(rng, 0.2) else None
    specks = rng.uniform(0.1, 0.8) if has_luck(rng, 0.3) else 0.0
    yard = _Yard(rng, cut_outs)
    for order, number in enumerate(numbers):
        levels = seen.toned(seen.cropped(footage.frames[number]))
        standing = yard.planted(levels, order, is_gray=seen.is_gray)
        levels = _weather(rng, levels, seen, None if lit is None else lit[order], specks, moving)
        mask = None
        if footage.masks and not is_drawn:
            mask = seen.cropped_mask(footage.masks[number])
        yield Shown(seen.taken(rng, levels), standing, mask, footage.names[number])


def _weather(
    rng: Rng, levels: Reals, seen: Look, light: Light | None, specks: float, moving: Movement | None
) -> Reals:
    """Return what is no change, on top of what is there."""
    if light is not None:
        levels = light.on(levels, is_gray=seen.is_gray)
    levels = levels * np.float32(seen.brightness)
    if has_luck(rng, specks):
        add_specks(rng, levels, is_gray=seen.is_gray)
    return levels if moving is None else moving.moved(rng, levels)


class _Yard:
    """What stands in a run: things come and go."""

    def __init__(self, rng: Rng, cut_outs: list[CutOut]) -> None:
        self._rng, self._cut_outs = rng, cut_outs
        self._most = int(rng.integers(1, 5)) if has_luck(rng, 0.75) else 0
        self._leaves = rng.uniform(0.08, 0.35)
        self._standing: dict[int, tuple[Thing, int]] = {}
        self._came = 0

    def planted(self, levels: Reals, order: int, *, is_gray: bool) -> dict[tuple[int, int], Planted]:
        """Let things come and go, and plant what is there in the next frame, (180, 320, 3)."""
        rng = self._rng
        self._standing = {
            number: stays for number, stays in self._standing.items() if not has_luck(rng, self._leaves)
        }
        if len(self._standing) < self._most and has_luck(rng, 1.5 * self._leaves):
            come = thing(rng, self._cut_outs)
            if come is not None:
                self._standing[self._came] = come, order
                self._came += 1
        return {
            (number, order if it.is_moving else 0): plant(levels, it, order - came, is_gray=is_gray)
            for number, (it, came) in self._standing.items()
        }
