"""Frames of several cameras to replay, and what scans and replays decide about them."""

import os
from pathlib import Path
from typing import Any

from framegate.commands.demo.scene import Lot
from framegate.commands.scanning import scan
from framegate.config.load import parse
from framegate.config.settings import Settings
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.ingest.sweeping import candidates_of
from framegate.tune.differences import judged
from framegate.tune.footage.folder import folder_frames
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import Line, Outcome, Replay

START_S = 1_700_000_000
CAMERAS = 3

Decided = dict[str, tuple[Any, ...]]
"""Reason, score, threshold, unit, zone, reference and detail, by the frame's name."""


def draw_frames(folder: Path, count: int = 24) -> None:
    """Write what three cameras send, two of them in sizes of their own, one in two sizes by turns.

    Cars come and go, somebody walks, dusk falls; there are repeated frames, and some that are empty or cut.
    """
    folder.mkdir(exist_ok=True)
    lots = [
        Lot(width=320, height=180),
        Lot(width=240, height=136, seed=8),
        Lot(width=320, height=180, seed=9),
    ]
    small = Lot(width=240, height=136, seed=9)
    for number in range(count):
        for camera, lot in enumerate(lots):
            source = small if camera == 2 and number % 6 > 3 else lot
            hour = number + 2 * camera
            source.parked = (
                {1: 0, 4: 1} | ({2: 5} if 10 <= hour < 16 else {}) | ({0: 3} if hour == 22 else {})
            )
            source.pedestrian = 0.15 * (hour % 5) + 0.2 if hour in {3, 12, 13, 19} else None
            source.light = 0.8 if hour > 24 else 1.0
            data = source.jpeg()
            if number % 7 == 5:
                data = (folder / name_of(camera, number - 1)).read_bytes()
            if (camera, number) in {(0, 3), (1, 9)}:
                data = data[:900]
            if (camera, number) == (1, 4):
                data = b""
            file = folder / name_of(camera, number)
            file.write_bytes(data)
            os.utime(file, (START_S + 40 * number + 7 * camera,) * 2)


def name_of(camera: int, number: int) -> str:
    return f"c{camera}_{number:04d}.jpg"


def settings_for(folder: Path, lines: str = "", drop: str = "") -> Settings:
    """Return settings for a folder whose names begin with the camera; ``lines`` is TOML of detection."""
    text = f"version = 1\n[drop]\ncamera_pattern = '^(?P<camera>c[0-9])'\n{drop}\n[detection]\n{lines}\n"
    flags = {"drop.folder": folder, "results.folder": Path("/nowhere")}
    return parse(folder / "lot.toml", text.encode(), flags).settings


def scanned(settings: Settings) -> Decided:
    """Return what a scan decides."""
    found: Decided = {}

    def note(event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            e = event.entry
            numbers = (e.score, e.threshold, None if e.score is None else e.unit)
            found[e.key.name] = (str(e.reason), *numbers, e.zone, e.reference, e.detail)

    scan(settings, candidates_of(settings), note, dry_run=True)
    return found


def replayed(*settings: Settings, cache: Path | None = None) -> list[Decided]:
    """Return what a replay decides, by each of several settings for one folder."""
    store = FactStore(cache)
    lines = [Line(str(number), each) for number, each in enumerate(settings)]
    result = replay(folder_frames(settings[0]), lines, store=store)
    store.close()
    return [decided(result, outcome) for outcome in result.outcomes]


def decided(result: Replay, outcome: Outcome) -> Decided:
    """Return what one line of a replay has decided."""
    found: Decided = {}
    for number, frame in enumerate(result.frames):
        each = judged(result, outcome, number)
        unit = None if each.score is None else each.unit
        detail = outcome.details.get(number, "")
        found[frame.name] = (
            str(each.reason), each.score, each.threshold, unit, each.zone, each.reference, detail,
        )  # fmt: skip
    return found


def kept(of: Decided) -> set[str]:
    return {name for name, (reason, *_) in of.items() if _is_kept(reason)}


def _is_kept(reason: str) -> bool:
    from framegate.model import Reason

    return Reason(reason).is_kept
