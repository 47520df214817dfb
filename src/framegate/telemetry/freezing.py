"""Logs once that a camera repeats one picture, and once that another one has come."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from framegate.config.quantities import Duration
from framegate.events.base import Listener, LogEvent
from framegate.events.frames import CameraFrozen, CameraUnfrozen, FrameDecided, FrameKnown
from framegate.model import Entry, Reason, Verdict, iso_utc
from framegate.telemetry.counters import MOST_CAMERAS


@dataclass(slots=True)
class _Picture:
    """The last picture of a camera that was not a repetition."""

    at_s: float
    """When its verdict came, in seconds of the monotonic clock."""

    at_ns: int
    """The same by the wall clock, nanoseconds since the epoch."""

    repeats: int = 0
    is_frozen: bool = False


class Freezing:
    """A listener that remembers since when each camera counted by name has repeated one picture.

    It says so when a repetition arrives: a camera that sends nothing is silent, not frozen. Each start of the
    daemon begins to count again.

    Args:
        frozen_after_s: seconds of repetitions after which a camera is frozen; None for never.
        emit: gets ``CameraFrozen`` and ``CameraUnfrozen``.
        clock: monotonic seconds.
    """

    def __init__(self, frozen_after_s: Duration | None, emit: Listener, clock: Callable[[], float]) -> None:
        self._frozen_after_s = frozen_after_s
        self._emit = emit
        self._clock = clock
        self._pictures: dict[str, _Picture] = {}

    def retune(self, frozen_after_s: Duration | None) -> None:
        """Use another time from now on."""
        self._frozen_after_s = frozen_after_s

    def since_s(self) -> Mapping[str, float]:
        """Return since when each frozen camera has repeated its picture, in seconds of the clock."""
        return {camera: each.at_s for camera, each in self._pictures.items() if each.is_frozen}

    def __call__(self, event: LogEvent) -> None:
        """Note whether a camera has sent another picture or the same again."""
        if isinstance(event, FrameKnown) and event.is_resent:
            self._note_repetition(event.camera)
        if not isinstance(event, FrameDecided):
            return
        entry = event.entry
        if entry.reason is Reason.IDENTICAL:
            self._note_repetition(entry.camera)
        elif entry.reason is not Reason.HEARTBEAT and entry.reason.verdict is not Verdict.REJECTED:
            # keep_every keeps repetitions as well; a rejected file shows no picture
            self._note_other(entry)

    def _note_repetition(self, camera: str) -> None:
        picture = self._pictures.get(camera) or self._begun(camera)
        picture.repeats += 1
        after_s = self._frozen_after_s
        if after_s is not None and not picture.is_frozen and self._clock() >= picture.at_s + after_s:
            picture.is_frozen = True
            self._emit(CameraFrozen(camera, iso_utc(picture.at_ns), picture.repeats))

    def _note_other(self, entry: Entry) -> None:
        picture = self._pictures.get(entry.camera)
        if picture is not None and picture.is_frozen:
            frozen_s = round(self._clock() - picture.at_s, 1)
            self._emit(CameraUnfrozen(entry.camera, frozen_s, picture.repeats))
        self._begun(entry.camera, entry.decided_at_ns)

    def _begun(self, camera: str, at_ns: int | None = None) -> _Picture:
        picture = _Picture(self._clock(), time.time_ns() if at_ns is None else at_ns)
        if camera in self._pictures or len(self._pictures) < MOST_CAMERAS:
            self._pictures[camera] = picture
        return picture
