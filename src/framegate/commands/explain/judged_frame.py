"""``framegate explain NAME``: why a daemon kept or dropped a frame, by what it knew then."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framegate.cameras.camera import mask_of
from framegate.commands.explain.two_files import what_was_compared, write_picture
from framegate.commands.output import require_output
from framegate.commands.progress import Bar
from framegate.commands.scan import printable
from framegate.config.detection import DetectionSettings
from framegate.config.load import Config
from framegate.config.quantities import comparison
from framegate.config.settings import Settings
from framegate.detect.detector import detector_of
from framegate.errors import FramegateError
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME
from framegate.model import Decision, Entry, Reason, Verdict, iso_utc
from framegate.tune.explain import Explanation, NotAFrameError, explain, explained, overlay
from framegate.tune.footage.beginning import entry_of, is_gone
from framegate.tune.footage.recorded import Recording, recorded_frame, recording
from framegate.tune.recall import recall
from framegate.tune.replay.outcomes import Frame, Line

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


class UnknownFrameError(FramegateError):
    """The ledger does not know a frame, or it cannot be shown."""


@dataclass(slots=True)
class Past:
    """A frame that was judged, and why as it was."""

    entry: Entry
    """What the ledger has of it."""

    reference: Entry | None = None
    file: Path | None = None
    """Where its bytes are; None if they are gone."""

    schedule: str | None = None
    """Name of the one that counted; None without one."""

    detection: DetectionSettings | None = None
    """By which it was judged; None if they are not known."""

    explanation: Explanation | None = None
    """Made of the pictures; None without them."""

    score_before_learning: float | None = None
    doubts: list[str] = field(default_factory=list)
    """Why the explanation need not be exact, in words."""


def run_explain_name(name: str, config: Config, *, overlay_file: Path | None, as_json: bool) -> None:
    """Print why a daemon kept, dropped or rejected a frame.

    Raises:
        UnknownFrameError: the ledger does not know it; or there is nothing to draw.
        SinkError: the ledger cannot be read.
        OutputError: the picture must not be written there.
        OverlayError: it cannot be written.
    """
    if overlay_file is not None:
        drop = config.settings.drop.folder
        require_output(overlay_file, config.path, drop_folder=drop, suffix=".png")
    past = past_of(name, config.settings)
    if as_json:
        print(json.dumps(_document(past), indent=2))
    else:
        print("\n".join(_in_words(past)))
    if overlay_file is not None:
        if past.explanation is None or past.file is None:
            raise UnknownFrameError(f"nothing of {printable(name)} can be drawn: {_why_not(past)}")
        write_picture(overlay_file, overlay(past.file, past.explanation))


def past_of(name: str, settings: Settings) -> Past:
    """Return all that is known of a frame that was judged.

    Raises:
        UnknownFrameError: the ledger does not know it.
        SinkError: the ledger cannot be read.
    """
    ledger = Path(settings.state.folder or "", LEDGER_NAME)
    if not ledger.exists():
        raise UnknownFrameError(f"no daemon has run with the state folder {ledger.parent}")
    with History(ledger) as history:
        row = history.last_named(*_names(name, settings))
        if row is None:
            words = f"the ledger in {ledger.parent} does not know {printable(name)}"
            if others := " or ".join(map(printable, history.names_below(name))):
                raise UnknownFrameError(f"{words}; did you mean {others}?")
            raise UnknownFrameError(f"{words}; to compare two files, give both")
        found = recording(history, settings, row.entry.camera, last_id=row.id)
        reference = history.reference_of(row)
    frame, then = found.frames[-1], found.revisions.get(row.entry.config_revision)
    past = Past(row.entry, reference, _file_of(frame, settings), doubts=_doubts(found))
    is_judged = row.entry.reason.verdict is not Verdict.REJECTED or row.entry.reason is Reason.TORN
    _follow_schedule(past, then, _schedule_of(row.entry, then) if then and is_judged else None)
    if past.file is None or frame.settled is not None or not is_judged:
        return past
    if not past.doubts:
        schedule = _recall(past, found.frames, Line("then", settings, revisions=found.revisions), found)
        _follow_schedule(past, then, schedule)
    elif reference is not None and (file := _file_of(recorded_frame(reference, settings), settings)):
        _compare(past, file, past.file, then or settings)
    return past


def _names(name: str, settings: Settings) -> Iterator[set[str]]:
    """Yield what may be meant in the drop, and in the results folder: a name as the log has it, or a path.

    In the archive a frame has the path that it had in the drop folder.
    """
    drop, results, archive = settings.drop.folder, settings.results.folder, settings.drop.archive
    for folders in ((drop, archive or drop), (results,)):
        yield {name, *(os.path.relpath(os.path.abspath(name), folder) for folder in folders)}


def _file_of(frame: Frame, settings: Settings) -> Path | None:
    if frame.settled is not None and frame.settled.reason is Reason.VANISHED:
        return None
    return Path(frame.folder or settings.drop.folder, frame.candidate.key.name)


def _doubts(found: Recording) -> list[str]:
    """Return why the last frame cannot be judged again as it was."""
    last = found.frames[-1]
    if is_gone(last):
        return ["its bytes are gone, input and result"]
    doubts = [*found.doubts.get(last.candidate.camera, ())]
    if {entry_of(frame).config_revision for frame in found.frames} - found.revisions.keys():
        doubts.append("the settings of then are not known")
    return doubts


def _schedule_of(entry: Entry, settings: Settings) -> str | None:
    """Return the schedule that counted for a frame, unless its camera's clock was wrong."""
    return settings.schedule_at(entry.camera, entry.captured_at_ns)


