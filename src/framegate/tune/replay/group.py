"""Lines that have decided alike so far, and the one camera that judges for all of them; also as bytes."""

import json
import struct
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from framegate.cameras.camera import Camera
from framegate.config.settings import Settings
from framegate.detect.detector import reduction_of
from framegate.detect.judging.lane import Lane
from framegate.model import Moment
from framegate.tune.replay.facts import Reading
from framegate.tune.replay.sharing import SharingDetector

MOST_KEPT = 100_000
"""Times of kept frames that are remembered: as many as ``max_kept_per_hour`` may be."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class CarriedGroup:
    """What lines that decide alike knew after a frame, for a replay that goes on from the next one."""

    lines: Sequence[int]
    is_edited: bool
    """Whether the settings were edited: then it is one line, that joins no other."""

    kept: Sequence[Moment]
    state: bytes
    """Of the camera."""


@dataclass(slots=True)
class Group:
    """Lines that have decided alike so far, and one camera for all of them."""

    lines: list[int]
    camera: Camera
    kin: tuple[Any, ...]
    """The reading first, then what else lines that may be in one group have in common."""

    kept: deque[Moment] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    @property
    def is_edited(self) -> bool:
        """Whether the settings of its line were edited: ``state`` does not tell all that follows from it."""
        return isinstance(self.kin[1], int)

    def carried(self) -> CarriedGroup:
        """Return what has to be known to go on from here."""
        return CarriedGroup(self.lines, self.is_edited, self.kept, self.camera.state())

    def state(self) -> tuple[Any, ...]:
        """Return what tells apart all states from which lines might go on in unlike ways."""
        camera, judge, pacing = self.camera, self.camera.judge, self.camera.judge.pacing
        lanes = tuple(
            (size, lane.reference.key, lane.previous_key, lane.torn, _history(lane))
            for size, lane in judge.lanes.items()
        )
        storm = None if pacing.storm is None else (pacing.storm.kept, pacing.storm.dropped)
        return self.kin, lanes, tuple(pacing.kept), storm, pacing.clock, camera.sizes_dropped, camera.schedule


def reading_of(settings: Settings, camera: str) -> Reading:
    """Return what tells apart all that may change what a frame shows, or whether it is rejected."""
    detection, drop = settings.detection_of(camera), settings.drop
    return f"{reduction_of(detection)} {drop.max_megapixels:g} {drop.max_size:d}"


def kin_of(settings: Settings, camera: str) -> tuple[Any, ...]:
    """Return what lines that may be in one group have in common."""
    general = settings.detection_of(camera)
    values = general.model_dump(mode="json", exclude={"score_threshold"})
    schedules = [
        each.model_dump(mode="json", exclude={"detection": {"score_threshold"}})
        for each in settings.schedules_of(camera)
    ]
    names = (None, *(each.name for each in settings.schedules_of(camera)))
    thresholds = [settings.detection_of(camera, name).score_threshold for name in names]
    # By the same settings as before, a frame that is repeated is not judged again.
    alike = [thresholds.index(each) for each in thresholds]
    return reading_of(settings, camera), repr((sorted(values.items()), schedules, alike))


def packed(groups: Sequence[CarriedGroup]) -> bytes:
    """Return groups as bytes."""
    described = [
        (
            list(each.lines),
            each.is_edited,
            [(moment.captured_at_ns, moment.arrived_at_ns) for moment in each.kept],
            len(each.state),
        )
        for each in groups
    ]
    text = json.dumps(described, separators=(",", ":")).encode("ascii")
    return b"".join((_LENGTH.pack(len(text)), text, *(each.state for each in groups)))


def unpacked(data: bytes) -> list[CarriedGroup]:
    """Return the groups that ``packed`` was given.

    Raises:
        ValueError: these are no such bytes.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        groups, at = [], _LENGTH.size + length
        for lines, is_edited, kept, size_bytes in json.loads(data[_LENGTH.size : at]):
            state = data[at:][:size_bytes]
            groups.append(CarriedGroup(lines, is_edited, [Moment(*each) for each in kept], state))
            at += size_bytes
    except (struct.error, TypeError, ValueError) as error:
        raise ValueError(f"these bytes are no groups of lines: {error}") from error
    return groups


def limit(camera: Camera, kept: Iterable[Moment]) -> None:
    """Let a camera know of as many kept frames as its ``max_kept_per_hour`` needs."""
    pacing, most = camera.judge.pacing, camera.judge.settings.max_kept_per_hour
    pacing.restore([] if most is None else [*kept][-most:], pacing.storm, pacing.clock)


def _history(lane: Lane) -> str:
    return cast(SharingDetector, lane.detector).history
