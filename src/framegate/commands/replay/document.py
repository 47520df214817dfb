"""What ``framegate replay --json`` prints."""

from dataclasses import asdict
from typing import Any

from framegate.commands.replay.found import Found, counts_of_side
from framegate.config.load import Config
from framegate.model import iso_utc
from framegate.tune.differences import Difference, Side
from framegate.tune.replay.outcomes import begun_of

SCHEMA = 1


def document(found: Found, new: Config, old: Config | None) -> dict[str, Any]:
    """Return it; the config of a side is null if it is what a daemon has decided."""
    frames, numbers = found.after.replay.frames, found.after.numbers
    times = [frames[number].candidate.captured_at_ns for number in numbers]
    inexact = found.after.replay.inexact
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "exact": not inexact,
        "why_not_exact": [f"{camera}: {why}" for camera, reasons in inexact.items() for why in reasons],
        "begins": {
            camera: {"frame": frame.name, "frames_before": start.frames}
            for camera, frame, start in begun_of(frames)
        },
        "frames": len(numbers),
        "from": iso_utc(min(times)) if times else None,
        "to": iso_utc(max(times)) if times else None,
        "old": None if found.before is None else _side_document(found.before, old),
        "new": _side_document(found.after, new),
        "gained": [change.frame for change in found.changes if change.is_gained],
        "lost": [change.frame for change in found.changes if not change.is_gained],
        "changes": [_change_document(change) for change in found.changes],
    }
    if (check := found.check) is not None:
        document["check"] = {
            "labels": str(check.labels),
            "passed": check.passed,
            "failed": [asdict(failure) for failure in check.failed],
            "unknown": [label.frame for label in check.unknown],
        }
    return document


def _side_document(side: Side, config: Config | None) -> dict[str, Any]:
    return {
        "config": None if config is None or config.path is None else str(config.path),
        "cameras": {
            camera: {
                "frames": counts.frames,
                "days": round(counts.days, 4),
                "kept": counts.kept,
                "kept_bytes": counts.kept_bytes,
                "reasons": dict(sorted(counts.reasons.items())),
                "by_day": {day: [each.frames, each.kept] for day, each in sorted(counts.by_day.items())},
            }
            for camera, counts in counts_of_side(side).items()
        },
    }


def _change_document(change: Difference) -> dict[str, Any]:
    sides = {"old": change.before, "new": change.after}
    return {
        "frame": change.frame,
        "camera": change.camera,
        "captured_at": iso_utc(change.captured_at_ns),
        **{
            name: None if side is None else {"verdict": side.verdict, **asdict(side)}
            for name, side in sides.items()
        },
    }
