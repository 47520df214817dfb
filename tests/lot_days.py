"""Drawn mornings of three cameras, for the tools that choose thresholds: quiet, cars, somebody, dusk."""

from dataclasses import dataclass
from pathlib import Path

from framegate.commands.demo.scene import Lot
from framegate.config.load import Config, load

CAMERAS = ("c1", "c2", "c3")
EVERY_MIN = 5

CONFIG = """\
version = 1
[drop]
folder = "{drop}"
camera_pattern = '^(?P<camera>c\\d)/'
capture_time = "%Y%m%d_%H%M%S"
[results]
folder = "{home}/results"
[camera.c1.detection]
keep_every = "1h"
[camera.c2.detection]
preset = "classic"
score_threshold = "2000px"
min_contour_area = "0.05%"
[camera.c3.detection]
score_threshold = "2x"
max_kept_per_hour = 3
[[camera.c3.detection.zone]]
name = "gate"
polygon = [[0.0, 0.7], [1.0, 0.7], [1.0, 1.0], [0.0, 1.0]]
score_threshold = "1.5x"
"""


@dataclass(frozen=True)
class LotDays:
    """A folder with frames, and its config."""

    home: Path

    @property
    def drop(self) -> Path:
        return self.home / "drop"

    @property
    def config_file(self) -> Path:
        return self.home / "north.toml"

    @property
    def config(self) -> Config:
        return load(self.config_file)


def drawn(home: Path, *, frames: int = 20, width: int = 480) -> LotDays:
    """Draw some frames of each camera, on two days; one is torn off, one has another size."""
    days = LotDays(home)
    days.drop.mkdir(parents=True)
    days.config_file.write_text(CONFIG.format(drop=days.drop, home=home), "utf-8")
    for camera in CAMERAS:
        folder = days.drop / camera
        folder.mkdir()
        lot = Lot(width=width, height=width * 9 // 16, seed=ord(camera[1]))
        for number in range(frames):
            _act(lot, number)
            data = lot.jpeg()
            if camera == "c3" and number == frames - 3:
                data = Lot(width=320, height=240).jpeg()
            if camera == "c1" and number == frames - 3:
                data = data[:-2000]
            (folder / f"{_name(number, frames)}.jpg").write_bytes(data)
    return days


def _act(lot: Lot, number: int) -> None:
    if number % 5 == 2:
        lot.parked[number % 6] = number % 6
    if number % 5 == 4:
        lot.parked.pop((number + 1) % 6, None)
    lot.pedestrian = 0.1 * (number % 9) if number % 4 == 1 else None
    lot.light = 1.0 - 0.02 * (number % 7)


def _name(number: int, frames: int) -> str:
    """Return a name with the local time; the second half of the frames is of the next day."""
    hours, minutes = divmod(EVERY_MIN * number, 60)
    return f"202611{1 + (number >= frames // 2):02}_{7 + hours:02}{minutes:02}00"
