"""Drawn archives of several cameras and months, with what goes wrong in them, and how they are scanned."""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forked import framegate
from framegate.commands.demo.scene import Lot
from framegate.config.load import Config, load
from running import contents

CONFIG = """\
version = 1
[drop]
folder = "{drop}"
camera_pattern = '^(?P<camera>c\\d)'
[results]
folder = "{home}/results"
min_free = "1MB"
layout = "{{captured:%Y}}/{{camera}}/{{path}}"
[camera.c1.detection]
keep_every = "2d"
[camera.c2.detection]
preset = "classic"
score_threshold = "2000px"
min_contour_area = "0.05%"
[camera.c3.detection]
score_threshold = "2x"
max_kept_per_hour = 3
[[schedule]]
name = "night"
hours = "10:00-08:50"
[schedule.detection]
keep_every = "30m"
"""
YEAR_1601_S, YEAR_2200_S = -11_644_473_600, 7_258_118_400


@dataclass(frozen=True)
class Scanned:
    """What a scan has made: the table, the results, and what it printed."""

    table: bytes
    results: dict[str, bytes]
    printed: dict[str, Any]


@dataclass(frozen=True)
class DrawnArchive:
    """A folder with frames, and its config."""

    home: Path
    drop: Path = field(init=False)
    config_file: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", self.home / "drop")
        object.__setattr__(self, "config_file", self.home / "north.toml")

    @property
    def config(self) -> Config:
        return load(self.config_file)

    def add(self, name: str, data: bytes, taken_s: float) -> None:
        """Put a frame into the archive."""
        file = self.drop / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, ns=(round(taken_s * 1e9),) * 2)

    def arguments(self, to: str, *more: object) -> tuple[object, ...]:
        """Return the command that scans it, into a folder and a table of that name."""
        outputs = self.home / to, "-c", self.config_file, "--stats", self.home / f"{to}.csv"
        return "scan", self.drop, *outputs, "--json", *more

    def scanned(self, to: str, *more: object) -> Scanned:
        """Return what a scan makes of it."""
        done = framegate(*self.arguments(to, *more), timeout_s=120)
        assert done.returncode == 0, done.stderr
        return self.outcome(to, done.stdout)

    def outcome(self, to: str, printed: str) -> Scanned:
        """Return what a scan that has printed this has made."""
        document = json.loads(printed)
        del document["seconds"]
        return Scanned((self.home / f"{to}.csv").read_bytes(), contents(self.home / to), document)


def at(month: int, day: int, hour: float = 0) -> float:
    """Return a time of the year 2026, UTC, in seconds since the epoch."""
    return datetime(2026, month, day, tzinfo=UTC).timestamp() + 3600 * hour


def drawn_archive(home: Path, *, a_month: int = 8, width: int = 320) -> DrawnArchive:
    """Draw two months of three cameras, around the turn of the month.

    c1's names are in another order than its times. c2 has another picture size from the second month on, a
    torn frame, and repeats bytes. c3 has clocks that lie, and files that are no pictures.
    """
    archive = DrawnArchive(home)
    archive.drop.mkdir(parents=True)
    archive.config_file.write_text(CONFIG.format(drop=archive.drop, home=home), "utf-8")
    for camera in ("c1", "c2", "c3"):
        lot = Lot(width=width, height=width * 9 // 16, seed=ord(camera[1]))
        for number in range(2 * a_month):
            _act(lot, number)
            month, hour = 3 + number // a_month, 8 + 0.4 * (number % a_month)
            taken_s = at(month, 31 if month == 3 else 1, hour)
            if camera == "c1":
                name = f"c1_{7 * number % (2 * a_month):03}.jpg"
            else:
                name = f"{camera}/{number:03}.jpg"
            archive.add(name, lot.jpeg(), taken_s)
        if camera == "c2":
            larger = Lot(width=width + 64, height=width * 9 // 16 + 36, seed=7)
            for number in range(4):
                _act(larger, number)
                archive.add(f"c2/large_{number}.jpg", larger.jpeg(), at(4, 1, 8.1 + 0.2 * number))
            data = (archive.drop / "c2/003.jpg").read_bytes()
            archive.add("c2/again.jpg", data, at(3, 31, 8 + 0.4 * 3 + 0.1))
            archive.add("c2/torn.jpg", data[:-1500], at(4, 1, 8.3))
    lies = Lot(width=width, height=width * 9 // 16, seed=ord("3"))
    archive.add("c3/lies_1601.jpg", lies.jpeg(), YEAR_1601_S)
    archive.add("c3/lies_2200.jpg", lies.jpeg(), YEAR_2200_S)
    archive.add("c3/empty.jpg", b"", at(4, 1, 9.9))
    archive.add("c3/text.jpg", b"no picture", at(3, 31, 8.9))
    archive.add("c4/only_text.jpg", b"no picture either", at(4, 2))
    return archive


def _act(lot: Lot, number: int) -> None:
    if number % 5 == 2:
        lot.parked[number % 6] = number % 6
    if number % 5 == 4:
        lot.parked.pop((number + 1) % 6, None)
    lot.pedestrian = 0.1 * (number % 9) if number % 4 == 1 else None
    lot.light = 1.0 - 0.02 * (number % 7)