def _follow_schedule(past: Past, then: Settings | None, schedule: str | None) -> None:
    past.schedule = schedule
    past.detection = None if then is None else then.detection_of(past.entry.camera, schedule)


def _recall(past: Past, frames: list[Frame], line: Line, found: Recording) -> str | None:
    """Explain a frame by what the camera knew then; return the schedule that counted."""
    with Bar(len(frames)) as bar:
        recalled = recall(frames, line, found.masks, bar.move)
    if recalled is None:
        past.doubts.append("its file shows no picture any more")
        return past.schedule
    if not recalled.is_whole:
        past.doubts.append("the preset or its working size was changed before it")
    if not _is_alike(recalled.decision, past.entry):
        past.doubts.append(f"judged again it is {_decided(recalled.decision)}")
    if recalled.reference is not None:
        past.explanation = explained(
            recalled.detector, recalled.reference, recalled.current, recalled.decision
        )
    past.score_before_learning = recalled.score_before_learning
    return recalled.decision.schedule


def _compare(past: Past, reference: Path, current: Path, settings: Settings) -> None:
    """Explain a frame by the two files alone, as if nothing had been learnt."""
    detection = settings.detection_of(past.entry.camera, _schedule_of(past.entry, settings))
    try:
        detector = detector_of(detection, mask_of(detection))
        max_pixels = settings.drop.max_megapixels * 1e6
        past.explanation = explain(reference, current, detector, max_pixels=max_pixels)
    except (OSError, ValueError, NotAFrameError) as error:
        past.doubts.append(str(error))
    else:
        past.doubts.append("so the two files are compared as if nothing had been learnt")


def _is_alike(decision: Decision, entry: Entry) -> bool:
    score = None if decision.score is None else decision.score.score
    return (decision.reason, score, decision.reference) == (entry.reason, entry.score, entry.reference)


def _decided(decision: Decision) -> str:
    score = decision.score
    return str(decision.reason) + (
        "" if score is None else ", " + " ".join(comparison(score.score, score.threshold, score.unit))
    )


