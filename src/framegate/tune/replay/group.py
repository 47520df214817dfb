"""Lines that have decided alike so far, and the one camera that judges for all of them."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from framegate.cameras.camera import Camera
from framegate.detect.judging.lane import Lane
from framegate.model import Moment
from framegate.tune.replay.sharing import SharingDetector

MOST_KEPT = 100_000
"""Times of kept frames that are remembered: as many as ``max_kept_per_hour`` may be."""


@dataclass(slots=True)
class Group:
    """Lines that have decided alike so far, and one camera for all of them."""

    lines: list[int]
    camera: Camera
    kin: tuple[Any, ...]
    """The reading first, then what else lines that may be in one group have in common."""

    kept: deque[Moment] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    def state(self) -> tuple[Any, ...]:
        """Return what tells apart all states from which lines might go on in unlike ways."""
        camera, judge, pacing = self.camera, self.camera.judge, self.camera.judge.pacing
        lanes = tuple(
            (size, lane.reference.key, lane.previous_key, lane.torn, _history(lane))
            for size, lane in judge.lanes.items()
        )
        storm = None if pacing.storm is None else (pacing.storm.kept, pacing.storm.dropped)
        return self.kin, lanes, tuple(pacing.kept), storm, pacing.clock, camera.sizes_dropped, camera.schedule


def limit(camera: Camera, kept: Iterable[Moment]) -> None:
    """Let a camera know of as many kept frames as its ``max_kept_per_hour`` needs."""
    pacing, most = camera.judge.pacing, camera.judge.settings.max_kept_per_hour
    pacing.restore([] if most is None else [*kept][-most:], pacing.storm, pacing.clock)


def _history(lane: Lane) -> str:
    return cast(SharingDetector, lane.detector).history
