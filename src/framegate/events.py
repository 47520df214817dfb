"""One frozen record per happening; the log, the metrics and the statistics are listeners.

A record knows its event name and its fields. It does not know who listens.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from framegate.model import ChangeScore, Entry, Reason, iso_utc

REGIONS_LOGGED = 8
"""A storm of leaves has hundreds of regions; a log line names the largest and counts the rest."""


@dataclass(frozen=True, slots=True)
class FrameDecided:
    """A frame got its verdict; when it is ``kept``, its result is durable."""

    entry: Entry
    duration_ms: float
    """From the read to the durable verdict."""

    score: ChangeScore | None = None
    """None when nothing was compared, or when a crash came between the decision and this record."""

    recovered_from: Reason | None = None
    """The reason that the ledger had for it, when it was decided in a life before."""

    @property
    def level(self) -> str:
        """``info``; ``error`` when the fault is framegate's own."""
        return "error" if self.entry.reason is Reason.INTERNAL_ERROR else "info"

    @property
    def event(self) -> str:
        """``frame.kept``, ``frame.dropped`` or ``frame.rejected``."""
        return f"frame.{self.entry.reason.verdict}"

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the log line, in reading order; those that say nothing are left out."""
        entry = self.entry
        fields: dict[str, Any] = {
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
        }
        if self.score is not None:
            fields["region_count"] = len(self.score.regions)
            fields["regions"] = [asdict(region) for region in self.score.regions[:REGIONS_LOGGED]]
            fields["working_size"] = list(self.score.working_size)
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Happening:
    """Anything else worth a line: ``daemon.started``, ``intake.paused``, ``reference.restored``, ..."""

    event: str
    fields: dict[str, Any]
    level: str = "info"


Event = FrameDecided | Happening
Listener = Callable[[Event], None]


def happening(event: str, level: str = "info", **fields: Any) -> Happening:
    """Make a Happening from keywords."""
    return Happening(event, fields, level)


def announcer(listeners: Iterable[Listener]) -> Listener:
    """Join listeners to one, called in their order."""
    audience = tuple(listeners)

    def announce(event: Event) -> None:
        for listener in audience:
            listener(event)

    return announce


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
