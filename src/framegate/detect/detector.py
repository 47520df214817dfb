"""The change detector: one camera's settings, masks and learnt noise, behind four calls."""

from dataclasses import dataclass

import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area, Times
from framegate.detect import lighting, scoring
from framegate.detect.masking import counted_pixels
from framegate.detect.noise import NoiseMap
from framegate.model import ChangeScore, GrayImage, Prepared


@dataclass(frozen=True, slots=True)
class _Chain:
    """The numbers of the published chain: a preset's own, until ``adaptive`` is a method of its own."""

    working_height: int = 360
    blur: int = 5
    pixel_threshold: int = 30
    dilate: int = 2
    lighting: str = "global"
    noise_gain: float = 4.0
    score_threshold: Area = Area(0.2, "%")  # noqa: RUF009 - immutable

    @classmethod
    def of(cls, settings: DetectionSettings) -> "_Chain":
        threshold = settings.score_threshold
        if isinstance(threshold, Times):
            return cls(score_threshold=Area(0.2 * threshold / 2.3, "%"))
        return cls(
            settings.working_height,
            settings.blur,
            settings.pixel_threshold,
            settings.dilate,
            "off",
            0.0,
            threshold,
        )


class ChangeDetector:
    """Scores frames of one camera against a reference.

    Example:
        >>> import numpy as np
        >>> from framegate import ChangeDetector, DetectionSettings
        >>> detector = ChangeDetector(DetectionSettings.preset("adaptive", score_threshold="3x"))
        >>> empty = detector.prepare(np.full((720, 1280), 90, np.uint8))
        >>> with_car = np.full((720, 1280), 90, np.uint8)
        >>> with_car[300:400, 200:420] = 200
        >>> score = detector.score(empty, detector.prepare(with_car))
        >>> round(score.score, 1), len(score.regions)
        (2.7, 1)

    Args:
        settings: what to compare and how; see ``DetectionSettings.preset``.
        mask_picture: the picture in ``settings.mask_file``, uint8 (any height, any width), 0 where it is
            ignored; the detector reads no files.

    Source of the method: see ``detect.scoring`` for the published chain that both presets follow, and
    ``detect.noise`` and ``detect.lighting`` for what ``adaptive`` adds to it, with the measurements.

    Not safe to share between threads while one of them learns; ``prepare`` alone is.
    """

    def __init__(self, settings: DetectionSettings, *, mask_picture: GrayImage | None = None) -> None:
        self.settings = settings
        self._chain = _Chain.of(settings)
        self.noise = NoiseMap()
        self._mask_picture = mask_picture
        self._counted: GrayImage | None = None

    def prepare(self, gray: GrayImage) -> Prepared:
        """Return a frame at the working size, blurred.

        Args:
            gray: uint8 (height, width), both at least 1. It is not changed.

        Raises:
            TypeError: it is not a two-dimensional uint8 array, or it is empty.
        """
        if not isinstance(gray, np.ndarray) or gray.dtype != np.uint8 or gray.ndim != 2 or not gray.size:  # noqa: PLR2004
            raise TypeError("a gray frame is a numpy array of uint8, (height, width), not empty")
        small = scoring.at_working_size(gray, self._chain.working_height)
        image = scoring.blurred(small, self._chain.blur)
        if image is gray:  # the caller may use its array again
            image = gray.copy()
        image.flags.writeable = False
        return Prepared(image, source_size=(gray.shape[1], gray.shape[0]))

    def prepares_like(self, settings: DetectionSettings) -> bool:
        """Return whether pictures prepared here can be compared by ``settings`` as well."""
        chain = _Chain.of(settings)
        return (chain.working_height, chain.blur) == (self._chain.working_height, self._chain.blur)

    def score(self, reference: Prepared, current: Prepared) -> ChangeScore:
        """Return how much of the picture changed from ``reference`` to ``current``.

        Returns:
            ``score`` and ``threshold`` in percent of the unmasked picture; ``regions`` in pixels of the
            working size.

        Raises:
            ValueError: the two have different working sizes.
        """
        changed = self.changed_pixels(reference, current)
        picture_px = self.picture_px(current)
        regions = scoring.regions_of(changed, self.settings.min_contour_area.in_px(picture_px))
        height, width = changed.shape
        return scoring.score_of(regions, self._chain.score_threshold, picture_px, (width, height))

    def changed_pixels(self, reference: Prepared, current: Prepared) -> GrayImage:
        """Return the thresholded, dilated difference that ``score`` measures.

        Returns:
            uint8 (height, width) at the working size, 255 changed, 0 not.

        Raises:
            ValueError: the two have different working sizes.
        """
        _require_one_size(reference, current)
        counted = self._counted_for(current.image)
        difference = self._difference(reference, current)
        return scoring.changed_pixels(
            difference, self._threshold_for(difference), self._chain.dilate, counted
        )

    def learn(self, previous: Prepared, current: Prepared) -> None:
        """Learn from two consecutive frames where the picture is restless; call it after ``score``.

        It does nothing with ``noise_gain = 0``, or if the two have different working sizes.
        """
        if self._chain.noise_gain and previous.image.shape == current.image.shape:
            self.noise.learn(self._difference(previous, current), self._chain.pixel_threshold)

    @property
    def size_bytes(self) -> int:
        """Memory of the detector in bytes: the noise map, and the mask at the working size."""
        return self.noise.size_bytes + (0 if self._counted is None else self._counted.nbytes)

    def picture_px(self, prepared: Prepared) -> int:
        """Return the number of unmasked pixels at the working size: what percentages refer to."""
        counted = self._counted_for(prepared.image)
        return prepared.image.size if counted is None else int(np.count_nonzero(counted))

    def _difference(self, reference: Prepared, current: Prepared) -> GrayImage:
        if self._chain.lighting == "off":
            return scoring.absolute_difference(reference.image, current.image)
        counted = self._counted_for(current.image)
        return scoring.absolute_difference(*lighting.in_one_light(reference.image, current.image, counted))

    def _threshold_for(self, difference: GrayImage) -> int | GrayImage:
        if not self._chain.noise_gain or self.noise.shape != difference.shape:
            return self._chain.pixel_threshold
        return self.noise.threshold(self._chain.pixel_threshold, self._chain.noise_gain)

    def _counted_for(self, image: GrayImage) -> GrayImage | None:
        s = self.settings
        if not any(s.border_mask) and not s.ignore and self._mask_picture is None:
            return None
        if self._counted is None or self._counted.shape != image.shape:
            height, width = image.shape
            self._counted = counted_pixels(
                width,
                height,
                border_mask=s.border_mask,
                polygons=[area.polygon for area in s.ignore],
                mask_picture=self._mask_picture,
            )
        return self._counted


def _require_one_size(reference: Prepared, current: Prepared) -> None:
    if reference.image.shape != current.image.shape:
        raise ValueError(
            f"a {reference.image.shape} reference and a {current.image.shape} frame cannot be compared:"
            " a frame of another size becomes the new reference"
        )
