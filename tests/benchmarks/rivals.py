"""What others use to find stills that differ, each with thresholds that are usual for it.

Perceptual hash and SSIM compare with the last kept frame, as framegate does. The background models (MOG2,
SuBSENSE, PAWCS) learn from every frame and are made for video; the share of the picture that they call
foreground is their score. mpdecimate compares with the last frame that it let pass, and gives no score.
"""

import importlib
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.figures import Filter, Judged
from benchmarks.planting import ROWS, Picture, shrunk
from benchmarks.sets import FrameSet

HASH_BITS = {64: 10, 256: 12}
"""Bits of a perceptual hash, and the most by which alike pictures differ: the usual, and a keener one."""

SSIM_LOSSES = (0.03, 0.1)

FOREGROUND_PERCENTS = (0.5, 2.0)

PYBGS_ROWS = 240
"""The size for which these models were made; at 360 rows a frame takes half a second."""

FOREGROUND = 255
"""The level of a foreground mask; MOG2 marks shadows by 127."""

MPDECIMATE = {"mpdecimate": "mpdecimate", "mpdecimate fine": "mpdecimate=hi=6400:lo=3200:frac=0.005"}
"""ffmpeg's defaults, and values for stills: a few blocks suffice, but each must differ by more."""

PASSED = re.compile(r"showinfo.*\bpts_time:(\d+)")


STANDARD = (1, 2)
"""Descriptors of standard output and standard error."""


class RivalError(Exception):
    """A rival could not judge a set."""


def rivals(skipped: Callable[[str], None]) -> Iterator[Filter]:
    """Yield the rivals that are installed.

    Args:
        skipped: called with a sentence for each that is not.
    """
    if imagehash := _imported("imagehash", "perceptual hash", skipped):
        yield from _hashes(imagehash)
    if metrics := _imported("skimage.metrics", "SSIM", skipped, "scikit-image"):
        yield from _similarities(metrics.structural_similarity)
    yield from _models("MOG2", cv2.createBackgroundSubtractorMOG2)
    if shutil.which("ffmpeg"):
        for name, chosen in MPDECIMATE.items():
            yield Filter(name, _decimated(chosen))
    else:
        skipped("mpdecimate: skipped, ffmpeg is not installed (apt install ffmpeg)")
    if pybgs := _imported("pybgs", "SuBSENSE, PAWCS", skipped):
        for model in ("SuBSENSE", "PAWCS"):
            yield from _models(model, getattr(pybgs, model), rows=PYBGS_ROWS)


def against_last_kept(
    described: Callable[[Path], Any], distance: Callable[[Any, Any], float], threshold: float
) -> Callable[[FrameSet], list[Judged]]:
    """Return a filter that keeps what differs from the last kept frame by more than a threshold."""

    def judge(frames: FrameSet) -> list[Judged]:
        verdicts: list[Judged] = []
        reference: tuple[str, Any] | None = None
        for frame in frames.frames:
            current = described(frame)
            score = None if reference is None else float(distance(reference[1], current))
            kept = score is None or score > threshold
            verdicts.append(Judged(frame.name, reference and reference[0], score, kept))
            if kept:
                reference = frame.name, current
        return verdicts

    return judge


@lru_cache(maxsize=256)
def small_picture(frame: Path) -> Picture:
    """Return a frame in colour at 360 rows at most."""
    picture = cv2.imread(str(frame), cv2.IMREAD_COLOR)
    if picture is None:
        raise RivalError(f"{frame} is no picture")
    return shrunk(picture.astype(np.uint8))


def _imported(module: str, what: str, skipped: Callable[[str], None], package: str = "") -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        skipped(f"{what}: skipped, {error} (pip install {package or module})")
        return None


def _hashes(imagehash: Any) -> Iterator[Filter]:
    image = importlib.import_module("PIL.Image")
    for bits, most in HASH_BITS.items():

        def described(frame: Path, side: int = math.isqrt(bits)) -> Any:
            return imagehash.phash(image.open(frame), hash_size=side)

        judge = against_last_kept(described, lambda before, after: before - after, most)
        yield Filter(f"pHash {bits} > {most}", judge)


def _similarities(similarity: Callable[[Any, Any], float]) -> Iterator[Filter]:
    def described(frame: Path) -> Any:
        return cv2.cvtColor(small_picture(frame), cv2.COLOR_BGR2GRAY)

    for loss in SSIM_LOSSES:
        judge = against_last_kept(described, lambda before, after: 1 - similarity(before, after), loss)
        yield Filter(f"1-SSIM > {loss}", judge)


def _models(name: str, make: Callable[[], Any], rows: int = ROWS) -> Iterator[Filter]:
    foreground = _foreground(make, rows)
    for percent in FOREGROUND_PERCENTS:
        yield Filter(f"{name} > {percent:g} %", _by_foreground(foreground, percent))


def _foreground(make: Callable[[], Any], rows: int) -> Callable[[FrameSet], list[float]]:
    """Return what gives the percentage of each frame of a set that a model calls foreground."""
    known: dict[str, list[float]] = {}

    def percentages(frames: FrameSet) -> list[float]:
        model = make()
        masks = (model.apply(shrunk(small_picture(frame), rows)) for frame in frames.frames)
        return [100 * np.count_nonzero(mask == FOREGROUND) / max(mask.size, 1) for mask in masks]

    def remembered(frames: FrameSet) -> list[float]:
        if frames.name not in known:
            with _quiet():
                known[frames.name] = percentages(frames)
        return known[frames.name]

    return remembered


def _by_foreground(
    foreground: Callable[[FrameSet], list[float]], percent: float
) -> Callable[[FrameSet], list[Judged]]:
    def judge(frames: FrameSet) -> list[Judged]:
        verdicts: list[Judged] = []
        reference: str | None = None
        for frame, score in zip(frames.frames, foreground(frames), strict=True):
            kept = reference is None or score > percent
            verdicts.append(Judged(frame.name, reference, None if reference is None else score, kept))
            reference = frame.name if kept else reference
        return verdicts

    return judge


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what native code prints nowhere: pybgs announces each model and each missing file."""
    sys.stdout.flush()
    shown = [os.dup(descriptor) for descriptor in STANDARD]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        for descriptor in STANDARD:
            os.dup2(nowhere.fileno(), descriptor)
    try:
        yield
    finally:
        for descriptor, was in zip(STANDARD, shown, strict=True):
            os.dup2(was, descriptor)
            os.close(was)


def _decimated(chosen: str) -> Callable[[FrameSet], list[Judged]]:
    def judge(frames: FrameSet) -> list[Judged]:
        pattern = str(frames.folder / f"*{frames.frames[0].suffix}")
        source = ["-f", "image2", "-framerate", "1", "-pattern_type", "glob", "-i", pattern]
        chain = ["-vf", f"{chosen},showinfo", "-f", "null", "-"]
        run = subprocess.run(
            ["ffmpeg", "-hide_banner", "-nostdin", *source, *chain], capture_output=True, text=True
        )
        passed = {int(found[1]) for found in PASSED.finditer(run.stderr)}
        if run.returncode or not passed:
            raise RivalError(f"ffmpeg, {frames.name}: {run.stderr[-500:]}")
        verdicts: list[Judged] = []
        reference: str | None = None
        for number, frame in enumerate(sorted(frames.frames)):
            verdicts.append(Judged(frame.name, reference, None, number in passed))
            reference = frame.name if number in passed else reference
        return verdicts

    return judge
