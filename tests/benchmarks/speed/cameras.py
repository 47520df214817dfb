"""What a frame costs when many cameras upload into one folder, in turn."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.speed.frames import CHANGES_EVERY, SIZES, Size, drawn, lay, with_comment
from benchmarks.speed.options import Options
from benchmarks.speed.processes import Used, used_by
from benchmarks.speed.programs import framegate_command, kept_in_json
from benchmarks.speed.rounds import Runs, rate, ratio, rounds_of
from benchmarks.speed.tables import Table

HEAD = ("cameras", "frames/s", "CPU ms a frame", "of one camera's CPU", "kept", "most MB")
CAMERAS, CAMERAS_QUICK = (1, 64, 250, 1000), (1, 64, 250)
FRAMES, FRAMES_QUICK = 8000, 2000
"""Of all cameras together, the same for any number of them."""

FIRST_SHARE = 2
"""The first half is subtracted from all. It has whole changes of each of 1,000 cameras, as the second has."""

CAMERA_CHANGES_EVERY = 4
"""Frames of each camera: with few frames each, the kept first ones must not be more than with many."""

MOST_ROUNDS = 3

CAMERA_PATTERN = "[drop]\ncamera_pattern = '^(?P<camera>c[0-9]+)'\n"


@dataclass(frozen=True)
class _Folder:
    """A folder into which cameras have uploaded in turn."""

    cameras: int
    frames: Path
    first: Path


def cameras(options: Options) -> Iterator[Table]:
    """Yield a table of what a frame costs with more and more cameras in one folder, in turn."""
    size = SIZES[0]
    count = FRAMES_QUICK if options.quick else FRAMES
    pictures = _pictures(size, options)
    with TemporaryDirectory(prefix="framegate-speed-", dir=options.cache) as home:
        folders = []
        for number in CAMERAS_QUICK if options.quick else CAMERAS:
            options.say(f"laying out {count} frames of {number} cameras")
            folders.append(_laid_out(Path(home), number, count, pictures))
        contenders: dict[str, Callable[[], Used]] = {}
        for folder in folders:
            for frames in (folder.first, folder.frames):
                contenders[f"{folder.cameras}, {frames.name}"] = partial(_scanned, frames, Path(home))
        used = rounds_of(contenders, min(options.rounds, MOST_ROUNDS), options.say)
    runs = {
        folder.cameras: Runs(
            count,
            count // FIRST_SHARE,
            tuple(used[f"{folder.cameras}, frames"]),
            tuple(used[f"{folder.cameras}, first"]),
            kept_in_json(used[f"{folder.cameras}, frames"][0].output),
        )
        for folder in folders
    }
    one = runs[1].cpu_s(started=True)
    yield Table(
        "cameras",
        f"Scan of {count:,} frames of {size.name} from many cameras in turn, adaptive, without start-up",
        HEAD,
        tuple(
            (
                number,
                rate(its.wall_s(started=True)),
                1000 * statistics.median(its.cpu_s(started=True)),
                ratio(its.cpu_s(started=True), one),
                its.kept,
                its.peak_bytes / 1e6,
            )
            for number, its in runs.items()
        ),
        ("One frame in four changes, of each camera the first is one of them.",),
    )


def _pictures(size: Size, options: Options) -> list[bytes]:
    frames = drawn(size, size.frames_quick if options.quick else size.frames, options.cache, options.say)
    return [frame.read_bytes() for frame in frames.frames]


def _laid_out(home: Path, cameras: int, count: int, pictures: list[bytes]) -> _Folder:
    """Lay frames out as cameras in turn would upload them; each file has bytes of its own."""
    folder = _Folder(cameras, home / f"{cameras}" / "frames", home / f"{cameras}" / "first")
    for path in (folder.frames, folder.first):
        path.mkdir(parents=True)
    states = len(pictures) // CHANGES_EVERY
    for number in range(count):
        of_camera = number // cameras
        picture = of_camera // CAMERA_CHANGES_EVERY % states * CHANGES_EVERY + of_camera % CHANGES_EVERY
        data = with_comment(pictures[picture], f"frame {number}")
        name = f"c{number % cameras:04d}_{of_camera:06d}.jpg"
        lay(folder.frames, number, data, name)
        if number < count // FIRST_SHARE:
            lay(folder.first, number, data, name)
    return folder


def _scanned(frames: Path, home: Path) -> Used:
    return used_by(framegate_command(frames, home, config=CAMERA_PATTERN))
