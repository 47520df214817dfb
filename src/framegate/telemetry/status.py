"""The state of a daemon as one value, from which JSON, terminal, metrics and systemd line are made."""

import json
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from framegate import folders
from framegate.model import Reason, Unit
from framegate.notify.books import Book

SCHEMA = 2
FILE_NAME = "status.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The state of a daemon, without its counters."""

    pid: int | None = None
    uptime_s: float = 0.0
    paused: str | None = None
    """Why the intake is paused; None when it is not."""

    drop_folder: str | None = None
    is_absent: bool = False
    """Whether the drop folder is missing."""

    watch: str | None = None
    watch_rebuilds: int = 0
    watch_overflows: int = 0
    found_by_sweep: int = 0
    config_file: str | None = None
    config_revision: int | None = None
    config_refused: tuple[str, ...] = ()
    config_loaded_at: float = 0.0
    """Seconds since the epoch."""

    results_free_bytes: int | None = None
    """None when the folder is missing, or not known."""

    results_replaced_at_s: float | None = None
    """Since when another folder stands at the path of the results, in seconds since the epoch; None while the
    one with the last results does, or is not known."""

    archive_refused: str | None = None
    """Why inputs cannot be moved to the archive; None while they can, or while none has to be."""

    log_lines_lost: int = 0
    unmatched_files: int = 0
    """Files in the drop folder that no pattern of ``drop.include`` takes, as of the last sweep."""

    unmatched_example: str | None = None
    unread_times: int = 0
    """Names that ``drop.capture_time`` did not read since the start, or since an edit of ``[drop]``."""

    unread_times_example: str | None = None
    unread_cameras: int = 0
    """The same for ``drop.camera_pattern``."""

    unread_cameras_example: str | None = None
    notify: dict[str, Book] = field(default_factory=dict)
    """What has become of the messages of each ``[[notify]]``, by its name."""

    notify_lost: int = 0
    """Events that could neither be written nor kept in memory for those, since the start."""


@dataclass(frozen=True, slots=True)
class FrameStatus:
    """One frame and its verdict."""

    frame: str
    captured_at: str
    decided_at: str
    decided_at_s: float
    """Seconds since the epoch."""

    reason: Reason
    score: float | None
    threshold: float | None
    unit: Unit | None
    zone: str | None
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStatus:
    """One kept frame, as a picture of the results folder."""

    result: str | None
    """Its name below the results folder; None while that is not known."""

    sha256: str | None = None
    """Of its bytes, in hexadecimal digits; None if not known."""

    captured_at: str
    decided_at: str
    decided_at_s: float
    """Seconds since the epoch."""

    reason: Reason
    score: float | None
    threshold: float | None
    unit: Unit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of frames: ``seen`` is the sum of kept, dropped, rejected and pending."""

    seen: int = 0
    kept: int = 0
    dropped: int = 0
    rejected: int = 0
    pending: int = 0
    late: int = 0
    """Those of the kept and dropped that were taken before a frame of their camera judged already."""


@dataclass(frozen=True, kw_only=True)
class CameraStatus(Totals):
    """One camera, or all those beyond the first ``MOST_CAMERAS``."""

    oldest_pending_s: float | None = None
    """Age of the oldest pending frame, in seconds; None without pending frames."""

    pending_why: str | None = None
    """Why that frame waits, if known."""

    frozen_s: float | None = None
    """For how long it has repeated one picture, in seconds; None while it is not frozen."""

    silent_s: float | None = None
    """For how long it has sent nothing, in seconds; None while it is not silent."""

    clock_fault: str | None = None
    """Why its capture times cannot be true, as in ``camera.clock``; None while they can."""

    threshold: float | None = None
    """What a score has to exceed now, in ``unit``; None if it depends on the picture, or is not known."""

    unit: Unit | None = None
    schedule: str | None = None
    """The schedule that counts now, whose threshold that may be; None without one."""

    reasons: dict[Reason, int]
    last_frame: FrameStatus | None = None
    last_kept: FrameStatus | None = None
    recent_kept: tuple[KeptStatus, ...] = ()
    """The last kept frames, newest first."""

    scores: tuple[float, ...] = ()
    """Scores of the last frames that were compared, oldest first."""

    thresholds: tuple[float | None, ...] = ()
    """The threshold of each score, in the score's unit."""

    units: tuple[Unit | None, ...] = ()
    """The unit of each score: `%` of the picture, or `x` times the usual."""

    def at_present(self, **passing: Any) -> "CameraStatus":
        """Return the same with other values of ``PASSING``."""
        status = replace(self, **passing)
        status.__dict__["_lasting_json"] = self._lasting_json
        return status

    @property
    def as_json(self) -> str:
        """The same as JSON."""
        passing = json.dumps({key: getattr(self, key) for key in PASSING})
        return f"{self._lasting_json.removesuffix('}')}, {passing.removeprefix('{')}"

    @cached_property
    def _lasting_json(self) -> str:
        # Made once: of many cameras few change from one status to the next.
        lasting = {key: value for key, value in fields_of(self).items() if key not in PASSING}
        return json.dumps(lasting, default=fields_of)


