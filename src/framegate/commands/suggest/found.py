"""What is wanted of suggestions, and what was found for each camera."""

from dataclasses import dataclass, field
from pathlib import Path

from framegate.tune.labels import Failure
from framegate.tune.pasting import own_table
from framegate.tune.suggest.choosing import Choice
from framegate.tune.suggest.goals import Amount, Target, Wishes
from framegate.tune.suggest.object_size import ObjectAdvice
from framegate.tune.suggest.restless import RestlessArea
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import Tried

FEW_FRAMES = 150
"""Fewer, or less than a day, say little: two halves of one day disagree by up to 168 times about a rule."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    folder: Path | None
    """None: what the daemon of the config has judged."""

    camera: str | None = None
    target: Target | None = None
    labels: Path | None = None
    must_keep: tuple[str, ...] = ()
    object_text: str | None = None
    overlay: Path | None = None
    as_json: bool = False
    is_cached: bool = True

    @property
    def has_goal(self) -> bool:
        """Whether a threshold, or an area, is asked for."""
        return bool(self.target or self.labels or self.must_keep or self.object_text)

    @property
    def is_bound(self) -> bool:
        """Whether all that is wanted is that some frames are kept: many thresholds do that."""
        return bool(self.must_keep) and self.labels is None


@dataclass(frozen=True, slots=True)
class Answer:
    """The threshold for a goal, of one camera."""

    goal: Amount | Wishes
    choice: Choice
    below: Tried | None
    """The outcome just below the chosen one's thresholds; None if there is none."""

    above: Tried | None
    contradicted: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ignoring:
    """Places that may be ignored, and what the settings in force would keep without them."""

    areas: list[RestlessArea]
    too_large: list[RestlessArea]
    kept: int
    kept_without: int
    gained: list[str]
    """Frames that are kept only without them."""

    lost: list[str]


@dataclass(slots=True)
class OfCamera:
    """What was found for one camera."""

    trial: Trial
    answer: Answer | None = None
    advice: ObjectAdvice | None = None
    ignoring: Ignoring | None = None

    @property
    def table_of(self) -> str | None:
        """The camera whose table the settings belong to; None for the general one."""
        return own_table(self.trial.camera, self.trial.settings)

    @property
    def is_few(self) -> bool:
        """Whether too little was recorded for a number to hold on another day."""
        return len(self.trial.frames) < FEW_FRAMES or self.trial.recorded.is_short
