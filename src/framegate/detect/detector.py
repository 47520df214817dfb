"""What a detector does: one for each preset, behind the same few calls."""

from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.adaptive import Adaptive
from framegate.detect.classic import Classic
from framegate.detect.deciding import Measured
from framegate.detect.memory import opencv_out_of_memory_as_memory_error
from framegate.detect.small_picture import SmallPicture
from framegate.detect.tear import Tear
from framegate.model import ChangeScore, GrayImage, Picture, Reason


class Prepared(Protocol):
    """A picture at the working size, ready to be compared; each detector has its own kind."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture that all else is computed from: (height, width) or (height, width, 3), read-only."""

    @property
    def small(self) -> SmallPicture:
        """What it was prepared from, and can be prepared from again."""

    @property
    def shape(self) -> tuple[int, ...]:
        """That of ``image``."""

    @property
    def source_size(self) -> tuple[int, int]:
        """(width, height) of the whole picture, in pixels."""

    @property
    def size_bytes(self) -> int:
        """Memory in bytes."""


P = TypeVar("P", bound=Prepared)


class Detector(Protocol[P]):
    """Compares pictures of one camera, by one set of settings.

    Not safe to share between threads; ``reduce`` alone is.
    """

    settings: DetectionSettings

    @property
    def looks_back(self) -> bool:
        """Whether consecutive frames are compared: otherwise the frame before needs not be remembered."""

    def reduce(self, picture: Picture) -> SmallPicture:
        """Return a picture at the working size. Nothing but the settings counts: see ``reduction_of``.

        Raises:
            TypeError: it has not the channels, or the type, that ``decode`` gives it for this preset.
        """

    def prepare(self, small: SmallPicture) -> P:
        """Return what comparing a picture needs.

        Args:
            small: as ``reduce`` returns it, of this detector or of one that reduces alike.

        Raises:
            TypeError: it has not the channels of this preset's.
        """

    def tear(self, reference: P, current: P) -> Tear | None:
        """Return where the current picture is torn, as the reference proves; None if it does not.

        Raises:
            ValueError: the two have different working sizes.
        """

    def score(self, reference: P, current: P) -> ChangeScore:
        """Return how much has changed from ``reference`` to ``current``, and the threshold for it.

        Raises:
            ValueError: the two have different working sizes.
        """

    def measure(self, reference: P, current: P) -> Measured:
        """Return how much each place changed from ``reference`` to ``current``, whatever the thresholds are.

        Raises:
            ValueError: the two have different working sizes.
        """

    def whole_change(self, previous: P, current: P, *, is_changed: bool) -> Reason | None:
        """Return what changed most of the picture at once from one frame to the next; None if nothing did.

        Args:
            previous, current: two consecutive frames of one working size.
            is_changed: whether the current frame differs from the reference by more than the threshold; what
                changed the picture is then named even when it is not drastic.

        Returns:
            ``LIGHTING`` or ``MOVED``: the frame is kept for this reason, whatever its score is.
        """

    def learn(self, previous: P, current: P) -> None:
        """Learn from two consecutive frames of one size what is usual; call it after ``score``."""

    def branch(self) -> Self:
        """Return a detector that knows what this one has learnt; from now on each learns alone."""

    def go_on_from(self, other: Self) -> None:
        """Know what another detector of this preset has learnt, whatever its other settings are."""

    def learnt(self) -> bytes | None:
        """Return what was learnt, the same bytes for the same frames; None when it is nothing."""

    def restore(self, data: bytes) -> None:
        """Go on with what ``learnt`` of another detector with this preset returned.

        Raises:
            ValueError: it is no such bytes. Nothing is changed.
        """

    @property
    def size_bytes(self) -> int:
        """Memory of the detector in bytes."""


NewDetector = Callable[[DetectionSettings, GrayImage | None], Detector[Any]]
"""Makes a detector of settings and the picture in their mask file, as ``detector_of`` does."""

DETECTOR_VERSION = {"classic": 2, "adaptive": 2}
"""Of each preset: another number when prepared pictures, or what was learnt, mean something else."""


def detector_of(settings: DetectionSettings, mask_picture: GrayImage | None = None) -> Detector[Any]:
    """Return a new detector of the settings' preset.

    Args:
        settings: what to compare, and how.
        mask_picture: the picture in ``settings.mask_file``, uint8 (any height, any width), 0 where it is
            ignored; a detector reads no files.
    """
    return (Classic if settings.preset_name == "classic" else Adaptive)(settings, mask_picture)


def reduction_of(settings: DetectionSettings) -> tuple[str | int, ...]:
    """Return the preset and the settings by which it reduces: pictures of unlike ones cannot be compared."""
    if settings.preset_name == "classic":
        return settings.preset_name, settings.working_height
    return (settings.preset_name,)


def reduced(picture: Picture, settings: DetectionSettings) -> SmallPicture:
    """Return a picture as all detectors with these settings reduce it. May run in any thread.

    Raises:
        TypeError: as ``Detector.reduce``.
        MemoryError: there is too little memory for it now.
    """
    with opencv_out_of_memory_as_memory_error():
        return detector_of(settings).reduce(picture)
