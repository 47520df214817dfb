"""A camera whose verdicts are known beforehand: it photographs flat grey walls."""

import json
import os
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from threading import Event, Thread
from typing import Any

import cv2
import numpy as np

from running import Site

WIDTH, HEIGHT = 160, 120
LEVELS = (30, 100, 170, 240)
"""Any two differ by more than ``classic``'s pixel threshold of 45, everywhere in the picture."""

CLASSIC = 'preset = "classic"\nmin_contour_area = "1%"\nscore_threshold = "1%"'

FOLDERS = 4
FIRST_MTIME_NS = 1_700_000_000_000_000_000
NS_PER_FRAME = 1_000_000_007
COMMENT_BYTES = (20_000, 60_000)


@dataclass(frozen=True)
class Shot:
    """One frame as it was written."""

    name: str
    level: int
    data: bytes
    mtime_ns: int


class FlatCamera:
    """Writes frames of known verdict into a site's drop folder.

    Names fall while times rise, and frames spread over folders: only the time gives the order. Every frame
    has bytes of its own. About every second one shows another scene.
    """

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._chance = random.Random(seed)
        self.shots: list[Shot] = []
        for number in range(FOLDERS):
            (site.drop / f"hour_{number}").mkdir(exist_ok=True)

    def take(self, count: int = 1, *, is_new_scene: bool | None = None) -> list[Shot]:
        """Photograph; return the new shots."""
        for _ in range(count):
            shot = self._shot(self._next_level(is_new_scene))
            put(self._site.drop / shot.name, shot.data, shot.mtime_ns)
            self.shots.append(shot)
        return self.shots[-count:]

    def expected(self) -> dict[str, bytes]:
        """Return what has to be kept, in order: every shot of another level than the last kept one."""
        kept: list[Shot] = []
        for shot in self.shots:
            if not kept or kept[-1].level != shot.level:
                kept.append(shot)
        return {shot.name: shot.data for shot in kept}

    def _next_level(self, is_new_scene: bool | None) -> int:
        last = self.shots[-1].level if self.shots else LEVELS[0]
        if is_new_scene is None:
            is_new_scene = self._chance.random() < 0.5
        return self._chance.choice([level for level in LEVELS if level != last]) if is_new_scene else last

    def _shot(self, level: int) -> Shot:
        number = len(self.shots)
        name = f"hour_{self._chance.randrange(FOLDERS)}/lot_{99_999 - number}.jpg"
        comment = self._chance.randbytes(self._chance.randint(*COMMENT_BYTES))
        return Shot(name, level, flat_jpeg(level, comment), FIRST_MTIME_NS + number * NS_PER_FRAME)


class LiveCamera:
    """A camera that photographs in a thread, with random pauses, until it is told to stop."""

    def __init__(self, camera: FlatCamera, seed: int, most_shots: int, longest_pause_s: float) -> None:
        self._camera = camera
        self._chance = random.Random(seed)
        self._most_shots, self._longest_pause_s = most_shots, longest_pause_s
        self._is_off = Event()
        self._thread = Thread(target=self._photograph)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._is_off.set()
        self._thread.join()

    def _photograph(self) -> None:
        for _ in range(self._most_shots):
            if self._is_off.wait(self._chance.uniform(0, self._longest_pause_s)):
                return
            self._camera.take()


def flat_jpeg(level: int, comment: bytes = b"") -> bytes:
    """Encode a picture of one grey level, with a comment segment that makes its bytes its own."""
    _, encoded = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH), level, np.uint8))
    data = encoded.tobytes()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


def put(path: Path, data: bytes, mtime_ns: int) -> None:
    """Write a file with a time, and give it its name when it is whole."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.utime(part, ns=(mtime_ns, mtime_ns))
    part.rename(path)


def configure(site: Site, *, min_free: str = "0B", drop: str = "", rest: str = "") -> None:
    """Write a config by which the verdicts are certain, with the folders that the site has now."""
    site.config.write_text(
        f"version = 1\n[drop]\nfolder = {_toml(site.drop)}\nsettle_s = 0.4\n{drop}\n"
        f'[results]\nfolder = {_toml(site.results)}\nmin_free = "{min_free}"\n'
        f"[state]\nfolder = {_toml(site.state)}\n[detection]\n{CLASSIC}\n{rest}\n",
        "utf-8",
    )


@dataclass(frozen=True)
class Row:
    """One row of the ledger."""

    name: str
    verdict: str
    result: str | None


def ledger_rows(site: Site) -> list[Row]:
    """Return the ledger's rows in their order; it has to be sound. One that was not made yet has none."""
    path = site.state / "ledger.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'frame'").fetchall():
            return []
        rows = db.execute("SELECT name, verdict, result FROM frame ORDER BY id").fetchall()
    return [Row(os.fsdecode(n), verdict, None if r is None else os.fsdecode(r)) for n, verdict, r in rows]


def visible(folder: Path) -> dict[str, bytes]:
    """Return the bytes of what a reader of a results folder sees: all but dot-files, by relative name."""
    return {name: data for name, data in everything(folder).items() if not _is_hidden(name)}


def everything(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, also the hidden ones."""
    return {os.fspath(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def check_end(site: Site, camera: FlatCamera, *, hint: str = "") -> None:
    """Compare what a daemon left, once it has stopped, with what had to be kept: set, order and bytes."""
    expected, found, rows = camera.expected(), everything(site.results), ledger_rows(site)
    _same([row.name for row in rows], [shot.name for shot in camera.shots], f"decisions; {hint}")
    kept = [(row.name, row.result) for row in rows if row.verdict == "kept"]
    _same(kept, [(name, name) for name in expected], f"kept rows; {hint}")
    _same(sorted(found), sorted(expected), f"results; {hint}")
    assert found == expected, f"wrong bytes; {hint}"


def _same(found: list[Any], expected: list[Any], what: str) -> None:
    differences = [
        f"{number}: {a} instead of {b}"
        for number, (a, b) in enumerate(zip_longest(found, expected), 1)
        if a != b
    ]
    assert not differences, f"{what}: {differences}"


def _is_hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _toml(path: Path) -> str:
    return json.dumps(os.fspath(path))
