"""The programs that look through the same frames: framegate, the floor below it, and what others use."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.rivals import MPDECIMATE
from benchmarks.speed.frames import FrameSet
from framegate import DetectionSettings, decode
from framegate.model import Picture

HERE = Path(__file__).parent
MIN_AREA_SHARE, THRESHOLD_SHARE = 0.0005, 0.005
"""Of the picture: what ``classic`` and the one-shot program are told to count, and to keep."""

ONE_SHOT_PX = 640 * 480

ADAPTIVE, CLASSIC, ONE_SHOT = "framegate scan, adaptive", "framegate scan, classic", "one-shot program"

Command = list[str]


@dataclass(frozen=True)
class Program:
    """A program that looks through the frames of a folder.

    Attributes:
        name: in the table.
        command: how to start it over a folder of frames.
        kept: reads from what it printed how many frames it kept; None where it does not say.
        floor: the name of the decode loop below it; nothing where there is none.
    """

    name: str
    command: Callable[[Path], Command]
    kept: Callable[[str], int | None]
    floor: str = ""


def framegate_command(frames: Path, home: Path, *positional: float, config: str = "") -> Command:
    """Return the command that scans a folder into a new one below ``home``.

    Args:
        frames: the folder.
        home: for the config and the results.
        positional: least contour area and score threshold of ``classic``, in pixels; none for ``adaptive``.
        config: more lines of it.
    """
    out = mkdtemp(prefix="scan-", dir=home)
    file = Path(out, "config.toml")
    file.write_text(f"version = 1\n{config}", "utf-8")
    folders = [str(frames), str(Path(out, "results"))]
    numbers = [f"{number:.0f}" for number in positional]
    return [sys.executable, "-m", "framegate", "scan", *folders, *numbers, "--config", str(file), "--json"]


def programs(frames: FrameSet, home: Path, skipped: Callable[[str], None]) -> Iterator[Program]:
    """Yield the programs that are installed.

    Args:
        frames: what they will look through.
        home: a folder for what they write.
        skipped: called with a sentence for each that is not installed.
    """
    size = frames.size
    reduction = reduction_of(frames)
    loops = {name: f"decode loop, {name}" for name in dict.fromkeys((reduction, "gray"))}
    loops[reduction] = "decode loop, colour" + ("" if reduction == "1" else f" at 1/{reduction}")
    for how, name in loops.items():
        yield Program(name, _python("decode_loop.py", how), _last_number)
    areas = (MIN_AREA_SHARE * size.width * size.height, THRESHOLD_SHARE * size.width * size.height)
    yield Program(ADAPTIVE, lambda folder: framegate_command(folder, home), kept_in_json, loops[reduction])
    yield Program(
        CLASSIC, lambda folder: framegate_command(folder, home, *areas), kept_in_json, loops["gray"]
    )
    shares = (MIN_AREA_SHARE, THRESHOLD_SHARE)
    yield Program(
        ONE_SHOT, _python("one_shot.py", *(f"{share * ONE_SHOT_PX}" for share in shares)), _last_number
    )
    yield from _others(frames, skipped)


def reduction_of(frames: FrameSet) -> str:
    """Return at which reduction framegate decodes these frames for ``adaptive``."""
    found = decode(frames.frames[0].read_bytes(), DetectionSettings.preset("adaptive"))
    assert isinstance(found, Picture), found
    return str(round(found.size[0] / found.pixels.shape[1]))


def kept_in_json(output: str) -> int | None:
    """Return how many frames a scan has kept, by what it printed."""
    return int(json.loads(output.splitlines()[-1])["kept"])


def _others(frames: FrameSet, skipped: Callable[[str], None]) -> Iterator[Program]:
    if shutil.which("ffmpeg"):
        yield Program("ffmpeg mpdecimate", _mpdecimate, _last_frame_number)
    else:
        skipped("ffmpeg mpdecimate: skipped, ffmpeg is not installed")
    if importlib.util.find_spec("imagehash"):
        for how, words in (("documented", "as documented"), ("draft", "decoded small")):
            yield Program(f"ImageHash phash, {words}", _python("phash.py", how), _last_number)
    else:
        skipped("ImageHash phash: skipped, imagehash is not installed")
    if shutil.which("dvr-scan") and shutil.which("ffmpeg"):
        films = {folder: _film(folder) for folder in (frames.folder, frames.first)}
        for model in ("CNT", "MOG2"):
            yield Program(f"DVR-Scan {model}", _dvr_scan(films, model), lambda _output: None)
    else:
        skipped("DVR-Scan: skipped, it needs dvr-scan and ffmpeg")


def _python(script: str, *arguments: str) -> Callable[[Path], Command]:
    return lambda folder: [sys.executable, str(HERE / script), str(folder), *arguments]


def _images(folder: Path) -> Command:
    pattern = str(folder / "*.jpg")
    return ["ffmpeg", "-hide_banner", "-nostdin", "-framerate", "1", "-pattern_type", "glob", "-i", pattern]


def _mpdecimate(folder: Path) -> Command:
    return [*_images(folder), "-vf", MPDECIMATE["mpdecimate"], "-f", "null", "-"]


def _film(folder: Path) -> Path:
    """Return the frames as a film, for a program that reads nothing else: the same JPEGs, one by one."""
    film = folder.with_suffix(".avi")
    if not film.exists():
        subprocess.run([*_images(folder), "-c", "copy", str(film)], check=True, capture_output=True)
    return film


def _dvr_scan(films: dict[Path, Path], model: str) -> Callable[[Path], Command]:
    return lambda folder: ["dvr-scan", "-i", str(films[folder]), "-so", "-b", model, "-q"]


def _last_number(output: str) -> int | None:
    return int(output.rsplit(maxsplit=1)[-1])


def _last_frame_number(output: str) -> int | None:
    found = re.findall(r"frame=\s*(\d+)", output)
    return int(found[-1]) if found else None
