"""What a camera knew when it judged a frame: its frames are judged once more, up to that one."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, cast

from framegate.cameras.camera import mask_of
from framegate.config.settings import Settings
from framegate.detect.detector import Detector, Prepared, detector_of
from framegate.detect.judging.lane import PreparedFrame
from framegate.model import Decision, GrayImage, Moment
from framegate.tune.replay.group import reading_of
from framegate.tune.replay.judging import Lines
from framegate.tune.replay.outcomes import NONE, Frame, Line, number_of
from framegate.tune.replay.reader import Reader
from framegate.tune.replay.sharing import Compared
from framegate.tune.replay.shown import Shown


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """A frame, what it was compared with, and what was usual then."""

    detector: Detector[Any]
    """It has learnt from the frames before."""

    current: Prepared
    reference: Prepared | None
    """The last kept frame of its size; None for the first."""

    decision: Decision
    """As judged again; its reference is a file's name."""

    score_before_learning: float | None
    """What its score would be if nothing were usual; None if nothing was compared, or is ever learnt."""

    is_whole: bool
    """False if an edit on the way made the camera begin anew, which a daemon does in another way."""


def recall(
    frames: Sequence[Frame],
    line: Line,
    masks: Mapping[str, GrayImage],
    progress: Callable[[int], None] = lambda _frames: None,
) -> Recalled | None:
    """Judge frames again, and return how the last of them was judged; None if it shows no picture.

    Args:
        frames: of one camera, all of them there, from its first on or with what it knew before them.
        line: each frame is judged by its settings for that frame.
        masks: pictures that stand for mask files, by their paths.
        progress: called with the number of frames that were judged since the last call.

    Raises:
        OSError, ValueError: a mask cannot be read.
        MemoryError: there is too little memory.
    """
    settings = line.settings_before(frames[0])
    camera = frames[0].candidate.camera
    lines = Lines(camera, [settings], dict(masks), frames[0].start)
    is_whole = not lines.are_cold
    with closing(Reader(frames)) as reader:
        for place, frame in enumerate(frames):
            now = line.settings_for(frame)
            if now is not settings:
                settings, is_whole = now, lines.retune(0, now) and is_whole
            progress(1)
            if frame.settled is not None:
                continue
            sha256, seen = reader.take(place, lines.readings)
            for shared in lines.works.values():
                shared.facts = {}
            moment = Moment(frame.candidate.captured_at_ns, frame.candidate.arrived_at_ns)
            shown = seen[reading_of(settings, camera)]
            if frame is frames[-1]:
                break
            for _ in lines.judge(place, moment, sha256, seen):
                pass
        else:
            return None
    if not isinstance(shown, Shown) or shown.small is None:
        return None
    lane = lines.camera_of(0).judge.lanes.get(shown.source_size)
    reference, learnt = (None, None) if lane is None else (lane.reference, lane.detector.learnt())
    (decided,) = lines.judge(place, moment, sha256, seen)
    decision = _named(decided.decision, frames)
    detector = _detector_of(settings, camera, decision.schedule, masks)
    current = detector.prepare(shown.small)
    before = None if reference is None else _prepared(detector, reference)
    unlearnt = None
    if learnt is not None:
        unlearnt = None if decision.score is None else detector.score(before, current).score
        detector.restore(learnt)
    return Recalled(detector, current, before, decision, unlearnt, is_whole)


def _detector_of(
    settings: Settings, camera: str, schedule: str | None, masks: Mapping[str, GrayImage]
) -> Detector[Any]:
    detection = settings.detection_of(camera, schedule)
    path = detection.mask_file
    known = None if path is None else masks.get(path)
    return detector_of(detection, mask_of(detection) if known is None else known)


def _prepared(detector: Detector[Any], frame: PreparedFrame) -> Prepared:
    small = cast(Compared, frame.prepared).shown.small
    assert small is not None, "all pictures were read"
    return cast(Prepared, detector.prepare(small))


def _named(decision: Decision, frames: Sequence[Frame]) -> Decision:
    number = NONE if decision.reference is None else number_of(decision.reference)
    return decision if number == NONE else replace(decision, reference=frames[number].name)
