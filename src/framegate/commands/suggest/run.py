"""Tries thresholds on the frames of a folder, and prints what each keeps, or the lines for a goal."""

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from framegate.allocator import give_large_pictures_back
from framegate.cameras.camera import mask_of
from framegate.commands.output import require_output
from framegate.commands.progress import Bar
from framegate.commands.remembering import remembered
from framegate.commands.scan import printable
from framegate.commands.source import frames_to_replay
from framegate.commands.suggest.consequences import consequences
from framegate.commands.suggest.document import document
from framegate.commands.suggest.found import Answer, Ignoring, OfCamera, Wanted
from framegate.commands.suggest.pasted import ignored, pasted
from framegate.config.detection import IgnoredArea
from framegate.config.load import Config
from framegate.config.settings import Settings
from framegate.errors import EXIT_USAGE, FramegateError
from framegate.model import GrayImage, Verdict
from framegate.tune.labels import Label, read_labels
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import Frame, Line, Replay, differing
from framegate.tune.suggest.choosing import choose
from framegate.tune.suggest.drawn import with_areas
from framegate.tune.suggest.goals import Amount, Wishes
from framegate.tune.suggest.object_size import Box, ObjectAdvice, object_advice
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.watched import Watched, watched

IN_MEMORY = Path(":memory:")
"""SQLite's name for a cache that is gone at the end: several passes go over the same pictures."""

NOTHING_ALONE = (
    "No number follows from this alone. Say what is wanted: --target 10/day or --labels labels.csv. Or look"
    " at the frames: framegate report"
)


class NothingToTryError(FramegateError):
    """There are no such frames."""

    exit_code = EXIT_USAGE


class DrawingError(FramegateError):
    """The picture cannot be written."""


def run_suggest(config: Config, wanted: Wanted) -> None:
    """Print what thresholds would have kept, or the lines to paste for a goal.

    Raises:
        ConfigError: a folder or a mask cannot be used.
        LabelsError: the labels cannot be used.
        NothingToTryError: there are no such frames, none that can be read, or none of those that are named.
        ObjectError: the object has no place in the picture.
        OutputError: the picture must not be written there.
        DrawingError: it cannot be written.
    """
    if wanted.overlay is not None:
        drop = config.settings.drop.folder
        require_output(wanted.overlay, config.path, wanted.labels, drop_folder=drop, suffix=".png")
    give_large_pictures_back()
    labels = _labels(wanted)
    source = frames_to_replay(config, wanted.folder, camera=wanted.camera)
    source.warn()
    frames = source.frames_there
    cameras = {frame.candidate.camera for frame in frames}
    if not cameras:
        of = "" if wanted.camera is None else f" of camera {printable(wanted.camera)}"
        raise NothingToTryError(f"{config.settings.drop.folder}: there is no frame{of}")
    names = {frame.name for frame in frames}
    unknown = [label.frame for label in labels if label.frame not in names]
    if labels and len(unknown) == len(labels):
        raise NothingToTryError(f"{config.settings.drop.folder}: none of the named frames is there")
    found: list[OfCamera] = []
    drawings: list[GrayImage] = []
    with remembered(is_cached=wanted.is_cached, otherwise=IN_MEMORY) as store:
        for camera in sorted(cameras):
            own = [frame for frame in frames if frame.candidate.camera == camera]
            trial = Trial(camera, config.settings, own, partial(_replayed, store))
            of_camera = OfCamera(trial)
            _answer(of_camera, wanted, labels)
            drawings += _watch(of_camera, wanted)
            found.append(of_camera)
    if wanted.overlay is not None:
        _write(wanted.overlay, drawings)
    if wanted.as_json:
        print(json.dumps(document(found, wanted, unknown)))
    else:
        _print(found, wanted, unknown)


def _replayed(store: FactStore, frames: Sequence[Frame], lines: Sequence[Line]) -> Replay:
    with Bar(len(frames)) as bar:
        return replay(frames, lines, store=store, progress=bar.move)


def _labels(wanted: Wanted) -> list[Label]:
    """Return the labels of the file, then the frames that must be kept."""
    labels = [] if wanted.labels is None else read_labels(wanted.labels)
    labelled = {label.frame for label in labels}
    return labels + [
        Label(name, Verdict.KEPT, None, 0) for name in dict.fromkeys(wanted.must_keep) if name not in labelled
    ]


