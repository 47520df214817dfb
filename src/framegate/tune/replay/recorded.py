"""The frames that a daemon has judged, in the order of its decisions, and what it has decided about them.

A frame's bytes are where the camera put them, or, if it was kept, in the results folder. What the daemon
rejected without comparing it is settled: no threshold changes it.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framegate.cameras.camera import mask_in
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.ingest.reading import look_at
from framegate.keep.history.revisions import Revision
from framegate.keep.history.view import History
from framegate.model import Candidate, Decision, Entry, FileKey, GrayImage, Reason, Verdict
from framegate.tune.replay.changing import with_detection
from framegate.tune.replay.outcomes import NONE, REASONS, Frame, Line, Outcome


@dataclass(frozen=True, slots=True)
class Recording:
    """What a daemon has judged, and by what."""

    frames: list[Frame]
    was: Outcome
    """What it has decided."""

    revisions: dict[int, Settings]
    """The settings that were in force, by revision; those that another framegate wrote are left out."""

    masks: dict[str, GrayImage]
    """Of those settings, by the path that they name."""

    doubts: dict[str, list[str]]
    """Why a replay of a camera need not be exact, in words."""


def recording(history: History, settings: Settings, camera: str | None = None) -> Recording:
    """Return what a ledger remembers.

    Args:
        history: of the ledger.
        settings: with the folders of the frames and of the results.
        camera: only this one's; None: all.

    Raises:
        SinkError: the ledger cannot be read.
    """
    rows = (row.entry for row in history.frames())
    frames = recorded_frames((row for row in rows if camera in {None, row.camera}), settings)
    revisions: dict[int, Settings] = {}
    masks: dict[str, GrayImage] = {}
    for number, revision in history.revisions().items():
        with suppress(ValueError):  # it has settings that this version does not know
            revisions[number] = _settings_of(revision, history, masks)
    return Recording(frames, as_outcome(frames, settings), revisions, masks, _doubts(history, frames))


def _settings_of(revision: Revision, history: History, masks: dict[str, GrayImage]) -> Settings:
    """Return the settings of a revision; its masks go by names of their own: the files may have changed."""
    settings = revision.settings()
    renamed = {path: f"{path} of {sha256}" for path, sha256 in revision.masks.items()}
    for path, sha256 in revision.masks.items():
        data = history.mask_file(sha256)
        if data is None:
            raise ValueError(f"the mask {path} was too large to be remembered")
        masks[renamed[path]] = mask_in(data, path)

    def named_anew(detection: DetectionSettings) -> DetectionSettings:
        path = detection.mask_file
        return detection if path is None else detection.model_copy(update={"mask_file": renamed[path]})

    return with_detection(settings, named_anew)


def _doubts(history: History, frames: list[Frame]) -> dict[str, list[str]]:
    doubts: dict[str, list[str]] = {}
    for camera in dict.fromkeys(frame.candidate.camera for frame in frames):
        if history.whole_since_ns(camera) is None:
            doubts[camera] = ["the ledger has lost its first frames, and what was learnt from them"]
    for camera, count in gone_of(frames).items():
        doubts.setdefault(camera, []).append(f"of {count} frames the files are gone, input and result")
    return doubts


def recorded_frames(entries: Iterable[Entry], settings: Settings) -> list[Frame]:
    """Return the frames of a ledger's rows.

    Args:
        entries: in the order of the decisions.
        settings: with the folders.
    """
    drop, results = Path(settings.drop.folder), Path(settings.results.folder)
    return [_frame(entry, drop, results) for entry in entries]


def as_outcome(frames: list[Frame], settings: Settings) -> Outcome:
    """Return what the daemon has decided about recorded frames, as the outcome of a line."""
    outcome = Outcome.empty(Line("the daemon", settings), len(frames))
    last: dict[tuple[str, str], int] = {}
    for number, entry in enumerate(_entries(frames)):
        outcome.reasons[number] = REASONS.index(entry.reason)
        if entry.score is not None and entry.threshold is not None:
            outcome.scores[number], outcome.thresholds[number] = entry.score, entry.threshold
        if entry.reference is not None:
            outcome.references[number] = last.get((entry.camera, entry.reference), NONE)
        if entry.zone is not None:
            outcome.zones[number] = entry.zone
        if entry.detail:
            outcome.details[number] = entry.detail
        last[entry.camera, entry.key.name] = number
    return outcome


def gone_of(frames: list[Frame]) -> dict[str, int]:
    """Return how many frames of each camera cannot be judged again, because their bytes are gone."""
    gone: dict[str, int] = {}
    for frame in frames:
        if frame.settled is not None and frame.settled.reason is Reason.VANISHED:
            was = None if frame.recorded is None else frame.recorded.reason
            if was is not Reason.VANISHED:
                gone[frame.candidate.camera] = gone.get(frame.candidate.camera, 0) + 1
    return gone


def other_verdicts(was: Outcome, now: Outcome) -> list[int]:
    """Return the frames about which two outcomes differ in verdict, reason, score or reference."""
    same_scores = (was.scores == now.scores) | (np.isnan(was.scores) & np.isnan(now.scores))
    same = (was.reasons == now.reasons) & (was.references == now.references) & same_scores
    return [int(number) for number in np.flatnonzero(~same)]


def _frame(entry: Entry, drop: Path, results: Path) -> Frame:
    settled = None
    if entry.reason.verdict is Verdict.REJECTED and entry.reason is not Reason.TORN:
        settled = Decision(entry.reason, detail=entry.detail)
    key, folder = entry.key, None
    if settled is None:
        place = _place_of(entry, drop, results)
        if place is None:
            settled = Decision(Reason.VANISHED, detail="its bytes are gone, so it cannot be judged again")
        else:
            folder, key = place
    candidate = Candidate(key, entry.camera, entry.captured_at_ns, entry.arrived_at_ns)
    return Frame(candidate, entry, folder, settled)


def _place_of(entry: Entry, drop: Path, results: Path) -> tuple[str, FileKey] | None:
    """Return the folder and the file that have a frame's bytes; None if neither has."""
    there = look_at(drop, entry.key.name)
    if there is not None and entry.key.matches(there):
        return str(drop), there
    if entry.result is not None:
        kept = look_at(results, entry.result)
        if kept is not None and kept.size_bytes == entry.key.size_bytes:
            return str(results), kept
    return None


def _entries(frames: Iterable[Frame]) -> Iterator[Entry]:
    for frame in frames:
        assert frame.recorded is not None, "these frames are of a ledger"
        yield frame.recorded
