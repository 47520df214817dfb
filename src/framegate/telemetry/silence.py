"""Logs once that a camera has stopped sending, and once that it sends again."""

from collections.abc import Callable, Collection, Iterable, Mapping

from framegate.config.quantities import Duration
from framegate.deadlines import NEVER_S
from framegate.events.base import Listener, LogEvent
from framegate.events.frames import CameraBack, CameraSilent, FrameDecided, FrameKnown
from framegate.keep.schema import THE_OTHERS
from framegate.telemetry.counters import MOST_CAMERAS


def camera_heard_by(event: LogEvent) -> str | None:
    """Return which camera has sent a file, a new one or the same again; None when none has."""
    if isinstance(event, FrameDecided):
        return event.entry.camera
    return event.camera if isinstance(event, FrameKnown) and event.is_resent else None


class Silence:
    """A listener that remembers when each camera counted by name sent its last frame.

    Args:
        silent_after_s: seconds without a frame after which a camera is silent; None for never.
        cameras: those that sent frames in earlier runs; they are expected from the start.
        pending: returns the cameras that have pending frames: they are not silent.
        emit: gets ``CameraSilent`` and ``CameraBack``.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        silent_after_s: Duration | None,
        cameras: Iterable[str],
        pending: Callable[[], Collection[str]],
        emit: Listener,
        clock: Callable[[], float],
    ) -> None:
        self._silent_after_s = silent_after_s
        self._pending = pending
        self._emit = emit
        self._clock = clock
        self._heard_at_s = dict.fromkeys(cameras, clock())
        self._heard_at_s.pop(THE_OTHERS, None)  # not a camera: it would be silent for ever
        self._silent: set[str] = set()

    def retune(self, silent_after_s: Duration | None) -> None:
        """Use another time from now on."""
        self._silent_after_s = silent_after_s

    def since_s(self) -> Mapping[str, float]:
        """Return since when each silent camera has sent nothing, in seconds of the clock."""
        if self._silent_after_s is None:
            return {}
        return {camera: self._heard_at_s[camera] for camera in self._silent}

    def __call__(self, event: LogEvent) -> None:
        """Note that a camera has sent a frame."""
        camera = camera_heard_by(event)
        if camera is None:
            return
        if camera in self._silent:
            self._silent.discard(camera)
            silent_s = round(self._clock() - self._heard_at_s[camera], 1)
            self._emit(CameraBack(camera, silent_s))
        if camera in self._heard_at_s or len(self._heard_at_s) < MOST_CAMERAS:
            self._heard_at_s[camera] = self._clock()

    def deadline_s(self) -> float:
        """Return when the next camera will be silent; infinity for never."""
        if self._silent_after_s is None:
            return NEVER_S
        heard = [at_s for camera, at_s in self._heard_at_s.items() if camera not in self._silent]
        return min(heard, default=NEVER_S) + self._silent_after_s

    def run_due(self, now_s: float) -> None:
        """Log which cameras are silent now."""
        if self._silent_after_s is None:
            return
        waiting = self._pending()
        for camera, at_s in self._heard_at_s.items():
            if camera in self._silent or now_s < at_s + self._silent_after_s:
                continue
            if camera in waiting:
                self._heard_at_s[camera] = now_s
                continue
            self._silent.add(camera)
            self._emit(CameraSilent(camera, str(self._silent_after_s)))
