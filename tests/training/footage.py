"""What the network learns from: the footage with truth, other stills, and the things cut out of both.

All footage comes as pictures of at most 360 rows, twice the working size. It is in groups of places that look
alike; a network that is taught without a group shows on it what it does at a place that it has not seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from benchmarks.planting import Picture, Reals, shrunk
from benchmarks.sets import EMPTY_FOLDERS, FRONT, empty_days, frames_in, read
from benchmarks.truth import MOVING, Mask, Truth, always, state_truth

Group = Literal["lot", "road", "room", "yard", "web"]
GROUPS: tuple[Group, ...] = get_args(Group)

VIDEOS: dict[str, Group] = {
    "highway": "road", "sbi_HighwayI": "road", "sbi_HallAndMonitor": "room", "sbi_Toscana": "yard",
    "office": "room",
}  # fmt: skip
"""Footage with a ground truth of each frame."""

YARDS = ("wallflower_trees", "arena_tarp", "arena_yard")
"""Footage of which it is known in which frames something stands, but not where."""

LEAST_SIDE_PX = 100
"""Other stills that are smaller say nothing."""

CUT_OUT_STEP = 3
"""Things are cut out of every third frame of a video."""

LEAST_CAR_PX, LEAST_THING_PX = 400, 300
"""Area of a cut-out; cars are cut out of pictures of 720 rows."""

LEAST_FILL = 0.25
"""Part of its box that a cut-out fills: what fills less is the fragments of several things."""

Kind = Literal["quiet", "single", "masks", "states"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""``quiet``: frames in order, nothing moves. ``single``: pictures, of pairs of which nothing is known.
``masks``: the ground truth of each frame is known. ``states``: pairs are judged where nothing has moved."""


@dataclass(frozen=True, eq=False)
class Footage:
    """Frames of one place.

    Attributes:
        name: its own.
        group: of places like it.
        kind: what is known of it.
        frames: BGR, uint8, (height, width, 3), at most 360 rows, in the order of capture.
        names: of the frames, which ``truth`` knows.
        masks: the ground truth of each frame, uint8, (height, width); none but for ``masks``.
        truth: whether something changed between two names; what the masks show is not asked for here.
        weight: how often it is chosen, compared with other footage of as many frames.
    """

    name: str
    group: Group
    kind: Kind
    frames: list[Picture]
    names: list[str]
    masks: list[Mask]
    truth: Truth
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class CutOut:
    """A thing cut out of a frame.

    Attributes:
        pixels: BGR, uint8, (height, width, 3).
        cover: float32, (height, width), 1 on it and 0 beside it.
        group: of the footage from which it is.
    """

    pixels: Picture
    cover: Reals
    group: Group


@dataclass(frozen=True, eq=False)
class Library:
    """All footage, and all things that can be planted in it."""

    footage: list[Footage]
    cut_outs: list[CutOut]


def library(data: Path, stills: list[Path]) -> Library:
    """Read all footage: a minute, and 0.7 GB.

    Args:
        data: the folder with the footage, as its README says.
        stills: folders with other pictures of the kind that cameras take: JPEG or PNG.

    Raises:
        FileNotFoundError: the footage is not there, or not whole.
    """
    videos = [_video(data / name, group) for name, group in VIDEOS.items()]
    footage = [*_lots(data), *videos, *_yards(data), *_webcams(data)]
    for number, folder in enumerate(stills):
        pictures = [read(path) for path in frames_in(folder)]
        large = [shrunk(picture) for picture in pictures if min(picture.shape[:2]) >= LEAST_SIDE_PX]
        footage.append(_footage(f"stills{number}", "web", "single", large, weight=7.0 / len(stills)))
    things = [thing for video in videos for thing in _things(video)]
    return Library(footage, [*_cars(data / "lot_slots"), *things])


def _footage(  # as Footage, for frames without names
    name: str, group: Group, kind: Kind, frames: list[Picture], *, weight: float = 1.0
) -> Footage:
    names = [str(number) for number in range(len(frames))]
    return Footage(name, group, kind, frames, names, [], always(changed=False), weight)


def _small(paths: list[Path]) -> list[Picture]:
    return [shrunk(read(path)) for path in paths]


def _lots(data: Path) -> Iterator[Footage]:
    for day, paths in empty_days(data, EMPTY_FOLDERS).items():
        yield _footage(f"lot_{day}", "lot", "quiet", _small(paths))
    yield _footage("lot_busy", "lot", "single", _small(frames_in(data / "lot_busy" / "input")), weight=1.5)


def _video(folder: Path, group: Group) -> Footage:
    truths = {_digits(path.stem): path for path in frames_in(folder / "groundtruth")}
    paths = [path for path in frames_in(folder / "input") if _digits(path.stem) in truths]
    masks = [_small_mask(read(truths[_digits(path.stem)])[..., 0]) for path in paths]
    names = [path.stem for path in paths]
    return Footage(folder.name, group, "masks", _small(paths), names, masks, always(changed=False))


def _yards(data: Path) -> Iterator[Footage]:
    for name in YARDS:
        paths = frames_in(data / name / "input")
        truth = state_truth(data / name / "states.csv")
        yield Footage(name, "yard", "states", _small(paths), [path.stem for path in paths], [], truth)
    street = [read(path) for path in frames_in(data / "collingwood_full" / "input")]
    left, top, width, height = FRONT
    front = [shrunk(picture[top : top + height, left : left + width]) for picture in street]
    yield _footage("collingwood_front", "yard", "quiet", front)
    yield _footage("collingwood_full", "yard", "single", [shrunk(picture) for picture in street])


def _webcams(data: Path) -> Iterator[Footage]:
    for name in ("webcam_day", "webcam_nights"):
        yield _footage(name, "web", "single", _small(frames_in(data / name)), weight=2.0)


def _small_mask(mask: Mask) -> Mask:
    """Return a ground truth at the size to which ``shrunk`` brings its frame; no level between two."""
    size = shrunk(mask).shape[1::-1]
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())


def _cars(slots: Path) -> Iterator[CutOut]:
    for frame in sorted(slots.glob("*/frames/*.png")):
        mask = frame.parent.parent / "masks" / frame.name
        if mask.exists():
            yield from _cut_out(read(frame), read(mask).max(axis=2) > 0, "lot", LEAST_CAR_PX)


def _things(video: Footage) -> Iterator[CutOut]:
    every = slice(None, None, CUT_OUT_STEP)
    for frame, mask in zip(video.frames[every], video.masks[every], strict=True):
        yield from _cut_out(frame, mask == MOVING, video.group, LEAST_THING_PX)


def _cut_out(
    frame: Picture, is_thing: np.typing.NDArray[np.bool_], group: Group, least_px: int
) -> Iterator[CutOut]:
    """Yield the things of a frame that are whole: not cut off by its edge."""
    rows, columns = is_thing.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(is_thing.astype(np.uint8))
    for label in range(1, count):
        left, top, width, height, area_px = (int(number) for number in stats[label])
        if area_px < least_px or area_px < LEAST_FILL * width * height:
            continue
        if left <= 1 or top <= 1 or left + width >= columns - 1 or top + height >= rows - 1:
            continue
        box = slice(top, top + height), slice(left, left + width)
        yield CutOut(frame[box].copy(), (labels[box] == label).astype(np.float32), group)