def _document(past: Past) -> dict[str, Any]:
    entry, reference = past.entry, past.reference
    numbers = {"score": entry.score, "threshold": entry.threshold, "unit": entry.unit, "zone": entry.zone}
    return {
        "schema": 2,
        **({} if past.explanation is None else past.explanation.as_json()),
        "frame": entry.key.name,
        "camera": entry.camera,
        "captured_at": iso_utc(entry.captured_at_ns),
        "decided_at": iso_utc(entry.decided_at_ns),
        "config_revision": entry.config_revision,
        "schedule": past.schedule,
        "verdict": entry.reason.verdict,
        "reason": entry.reason,
        "detail": entry.detail,
        **(numbers if entry.score is not None else {}),
        "reference": entry.reference,
        "reference_age_s": None if reference is None else _age_s(entry, reference),
        "score_before_learning": past.score_before_learning,
        "ignored": [*_ignored(past)],
        "exact": not past.doubts,
        "why_not_exact": past.doubts,
    }


def _in_words(past: Past) -> Iterator[str]:
    entry, explanation = past.entry, past.explanation
    taken, judged = iso_utc(entry.captured_at_ns), iso_utc(entry.decided_at_ns)
    yield f"{printable(entry.key.name)} of camera {printable(entry.camera)}, taken {taken}"
    by = "" if past.schedule is None else f", schedule {printable(past.schedule)}"
    yield f"judged {judged}, by revision {entry.config_revision} of the settings{by}"
    yield f"{entry.reason.verdict}: {entry.reason}{f' ({entry.detail})' if entry.detail else ''}"
    if entry.score is not None and entry.threshold is not None and entry.unit is not None:
        shown, sign, threshold = comparison(entry.score, entry.threshold, entry.unit)
        zone = "" if entry.zone is None else f" of zone {entry.zone}"
        yield f"score {shown} {sign} threshold {threshold}{zone}: {_margin(entry.score, entry.threshold)}"
    if entry.reference is not None:
        age = "" if past.reference is None else f", taken {_age(_age_s(entry, past.reference))}"
        yield f"compared with {printable(entry.reference)}{age}"
    if explanation is not None and (score := explanation.score) is not None:
        yield from what_was_compared(explanation, score, ">" if score.score > score.threshold else "<=")
    if (before := past.score_before_learning) is not None:
        yield f"  usual there: with nothing learnt the score would be {before:.2f}x"
    if ignored := [*_ignored(past)]:
        yield f"ignored: {', '.join(ignored)}"
    if past.doubts:
        yield f"not exact: {_why_not(past)}"
    elif entry.reason.verdict is not Verdict.REJECTED or entry.reason is Reason.TORN:
        yield "exact: judged again, it comes out the same"


def _margin(score: float, threshold: float) -> str:
    """Return by how much a score is above or below its threshold: ``9 % short``."""
    if not threshold:
        return "over" if score else "nothing changed"
    percent = 100 * abs(score / threshold - 1)
    shown = f"{percent:.0f}" if percent >= 1 else f"{percent:.1g}"
    return f"{shown} % {'over' if score > threshold else 'short'}"


def _ignored(past: Past) -> Iterator[str]:
    """Yield what does not count in the picture, by its name in the config."""
    if (detection := past.detection) is not None:
        yield from (area.name for area in detection.ignore)
        if any(detection.border_mask):
            yield "border_mask"
        if detection.mask_file is not None:
            yield "mask_file"


def _age_s(entry: Entry, reference: Entry) -> float:
    return (entry.captured_at_ns - reference.captured_at_ns) / 1e9


def _age(seconds: float) -> str:
    """Return in words how much earlier the reference was taken."""
    for unit, unit_s in (("days", DAY_S), ("h", HOUR_S), ("min", MINUTE_S)):
        if abs(seconds) >= 2 * unit_s:
            return f"{abs(seconds) / unit_s:.0f} {unit} {'before' if seconds > 0 else 'after'}"
    return f"{abs(seconds):.0f} s {'before' if seconds >= 0 else 'after'}"


def _why_not(past: Past) -> str:
    return "; ".join(past.doubts) or f"it is {past.entry.reason}, compared with nothing"
