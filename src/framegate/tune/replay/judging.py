"""The cameras of some lines, which see the same frames of one camera."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from framegate.cameras.camera import Camera, mask_of
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.detect.detector import reduction_of
from framegate.detect.small_picture import SmallPicture
from framegate.model import Candidate, Decision, GrayImage, Moment
from framegate.tune.replay.facts import Seen
from framegate.tune.replay.outcomes import NONE
from framegate.tune.replay.sharing import SharedWork, SharingDetector, work_key

Reading = str
"""Names a way to read and decode a frame."""


def reading_of(settings: Settings, camera: str) -> Reading:
    """Return what tells apart all that may change what a frame shows, or whether it is rejected."""
    detection, drop = settings.detection_of(camera), settings.drop
    return f"{reduction_of(detection)} {drop.max_megapixels:g} {drop.max_size:d}"


class Lines:
    """Judges one camera's frames by several settings at once.

    Args:
        camera: its name.
        settings: of each line.
        masks: the pictures in the mask files, read once.

    Raises:
        OSError: a mask cannot be read.
        ValueError: a mask is not a picture.
    """

    def __init__(self, camera: str, settings: Sequence[Settings], masks: dict[str, GrayImage]) -> None:
        self._name = camera
        self._masks = masks
        self._works: dict[str, SharedWork] = {}
        self._settings = list(settings)
        self._reading = [reading_of(each, camera) for each in settings]
        self._cameras = [self._new(each.detection_of(camera)) for each in settings]
        self._kept: list[deque[Moment]] = [deque(maxlen=100_000) for _ in settings]

    @property
    def readings(self) -> dict[Reading, Settings]:
        """The ways in which a frame has to be read, each with the settings of a line that needs it."""
        return dict(zip(self._reading, self._settings, strict=True))

    @property
    def works(self) -> Mapping[str, SharedWork]:
        """What the lines compute together, by its key."""
        return self._works

    def retune(self, line: int, settings: Settings) -> bool:
        """Judge a line by other settings from now on; return False if it has to begin anew by them."""
        before, self._settings[line] = self._settings[line], settings
        self._reading[line] = reading_of(settings, self._name)
        detection = settings.detection_of(self._name)
        if before.detection_of(self._name) == detection:
            return True
        camera = self._cameras[line]
        if not camera.retune(detection, self._mask_of(detection)):
            self._cameras[line] = self._new(detection)
            return False
        most = detection.max_kept_per_hour or 0
        camera.judge.pacing.restore(
            [*self._kept[line]][-most:] if most else [], camera.judge.pacing.storm, camera.judge.pacing.clock
        )
        return True

    def judge(
        self, number: int, candidate: Candidate, sha256: bytes, seen: Mapping[Reading, Seen]
    ) -> Iterator[tuple[Decision, int]]:
        """Yield each line's decision about a frame, and the number of the frame that it was compared with.

        Args:
            number: of the frame.
            candidate: which frame it is, and when it was taken.
            sha256: of its bytes; empty if it could not be read.
            seen: what it shows, by reading.

        Raises:
            NotKnownError: something has to be computed, and a frame was not read.
            MemoryError: there is too little memory now.
        """
        moment = Moment(candidate.captured_at_ns, candidate.arrived_at_ns)
        for line, camera in enumerate(self._cameras):
            shown = seen[self._reading[line]]
            if isinstance(shown, Decision):
                yield shown, NONE
                continue
            decision = camera.decide_repeat(sha256, moment)
            if decision is None:
                small = cast(SmallPicture, shown)  # all that a detector with shared work asks for
                decision = camera.decide(str(number), moment, small, sha256)
            if decision.reason.is_kept:
                self._kept[line].append(moment)
            reference = decision.reference
            yield decision, NONE if reference is None else int(reference)

    def _new(self, detection: DetectionSettings) -> Camera:
        mask = self._mask_of(detection)
        work = self._work_of(detection, mask)

        def detector_of(settings: DetectionSettings, mask: GrayImage | None) -> SharingDetector:
            return SharingDetector(settings, work if settings is detection else self._work_of(settings, mask))

        return Camera(self._name, detection, mask, new_detector=detector_of)

    def _work_of(self, detection: DetectionSettings, mask: GrayImage | None) -> SharedWork:
        key = work_key(detection, mask)
        if key not in self._works:
            self._works[key] = SharedWork(detection, mask)
        return self._works[key]

    def _mask_of(self, detection: DetectionSettings) -> GrayImage | None:
        path = detection.mask_file
        if path is None:
            return None
        if path not in self._masks:
            mask = mask_of(detection)
            assert mask is not None
            self._masks[path] = mask
        return self._masks[path]
