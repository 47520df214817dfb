"""A lane: what the frames of one picture size are compared with, and what was learnt from them."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from framegate.config.detection import DetectionSettings
from framegate.detect.deciding import decide
from framegate.detect.detector import Detector, P, Prepared
from framegate.detect.tear import Tear, TornAlike, torn_alike
from framegate.model import Decision, FileKey, Moment, Picture, Reason, Size

MOST_LANES = 4
"""Of one camera: main and sub stream, portrait and landscape. More sizes than that are crops of motion, of
which each has a size of its own and none comes again."""


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame, ready to be compared, and which one it is."""

    key: FileKey | str
    moment: Moment
    prepared: Prepared

    @property
    def name(self) -> str:
        """Its file's name, or what the caller of the library calls it."""
        return self.key.name if isinstance(self.key, FileKey) else self.key


class Lane:
    """The reference of one picture size, the frame before, and a detector that has learnt from this size.

    Args:
        detector: by which the reference was prepared.
        reference: a frame that is kept.
    """

    def __init__(self, detector: Detector[Any], reference: PreparedFrame) -> None:
        self.detector = detector
        self.reference = reference
        """The last kept frame of this size."""

        self.previous: PreparedFrame | None = reference if detector.looks_back else None
        """The last frame of this size, kept or not: the detector learns from its difference to the next.

        None when a restart could not read it again, or the detector needs no such frame."""

        self.previous_key: FileKey | str | None = reference.key
        """Which frame that is, also where it is not needed; None when a restart could not read it again."""

        self.torn: TornAlike | None = None
        """The last frames of this size, if they are torn; None after one that is not."""

        self._rests = False

    @property
    def size_bytes(self) -> int:
        """Memory of the lane in bytes, nearly all of it pictures at the working size."""
        pictures = {id(each): each.prepared.size_bytes for each in (self.reference, self.previous) if each}
        return sum(pictures.values()) + self.detector.size_bytes

    def rest(self) -> None:
        """Keep of the pictures only what they can be prepared from again."""
        if not self._rests:
            self._change_pictures(lambda picture: picture.small)
            self._rests = True

    def wake(self) -> None:
        """Prepare the pictures again, to the bit, if the lane rests: its next frame needs them."""
        if self._rests:
            self._prepare_again()
            self._rests = False

    def decision_on(self, current: PreparedFrame) -> Decision:
        """Decide about a frame that is not torn, by what it shows alone."""
        decision = _scored(self.detector, self.reference.prepared, current.prepared, self.reference.name)
        if self.previous is not None:
            # With the reference the light may have changed slowly: dusk is no switch.
            decision = named_as_a_whole(decision, self.detector, self.previous.prepared, current.prepared)
        return decision

    def torn_with(self, current: PreparedFrame) -> TornAlike | None:
        """Return the last frames with the current one, if that is torn as one of the others proves."""
        tear = _tear(self.detector, self.reference.prepared, current.prepared)
        if tear is None and self.previous is not None and self.previous is not self.reference:
            tear = _tear(self.detector, self.previous.prepared, current.prepared)
        return torn_alike(self.torn, tear, current.prepared.source_size)

    def refuse(self, torn: TornAlike) -> Decision:
        """Return the decision to reject a torn frame, of which nothing else is remembered."""
        self.torn = torn
        return _of_torn(torn.last, self.reference.prepared.source_size, reference=self.reference.name)

    def learn(self, current: PreparedFrame) -> None:
        """Learn what is usual from the difference between the frame before and the current one."""
        if self.previous is not None and _are_comparable(self.previous.prepared, current.prepared):
            self.detector.learn(self.previous.prepared, current.prepared)

    def follow(self, current: PreparedFrame, torn: TornAlike | None, *, is_kept: bool) -> None:
        """Make a frame that was judged the previous one, and the reference if it was kept."""
        self.previous, self.torn = current if self.detector.looks_back else None, torn
        self.previous_key = current.key
        if is_kept:
            self.reference = current

    def restore_previous(self, key: FileKey | str, picture: Picture) -> None:
        """Go on from a frame that was judged before; its time decides nothing."""
        prepared = self.detector.prepare(self.detector.reduce(picture))
        self.previous, self.previous_key = PreparedFrame(key, Moment(0), prepared), key

    def branch(self, settings: DetectionSettings) -> "Lane":
        """Return a lane in the same state, that compares by settings with another threshold."""
        other = copy(self)
        other.detector = self.detector.branch()
        other.detector.settings = settings
        return other

    def retuned(self, detector: Detector[Any]) -> "Lane":
        """Return a lane in the same state, that compares by a detector which reduces pictures alike."""
        other = copy(self)
        detector.go_on_from(self.detector)
        other.detector = detector
        if not self._rests:
            other._prepare_again()  # noqa: SLF001 - one of us; a mask may be part of what is prepared
        return other

    def renew(self, key: FileKey, now: FileKey, captured_at_ns: int) -> None:
        """Know a frame that was judged by its present key and capture time, if it is needed any more."""
        renewed = {
            id(frame): replace(frame, key=now, moment=replace(frame.moment, captured_at_ns=captured_at_ns))
            for frame in (self.reference, self.previous)
            if frame is not None and frame.key == key
        }
        self.reference = renewed.get(id(self.reference), self.reference)
        self.previous = renewed.get(id(self.previous), self.previous)
        self.previous_key = now if self.previous_key == key else self.previous_key

    def _prepare_again(self) -> None:
        self._change_pictures(lambda picture: self.detector.prepare(picture.small))

    def _change_pictures(self, change: Callable[[Prepared], Prepared]) -> None:
        """Change the picture of the reference and of the previous frame; if that fails, neither."""
        reference, previous = self.reference, self.previous
        changed = replace(reference, prepared=change(reference.prepared))
        if previous is reference:
            previous = changed
        elif previous is not None:
            previous = replace(previous, prepared=change(previous.prepared))
        self.reference, self.previous = changed, previous


