"""The whole decision about the frames of one camera, without ledger, clock or file."""

from copy import copy
from dataclasses import replace
from typing import Any, Self

from framegate.config.detection import DetectionSettings
from framegate.detect.detector import Detector, NewDetector, detector_of, reduced, reduction_of
from framegate.detect.judging.judge_state import SavedFrame, SavedJudge, SavedLane, packed, unpacked
from framegate.detect.judging.lane import MOST_LANES, Lane, PreparedFrame, of_another_size
from framegate.detect.judging.pacing import Pacing, Storm
from framegate.detect.memory import opencv_out_of_memory_as_memory_error
from framegate.detect.small_picture import SmallPicture
from framegate.model import Decision, FileKey, GrayImage, Moment, Picture, Reason, Size, storable_ns

OVERHEAD_BYTES, TIME_BYTES = 3_500, 130
"""Memory of a judge besides its pictures (2.3 kB measured, and its clock), and of each kept frame's times."""


class Judge:
    """Decides about the frames of one camera, in their order; the daemon and ``scan`` use it as well.

    A camera may send pictures of several sizes by turns: each of the last four sizes has a reference and a
    learnt state of its own. How often frames are kept is counted for the camera as a whole.

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
        new_detector: makes the detector of each picture size.

    Not safe to share between threads.
    """

    def __init__(
        self,
        settings: DetectionSettings,
        *,
        mask_picture: GrayImage | None = None,
        new_detector: NewDetector = detector_of,
    ) -> None:
        self.settings = settings
        """What it judges by."""

        self._mask_picture = mask_picture
        self._detector_of = new_detector
        self.lanes: dict[Size, Lane] = {}
        """By picture size (width, height), the longest unused first; ``MOST_LANES`` at most."""

        self.pacing = Pacing(settings)

    @property
    def size_bytes(self) -> int:
        """Memory of the judge in bytes, nearly all of it pictures at the working size."""
        lanes = sum(lane.size_bytes for lane in self.lanes.values())
        return lanes + OVERHEAD_BYTES + TIME_BYTES * len(self.pacing.kept)

    def judge(
        self,
        key: FileKey | str,
        captured_at_ns: int,
        picture: Picture,
        *,
        arrived_at_ns: int | None = None,
    ) -> Decision:
        """Decide about a frame, learn from it, and make it the reference of its size when it is kept.

        Args:
            key: which frame it is; it decides nothing.
            captured_at_ns: when it was taken, nanoseconds since the epoch, in the years 1677 to 2262.
            picture: as ``decode`` returns it for the same settings.
            arrived_at_ns: when its file came, nanoseconds since the epoch; None if that is not known. Where
                the capture times cannot be true, the arrivals tell how much time has passed.

        Raises:
            TypeError: the picture has not the channels that the preset needs.
            MemoryError: there is too little memory now. Nothing was learnt from the frame.
        """
        small = reduced(picture, self.settings)
        return self.judge_reduced(key, captured_at_ns, small, arrived_at_ns=arrived_at_ns)

    def judge_reduced(
        self,
        key: FileKey | str,
        captured_at_ns: int,
        small: SmallPicture,
        *,
        arrived_at_ns: int | None = None,
    ) -> Decision:
        """Decide about a frame as ``judge`` does, by what ``reduced`` returns for the same settings.

        Raises:
            MemoryError: as ``judge``.
        """
        moment, size = _moment(captured_at_ns, arrived_at_ns), small.source_size
        with opencv_out_of_memory_as_memory_error():
            lane = self.lanes.get(size)
            if lane is not None:
                lane.wake()
            detector = self._new_detector() if lane is None else lane.detector
            current = PreparedFrame(key, moment, detector.prepare(small))
            torn = None if lane is None else lane.torn_with(current)
            if lane is not None and torn is not None and not torn.is_shown:
                return lane.refuse(torn)  # what it shows is not there: nothing is compared with it
            decision = self._without_reference(size) if lane is None else lane.decision_on(current)
            decision = self._by_time(decision, moment, lane)
            if lane is not None:
                lane.learn(current)
        is_kept = decision.reason.is_kept
        if lane is not None:
            lane.follow(current, torn, is_kept=is_kept)
            self._use(size, lane)
        elif is_kept:  # what a storm drops takes no other size's lane
            self._use(size, Lane(detector, current))
        self.pacing.follow(decision.reason, moment)
        return decision

    def judge_repeat(
        self, captured_at_ns: int, *, size: Size, arrived_at_ns: int | None = None
    ) -> Decision | None:
        """Decide about a frame that repeats the reference, or the last unchanged frame, byte for byte.

        Nothing is learnt from it, and the next frame is compared as if it had not come.

        Args:
            captured_at_ns: when it was taken, as for ``judge``.
            size: (width, height) of the picture that it repeats.
            arrived_at_ns: when its file came, as for ``judge``.

        Returns:
            The decision to drop it as ``identical``; None when it has to be judged like any other, because it
            is time to keep a frame, or there is no reference of its size.
        """
        if (lane := self.lanes.get(size)) is None:
            return None
        moment = _moment(captured_at_ns, arrived_at_ns)
        decision = self._by_time(Decision(Reason.UNCHANGED), moment, lane)
        if decision.reason.is_kept:
            return None
        lane.torn = None
        self._use(size, lane)
        self.pacing.follow(Reason.IDENTICAL, moment)
        return Decision(Reason.IDENTICAL, reference=lane.reference.name)

    def restore_lane(self, key: FileKey | str, moment: Moment, picture: Picture) -> Lane:
        """Make a frame that was kept before the reference of its size again, as the one used last.

        Returns:
            Its lane, to restore what else is known of that size.

        Raises:
            TypeError: the picture has not the channels that the preset needs.
        """
        detector = self._new_detector()
        lane = Lane(detector, PreparedFrame(key, moment, detector.prepare(detector.reduce(picture))))
        self._use(picture.size, lane)
        return lane

    def rest(self) -> None:
        """Take less memory until the next frame, for which the pictures of its size are prepared again."""
        for lane in self.lanes.values():
            lane.rest()

    def renew(self, key: FileKey, now: FileKey, captured_at_ns: int) -> None:
        """Know a frame that was judged by its present key and capture time, if it is needed any more."""
        for lane in self.lanes.values():
            lane.renew(key, now, captured_at_ns)

    def retune(self, settings: DetectionSettings, *, mask_picture: GrayImage | None = None) -> bool:
        """Judge by other settings from the next frame on, and keep what was learnt.

        Returns:
            False, and nothing is changed, when pictures would have to be reduced in another way.
        """
        if reduction_of(settings) != reduction_of(self.settings):
            return False
        lanes = {
            size: lane.retuned(self._detector_of(settings, mask_picture)) for size, lane in self.lanes.items()
        }
        self.settings, self._mask_picture, self.lanes = settings, mask_picture, lanes
        self.pacing.retune(settings)
        return True

    def branch(self, settings: DetectionSettings) -> "Judge":
        """Return a judge in the same state; from now on each judges alone.

        Args:
            settings: that it judges by, like these in all but ``score_threshold``.
        """
        other = copy(self)
        other.settings = settings
        other.lanes = {size: lane.branch(settings) for size, lane in self.lanes.items()}
        other.pacing = self.pacing.branch()
        return other

    def state(self) -> bytes:
        """Return all that later decisions depend on besides the settings: pictures, times, what was learnt.

        It is not compressed, so that equal frames give equal bytes on every machine: for each size of 1080p
        some 0.4 MB with ``adaptive``, 2 MB with ``classic`` at its native size.
        """
        pacing = self.pacing
        storm = None if pacing.storm is None else (pacing.storm.kept, pacing.storm.dropped)
        lanes = [_saved(lane) for lane in self.lanes.values()]
        return packed(SavedJudge(lanes, pacing.kept, storm, pacing.clock), self.settings)

    @classmethod
    def restored(
        cls,
        settings: DetectionSettings,
        data: bytes,
        *,
        mask_picture: GrayImage | None = None,
        new_detector: NewDetector = detector_of,
    ) -> Self:
        """Return a judge that goes on where another was when ``state`` returned these bytes.

        Args:
            settings: may differ from those of the other judge in all that prepares pictures alike.
            data: from anywhere; the memory used is no more than some times their length.
            mask_picture, new_detector: as for the constructor.

        Raises:
            ValueError: they are no such state, are damaged, or come from another version of the detector,
                another preset, or ``classic`` with another ``working_height``.
        """
        saved = unpacked(data, settings)
        judge = cls(settings, mask_picture=mask_picture, new_detector=new_detector)
        try:
            for lane in saved.lanes:
                judge._use(lane.reference.source_size, _lane_again(judge._new_detector(), lane))
        except TypeError as error:
            raise ValueError(f"these bytes are no state for these settings: {error}") from error
        storm = None if saved.storm is None else Storm(*saved.storm)
        judge.pacing.restore(saved.kept, storm, saved.clock)
        return judge

    def _new_detector(self) -> Detector[Any]:
        return self._detector_of(self.settings, self._mask_picture)

    def _without_reference(self, size: Size) -> Decision:
        if not self.lanes:
            return Decision(Reason.FIRST)
        return of_another_size(list(self.lanes)[-1], size)

    def _by_time(self, decision: Decision, moment: Moment, lane: Lane | None) -> Decision:
        if decision.reason is Reason.FIRST:
            return decision
        return self.pacing.applied_to(decision, moment, None if lane is None else lane.reference.moment)

    def _use(self, size: Size, lane: Lane) -> None:
        """Make a lane the one used last; the longest unused goes when there are too many."""
        self.lanes.pop(size, None)
        self.lanes[size] = lane
        if len(self.lanes) > MOST_LANES:
            del self.lanes[next(iter(self.lanes))]


