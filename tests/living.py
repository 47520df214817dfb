"""Days of two cameras, with all that makes days unlike each other: a daemon lives them, a replay again."""

import random
from pathlib import Path

from framegate.commands.demo.scene import Lot

NAMES = "camera_pattern = '^(?P<camera>c\\d)'\ncapture_time = ['%Y-%m-%d_%H_%M_%S']\nsettle_s = 0.1"


class Day:
    """Two cameras over a parking lot, one frame a minute: of two sizes, some repeated, cut or empty."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lots = [Lot(width=240, height=136, seed=seed), Lot(width=136, height=240, seed=seed)]
        self._minute = 0
        self._last = b""

    def upload(self, drop: Path, frames: int) -> None:
        for _ in range(frames):
            self._minute += 1
            hour, minute = divmod(self._minute, 60)
            name = f"c{self._random.randrange(2)}_2026-11-26_{hour:02}_{minute:02}_00.jpg"
            (drop / name).write_bytes(self._next())

    def _next(self) -> bytes:
        lot = self._lots[self._random.random() < 0.15]
        if self._random.random() < 0.3:
            lot.parked = {self._random.randrange(6): self._random.randrange(5)}
        lot.light = 0.5 if self._random.random() < 0.05 else 1.0
        luck = self._random.random()
        if luck < 0.06:
            return b""
        data = self._last if luck < 0.15 and self._last else lot.jpeg()
        self._last = data
        return data[: len(data) // 2] if luck > 0.95 else data