def compare(detector: Detector[P], reference: P, current: P) -> Decision:
    """Decide by two pictures alone whether the second is kept: of another size, or torn, it is not scored."""
    if reference.source_size != current.source_size:
        return of_another_size(reference.source_size, current.source_size)
    if (tear := _tear(detector, reference, current)) is not None:
        return _of_torn(tear, current.source_size)
    return _scored(detector, reference, current)


def _scored(detector: Detector[P], reference: P, current: P, name: str | None = None) -> Decision:
    """Decide by two pictures of one size; the decision names the reference."""
    if not _are_comparable(reference, current):
        detail = "the same size, but reduced to another for comparing"
        return Decision(Reason.SIZE_CHANGED, detail=detail, reference=name)
    return decide(detector.score(reference, current), name)


def of_another_size(before: Size, now: Size) -> Decision:
    """Return the decision to keep a frame that cannot be compared, because of its (width, height)."""
    return Decision(Reason.SIZE_CHANGED, detail=f"{before[0]}x{before[1]} -> {now[0]}x{now[1]}")


def named_as_a_whole(decision: Decision, detector: Detector[P], previous: P, current: P) -> Decision:
    """Return the decision, for the reason ``lighting`` or ``moved`` if most of the picture changed at once.

    Args:
        decision: what ``compare`` says of the reference and the current frame.
        detector: which has made both pictures.
        previous, current: the frame before, and the current one.
    """
    if decision.score is None or not _are_comparable(previous, current):
        return decision
    is_changed = decision.reason is Reason.CHANGED
    whole = detector.whole_change(previous, current, is_changed=is_changed)
    return decision if whole is None else replace(decision, reason=whole)


def _tear(detector: Detector[P], reference: P, current: P) -> Tear | None:
    """Return where a picture is torn, as another of its camera proves; None if it does not."""
    return detector.tear(reference, current) if _are_comparable(reference, current) else None


def _of_torn(tear: Tear, source_size: Size, reference: str | None = None) -> Decision:
    return Decision(Reason.TORN, detail=tear.in_words(source_size), reference=reference)


def _are_comparable(one: Prepared, other: Prepared) -> bool:
    """Return whether both are of one size, whole and prepared; either alone may be equal by chance."""
    return one.source_size == other.source_size and one.shape == other.shape