def _moment(captured_at_ns: int, arrived_at_ns: int | None) -> Moment:
    return Moment(storable_ns(captured_at_ns), None if arrived_at_ns is None else storable_ns(arrived_at_ns))


def _lane_again(detector: Detector[Any], saved: SavedLane) -> Lane:
    """Return a lane as it was when it was saved; a mask may be part of what is prepared.

    Raises:
        TypeError: its pictures are not of the detector's preset.
        ValueError: what was learnt is not.
    """

    def again(frame: SavedFrame) -> PreparedFrame:
        prepared = detector.prepare(SmallPicture(frame.image, frame.source_size))
        return PreparedFrame(frame.key, frame.moment, prepared)

    lane = Lane(detector, again(saved.reference))
    if detector.looks_back and saved.previous is not saved.reference:
        lane.previous = None if saved.previous is None else again(saved.previous)
        lane.previous_key = None if saved.previous is None else saved.previous.key
    if saved.learnt is not None:
        detector.restore(saved.learnt)
    lane.torn = saved.torn
    return lane


def _saved(lane: Lane) -> SavedLane:
    reference, previous = _saved_frame(lane.reference), None
    if lane.previous is lane.reference:
        previous = reference
    elif lane.previous is not None:
        previous = replace(_saved_frame(lane.previous), moment=Moment(0))  # its time decides nothing
    return SavedLane(reference, previous, lane.detector.learnt(), lane.torn)


def _saved_frame(frame: PreparedFrame) -> SavedFrame:
    prepared = frame.prepared
    return SavedFrame(frame.key, frame.moment, prepared.source_size, prepared.image)
