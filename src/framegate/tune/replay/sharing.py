"""Detectors that share their work: what one has computed of two pictures, the others look up.

Lines of a replay whose settings differ in no more than ``score_threshold`` prepare, compare and learn alike.
Their references coalesce: 41 thresholds have 3 to 7 different ones, so nearly all is looked up.

Everything is known by content. A picture is known by the digest of its frame's bytes; what was learnt, by a
running digest of the frames that were learnt from. So equal names mean equal results, in this pass and in a
later one.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from framegate import __version__
from framegate.config.detection import DetectionSettings
from framegate.detect.deciding import Measured, decisive_score
from framegate.detect.detector import DETECTOR_VERSION, Detector, Prepared, detector_of
from framegate.detect.small_picture import SmallPicture
from framegate.detect.tear import Tear
from framegate.model import ChangeScore, GrayImage, Picture, Reason, Size
from framegate.tune.replay.shown import DIGITS, NotKnownError, Shown, digest_of, shown_of

_DECIDING = {"score_threshold", "keep_every", "max_kept_per_hour", "mask_file"}
"""Settings that change no fact; of a mask, what is in the file counts."""

Facts = dict[str, Any]
"""What was computed of one frame and those before it: a name for each question, and the answer for JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A picture as detectors with shared work compare it."""

    shown: Shown
    content: str
    source_size: Size
    shape: tuple[int, ...]
    prepared: Prepared | None
    """None if the frame was not read."""

    @property
    def small(self) -> SmallPicture:
        """What stands in for the small picture, whether the frame was read or not."""
        return cast(SmallPicture, self.shown)

    @property
    def image(self) -> Any:
        """The picture at the working size; NotKnownError if the frame was not read."""
        return self.shown.image

    @property
    def size_bytes(self) -> int:
        """Memory in bytes."""
        return 0 if self.prepared is None else self.prepared.size_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What was learnt from some frames."""

    history: str
    """Digest of the frames, in their order."""

    detector: Detector[Any] | None
    """A detector that has learnt from them; None if one of them was not read."""


class SharedWork:
    """What the detectors of some lines compute together, for one camera.

    Args:
        settings: of any of the lines.
        mask_picture: as for a detector.

    Attributes:
        key: tells apart all that may change a fact.
        facts: of the current frame; set it before the frame is judged, and save it afterwards.
    """

    def __init__(self, settings: DetectionSettings, mask_picture: GrayImage | None) -> None:
        self._detector = detector_of(settings, mask_picture)
        self.key = work_key(settings, mask_picture)
        self.facts: Facts = {}
        self.on_measured: Callable[[Measured], None] = lambda _measured: None
        """Called with what was measured for a score, before anything is changed by it."""

        self._current: Compared | None = None
        self.nothing_learnt = Learnt("", self._detector.branch())
        """The state of a new detector."""

        self._learnt: tuple[tuple[str, str, str], Learnt] | None = None

    @property
    def looks_back(self) -> bool:
        """As ``Detector.looks_back``."""
        return self._detector.looks_back

    def reduce(self, picture: Picture) -> SmallPicture:
        """As ``Detector.reduce``."""
        return self._detector.reduce(picture)

    def prepare(self, picture: Shown | SmallPicture) -> Compared:
        """As ``Detector.prepare``; the same object for the same frame."""
        shown = picture if isinstance(picture, Shown) else shown_of(picture)
        if self._current is None or self._current.shown is not shown:
            prepared = None if shown.small is None else self._detector.prepare(shown.small)
            self._current = Compared(shown, shown.content, shown.source_size, shown.shape, prepared)
        return self._current

    def tear(self, reference: Compared, current: Compared) -> Tear | None:
        """As ``Detector.tear``."""

        def found() -> list[int] | None:
            tear = self._detector.tear(_prepared(reference), _prepared(current))
            return None if tear is None else [tear.row, tear.right, tear.down]

        values = self._known(f"t{reference.content}", found)
        return None if values is None else Tear(*values)

    def measure(self, learnt: Learnt, reference: Compared, current: Compared) -> Measured:
        """As ``Detector.measure``, by what was learnt."""

        def found() -> list[Any]:
            detector = _detector(learnt)
            measured = detector.measure(_prepared(reference), _prepared(current))
            return [measured.scores, measured.picture_px, measured.working_size]

        scores, picture_px, working_size = self._known(f"m{learnt.history}{reference.content}", found)
        return Measured(tuple(scores), picture_px, tuple(working_size))

    def whole_change(
        self, learnt: Learnt, previous: Compared, current: Compared, *, is_changed: bool
    ) -> Reason | None:
        """As ``Detector.whole_change``; what was learnt has no part in it, but may have the difference."""

        def found() -> str | None:
            detector, pair = _detector(learnt), (_prepared(previous), _prepared(current))
            reason = detector.whole_change(*pair, is_changed=is_changed)
            return None if reason is None else str(reason)

        value = self._known(f"{'W' if is_changed else 'w'}{previous.content}", found)
        return None if value is None else Reason(value)

    def learn(self, learnt: Learnt, previous: Compared, current: Compared) -> Learnt:
        """Return what is learnt when two frames more are."""
        key = learnt.history, previous.content, current.content
        if self._learnt is None or self._learnt[0] != key:
            self._learnt = key, self._learnt_after(learnt, previous, current)
        return self._learnt[1]

    def restored(self, data: bytes) -> Learnt:
        """Return what ``Detector.learnt`` has returned, to go on from.

        Raises:
            ValueError: it is no such bytes.
        """
        detector = self._detector.branch()
        detector.restore(data)
        return Learnt(digest_of(data), detector)

    def going_on_from(self, other: "SharedWork", learnt: Learnt) -> Learnt:
        """Return what was learnt by other settings, which may mask the pictures otherwise."""
        if other is self:
            return learnt
        if not learnt.history:
            return self.nothing_learnt
        history = digest_of(f"{other.key}{learnt.history}".encode())
        if learnt.detector is None:
            return Learnt(history, None)
        detector = self._detector.branch()
        detector.go_on_from(learnt.detector)
        return Learnt(history, detector)

    def _learnt_after(self, learnt: Learnt, previous: Compared, current: Compared) -> Learnt:
        history = digest_of(f"{learnt.history}{previous.content}{current.content}".encode())
        if learnt.detector is None or previous.prepared is None or current.prepared is None:
            return Learnt(history, None)
        detector = learnt.detector.branch()
        detector.learn(previous.prepared, current.prepared)
        return Learnt(history, detector)

    def _known(self, question: str, found: Callable[[], Any]) -> Any:
        try:
            return self.facts[question]
        except KeyError:
            self.facts[question] = answer = found()
            return answer


