"""What is decided by time alone: a heartbeat when nothing changes, and one frame a minute in a storm."""

from collections import deque
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace

from framegate.config.detection import DetectionSettings
from framegate.detect.judging.capture_clock import CaptureClock
from framegate.model import HOUR_NS, MINUTE_NS, Decision, Moment, Reason


@dataclass(slots=True)
class Storm:
    """Frames kept and dropped since a camera passed ``max_kept_per_hour``."""

    kept: int = 0
    dropped: int = 0


class Pacing:
    """How often the frames of one camera are kept; it reads no clock but the times of the frames.

    Args:
        settings: of the camera.
    """

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self.kept: deque[Moment] = deque()
        """The last kept frames, oldest first, ``max_kept_per_hour`` at most."""

        self.clock = CaptureClock()
        """Tells what has elapsed between two frames: by their capture times, or by their arrivals."""

        self.storm: Storm | None = None

    def retune(self, settings: DetectionSettings) -> None:
        """Use other settings from the next frame on."""
        self._settings = settings
        self._forget_old_times()

    def restore(self, kept: Iterable[Moment], storm: Storm | None, clock: CaptureClock) -> None:
        """Go on from the last kept frames, oldest first, the storm that the camera is in, and its clock."""
        self.kept = deque(kept)
        self._forget_old_times()
        self.storm, self.clock = storm, clock

    def branch(self) -> "Pacing":
        """Return another in the same state; from now on each counts alone."""
        other = copy(self)
        other.kept = self.kept.copy()
        other.storm = None if self.storm is None else replace(self.storm)
        return other

    def time_ns(self, moment: Moment) -> int:
        """Return when the next frame was taken: see ``CaptureClock.time_ns``."""
        return self.clock.after(moment).time_ns(moment)

    def applied_to(self, decision: Decision, moment: Moment, reference: Moment | None) -> Decision:
        """Return what becomes of a decision about a frame, unless it is the camera's first.

        Args:
            decision: by what the picture shows.
            moment: of the frame.
            reference: of its reference; None when nothing of its size was kept.
        """
        clock = self.clock.after(moment)
        if decision.reason is Reason.UNCHANGED:
            keep_every_s = self._settings.keep_every
            if keep_every_s is None or reference is None:
                return decision
            since_ns = clock.elapsed_ns(reference, moment)
            if moment.arrived_at_ns is None:
                # Nothing tells a frame that comes late from a clock that was set back: without abs() there
                # would be no heartbeat until that had caught up.
                since_ns = abs(since_ns)
            is_due = since_ns >= keep_every_s * 1e9
            return replace(decision, reason=Reason.HEARTBEAT) if is_due else decision
        if self._is_storm_at(moment, clock):
            # Of any size: one a minute for the camera. A late frame counts as far away as one that is due.
            since_ns = abs(clock.elapsed_ns(self.kept[-1], moment))
            return replace(decision, reason=Reason.STORM if since_ns >= MINUTE_NS else Reason.STORM_DROPPED)
        return decision

    def follow(self, reason: Reason, moment: Moment) -> None:
        """Count a frame that was decided, kept or not."""
        self.clock = self.clock.after(moment)
        if reason.is_kept:
            self.kept.append(moment)
            self._forget_old_times()
        if reason is Reason.STORM or reason is Reason.STORM_DROPPED:
            self.storm = self.storm or Storm()
            self.storm.kept += reason is Reason.STORM
            self.storm.dropped += reason is Reason.STORM_DROPPED
        elif not self._is_storm_at(moment, self.clock):
            self.storm = None

    def _is_storm_at(self, moment: Moment, clock: CaptureClock) -> bool:
        most = self._settings.max_kept_per_hour
        if most is None:
            return False
        in_the_hour = sum(0 <= clock.elapsed_ns(kept, moment) < HOUR_NS for kept in self.kept)
        return in_the_hour >= most

    def _forget_old_times(self) -> None:
        while len(self.kept) > (self._settings.max_kept_per_hour or 0):
            self.kept.popleft()
