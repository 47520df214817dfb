"""Replays the frames: by a config, and by an older one to compare with."""

import json
from collections.abc import Sequence
from pathlib import Path

from framegate.allocator import give_large_pictures_back
from framegate.commands.cluster.replaying import replay_by_workers
from framegate.commands.progress import Bar
from framegate.commands.remembering import remembered
from framegate.commands.replay.document import document
from framegate.commands.replay.found import Check, Found, Wanted
from framegate.commands.replay.words import in_words
from framegate.commands.scan import printable
from framegate.commands.source import Source, frames_to_replay
from framegate.config.load import Config
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.tune.differences import Side, differences
from framegate.tune.labels import Label, failures, read_labels
from framegate.tune.replay.engine import replay
from framegate.tune.replay.outcomes import Frame, Line, Replay


class NothingToReplayError(FramegateError):
    """There are no such frames."""

    exit_code = EXIT_USAGE


def run_replay(new: Config, old: Config | None, wanted: Wanted) -> bool:
    """Replay frames by a config, and by an older one to compare with; print what each keeps.

    Returns:
        False if a frame comes out otherwise than its label says.

    Raises:
        ConfigError: a folder or a mask cannot be used.
        LabelsError: the labels cannot be used.
        NothingToReplayError: there are no such frames.
    """
    give_large_pictures_back()
    labels = None if wanted.labels is None else read_labels(wanted.labels)
    before, after = _sides(new, old, wanted)
    changes = [] if before is None else differences(before, after)
    check = None if labels is None or wanted.labels is None else _checked(wanted.labels, labels, after)
    found = Found(before, after, changes, check)
    if wanted.as_json:
        print(json.dumps(document(found, new, old)))
    else:
        print("\n".join(in_words(found, wanted)))
    return check is None or check.is_passed


def _sides(new: Config, old: Config | None, wanted: Wanted) -> tuple[Side | None, Side]:
    source = _source(new, wanted)
    frames, was = source.frames, source.was
    frames_before = frames if old is None or was is not None else _source(old, wanted).frames
    is_one_pass = [frame.candidate for frame in frames] == [frame.candidate for frame in frames_before]
    lines = [_line(config) for config in (new, old) if config is not None]
    passes = [(frames, lines)] if is_one_pass else [(frames, lines[:1]), (frames_before, lines[1:])]
    passes[0][1].extend(source.then)
    frames_in_all = sum(len(each) for each, _ in passes)
    with Bar(frames_in_all) as bar:
        replays = _replays(passes, source, wanted, bar)
    source.verify(replays[0])
    source.tell(replays)
    sides = [
        Side(each, outcome, [n for n, frame in enumerate(each.frames) if wanted.is_shown(frame)])
        for each in replays
        for outcome in each.outcomes
    ]
    after, *before = sides
    if not before and was is not None:
        before = [Side(after.replay, was, after.numbers)]
    if not any(side.numbers for side in sides):
        raise NothingToReplayError(_without_frames(new, wanted))
    return (before[0] if before else None), after


def _replays(
    passes: Sequence[tuple[list[Frame], list[Line]]], source: Source, wanted: Wanted, bar: Bar
) -> list[Replay]:
    if wanted.workers:
        return replay_by_workers(wanted.workers, passes, source.masks, bar.move, is_noted=wanted.is_cached)
    with remembered(is_cached=wanted.is_cached) as store:
        return [
            replay(frames, lines, store=store, masks=source.masks, progress=bar.move)
            for frames, lines in passes
        ]


def _source(config: Config, wanted: Wanted) -> Source:
    return frames_to_replay(config, wanted.folder, camera=wanted.camera, until_ns=wanted.until_ns)


def _line(config: Config) -> Line:
    return Line(str(config.path or "the defaults"), config.settings)


def _without_frames(config: Config, wanted: Wanted) -> str:
    of = "" if wanted.camera is None else f" of camera {printable(wanted.camera)}"
    when = "" if wanted.from_ns is None and wanted.until_ns is None else " of that time"
    return f"{config.settings.drop.folder}: there is no frame{of}{when}"


def _checked(path: Path, labels: Sequence[Label], side: Side) -> Check:
    shown = {side.replay.frames[number].name for number in side.numbers}
    known = [label for label in labels if label.frame in shown]
    unknown = [label for label in labels if label.frame not in shown]
    failed, _ = failures(known, side.replay, side.outcome)
    return Check(path, len(known) - len(failed), failed, unknown)
