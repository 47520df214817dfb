"""Events about frames, and about the cameras that they come from."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from framegate.events.base import Level, LogEvent
from framegate.model import ChangeScore, Entry, Reason, Verdict, iso_utc

REGIONS_LOGGED = 8
"""A storm of leaves has hundreds of regions; a log line names the largest and counts the rest."""


@dataclass(frozen=True, slots=True)
class FrameDecided(LogEvent):
    """A frame got its verdict; when it is kept, its result is durable. An `internal_error` is an error."""

    levels: ClassVar[tuple[Level, ...]] = ("info", "error")

    entry: Entry
    duration_ms: float
    """From the read to the durable verdict."""

    score: ChangeScore | None = None
    """None when nothing was compared, or when a crash came between the decision and this record."""

    recovered_from: Reason | None = None
    """The reason that the ledger had for it, when it was decided before a restart."""

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
        """The fields of the log line, in reading order; those that say nothing are left out."""
        entry, score = self.entry, self.score
        values = {
            "camera": entry.camera,
            "frame": entry.key.name,
            "reason": str(entry.reason),
            "score_percent": _rounded(entry.score_percent),
            "threshold_percent": _rounded(entry.threshold_percent),
            "reference": entry.reference,
            "result": entry.result,
            "detail": entry.detail or None,
            "captured_at": iso_utc(entry.captured_at_ns),
            "size_bytes": entry.key.size_bytes,
            "duration_ms": round(self.duration_ms, 2),
            "config_revision": entry.config_revision,
            "region_count": None if score is None else len(score.regions),
            "regions": None if score is None else [asdict(r) for r in score.regions[:REGIONS_LOGGED]],
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
            "camera", "frame", "reason", "score_percent", "threshold_percent", "reference", "result",
            "detail", "captured_at", "size_bytes", "duration_ms", "config_revision", "region_count",
            "regions", "working_size",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrameSeen(LogEvent):
    """A file came into hand: by an event (`created`, `closed`, `moved`) or by a `sweep`."""

    name: ClassVar[str] = "frame.seen"
    levels: ClassVar[tuple[Level, ...]] = ("debug",)

    frame: str
    camera: str
    origin: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FrameSettled(LogEvent):
    """A file is complete, as far as can be told without reading it, and waits for its turn."""

    name: ClassVar[str] = "frame.settled"
    levels: ClassVar[tuple[Level, ...]] = ("debug",)

    frame: str
    camera: str
    unchanged_s: float


@dataclass(frozen=True, slots=True)
class FramePostponed(LogEvent):
    """A file cannot be judged yet: it is `being_written`, `unfinished` or `unreadable`, or it `changed`.

    The first time that framegate may not read a file is a warning.
    """

    name: ClassVar[str] = "frame.postponed"
    levels: ClassVar[tuple[Level, ...]] = ("debug", "warning")

    frame: str
    reason: str
    detail: str | None = None
    is_warning: bool = False

    @property
    def level(self) -> Level:
        """A warning the first time in a row that framegate may not read the file."""
        return "warning" if self.is_warning else "debug"


@dataclass(frozen=True, slots=True)
class ReferenceRestored(LogEvent):
    """After a restart, or a long time without frames, a camera's last kept frame is in memory again."""

    name: ClassVar[str] = "reference.restored"

    camera: str
    frame: str


@dataclass(frozen=True, slots=True)
class ReferenceLost(LogEvent):
    """A camera's last kept frame is in neither folder any more: its next frame is kept as `first`."""

    name: ClassVar[str] = "reference.lost"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    camera: str
    frame: str


@dataclass(frozen=True, slots=True)
class NoiseLost(LogEvent):
    """What was learnt about a camera's restless places cannot be read; it is learnt again."""

    name: ClassVar[str] = "noise.lost"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    camera: str
    error: str


@dataclass(frozen=True, slots=True)
class CameraReset(LogEvent):
    """framegate failed at what it had learnt about a camera, which starts over without a reference."""

    name: ClassVar[str] = "camera.reset"
    levels: ClassVar[tuple[Level, ...]] = ("error",)

    camera: str
    error: str


@dataclass(frozen=True, slots=True)
class CameraStorm(LogEvent):
    """More frames differ than `max_kept_per_hour`: of those that differ one a minute is kept from now on."""

    name: ClassVar[str] = "camera.storm"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    camera: str
    max_kept_per_hour: int | None


@dataclass(frozen=True, slots=True)
class CameraCalm(LogEvent):
    """A storm is over; `kept` and `dropped` count its frames."""

    name: ClassVar[str] = "camera.calm"

    camera: str
    kept: int
    dropped: int


@dataclass(frozen=True, slots=True)
class CameraSilent(LogEvent):
    """A camera has sent nothing for `silent_after`."""

    name: ClassVar[str] = "camera.silent"
    levels: ClassVar[tuple[Level, ...]] = ("warning",)

    camera: str
    silent_after: str


@dataclass(frozen=True, slots=True)
class CameraBack(LogEvent):
    """A silent camera has sent a frame again."""

    name: ClassVar[str] = "camera.back"

    camera: str
    silent_s: float


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