PASSING = ("seen", "pending", "oldest_pending_s", "pending_why", "frozen_s", "silent_s")
"""What may be another in each status, though nothing was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Vitals):
    """The whole state of a daemon that runs, or that has ended."""

    schema: int = SCHEMA
    at: str
    at_s: float
    """When the status was made; seconds since the epoch."""

    running: bool
    """Whether the daemon runs: a reader asks the lock. In the file, False is a daemon's last word."""

    hung: bool = False
    """Whether a running daemon has not reported for too long, and it is not known why; set by the reader."""

    state_unwritable: str | None = None
    """Why a running daemon cannot write into its state folder, if that can be seen; set by the reader."""

    last_heard_at_s: float | None = None
    """When a daemon that ended without a stop was heard of last, in seconds since the epoch; None while it
    runs and after a stop; set by the reader."""

    totals: Totals
    oldest_pending_s: float = 0.0
    cameras: dict[str, CameraStatus]

    def to_json(self) -> str:
        """Return it as JSON on one line; ``from_json`` reads it."""
        text = json.dumps(replace(self, cameras={}), default=fields_of)
        cameras = ", ".join(f"{json.dumps(name)}: {camera.as_json}" for name, camera in self.cameras.items())
        return f"{text.removesuffix('}}')}{cameras}}}}}"


def from_json(text: str | bytes) -> Status:
    """Return the status that a daemon has written.

    Not by pydantic: it refuses names that are not UTF-8, and cameras give their files such names.

    Raises:
        ValueError: it is damaged, or of another version of framegate.
    """
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise ValueError(f"has schema {document['schema']}, not {SCHEMA}")
        cameras = {name: _camera_from(camera) for name, camera in document["cameras"].items()}
        totals = Totals(**_known(Totals, document["totals"]))
        books = {name: Book(**_known(Book, book)) for name, book in document.get("notify", {}).items()}
        rebuilt = {"totals": totals, "cameras": cameras, "notify": books}
        return Status(**_known(Status, document) | rebuilt)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"is not a status file of framegate ({error!r})") from error


def _camera_from(document: dict[str, Any]) -> CameraStatus:
    reasons = {Reason(reason): count for reason, count in document["reasons"].items()}
    rebuilt: dict[str, Any] = {"reasons": reasons}
    for key in ("last_frame", "last_kept"):
        if document[key] is not None:
            rebuilt[key] = FrameStatus(**_known(FrameStatus, document[key]))
    recent = document.get("recent_kept", ())
    rebuilt["recent_kept"] = tuple(KeptStatus(**_known(KeptStatus, kept)) for kept in recent)
    return CameraStatus(**_known(CameraStatus, document) | rebuilt)


def fields_of(part: Any) -> dict[str, Any]:
    """Return what a dataclass holds, by name; for ``json.dumps(default=...)``."""
    # Not dataclasses.asdict: it copies deeply, 0.3 ms for a camera with its 32 scores.
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _known(kind: type, document: dict[str, Any]) -> dict[str, Any]:
    """Return the entries that a dataclass has fields for: a newer daemon may write more."""
    return {field.name: document[field.name] for field in fields(kind) if field.name in document}


COUNTS = ("seen", "kept", "dropped", "rejected", "pending")
"""Counts in the order in which people read them; the first is the sum of the others."""


def waits_of(status: Status) -> list[str]:
    """Return what a daemon waits for before it can judge, one sentence each."""
    waits = []
    if status.paused:
        waits.append(f"intake paused: {status.paused}: frames wait, nothing is lost; it is tried again")
    if status.is_absent:
        folder = f"the drop folder {status.drop_folder or ''}".rstrip()
        waits.append(f"{folder} is absent: framegate waits until it is there")
    return waits


def in_one_line(status: Status) -> str:
    """Return the line for ``systemctl status``: problems first, then counts."""
    counts = ", ".join(f"{getattr(status.totals, key)} {key}" for key in COUNTS[1:])
    trouble = waits_of(status)
    trouble += [f"CONFIG REFUSED: {status.config_refused[0]}"] if status.config_refused else []
    trouble += ["RESULTS FOLDER REPLACED"] if status.results_replaced_at_s else []
    trouble += [f"NOTHING ARCHIVED: {status.archive_refused}"] if status.archive_refused else []
    trouble += [f"{status.log_lines_lost} LOG LINES LOST"] if status.log_lines_lost else []
    return "; ".join([*trouble, counts, f"config revision {status.config_revision}"])


def free_bytes(folder: Path) -> int | None:
    """Return the free space in the file system of a folder; None when the folder is missing."""
    try:
        return folders.free_bytes(folder)
    except OSError:
        return None
