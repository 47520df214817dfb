"""Events about frames and cameras."""

from typing import Any

from framegate.events.base import Level, LogEvent
from framegate.model import ChangeScore, Entry, Reason, Region, Verdict, iso_utc

REGIONS_LOGGED = 8
"""Rustling leaves make hundreds of regions; a log line has the largest, and the number of all."""


class FrameDecided(LogEvent, level=("info", "error")):
    """A frame got its verdict. A kept frame's copy is safe on the disk. `internal_error` has level error."""

    entry: Entry
    duration_ms: float
    """From the read to the durable verdict; in a backlog with the wait for others of its group."""

    score: ChangeScore | None = None
    """None when nothing was compared, or when the decision was made before a crash."""

    recovered_from: Reason | None = None
    """The reason in the ledger, when the frame was decided, and counted, before a restart."""

    schedule: str | None = None
    """The ``[[schedule]]`` whose settings counted; None without one, or after a crash."""

    @property
    def event(self) -> str:
        """``frame.kept``, ``frame.dropped`` or ``frame.rejected``."""
        return f"frame.{self.entry.reason.verdict}"

    @property
    def level(self) -> Level:
        """An error when framegate itself failed at the frame."""
        return "error" if self.entry.reason is Reason.INTERNAL_ERROR else "info"

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the log line, in reading order, without those that have no value."""
        entry, score = self.entry, self.score
        values = {
            "camera": entry.camera,
            "frame": entry.key.name,
            "reason": str(entry.reason),
            "score": _rounded(entry.score),
            "threshold": _rounded(entry.threshold),
            "unit": entry.unit,
            "zone": entry.zone,
            "schedule": self.schedule,
            "reference": entry.reference,
            "result": entry.result,
            "detail": entry.detail or None,
            "captured_at": iso_utc(entry.captured_at_ns),
            "late": entry.late or None,
            "size_bytes": entry.key.size_bytes,
            "duration_ms": round(self.duration_ms, 2),
            "config_revision": entry.config_revision,
            "region_count": None if score is None else len(score.regions),
            "regions": None if score is None else [_fields_of(r) for r in score.regions[:REGIONS_LOGGED]],
            "working_size": None if score is None else list(score.working_size),
        }
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return one name for each verdict."""
        return tuple(f"frame.{verdict}" for verdict in Verdict)

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the fields, in reading order."""
        return (
            "camera", "frame", "reason", "score", "threshold", "unit", "zone", "schedule", "reference",
            "result", "detail", "captured_at", "late", "size_bytes", "duration_ms", "config_revision",
            "region_count", "regions", "working_size",
        )  # fmt: skip


class FrameSeen(LogEvent, name="frame.seen", level="debug"):
    """A file was found: by an event (`created`, `touched`, `closed`, `moved`) or by a `sweep`."""

    frame: str
    camera: str
    origin: str
    size_bytes: int


class FrameSettled(LogEvent, name="frame.settled", level="debug"):
    """A file seems complete, though it has not been read yet, and waits to be judged."""

    frame: str
    camera: str
    unchanged_s: float


class FramePostponed(LogEvent, name="frame.postponed", level=("debug", "warning")):
    """A file cannot be judged yet: it is `being_written`, `unfinished` or `unreadable`, or it `changed`.

    It is a warning when framegate may not read the file, the first time.
    """

    frame: str
    reason: str
    detail: str | None = None
    is_warning: bool = False

    @property
    def level(self) -> Level:
        """A warning the first time in a row that framegate may not read the file."""
        return "warning" if self.is_warning else "debug"


class FrameKnown(LogEvent, name="frame.known", level="debug"):
    """A file has the bytes of a judged frame: it was `touched`, or `resent`, or `moved` from the name `was`.

    It is no new frame: there is no verdict.
    """

    frame: str
    camera: str
    change: str
    was: str | None = None

    @property
    def is_resent(self) -> bool:
        """Whether its camera has sent it again."""
        return self.change == "resent"


class FrameCompleted(LogEvent, name="frame.completed"):
    """An upload went on behind a picture that was judged already. `result` has all bytes, if it was kept."""

    frame: str
    camera: str
    size_bytes: int
    result: str | None = None


class ReferenceRestored(LogEvent, name="reference.restored"):
    """After a restart, or a long time without frames, the last kept frame of a size was loaded again."""

    camera: str
    frame: str


class ReferenceLost(LogEvent, name="reference.lost", level="warning"):
    """The last kept frame of a picture size is gone from both folders: the next frame of it is kept."""

    camera: str
    frame: str


class NoiseLost(LogEvent, name="noise.lost", level="warning"):
    """What a camera had learnt of its restless places cannot be read; it is learnt again."""

    camera: str
    error: str


class CameraReset(LogEvent, name="camera.reset", level="error"):
    """framegate failed on what it remembers of a camera. The camera starts again without a reference."""

    camera: str
    error: str


class CameraStorm(LogEvent, name="camera.storm", level="warning"):
    """More than `max_kept_per_hour` frames differ: from now on one a minute of these is kept."""

    camera: str
    max_kept_per_hour: int | None


class CameraCalm(LogEvent, name="camera.calm"):
    """A storm is over: of its frames `kept` were kept, and `dropped` dropped."""

    camera: str
    kept: int
    dropped: int


class CameraClock(LogEvent, name="camera.clock", level="warning"):
    """A camera's times cannot be true: its clock is `ahead`, `behind`, `stands_still` or was `set_back`.

    `frame` was captured `ahead_s` after it arrived, negative if before. Until the clock is right again, the
    time between frames is measured by their arrivals.
    """

    camera: str
    frame: str
    fault: str
    captured_at: str
    ahead_s: int


class CameraClockRight(LogEvent, name="camera.clock_right"):
    """A camera's times have been true for two minutes: they measure the time between frames again."""

    camera: str
    frame: str
    captured_at: str
    ahead_s: int


class CameraSilent(LogEvent, name="camera.silent", level="warning"):
    """A camera has sent nothing for `silent_after`."""

    camera: str
    silent_after: str


class CameraBack(LogEvent, name="camera.back"):
    """A silent camera has sent a frame again."""

    camera: str
    silent_s: float


class CameraFrozen(LogEvent, name="camera.frozen", level="warning"):
    """A camera has repeated one picture, byte for byte, `frames` times since `since`.

    That is as long as `frozen_after`.
    """

    camera: str
    since: str
    frames: int


class CameraUnfrozen(LogEvent, name="camera.unfrozen"):
    """A frozen camera has sent another picture, after `frames` repetitions."""

    camera: str
    frozen_s: float
    frames: int


class CameraLighting(LogEvent, name="camera.lighting", level="warning"):
    """Most of a camera's picture changed at once, as when a lamp is switched; `frame` was kept."""

    camera: str
    frame: str


class CameraMoved(LogEvent, name="camera.moved", level="warning"):
    """A camera seems to have been moved or covered; `frame` was kept."""

    camera: str
    frame: str


def _fields_of(region: Region) -> dict[str, float]:
    # By hand: dataclasses.asdict copies each value deeply, 12 microseconds a region.
    return {
        "x": region.x,
        "y": region.y,
        "width": region.width,
        "height": region.height,
        "area_px": region.area_px,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
