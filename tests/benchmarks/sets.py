"""The footage as sets of frames with truth: each a folder in a cache, in the order of capture."""

import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from benchmarks.planting import Picture, cars_of, plant, schedule, shrunk
from benchmarks.truth import Truth, always, mask_truth, state_truth

EDITION = "2"
"""Of what is made in the cache; another one is made afresh beside it."""

EMPTY_FOLDERS = ("lot_empty", "lot_empty_days", "lot_empty_more")

LEAST_FRAMES = 10
"""A day with fewer frames is not planted."""

DRAWS = 2
"""Each day is planted so often, with other cars at other times."""

WINDOWS = {"two": (500, 540, 300, 180), "verge": (200, 322, 200, 150)}
"""Of lot_busy: left, top, width and height in pixels."""

FRONT = (1170, 60, 740, 530)
"""The window of collingwood_full in which nothing moves."""

GROUPS = {
    "sbi_HighwayI": "light", "sbi_Toscana": "light", "wallflower_trees": "leaves", "arena_tarp": "leaves",
    "highway": "leaves", "office": "rooms", "sbi_HallAndMonitor": "rooms", "arena_yard": "rooms",
}  # fmt: skip

SHAKEN = ("office", "highway")

SHAKE_PX, SHAKE_ROWS = 1.0, 180
"""A shaken frame is off by up to so many pixels of so many rows, each way."""

SHAKE_EDGE_PX = 2
"""Cut off on each side of a shaken frame, where the shift leaves nothing to show."""

CLOCKS = (
    (re.compile(r"(?<!\d)\d{10}(?!\d)"), None),
    (re.compile(r"\d{4}-\d\d-\d\d_\d\d_\d\d_\d\d"), "%Y-%m-%d_%H_%M_%S"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d_\d\d_\d\d"), "%Y-%m-%dT%H_%M_%S"),
    (re.compile(r"(?<!\d)\d{12}(?!\d)"), "%Y%m%d%H%M"),
)
"""How names say when a frame was taken; None is the epoch's second."""

VIDEO_STEP_S = 10
"""Between frames whose names do not say when they were taken."""

VIDEO_START = datetime(2024, 6, 1, 12, tzinfo=UTC)

JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]

Draw = Callable[[Path], Picture]


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Frames of one camera, in order.

    Attributes:
        name: its own.
        row: of the table, which several sets may share.
        group: ``planted``, ``light``, ``lots``, ``leaves``, ``shake``, ``rooms``, or nothing.
        frames: paths, all in one folder, whose modification times are the capture times.
        truth: of two of their names.
    """

    name: str
    row: str
    group: str
    frames: list[Path]
    truth: Truth

    @property
    def folder(self) -> Path:
        """The folder that holds the frames and nothing else."""
        return self.frames[0].parent

    def changed(self, reference: str, name: str) -> bool | None:
        """Return whether something changed from one frame to another; None when that is not judged."""
        return self.truth(reference, name)


def all_sets(data: Path, cache: Path) -> Iterator[FrameSet]:
    """Yield every set, making its folder in the cache when it is not there yet.

    Args:
        data: the folder with the footage, as its README says.
        cache: a folder of any content.

    Raises:
        FileNotFoundError: the footage is not there, or not whole.
    """
    kitchen = Cache(cache / f"edition-{EDITION}")
    yield from _lot_sets(data, kitchen)
    yield from _planted_sets(data, kitchen)
    for name, group in GROUPS.items():
        folder = data / name
        masks = folder / "groundtruth"
        truth = mask_truth(masks) if masks.exists() else state_truth(folder / "states.csv")
        yield FrameSet(name, name, group, kitchen.copies(name, frames_in(folder / "input")), truth)
    for name in SHAKEN:
        frames = kitchen.copies(f"shaken_{name}", frames_in(data / name / "input"), _shaking(name), ".jpg")
        yield FrameSet(
            f"shaken_{name}", f"shaken_{name}", "shake", frames, mask_truth(data / name / "groundtruth")
        )
    street = frames_in(data / "collingwood_full" / "input")
    front = kitchen.copies("collingwood_front", street, _window(FRONT), ".png")
    yield FrameSet(
        "collingwood_front",
        "collingwood_front",
        "",
        front,
        state_truth(data / "collingwood_front" / "states.csv"),
    )
    for name in ("webcam_day", "webcam_nights"):
        yield FrameSet(name, name, "", kitchen.copies(name, frames_in(data / name)), always(changed=None))


def captured_at_s(name: str, number: int) -> float:
    """Return the epoch's second at which a frame was taken, by its name or else by its number."""
    for pattern, clock in CLOCKS:
        if found := pattern.search(name):
            if clock is None:
                return int(found[0])
            return datetime.strptime(found[0], clock).replace(tzinfo=UTC).timestamp()
    return VIDEO_START.timestamp() + VIDEO_STEP_S * number