def _answer(found: OfCamera, wanted: Wanted, labels: Sequence[Label]) -> None:
    """Find what is asked for."""
    trial = found.trial
    goal: Amount | Wishes | None = None
    if wanted.target is not None:
        if wanted.target.per == "hour" and not trial.recorded.hours:
            raise NothingToTryError(
                f"--target {wanted.target}: all frames of {printable(trial.camera)} have the same time"
            )
        goal = wanted.target.goal_for(trial.recorded, _mean_bytes(trial))
    elif labels:
        names = {frame.name for frame in trial.frames}
        own = [label for label in labels if label.frame in names]
        goal = Wishes(own, trial.frames) if own else None
    if goal is not None:
        choice = choose(trial.listing, goal, trial.unit, trial.most)
        if wanted.is_bound:
            choice = choice.highest(trial.unit)
        elif isinstance(goal, Wishes):
            choice = choice.unless(trial.in_force.threshold)
        contradicted = goal.contradicted(choice.tried) if isinstance(goal, Wishes) else []
        found.answer = Answer(goal, choice, *trial.neighbours(choice.tried), contradicted)
    if wanted.object_text is not None:
        found.advice = _object(trial, wanted.object_text)


def _mean_bytes(trial: Trial) -> float:
    return float(np.mean([frame.candidate.key.size_bytes for frame in trial.frames]))


def _object(trial: Trial, text: str) -> ObjectAdvice:
    for number in range(len(trial.frames)):
        seen = watched(trial.frames[number : number + 1], trial.settings, trial.camera)
        if seen.size is not None:
            detection = trial.settings.detection_of(trial.camera)
            return object_advice(Box.parse(text, seen.size), seen.size, detection, mask_of(detection))
    raise NothingToTryError(f"no frame of {printable(trial.camera)} can be read")


def _watch(found: OfCamera, wanted: Wanted) -> list[GrayImage]:
    """Find restless places, unless a number alone is asked for; return a drawing of them."""
    if wanted.has_goal and wanted.overlay is None:
        return []
    trial = found.trial
    seen = watched(trial.frames, trial.settings, trial.camera)
    found.ignoring = _ignoring(trial, seen)
    if seen.picture is None:
        return []
    areas = [*found.ignoring.areas, *found.ignoring.too_large]
    return [with_areas(seen.picture, areas, printable(trial.camera))]


def _ignoring(trial: Trial, seen: Watched) -> Ignoring:
    areas = seen.restlessness.areas()
    proposed = [area for area in areas if not area.is_too_large]
    too_large = [area for area in areas if area.is_too_large]
    kept = trial.in_force.kept
    if not proposed:
        return Ignoring(proposed, too_large, kept, kept, [], [])
    ignored_areas = tuple(
        IgnoredArea(name=f"restless {n}", polygon=each.polygon) for n, each in enumerate(proposed, start=1)
    )
    line = Line("without", _with_ignored(trial.settings, trial.camera, ignored_areas))
    (without,) = trial.replaying(trial.frames, [line]).outcomes
    differ = [*differing(trial.in_force.outcome, without)]
    names = [trial.frames[number].name for number in differ]
    gained = [name for name, number in zip(names, differ, strict=True) if without.reason_of(number).is_kept]
    lost = [name for name in names if name not in gained]
    return Ignoring(proposed, too_large, kept, int(np.count_nonzero(without.is_kept)), gained, lost)


def _with_ignored(settings: Settings, camera: str, areas: tuple[IgnoredArea, ...]) -> Settings:
    detection = settings.detection_of(camera)
    detection = detection.model_copy(update={"ignore": (*detection.ignore, *areas)})
    own = settings.camera.get(camera)
    if own is None:
        return settings.model_copy(update={"detection": detection})
    cameras = {**settings.camera, camera: own.model_copy(update={"detection": detection})}
    return settings.model_copy(update={"camera": cameras})


def _print(found: Sequence[OfCamera], wanted: Wanted, unknown: Sequence[str]) -> None:
    for name in unknown:
        print(f"warning: {printable(name)} is no frame there", file=sys.stderr)
    if wanted.has_goal:
        print("\n\n".join("\n".join(pasted(each, wanted)) for each in found))
        return
    for each in found:
        print("\n".join(consequences(each)))
        if each.ignoring is not None:
            for area in each.ignoring.too_large:
                share = f"{area.share_of_picture:.0%}"
                print(f"a part of {share} of the picture changes in nearly every frame: too large to ignore")
            if each.ignoring.areas:
                print("\n".join(ignored(each, each.ignoring)))
        print()
    print(NOTHING_ALONE)


def _write(path: Path, drawings: Sequence[GrayImage]) -> None:
    if not drawings:
        raise DrawingError(f"{path}: no frame can be read, so there is nothing to draw")
    try:
        path.write_bytes(cv2.imencode(".png", np.vstack(drawings))[1].tobytes())
    except OSError as error:
        raise DrawingError(f"{path}: {error.strerror}") from error
