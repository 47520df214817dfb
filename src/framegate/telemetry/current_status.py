"""Makes the status of now: what has changed since the last one is made anew, the rest is taken from there."""

import re
import time
from collections.abc import Mapping
from types import MappingProxyType

from framegate.config.quantities import Area, Times
from framegate.ingest.pending import Pending
from framegate.keep.schema import THE_OTHERS
from framegate.model import Entry, Unit, Verdict, iso_utc
from framegate.telemetry.counters import CameraCounters, Counters, counted_as
from framegate.telemetry.status import (
    COUNTS,
    CameraStatus,
    FrameStatus,
    KeptStatus,
    Status,
    Totals,
    Vitals,
    fields_of,
)


def current_status(
    counters: Counters,
    vitals: Vitals,
    pending: Mapping[str, Pending],
    now_s: float,
    frozen_since_s: Mapping[str, float] = MappingProxyType({}),
    *,
    silent_since_s: Mapping[str, float] = MappingProxyType({}),
    at_ns: int | None = None,
) -> Status:
    """Return the status of now.

    Args:
        counters: the verdicts so far.
        vitals: everything else.
        pending: the frames without a verdict, by camera.
        now_s: the present in seconds, by the clock of ``Pending.since_s``.
        frozen_since_s: since when the frozen cameras have repeated their picture, by the same clock.
        silent_since_s: since when the silent cameras have sent nothing, by the same clock.
        at_ns: the present since the epoch, by which a schedule counts or not. Default: this machine's.
    """
    at_ns = time.time_ns() if at_ns is None else at_ns
    waiting = _as_counted(pending, counters)
    cameras = {
        name: _camera(_lasting(counters, name, at_ns), waiting.get(name, Pending()), now_s)
        for name in sorted({**counters.cameras, **waiting}, key=_in_order)
    }
    for name, since_s in frozen_since_s.items():
        if name in cameras:  # it may be counted among the others
            cameras[name] = cameras[name].at_present(frozen_s=round(now_s - since_s, 1))
    for name, since_s in silent_since_s.items():
        if name in cameras:
            cameras[name] = cameras[name].at_present(silent_s=round(now_s - since_s, 1))
    totals = {key: sum(getattr(camera, key) for camera in cameras.values()) for key in (*COUNTS, "late")}
    return Status(
        **fields_of(vitals),
        at=iso_utc(at_ns),
        at_s=at_ns / 1e9,
        running=vitals.pid is not None,
        totals=Totals(**totals),
        oldest_pending_s=max((camera.oldest_pending_s or 0.0 for camera in cameras.values()), default=0.0),
        cameras=cameras,
    )


def _in_order(camera: str) -> tuple[bool, list[str | int]]:
    """Return what cameras are sorted by: their names, numbers in these by value, and the others last."""
    parts = re.split(r"(\d+)", camera)
    return camera == THE_OTHERS, [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _as_counted(pending: Mapping[str, Pending], counters: Counters) -> dict[str, Pending]:
    """Add up the pending frames of all cameras that are not counted by name."""
    named: dict[str, object] = dict(counters.cameras)
    waiting: dict[str, Pending] = {}
    for camera in sorted(pending):
        name = counted_as(camera, named)
        named[name] = None
        older, younger = sorted([waiting.get(name, Pending()), pending[camera]], key=lambda p: p.since_s)
        waiting[name] = Pending(older.count + younger.count, older.since_s, older.why)
    return waiting


def _lasting(counters: Counters, name: str, at_ns: int) -> CameraStatus:
    """Return what lasts until the camera's next verdict, or until another schedule counts."""
    camera, schedule = counters.cameras.get(name, CameraCounters()), counters.schedule_at(name, at_ns)
    if not isinstance(camera.shown, CameraStatus) or camera.shown.schedule != schedule:
        camera.shown = _without_pending(camera, counters.threshold_of(name, schedule), schedule)
    return camera.shown


def _camera(lasting: CameraStatus, pending: Pending, now_s: float) -> CameraStatus:
    if not pending.count:
        return lasting
    return lasting.at_present(
        seen=lasting.seen + pending.count,
        pending=pending.count,
        oldest_pending_s=round(now_s - pending.since_s, 1),
        pending_why=pending.why,
    )


def _without_pending(
    counters: CameraCounters, threshold: Area | Times | None, schedule: str | None
) -> CameraStatus:
    kept, dropped, rejected = map(counters.count, Verdict)
    return CameraStatus(
        seen=kept + dropped + rejected,
        kept=kept,
        dropped=dropped,
        rejected=rejected,
        late=counters.late,
        clock_fault=counters.clock_fault,
        threshold=_as_a_score(threshold),
        unit=_unit_of(threshold),
        schedule=schedule,
        reasons={reason: count for reason, count in sorted(counters.reasons.items()) if count},
        last_frame=None if counters.last is None else _frame(counters.last),
        last_kept=_frame(counters.recent_kept[-1]) if counters.recent_kept else None,
        recent_kept=tuple(map(_kept, reversed(counters.recent_kept))),
        scores=tuple(round(entry.score or 0.0, 4) for entry in counters.compared),
        thresholds=tuple(entry.threshold for entry in counters.compared),
        units=tuple(entry.unit for entry in counters.compared),
    )


def _frame(entry: Entry) -> FrameStatus:
    return FrameStatus(
        frame=entry.key.name,
        captured_at=iso_utc(entry.captured_at_ns),
        decided_at=iso_utc(entry.decided_at_ns),
        decided_at_s=entry.decided_at_ns / 1e9,
        reason=entry.reason,
        score=entry.score,
        threshold=entry.threshold,
        unit=entry.unit,
        zone=entry.zone,
        result=entry.result,
    )


def _kept(entry: Entry) -> KeptStatus:
    return KeptStatus(
        result=entry.result,
        sha256=None if entry.sha256 is None else entry.sha256.hex(),
        captured_at=iso_utc(entry.captured_at_ns),
        decided_at=iso_utc(entry.decided_at_ns),
        decided_at_s=entry.decided_at_ns / 1e9,
        reason=entry.reason,
        score=entry.score,
        threshold=entry.threshold,
        unit=entry.unit,
    )


def _as_a_score(threshold: Area | Times | None) -> float | None:
    """Return a threshold in the unit of scores; None if that depends on the size of the picture."""
    if isinstance(threshold, Area):
        return threshold.value if threshold.unit == "%" else None
    return None if threshold is None else float(threshold)


def _unit_of(threshold: Area | Times | None) -> Unit | None:
    if threshold is None:
        return None
    return "%" if isinstance(threshold, Area) else "x"
