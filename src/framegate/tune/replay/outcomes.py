"""What a replay has found: for each line and frame a verdict, a score, and what it was compared with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from framegate.cameras.camera_state import schedule_of
from framegate.config.settings import Settings
from framegate.model import Candidate, ChangeScore, Decision, Entry, Moment, Reason, Unit

REASONS = tuple(Reason)
_NUMBER_OF = {reason: number for number, reason in enumerate(REASONS)}
NONE = -1
"""In place of a frame's number: there is no such frame."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a camera knew before the first of its frames that is replayed; from there it goes on."""

    state: bytes
    """As ``Camera.state`` has returned it."""

    config_revision: int
    """The settings by which it had judged."""

    kept: tuple[Moment, ...]
    """When the frames were taken that it had kept, as far as is known, in the order of the decisions."""

    frames: int
    """How many frames before are known, and are not replayed."""

    def schedule_in(self, settings: Settings, camera: str) -> str | None:
        """Return the schedule that counted then, if some settings have one of that name for the camera."""
        then = schedule_of(self.state)
        return then if any(each.name == then for each in settings.schedules_of(camera)) else None


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is replayed."""

    candidate: Candidate
    """Its file, where that is now, and when it was taken."""

    recorded: Entry | None = None
    """What the daemon has decided; None where no ledger is replayed."""

    folder: str | None = None
    """Where its file is; None: in the drop folder."""

    settled: Decision | None = None
    """What every line decides: its bytes are not there, or need not be looked at. None: it is judged."""

    start: Start | None = None
    """Of a camera's first: what the camera knew by then. None: nothing."""

    @property
    def name(self) -> str:
        """Its name in the drop folder."""
        return self.candidate.key.name if self.recorded is None else self.recorded.key.name


@dataclass(frozen=True, slots=True)
class Line:
    """One way to judge the frames."""

    name: str
    settings: Settings
    revisions: Mapping[int, Settings] | None = None
    """The settings by which recorded frames were judged, by their revision: each is judged by those of its
    own again. None: all are judged by ``settings``."""

    def settings_for(self, frame: Frame) -> Settings:
        """Return the settings to judge a frame by."""
        if self.revisions is None or frame.recorded is None:
            return self.settings
        return self.revisions.get(frame.recorded.config_revision, self.settings)

    def settings_before(self, first: Frame) -> Settings:
        """Return the settings to begin with, by a camera's first frame."""
        if self.revisions is None or first.start is None:
            return self.settings_for(first)
        return self.revisions.get(first.start.config_revision, self.settings)


def key_of(number: int) -> str:
    """Return by what a frame that is replayed is known as a reference: by no name that a file can have."""
    return f"/{number}"


def number_of(reference: str) -> int:
    """Return the number of the frame that ``key_of`` has named; ``NONE`` for a file's name."""
    return int(reference[1:]) if reference.startswith("/") else NONE


@dataclass(slots=True)
class Outcome:
    """What one line has decided about each frame."""

    line: Line
    reasons: NDArray[np.uint8]
    """Numbers of ``REASONS``, (frames)."""

    scores: NDArray[np.float64]
    """In the preset's unit, (frames); NaN where nothing was compared."""

    thresholds: NDArray[np.float64]
    """What the score was compared with, (frames); NaN where nothing was compared."""

    references: NDArray[np.int32]
    """Numbers of the frames that they were compared with, (frames); ``NONE`` without one."""

    earlier: dict[int, str] = field(default_factory=dict)
    """Names of references that are none of the frames: they were kept before the first, by frame."""

    zones: dict[int, str] = field(default_factory=dict)
    """The zones that decided, by frame."""

    schedules: dict[int, str] = field(default_factory=dict)
    """The schedules that counted, by frame."""

    details: dict[int, str] = field(default_factory=dict)

    anew: list[int] = field(default_factory=list)
    """Frames from which on their camera knows nothing of those before: the preset, or its working size, was
    edited there. A daemon brings its reference along."""

    @classmethod
    def empty(cls, line: Line, frames: int) -> "Outcome":
        """Return an outcome to be filled."""
        return cls(
            line,
            np.zeros(frames, np.uint8),
            np.full(frames, np.nan),
            np.full(frames, np.nan),
            np.full(frames, NONE, np.int32),
        )

    def note(self, number: int, decision: Decision, score: ChangeScore | None) -> None:
        """Set the decision about a frame, whose reference is named by ``key_of``, and this line's score."""
        self.reasons[number] = _NUMBER_OF[decision.reason]
        if decision.reference is not None:
            self.references[number] = reference = number_of(decision.reference)
            if reference == NONE:
                self.earlier[number] = decision.reference
        if score is not None:
            self.scores[number], self.thresholds[number] = score.score, score.threshold
            if score.zone is not None:
                self.zones[number] = score.zone
        if decision.schedule is not None:
            self.schedules[number] = decision.schedule
        if decision.detail:
            self.details[number] = decision.detail

    def reason_of(self, number: int) -> Reason:
        """Return the reason for the verdict on a frame."""
        return REASONS[int(self.reasons[number])]

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """Which frames are kept, (frames)."""
        kept = np.array([reason.is_kept for reason in REASONS])
        return kept[self.reasons]


@dataclass(slots=True)
class Replay:
    """Some frames, and what each line has decided about them."""

    frames: Sequence[Frame]
    outcomes: list[Outcome]
    inexact: dict[str, list[str]] = field(default_factory=dict)
    """Why the outcomes of a camera need not be the daemon's, in words; a camera that is not here is exact."""

    @property
    def is_exact(self) -> bool:
        """Whether the daemon would have decided alike, from the first frame on."""
        return not self.inexact

    def doubt(self, camera: str, why: str) -> None:
        """Note why the outcomes of a camera need not be the daemon's."""
        reasons = self.inexact.setdefault(camera, [])
        if why not in reasons:
            reasons.append(why)

    def reference_of(self, outcome: Outcome, number: int) -> str | None:
        """Return the name of the frame that one was compared with by a line; None for nothing."""
        reference = int(outcome.references[number])
        return outcome.earlier.get(number) if reference == NONE else self.frames[reference].name

    def of_cameras(self) -> dict[str, list[int]]:
        """Return the numbers of each camera's frames, in their order; the cameras by name."""
        numbers: dict[str, list[int]] = {}
        for number, frame in enumerate(self.frames):
            numbers.setdefault(frame.candidate.camera, []).append(number)
        return dict(sorted(numbers.items()))


def begun_of(frames: Iterable[Frame]) -> Iterator[tuple[str, Frame, Start]]:
    """Yield the cameras that go on from what they knew, each with the frame before which they knew it."""
    for frame in frames:
        if frame.start is not None:
            yield frame.candidate.camera, frame, frame.start


def unit_of(settings: Settings, camera: str) -> Unit:
    """Return the unit of a camera's scores and thresholds; no schedule changes it."""
    return "%" if settings.detection_of(camera).preset_name == "classic" else "x"


def differing(before: Outcome, after: Outcome) -> Iterator[int]:
    """Yield the frames that one line keeps and the other does not."""
    yield from np.flatnonzero(before.is_kept != after.is_kept).tolist()
