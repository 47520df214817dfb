"""The change detector: one camera's settings, masks and learnt noise, behind four calls."""

from dataclasses import replace

import cv2
import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area, Times
from framegate.detect import lighting, scoring
from framegate.detect.classic import PreparedGray
from framegate.detect.masking import counted_pixels
from framegate.detect.noise import NoiseMap
from framegate.model import ChangeScore, GrayImage, Picture


class ChangeDetector:
    """Scores frames of one camera against a reference.

    Args:
        settings: what to compare and how; see ``DetectionSettings.preset``.
        mask_picture: the picture in ``settings.mask_file``, uint8 (any height, any width), 0 where it is
            ignored; the detector reads no files.

    Source of the method: see ``detect.scoring`` for the published chain that both presets follow, and
    ``detect.noise`` and ``detect.lighting`` for what ``adaptive`` adds to it, with the measurements.

    Not safe to share between threads while one of them learns; ``prepare`` alone is.
    """

    def __init__(self, settings: DetectionSettings, mask_picture: GrayImage | None = None) -> None:
        self.settings = settings
        self.noise = NoiseMap()
        self._mask_picture = mask_picture
        self._counted: GrayImage | None = None

    def prepare(self, picture: Picture) -> PreparedGray:
        """Return a picture at the working size, blurred."""
        gray = scoring.as_uint8(cv2.cvtColor(picture.pixels, cv2.COLOR_BGR2GRAY))
        small = scoring.at_working_size(gray, 360)
        image = scoring.blurred(small, 5)
        image.flags.writeable = False
        return PreparedGray(image, picture.size)

    def prepared_again(self, image: GrayImage, source_size: tuple[int, int]) -> PreparedGray:
        """Return a prepared picture that was saved as its ``image``."""
        return PreparedGray(image, source_size)

    def learnt(self) -> bytes | None:
        """Return what was learnt."""
        return self.noise.to_bytes()

    def restore(self, data: bytes) -> None:
        """Go on with what ``learnt`` returned.

        Raises:
            ValueError: it is no noise map.
        """
        self.noise.restore(data)

    def score(self, reference: PreparedGray, current: PreparedGray) -> ChangeScore:
        """Return how much of the picture changed from ``reference`` to ``current``.

        Returns:
            ``score`` and ``threshold`` in percent of the unmasked picture; ``regions`` in pixels of the
            working size.

        Raises:
            ValueError: the two have different working sizes.
        """
        changed = self.changed_pixels(reference, current)
        picture_px = self.picture_px(current)
        regions = scoring.regions_of(changed, 0.0005 * picture_px)
        height, width = changed.shape
        score = scoring.score_of(regions, Area(0.2, "%"), picture_px, (width, height))
        threshold = self.settings.score_threshold
        assert isinstance(threshold, Times)
        return replace(score, score=score.score * 2.3 / 0.2, threshold=float(threshold), unit="x")

    def changed_pixels(self, reference: PreparedGray, current: PreparedGray) -> GrayImage:
        """Return the thresholded, dilated difference that ``score`` measures.

        Returns:
            uint8 (height, width) at the working size, 255 changed, 0 not.

        Raises:
            ValueError: the two have different working sizes.
        """
        _require_one_size(reference, current)
        counted = self._counted_for(current.image)
        difference = self._difference(reference, current)
        return scoring.changed_pixels(difference, self._threshold_for(difference), 2, counted)

    def learn(self, previous: PreparedGray, current: PreparedGray) -> None:
        """Learn from two consecutive frames where the picture is restless; call it after ``score``.

        It does nothing with ``noise_gain = 0``, or if the two have different working sizes.
        """
        if previous.image.shape == current.image.shape:
            self.noise.learn(self._difference(previous, current), 30)

    @property
    def size_bytes(self) -> int:
        """Memory of the detector in bytes: the noise map, and the mask at the working size."""
        return self.noise.size_bytes + (0 if self._counted is None else self._counted.nbytes)

    def picture_px(self, prepared: PreparedGray) -> int:
        """Return the number of unmasked pixels at the working size: what percentages refer to."""
        counted = self._counted_for(prepared.image)
        return prepared.image.size if counted is None else int(np.count_nonzero(counted))

    def _difference(self, reference: PreparedGray, current: PreparedGray) -> GrayImage:
        counted = self._counted_for(current.image)
        return scoring.absolute_difference(*lighting.in_one_light(reference.image, current.image, counted))

    def _threshold_for(self, difference: GrayImage) -> int | GrayImage:
        if self.noise.shape != difference.shape:
            return 30
        return self.noise.threshold(30, 4.0)

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


def _require_one_size(reference: PreparedGray, current: PreparedGray) -> None:
    if reference.image.shape != current.image.shape:
        raise ValueError(
            f"a {reference.image.shape} reference and a {current.image.shape} frame cannot be compared:"
            " a frame of another size becomes the new reference"
        )
