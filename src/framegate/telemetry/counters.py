"""Counts of the verdicts of each camera, with its last frames and scores.

They start with the ledger's totals. A camera's name comes from a file's name, so only the first
``MOST_CAMERAS`` are counted by name, and all others together.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest

from framegate.config.quantities import Area, Times
from framegate.config.settings import Settings
from framegate.events.base import LogEvent
from framegate.events.frames import CameraClock, CameraClockRight, FrameDecided
from framegate.keep.ledger import Ledger
from framegate.keep.schema import THE_OTHERS
from framegate.model import Entry, Reason, Verdict

MOST_CAMERAS = 256
"""Cameras counted by name; the others are counted together, as ``THE_OTHERS``."""

SCORES = 32
"""Scores remembered for each camera: a sparkline of them fits a narrow terminal."""

RECENT_KEPT = 8
"""Kept frames remembered for each camera: what a screen of a phone has room for."""

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds, in seconds, of the histogram of ``FrameDecided.duration_ms``."""


@dataclass(slots=True)
class CameraCounters:
    """One camera's counts."""

    reasons: Counter[Reason] = field(default_factory=Counter)
    late: int = 0
    """Frames that were taken before one that was judged already."""

    last: Entry | None = None
    """The frame judged last."""

    recent_kept: deque[Entry] = field(default_factory=lambda: deque(maxlen=RECENT_KEPT))
    """The frames kept last, oldest first."""

    clock_fault: str | None = None
    """Why its capture times cannot be true; None while they can."""

    compared: deque[Entry] = field(default_factory=lambda: deque(maxlen=SCORES))
    """The last frames that have a score."""

    shown: object = None
    """What the status shows of it; None when it has changed since."""

    def count(self, verdict: Verdict) -> int:
        """Return how many frames got a verdict."""
        return sum(count for reason, count in self.reasons.items() if reason.verdict is verdict)

    def remember(self, entry: Entry) -> None:
        """Note the latest decision."""
        self.last = entry
        if entry.reason.is_kept:
            self.recent_kept.append(entry)
        if entry.score is not None:
            self.compared.append(entry)


@dataclass(slots=True)
class Durations:
    """A histogram of seconds."""

    counts: Counter[float] = field(default_factory=Counter)
    """How many lie in the bucket of each upper bound in seconds; the last bound is infinity."""

    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[next((bound for bound in BUCKETS_S if seconds <= bound), float("inf"))] += 1
        self.sum_s += seconds

    def cumulative(self) -> list[tuple[float, int]]:
        """Return each bound in seconds, and how many durations are not above it."""
        total, rows = 0, []
        for bound in (*BUCKETS_S, float("inf")):
            total += self.counts[bound]
            rows.append((bound, total))
        return rows


class Counters:
    """A listener that counts verdicts.

    Args:
        totals: earlier verdicts, by camera and reason.
        latest: the last decisions of each camera, oldest first.
        late: how many of the earlier frames were late, by camera.
        clock_faults: why capture times cannot be true, by camera.
    """

    def __init__(
        self,
        totals: Mapping[tuple[str, Reason], int] | None = None,
        latest: Iterable[Entry] = (),
        late: Mapping[str, int] | None = None,
        clock_faults: Mapping[str, str] | None = None,
    ) -> None:
        self.cameras: dict[str, CameraCounters] = {}
        self.durations = Durations()
        self._settings: Settings | None = None
        for (camera, reason), count in (totals or {}).items():
            self._of(camera).reasons[reason] += count
        for camera, count in (late or {}).items():
            self._of(camera).late += count
        for entry in latest:
            self._of(entry.camera).remember(entry)
        for camera, fault in (clock_faults or {}).items():
            self._note_clock(camera, fault)

    def __call__(self, event: LogEvent) -> None:
        """Count a verdict, and note whether a camera's clock is wrong."""
        if isinstance(event, CameraClock | CameraClockRight):
            self._note_clock(event.camera, event.fault if isinstance(event, CameraClock) else None)
        if not isinstance(event, FrameDecided):
            return
        counters = self._of(event.entry.camera)
        if event.recovered_from is not None:  # counted before the restart
            counters.reasons[event.recovered_from] -= 1
        counters.reasons[event.entry.reason] += 1
        counters.late += event.entry.late and event.recovered_from is None
        counters.remember(event.entry)
        self.durations.add(event.duration_ms / 1000)

    def retune(self, settings: Settings) -> None:
        """Note the settings by which frames are judged from now on."""
        self._settings = settings
        for counters in self.cameras.values():
            counters.shown = None

    def schedule_at(self, camera: str, time_ns: int) -> str | None:
        """Return the schedule that counts for a camera at a time; None without one, and for the others."""
        if self._settings is None or camera == THE_OTHERS:
            return None
        return self._settings.schedule_at(camera, time_ns)

    def last_results(self, count: int) -> list[str]:
        """Return the names of so many results, those that were kept last."""
        kept = (entry for camera in self.cameras.values() for entry in camera.recent_kept if entry.result)
        return [str(entry.result) for entry in nlargest(count, kept, key=lambda each: each.decided_at_ns)]

    def threshold_of(self, camera: str, schedule: str | None = None) -> Area | Times | None:
        """Return what a camera's scores have to exceed; None for the others, which may differ.

        Args:
            camera: its name.
            schedule: the one that counts, as ``schedule_at`` returns it.
        """
        if self._settings is None or camera == THE_OTHERS:
            return None
        return self._settings.detection_of(camera, schedule).score_threshold

    def count(self, verdict: Verdict) -> int:
        """Return how many frames of all cameras got a verdict."""
        return sum(counters.count(verdict) for counters in self.cameras.values())

    def _note_clock(self, camera: str, fault: str | None) -> None:
        if counted_as(camera, self.cameras) != THE_OTHERS:
            self._of(camera).clock_fault = fault

    def _of(self, camera: str) -> CameraCounters:
        """Return a camera's counts, to be changed."""
        counters = self.cameras.setdefault(counted_as(camera, self.cameras), CameraCounters())
        counters.shown = None
        return counters


def counted_as(camera: str, named: Mapping[str, object]) -> str:
    """Return a camera's name, or ``THE_OTHERS`` when ``named`` is full and does not have it."""
    return camera if camera in named or len(named) < MOST_CAMERAS else THE_OTHERS


def counters_of(ledger: Ledger, settings: Settings) -> Counters:
    """Return counters that start with what is in the ledger.

    Args:
        ledger: has the verdicts of earlier runs.
        settings: in force now.

    Raises:
        SinkError: the ledger cannot be read.
    """
    latest = ledger.latest(MOST_CAMERAS * SCORES, RECENT_KEPT)
    counters = Counters(ledger.totals(), latest, ledger.late(), ledger.clock_faults())
    counters.retune(settings)
    return counters
