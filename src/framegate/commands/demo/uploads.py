"""The ways in which cameras and FTP or SMB servers put a file into a folder."""

import os
import time
from collections.abc import Callable
from pathlib import Path

Upload = Callable[[Path, bytes], None]
"""Writes bytes to a path in one of these ways."""

PIECES = 6
PAUSE_S = 0.03


def write_at_once(path: Path, data: bytes) -> None:
    """Create, write, close; as ``cp`` or a local program."""
    path.write_bytes(data)


def write_slowly(path: Path, data: bytes) -> None:
    """Create and write in pieces; as an FTP server over a slow line."""
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(data), len(data) // PIECES + 1):
            file.write(data[start : start + len(data) // PIECES + 1])
            time.sleep(PAUSE_S)


def write_part_and_rename(path: Path, data: bytes) -> None:
    """Write under another name, then rename; as rsync and well-behaved cameras."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.rename(path)


def move_in(path: Path, data: bytes) -> None:
    """Write in another folder, then rename into this one; as from a spool folder."""
    spool = path.parent.parent / "spool"
    spool.mkdir(exist_ok=True)
    (spool / path.name).write_bytes(data)
    (spool / path.name).rename(path)


def die_half_way_and_repeat(path: Path, data: bytes) -> None:
    """Lose the connection in the middle, and send the file again."""
    path.write_bytes(data[: len(data) // 2])
    time.sleep(PAUSE_S)
    write_slowly(path, data)


def die_half_way(path: Path, data: bytes) -> None:
    """Lose the connection in the middle, for good."""
    path.write_bytes(data[: len(data) // 2])


def link_in(path: Path, data: bytes) -> None:
    """Write elsewhere and hard-link the file in."""
    spool = path.parent.parent / "spool"
    spool.mkdir(exist_ok=True)
    (spool / path.name).write_bytes(data)
    os.link(spool / path.name, path)


def size_first(path: Path, data: bytes) -> None:
    """Set the size first and write the content later; as some SMB clients."""
    with path.open("wb", buffering=0) as file:
        file.truncate(len(data))
        time.sleep(PAUSE_S)
        file.write(data)
