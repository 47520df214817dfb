"""How fast a folder is scanned, beside other programs that look through the same frames."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.speed.frames import SIZES, FrameSet, drawn
from benchmarks.speed.options import Options
from benchmarks.speed.processes import ProgramError, Used, used_by
from benchmarks.speed.programs import (
    ONE_SHOT,
    Command,
    Program,
    programs,
)
from benchmarks.speed.rounds import Runs, rate, ratio, rounds_of
from benchmarks.speed.tables import Cell, Table

HEAD = (
    "program", "frames/s", "CPU ms a frame", "of its decode loop", "of the loop by CPU", "times the one-shot",
    "times by CPU", "kept", "most MB",
)  # fmt: skip

WITH_START_UP = "Whole processes, with start-up."

WITHOUT_START_UP = (
    "Without start-up: what a run with the first quarter of the frames takes is subtracted. Ratios are the"
    " median over the rounds, in each of which every program runs once, in an order of its own."
)


def scan(options: Options) -> Iterator[Table]:
    """Yield two tables for each size: with start-up and without."""
    for size in SIZES:
        count = size.frames_quick if options.quick else size.frames
        frames = drawn(size, count, options.cache, options.say)
        with TemporaryDirectory(prefix="framegate-speed-") as home:
            chosen = [
                program
                for program in programs(frames, Path(home), options.say)
                if _runs(program, frames, options)
            ]
            runs = _measured(chosen, frames, options)
        words = f"{count} frames of {size.name}, {_megabytes(frames.folder) / count * 1000:.0f} kB each"
        for started in (False, True):
            yield Table(
                "scan",
                f"Scan of {words}, {'without' if started else 'with'} start-up",
                HEAD,
                tuple(_row(program, runs, started=started) for program in chosen),
                (WITHOUT_START_UP if started else WITH_START_UP,),
                about=size.name if started else "",
            )


def _runs(program: Program, frames: FrameSet, options: Options) -> bool:
    """Run a program once, to have its bytecode and libraries in memory; return whether that went well."""
    try:
        _run(program.command, frames.first)
    except ProgramError as error:
        options.say(f"{program.name}: skipped, {error}")
        return False
    return True


def _measured(chosen: Sequence[Program], frames: FrameSet, options: Options) -> dict[str, Runs]:
    contenders: dict[str, Callable[[], Used]] = {}
    for program in chosen:
        for folder in (frames.first, frames.folder):
            contenders[f"{program.name}, {folder.name}"] = partial(_run, program.command, folder)
    used = rounds_of(contenders, options.rounds, lambda words: options.say(f"{frames.size.name}: {words}"))
    runs = {}
    for program in chosen:
        first, whole = (
            tuple(used[f"{program.name}, {folder.name}"]) for folder in (frames.first, frames.folder)
        )
        kept = program.kept(whole[0].output)
        runs[program.name] = Runs(len(frames.frames), frames.first_count, whole, first, kept)
    return runs


def _run(command: Callable[[Path], Command], folder: Path) -> Used:
    return used_by(command(folder))


def _row(program: Program, runs: dict[str, Runs], *, started: bool) -> tuple[Cell, ...]:
    its, one_shot = runs[program.name], runs[ONE_SHOT]
    loop = runs.get(program.floor)
    wall_s, cpu_s = its.wall_s(started=started), its.cpu_s(started=started)
    return (
        program.name,
        rate(wall_s),
        1000 * statistics.median(cpu_s),
        None if loop is None else ratio(loop.wall_s(started=started), wall_s),
        None if loop is None else ratio(loop.cpu_s(started=started), cpu_s),
        ratio(one_shot.wall_s(started=started), wall_s),
        ratio(one_shot.cpu_s(started=started), cpu_s),
        its.kept,
        its.peak_bytes / 1e6,
    )


def _megabytes(folder: Path) -> float:
    return sum(frame.stat().st_size for frame in folder.iterdir()) / 1e6