class SharingDetector:
    """The detector of one line: it has thresholds, and a history, of its own. See ``Detector``.

    Args:
        settings: of the line.
        work: shared with the other lines.
    """

    def __init__(self, settings: DetectionSettings, work: SharedWork) -> None:
        self.settings = settings
        self._work = work
        self._learnt = work.nothing_learnt

    @property
    def history(self) -> str:
        """Tells what it has learnt from."""
        return self._learnt.history

    @property
    def looks_back(self) -> bool:
        """Whether consecutive frames are compared."""
        return self._work.looks_back

    def reduce(self, picture: Picture) -> SmallPicture:
        """Return a picture at the working size."""
        return self._work.reduce(picture)

    def prepare(self, small: Shown | SmallPicture) -> Compared:
        """Return what comparing a picture needs."""
        return self._work.prepare(small)

    def tear(self, reference: Compared, current: Compared) -> Tear | None:
        """Return where the current picture is torn; None if it is not."""
        return self._work.tear(reference, current)

    def measure(self, reference: Compared, current: Compared) -> Measured:
        """Return how much each place changed."""
        return self._work.measure(self._learnt, reference, current)

    def score(self, reference: Compared, current: Compared) -> ChangeScore:
        """Return how much has changed, and the threshold for it; without regions."""
        measured = self.measure(reference, current)
        self._work.on_measured(measured)
        return decisive_score(measured, self.settings)

    def whole_change(self, previous: Compared, current: Compared, *, is_changed: bool) -> Reason | None:
        """Return what changed most of the picture at once; None if nothing did."""
        return self._work.whole_change(self._learnt, previous, current, is_changed=is_changed)

    def learn(self, previous: Compared, current: Compared) -> None:
        """Learn from two consecutive frames."""
        if self.looks_back:
            self._learnt = self._work.learn(self._learnt, previous, current)

    def branch(self) -> "SharingDetector":
        """Return a detector that knows what this one has learnt."""
        other = SharingDetector(self.settings, self._work)
        other._learnt = self._learnt
        return other

    def go_on_from(self, other: "SharingDetector") -> None:
        """Know what another detector has learnt."""
        self._learnt = self._work.going_on_from(other._work, other._learnt)  # noqa: SLF001 - one of us

    def learnt(self) -> bytes | None:
        """Return what was learnt; NotKnownError if the frames were not read."""
        return _detector(self._learnt).learnt()

    def restore(self, data: bytes) -> None:
        """Go on from what ``learnt`` has returned; ValueError if it is no such bytes."""
        self._learnt = self._work.restored(data)

    @property
    def size_bytes(self) -> int:
        """Memory in bytes, besides what is shared."""
        return 0


def work_key(settings: DetectionSettings, mask_picture: GrayImage | None) -> str:
    """Return what tells apart all that may change a fact; lines with an equal one share their work."""
    values = settings.model_dump(mode="json", by_alias=True, exclude=_DECIDING)
    for zone in values.get("zone", ()):
        zone.pop("score_threshold", None)
    return _key(sorted(values.items()), mask_picture)


def line_key(reading: str, settings: DetectionSettings, mask_picture: GrayImage | None) -> str:
    """Return what tells apart all that may change what a line decides, besides the frames."""
    return _key([reading, *settings.model_dump(mode="json", by_alias=True).items()], mask_picture)


def _key(values: Sequence[object], mask_picture: GrayImage | None) -> str:
    versions = __version__, cv2.__version__, np.__version__, DETECTOR_VERSION
    digest = hashlib.sha256(f"{versions} {values}".encode())
    if mask_picture is not None:
        digest.update(f"{mask_picture.shape}".encode() + mask_picture.tobytes())
    return digest.hexdigest()[:DIGITS]


def _prepared(picture: Compared) -> Prepared:
    if picture.prepared is None:
        raise NotKnownError
    return picture.prepared


def _detector(learnt: Learnt) -> Detector[Any]:
    if learnt.detector is None:
        raise NotKnownError
    return learnt.detector
