"""The whole decision about the frames of one camera, without ledger, clock or file."""

from dataclasses import dataclass, replace
from typing import Any, Self

from framegate.config.detection import DetectionSettings
from framegate.detect.deciding import decide
from framegate.detect.detector import Detector, P, Prepared, detector_of, preparation_of
from framegate.detect.judge_state import SavedFrame, SavedJudge, packed, unpacked
from framegate.detect.memory import opencv_out_of_memory_as_memory_error
from framegate.detect.pacing import Pacing, Storm
from framegate.model import Decision, FileKey, GrayImage, Picture, Reason, storable_ns

OVERHEAD_BYTES, TIME_BYTES = 3_000, 40
"""Memory of a judge besides its pictures (2.3 kB measured), and of each time in ``kept_at_ns``."""


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame, ready to be compared, and which one it is."""

    key: FileKey | str
    captured_at_ns: int
    prepared: Prepared


class Judge:
    """Decides about the frames of one camera, in their order; the daemon and ``scan`` use it as well.

    Only the frames and their own times count: the same frames give the same decisions and the same ``state``,
    whenever and in whichever process they are judged.

    Example:
        >>> import cv2, numpy as np
        >>> from framegate import DetectionSettings, Judge, decode
        >>> settings = DetectionSettings.preset("classic", min_contour_area="500px", score_threshold="2%")
        >>> photos = [np.full((720, 1280), 90, np.uint8) for _ in range(3)]
        >>> photos[2][300:400, 200:420] = 200
        >>> judge, second_ns = Judge(settings), 10**9
        >>> for number, photo in enumerate(photos):
        ...     picture = decode(cv2.imencode(".png", photo)[1].tobytes(), settings)
        ...     decision = judge.judge(f"{number}.png", number * second_ns, picture)
        ...     print(decision.verdict, decision.reason)
        kept first
        dropped unchanged
        kept changed
        >>> Judge.restored(settings, judge.state()).state() == judge.state()
        True

    Args:
        settings: see ``DetectionSettings.preset``.
        mask_picture: the picture in ``settings.mask_file``, uint8 (any height, any width), 0 where it is
            ignored; a judge reads no files.

    Not safe to share between threads.
    """

    def __init__(self, settings: DetectionSettings, *, mask_picture: GrayImage | None = None) -> None:
        self.detector = detector_of(settings, mask_picture)
        self.reference: PreparedFrame | None = None
        """The last kept frame."""

        self.previous: PreparedFrame | None = None
        """The frame before the next one, kept or not: the detector learns from their difference."""

        self.pacing = Pacing(settings)

    @property
    def settings(self) -> DetectionSettings:
        """What it judges by."""
        return self.detector.settings

    @property
    def reference_name(self) -> str | None:
        """Name of the frame that the next one is compared with; None before the first."""
        key = None if self.reference is None else self.reference.key
        return key.name if isinstance(key, FileKey) else key

    @property
    def size_bytes(self) -> int:
        """Memory of the judge in bytes, nearly all of it pictures at the working size."""
        pictures = {id(each): each.prepared.size_bytes for each in (self.reference, self.previous) if each}
        beside = OVERHEAD_BYTES + TIME_BYTES * len(self.pacing.kept_at_ns) + self.detector.size_bytes
        return sum(pictures.values()) + beside

    def judge(self, key: FileKey | str, captured_at_ns: int, picture: Picture) -> Decision:
        """Decide about a frame, learn from it, and make it the reference when it is kept.

        Args:
            key: which frame it is; it decides nothing.
            captured_at_ns: when it was taken, nanoseconds since the epoch, in the years 1677 to 2262.
            picture: as ``decode`` returns it for the same settings.

        Raises:
            TypeError: the picture has not the channels that the preset needs.
            MemoryError: there is too little memory now. Nothing was learnt from the frame.
        """
        captured_at_ns = storable_ns(captured_at_ns)
        with opencv_out_of_memory_as_memory_error():
            current = self.prepared(key, captured_at_ns, picture)
            decision = self._by_time(self._by_content(current.prepared), captured_at_ns)
            if self.previous is not None and _are_comparable(self.previous.prepared, current.prepared):
                self.detector.learn(self.previous.prepared, current.prepared)
        self.previous = current
        if decision.reason.is_kept:
            self.reference = current
        self.pacing.follow(decision.reason, captured_at_ns)
        return decision

    def judge_repeat(self, captured_at_ns: int) -> Decision | None:
        """Decide about a frame that repeats the reference, or the last unchanged frame, byte for byte.

        Nothing is learnt from it, and the next frame is compared as if it had not come.

        Returns:
            The decision to drop it as ``identical``; None when it has to be judged like any other, because it
            is time to keep a frame, or there is no reference.
        """
        if self.reference is None:
            return None
        decision = self._by_time(Decision(Reason.UNCHANGED), captured_at_ns)
        if decision.reason.is_kept:
            return None
        self.pacing.follow(Reason.IDENTICAL, captured_at_ns)
        return Decision(Reason.IDENTICAL)

    def prepared(self, key: FileKey | str, captured_at_ns: int, picture: Picture) -> PreparedFrame:
        """Return a frame as it becomes the reference, to restore a judge from the file of its reference.

        Raises:
            TypeError: the picture has not the channels that the preset needs.
        """
        return PreparedFrame(key, captured_at_ns, self.detector.prepare(picture))

    def renew(self, key: FileKey, now: FileKey, captured_at_ns: int) -> None:
        """Know a frame that was judged by its present key and capture time, if it is needed any more."""
        renewed = {
            id(frame): replace(frame, key=now, captured_at_ns=captured_at_ns)
            for frame in (self.reference, self.previous)
            if frame is not None and frame.key == key
        }
        self.reference = renewed.get(id(self.reference), self.reference)
        self.previous = renewed.get(id(self.previous), self.previous)

    def retune(self, settings: DetectionSettings, *, mask_picture: GrayImage | None = None) -> bool:
        """Judge by other settings from the next frame on, and keep what was learnt.

        Returns:
            False, and nothing is changed, when pictures would have to be prepared in another way.
        """
        if preparation_of(settings) != preparation_of(self.settings):
            return False
        detector = detector_of(settings, mask_picture)
        if (learnt := self.detector.learnt()) is not None:
            detector.restore(learnt)
        frames = _prepared_again(detector, *self._saved_frames())  # a mask may be part of what is prepared
        self.detector = detector
        self.reference, self.previous = frames
        self.pacing.retune(settings)
        return True

    def state(self) -> bytes:
        """Return all that later decisions depend on besides the settings: pictures, times, what was learnt.

        It is not compressed, so that equal frames give equal bytes on every machine: for 1080p some 0.4 MB
        with ``adaptive``, 4 MB with ``classic`` at its native size.
        """
        pacing = self.pacing
        storm = None if pacing.storm is None else (pacing.storm.kept, pacing.storm.dropped)
        saved = SavedJudge(*self._saved_frames(), pacing.kept_at_ns, storm, self.detector.learnt())
        return packed(saved, self.settings)

    @classmethod
    def restored(
        cls, settings: DetectionSettings, data: bytes, *, mask_picture: GrayImage | None = None
    ) -> Self:
        """Return a judge that goes on where another was when ``state`` returned these bytes.

        Args:
            settings: may differ from those of the other judge in all that prepares pictures alike.
            data: from anywhere; the memory used is no more than some times their length.
            mask_picture: as for the constructor.

        Raises:
            ValueError: they are no such state, are damaged, or come from another version of the detector,
                another preset, or ``classic`` with another ``working_height`` or ``blur``.
        """
        saved, judge = unpacked(data, settings), cls(settings, mask_picture=mask_picture)
        try:
            frames = _prepared_again(judge.detector, saved.reference, saved.previous)
        except TypeError as error:
            raise ValueError(f"these bytes are no state for these settings: {error}") from error
        judge.reference, judge.previous = frames
        judge.pacing.restore(saved.kept_at_ns, None if saved.storm is None else Storm(*saved.storm))
        if saved.learnt is not None:
            judge.detector.restore(saved.learnt)
        return judge

    def _saved_frames(self) -> tuple[SavedFrame | None, SavedFrame | None]:
        """Return the reference and the previous frame; the time of the latter decides nothing."""
        reference = None if self.reference is None else _saved(self.reference)
        if self.previous is self.reference:
            return reference, reference
        return reference, None if self.previous is None else _saved(replace(self.previous, captured_at_ns=0))

    def _by_content(self, current: Prepared) -> Decision:
        if self.reference is None:
            return Decision(Reason.FIRST)
        decision = compare(self.detector, self.reference.prepared, current)
        if self.previous is None:
            return decision
        # With the reference the light may have changed slowly: dusk is no switch.
        return named_as_a_whole(decision, self.detector, self.previous.prepared, current)

    def _by_time(self, decision: Decision, captured_at_ns: int) -> Decision:
        if self.reference is None:
            return decision
        return self.pacing.applied_to(decision, captured_at_ns, self.reference.captured_at_ns)


def compare(detector: Detector[P], reference: P, current: P) -> Decision:
    """Decide by two pictures alone whether the second is kept: of another size it is, unscored."""
    if reference.source_size != current.source_size:
        (width, height), (was_width, was_height) = current.source_size, reference.source_size
        return Decision(Reason.SIZE_CHANGED, detail=f"{was_width}x{was_height} -> {width}x{height}")
    if not _are_comparable(reference, current):
        return Decision(Reason.SIZE_CHANGED, detail="the same size, but reduced to another for comparing")
    return decide(detector.score(reference, current))


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


def _are_comparable(one: Prepared, other: Prepared) -> bool:
    """Return whether both are of one size, whole and prepared; either alone may be equal by chance."""
    return one.source_size == other.source_size and one.image.shape == other.image.shape


def _prepared_again(
    detector: Detector[Any], reference: SavedFrame | None, previous: SavedFrame | None
) -> tuple[PreparedFrame | None, PreparedFrame | None]:
    def again(saved: SavedFrame | None) -> PreparedFrame | None:
        if saved is None:
            return None
        prepared = detector.prepared_again(saved.image, saved.source_size)
        return PreparedFrame(saved.key, saved.captured_at_ns, prepared)

    first = again(reference)
    return first, first if previous is reference else again(previous)


def _saved(frame: PreparedFrame) -> SavedFrame:
    prepared = frame.prepared
    return SavedFrame(frame.key, frame.captured_at_ns, prepared.source_size, prepared.image)