def _lot_sets(data: Path, kitchen: "Cache") -> Iterator[FrameSet]:
    busy = frames_in(data / "lot_busy" / "input")
    yield FrameSet("lot_busy", "lot", "lots", kitchen.copies("lot_busy", busy), always(changed=True))
    unchanged = always(changed=False)
    empty = kitchen.copies("lot_empty", frames_in(data / "lot_empty"))
    yield FrameSet("lot_empty", "lot", "light", empty, unchanged)
    for day, frames in empty_days(data, ("lot_empty_days",)).items():
        name = f"lot_empty_{day}"
        yield FrameSet(name, "lot", "light", kitchen.copies(name, frames), unchanged)
    for name, window in WINDOWS.items():
        frames = kitchen.copies(f"lot_{name}", busy, _window(window), ".png")
        yield FrameSet(f"lot_{name}", name, "lots", frames, state_truth(data / "lot_busy" / f"{name}.csv"))


def _planted_sets(data: Path, kitchen: "Cache") -> Iterator[FrameSet]:
    cars = cars_of(data / "lot_slots")
    for day, frames in empty_days(data, EMPTY_FOLDERS).items():
        if len(frames) < LEAST_FRAMES:
            continue
        for draw in range(DRAWS):
            name = f"planted_{day}_{draw}"
            times = schedule(cars, len(frames), zlib.crc32(name.encode()))
            standing = {frame.stem: numbers for frame, numbers in zip(frames, times, strict=True)}

            def planted(frame: Path, standing: dict[str, list[int]] = standing) -> Picture:
                hour = captured_at_s(frame.name, 0) / 3600 % 24
                return plant(shrunk(read(frame)), [cars[k] for k in standing[frame.stem]], hour)

            def truth(reference: str, frame: str, standing: dict[str, list[int]] = standing) -> bool:
                return standing[Path(reference).stem] != standing[Path(frame).stem]

            copies = kitchen.copies(name, frames, planted, ".jpg")
            yield FrameSet(name, f"planted_{day}", "planted", copies, truth)


def empty_days(data: Path, folders: tuple[str, ...]) -> dict[str, list[Path]]:
    """Return the frames of empty days by day, in order, without the torn ones."""
    torn = {frame.stem[:16] for frame in frames_in(data / "lot_torn")}
    found = {frame.name: frame for folder in reversed(folders) for frame in frames_in(data / folder)}
    days: dict[str, list[Path]] = {}
    for name in sorted(found):
        if name[:16] not in torn:
            days.setdefault(name[:10], []).append(found[name])
    return days


def frames_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, in the order of their names.

    Raises:
        FileNotFoundError: there are none.
    """
    frames = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    if not frames:
        raise FileNotFoundError(folder)
    return frames


def read(path: Path) -> Picture:
    """Return a picture in BGR, uint8, (height, width, 3).

    Raises:
        FileNotFoundError: it is not there, or no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(path)
    return picture.astype(np.uint8)


def _window(box: tuple[int, int, int, int]) -> Draw:
    left, top, width, height = box
    return lambda frame: read(frame)[top : top + height, left : left + width]


def _shaking(name: str) -> Draw:
    """Return how a frame looks from a mast that shakes; its truth stays what it was."""

    def shaken(frame: Path) -> Picture:
        picture = read(frame)
        rows, columns = picture.shape[:2]
        rng = np.random.default_rng(zlib.crc32(f"{name}/{frame.stem}".encode()))
        right, down = rng.uniform(-SHAKE_PX, SHAKE_PX, 2) * rows / SHAKE_ROWS
        shift = np.array([[1, 0, right], [0, 1, down]], np.float32)
        moved = cv2.warpAffine(picture, shift, (columns, rows), flags=cv2.INTER_CUBIC)
        inside = slice(SHAKE_EDGE_PX, -SHAKE_EDGE_PX)
        return moved[inside, inside].astype(np.uint8)

    return shaken


class Cache:
    """Folders of frames that are made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copies(self, name: str, frames: list[Path], draw: Draw | None = None, suffix: str = "") -> list[Path]:
        """Return copies of frames, or what is drawn of each, with the times at which they were taken.

        Args:
            name: of the folder.
            frames: the originals, in order.
            draw: how to make a picture of an original; without it the file is copied.
            suffix: of what is drawn.
        """
        folder = self._folder / name
        if not folder.exists():
            partial = folder.with_name(f".{name}.{os.getpid()}")
            partial.mkdir(parents=True)
            for number, frame in enumerate(frames):
                copy = partial / (frame.stem + (suffix or frame.suffix))
                if draw is None:
                    shutil.copyfile(frame, copy)
                else:
                    cv2.imwrite(str(copy), draw(frame), JPEG if suffix == ".jpg" else [])
                moment_s = captured_at_s(frame.name, number)
                os.utime(copy, (moment_s, moment_s))
            partial.rename(folder)
        return [folder / (frame.stem + (suffix or frame.suffix)) for frame in frames]
