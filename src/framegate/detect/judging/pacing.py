"""What is decided by time alone: a heartbeat when nothing changes, and one frame a minute in a storm."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from framegate.config.detection import DetectionSettings
from framegate.model import HOUR_NS, Decision, Reason

MINUTE_NS = 60 * 10**9
"""How often a storm still keeps a frame, in capture time."""


@dataclass(slots=True)
class Storm:
    """Frames kept and dropped since a camera passed ``max_kept_per_hour``."""

    kept: int = 0
    dropped: int = 0


class Pacing:
    """How often the frames of one camera are kept; it reads no clock.

    Args:
        settings: of the camera.
    """

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self.kept_at_ns: deque[int] = deque()
        """Capture times of the last kept frames, oldest first, ``max_kept_per_hour`` at most."""

        self.storm: Storm | None = None

    def retune(self, settings: DetectionSettings) -> None:
        """Use other settings from the next frame on."""
        self._settings = settings
        self._forget_old_times()

    def restore(self, kept_at_ns: Iterable[int], storm: Storm | None) -> None:
        """Go on from the times of the last kept frames, oldest first, and the storm that the camera is in."""
        self.kept_at_ns = deque(kept_at_ns)
        self._forget_old_times()
        self.storm = storm

    def applied_to(self, decision: Decision, captured_at_ns: int, reference_at_ns: int | None) -> Decision:
        """Return what becomes of a decision about a frame, unless it is the camera's first.

        Args:
            decision: by what the picture shows.
            captured_at_ns: when the frame was taken.
            reference_at_ns: when its reference was taken; None when nothing of its size was kept.
        """
        # A camera's clock may be set back: without abs() there would be no heartbeat, and no frame of a storm
        # kept, until it had caught up.
        if decision.reason is Reason.UNCHANGED:
            keep_every_s = self._settings.keep_every
            if keep_every_s is None or reference_at_ns is None:
                return decision
            is_due = abs(captured_at_ns - reference_at_ns) >= keep_every_s * 1e9
            return replace(decision, reason=Reason.HEARTBEAT) if is_due else decision
        if self._is_storm_at(captured_at_ns):
            since_ns = abs(captured_at_ns - self.kept_at_ns[-1])  # of any size: one a minute for the camera
            return replace(decision, reason=Reason.STORM if since_ns >= MINUTE_NS else Reason.STORM_DROPPED)
        return decision

    def follow(self, reason: Reason, captured_at_ns: int) -> None:
        """Count a frame that was decided, kept or not."""
        if reason.is_kept:
            self.kept_at_ns.append(captured_at_ns)
            self._forget_old_times()
        if reason is Reason.STORM or reason is Reason.STORM_DROPPED:
            self.storm = self.storm or Storm()
            self.storm.kept += reason is Reason.STORM
            self.storm.dropped += reason is Reason.STORM_DROPPED
        elif not self._is_storm_at(captured_at_ns):
            self.storm = None

    def _is_storm_at(self, captured_at_ns: int) -> bool:
        most = self._settings.max_kept_per_hour
        if most is None:
            return False
        in_the_hour = sum(0 <= captured_at_ns - kept_at_ns < HOUR_NS for kept_at_ns in self.kept_at_ns)
        return in_the_hour >= most

    def _forget_old_times(self) -> None:
        while len(self.kept_at_ns) > (self._settings.max_kept_per_hour or 0):
            self.kept_at_ns.popleft()
