"""The frames that a daemon has judged, in the order of its decisions, and what it has decided about them.

A frame's bytes are where the camera put them, in the archive, or, if it was kept, in the results folder. What
the daemon rejected without comparing it is settled: no threshold changes it.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from framegate.cameras.camera import mask_in
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.examining import sha256_of
from framegate.ingest.reading import look_at
from framegate.keep.history.revisions import Revision
from framegate.keep.history.view import History
from framegate.model import Candidate, Decision, Entry, FileKey, GrayImage, Reason, Verdict
from framegate.tune.footage.beginning import Row, begin, begin_late, entry_of
from framegate.tune.replay.changing import with_detection
from framegate.tune.replay.outcomes import NONE, REASONS, Frame, Line, Outcome

D = TypeVar("D", bound=DetectionSettings)


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


def recording(
    history: History, settings: Settings, camera: str | None = None, *, last_id: int | None = None
) -> Recording:
    """Return what a ledger remembers.

    Args:
        history: of the ledger.
        settings: with the folders of the frames and of the results.
        camera: only this one's; None: all.
        last_id: of the camera's last row that matters: see ``begin_late``. None: see ``begin``.

    Raises:
        SinkError: the ledger cannot be read.
    """

    def frame_of(entry: Entry) -> Frame:
        return recorded_frame(entry, settings)

    if camera is not None and last_id is not None:
        begun = {camera: begin_late(history, camera, last_id, frame_of)}
    else:
        rows_of: dict[str, list[Row]] = {}
        for row in history.frames(camera=camera):
            rows_of.setdefault(row.entry.camera, []).append(Row(row.id, frame_of(row.entry)))
        begun = {name: begin(history, name, rows) for name, rows in rows_of.items()}
    rows = sorted((row for rows, _ in begun.values() for row in rows), key=lambda row: row.id)
    frames = [row.frame for row in rows]
    revisions: dict[int, Settings] = {}
    masks: dict[str, GrayImage] = {}
    for number, revision in history.revisions().items():
        with suppress(ValueError):  # it has settings that this version does not know
            revisions[number] = _settings_of(revision, history, masks)
    doubts = {name: doubts for name, (_, doubts) in begun.items() if doubts}
    return Recording(frames, as_outcome(frames, settings), revisions, masks, doubts)


def _settings_of(revision: Revision, history: History, masks: dict[str, GrayImage]) -> Settings:
    """Return the settings of a revision; its masks go by names of their own: the files may have changed."""
    settings = revision.settings()
    renamed = {path: f"{path} of {sha256}" for path, sha256 in revision.masks.items()}
    for path, sha256 in revision.masks.items():
        data = history.mask_file(sha256)
        if data is None:
            raise ValueError(f"the mask {path} was too large to be remembered")
        masks[renamed[path]] = mask_in(data, path)

    def named_anew(detection: D) -> D:
        path = detection.mask_file
        return detection if path is None else detection.model_copy(update={"mask_file": renamed[path]})

    return with_detection(settings, named_anew, named_anew)


def recorded_frame(entry: Entry, settings: Settings) -> Frame:
    """Return a frame of the ledger, which is where its bytes are now; ``settings`` name the folders."""
    settled = None
    if entry.reason.verdict is Verdict.REJECTED and entry.reason not in {Reason.TORN, Reason.TOO_LARGE}:
        settled = Decision(entry.reason, detail=entry.detail)
    key, folder = entry.key, None
    if settled is None:
        place = _place_of(entry, settings)
        if place is None and entry.reason is Reason.TOO_LARGE:
            settled = Decision(entry.reason, detail=entry.detail)
        elif place is None:
            settled = Decision(Reason.VANISHED, detail="its bytes are gone, so it cannot be judged again")
        else:
            folder, key = place
    candidate = Candidate(key, entry.camera, entry.captured_at_ns, entry.arrived_at_ns)
    return Frame(candidate, entry, folder, settled)


def as_outcome(frames: list[Frame], settings: Settings) -> Outcome:
    """Return what the daemon has decided about recorded frames, as the outcome of a line."""
    outcome = Outcome.empty(Line("the daemon", settings), len(frames))
    last: dict[tuple[str, str], int] = {}
    for number, entry in enumerate(map(entry_of, frames)):
        outcome.reasons[number] = REASONS.index(entry.reason)
        if entry.score is not None and entry.threshold is not None:
            outcome.scores[number], outcome.thresholds[number] = entry.score, entry.threshold
        if entry.reference is not None:
            outcome.references[number] = reference = last.get((entry.camera, entry.reference), NONE)
            if reference == NONE:
                outcome.earlier[number] = entry.reference
        if entry.zone is not None:
            outcome.zones[number] = entry.zone
        if entry.detail:
            outcome.details[number] = entry.detail
        if entry.reason.is_kept:  # later versions of its name may have been dropped
            last[entry.camera, entry.key.name] = number
    return outcome


def other_verdicts(was: Outcome, now: Outcome) -> list[int]:
    """Return the frames about which two outcomes differ in verdict, reason, score or reference."""
    same_scores = (was.scores == now.scores) | (np.isnan(was.scores) & np.isnan(now.scores))
    same = (was.reasons == now.reasons) & (was.references == now.references) & same_scores
    renamed = {number for number, _ in was.earlier.items() ^ now.earlier.items()}
    return sorted({*np.flatnonzero(~same).tolist(), *renamed})


def _place_of(entry: Entry, settings: Settings) -> tuple[str, FileKey] | None:
    """Return the folder and the file that have a frame's bytes; None if there is none any more."""
    drop = Path(settings.drop.folder)
    there = look_at(drop, entry.key.name)
    if there is not None and (entry.key.matches(there) or _has_bytes_of(entry, drop, there)):
        return str(drop), there
    for folder, name in (
        (settings.drop.archive, entry.archived),
        (settings.results.folder, entry.result),
    ):
        if folder is None or name is None:
            continue
        kept = look_at(Path(folder), name)
        if kept is not None and kept.size_bytes == entry.key.size_bytes:
            return folder, kept
    return None


def _has_bytes_of(entry: Entry, drop: Path, there: FileKey) -> bool:
    """Return whether a file that was touched, or restored from elsewhere, has the bytes that were judged."""
    if there.size_bytes != entry.key.size_bytes or entry.sha256 is None:
        return False
    try:
        return sha256_of((drop / there.name).read_bytes()) == entry.sha256
    except OSError:
        return False
