"""``classic``: the published algorithm to the bit, on gray pictures. It learns nothing.

Source of the method: see ``detect.scoring``.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.config.quantities import Area, Times
from framegate.detect import scoring
from framegate.detect.deciding import require_one_size, strongest
from framegate.detect.masking import COUNTED, IGNORED, counted_pixels, inside_polygon
from framegate.model import ChangeScore, GrayImage, Picture


@dataclass(frozen=True, slots=True, eq=False)
class PreparedGray:
    """A gray picture at the working size, blurred."""

    image: GrayImage
    """uint8, (working height, working width), read-only."""

    source_size: tuple[int, int]
    """(width, height) of the whole picture, in pixels."""

    @property
    def size_bytes(self) -> int:
        """Memory in bytes."""
        return self.image.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A part of the picture with a threshold of its own: a zone, or the rest."""

    zone: str | None
    counted: GrayImage | None
    """255 where a pixel belongs to it, 0 where not; None when all do."""

    least_px: float
    threshold: Area


class Classic:
    """Scores gray pictures of one camera by the area that changed: see ``Detector``.

    Args:
        settings: with the preset ``classic``.
        mask_picture: uint8 (any height, any width), 0 where the picture is ignored.
    """

    looks_back = False

    def __init__(self, settings: DetectionSettings, mask_picture: GrayImage | None = None) -> None:
        self.settings = settings
        self._mask_picture = mask_picture
        self._counted: GrayImage | None = None
        self._places: tuple[_Place, ...] | None = None
        self._shape: tuple[int, ...] = ()

    def prepare(self, picture: Picture) -> PreparedGray:
        """Return a picture at the working size, blurred.

        Raises:
            TypeError: its pixels are not a two-dimensional array of uint8, or there are none.
        """
        gray = picture.pixels
        _require_gray(gray)
        small = scoring.at_working_size(gray, self.settings.working_height)
        image = scoring.blurred(small, self.settings.blur)
        if image is gray:  # the caller may use its array again
            image = gray.copy()
        image.flags.writeable = False
        return PreparedGray(image, picture.size)

    def prepared_again(self, image: NDArray[np.uint8], source_size: tuple[int, int]) -> PreparedGray:
        """Return what ``prepare`` has returned, from its ``image`` and ``source_size``.

        Raises:
            TypeError: the image is not gray.
        """
        _require_gray(image)
        return PreparedGray(image, source_size)

    def tear(self, reference: PreparedGray, current: PreparedGray) -> None:
        """Return None: the published algorithm knows no torn pictures."""

    def score(self, reference: PreparedGray, current: PreparedGray) -> ChangeScore:
        """Return how much of the picture changed from ``reference`` to ``current``.

        Returns:
            ``score`` and ``threshold`` in percent of the unmasked picture; of several zones, those of the one
            that decides. ``regions`` in pixels of the working size.

        Raises:
            ValueError: the two have different working sizes.
        """
        difference = _difference(reference, current)
        picture_px = self.picture_px(current)
        places = self._places_for(difference, picture_px)
        return strongest(self._score_at(place, difference, picture_px) for place in places)

    def changed_pixels(self, reference: PreparedGray, current: PreparedGray) -> GrayImage:
        """Return the thresholded, dilated difference that ``score`` measures.

        Returns:
            uint8 (height, width) at the working size, 255 changed, 0 not.

        Raises:
            ValueError: the two have different working sizes.
        """
        difference = _difference(reference, current)
        return self._changed(difference, self._counted_for(difference))

    def whole_change(self, previous: PreparedGray, current: PreparedGray, *, is_changed: bool) -> None:
        """Return None: the published algorithm names nothing."""

    def learn(self, previous: PreparedGray, current: PreparedGray) -> None:
        """Do nothing: the published algorithm learns nothing."""

    def learnt(self) -> None:
        """Return None: there is nothing."""

    def restore(self, data: bytes) -> None:
        """Do nothing: what another preset has learnt has no meaning here."""

    @property
    def size_bytes(self) -> int:
        """Memory of the masks at the working size, in bytes."""
        masks = [self._counted, *(place.counted for place in self._places or ())]
        return sum(mask.nbytes for mask in masks if mask is not None)

    def picture_px(self, prepared: PreparedGray) -> int:
        """Return the number of unmasked pixels at the working size: what percentages refer to."""
        counted = self._counted_for(prepared.image)
        return prepared.image.size if counted is None else int(np.count_nonzero(counted))

    def _score_at(self, place: _Place, difference: GrayImage, picture_px: int) -> ChangeScore:
        regions = scoring.regions_of(self._changed(difference, place.counted), place.least_px)
        height, width = difference.shape
        score = scoring.score_of(regions, place.threshold, picture_px, (width, height))
        return replace(score, zone=place.zone)

    def _changed(self, difference: GrayImage, counted: GrayImage | None) -> GrayImage:
        return scoring.changed_pixels(
            difference, self.settings.pixel_threshold, self.settings.dilate, counted
        )

    def _places_for(self, image: GrayImage, picture_px: int) -> tuple[_Place, ...]:
        """Return the zones, then the rest of the picture. Where zones overlap, the first counts."""
        s, rest = self.settings, self._counted_for(image)
        general_px = s.min_contour_area.in_px(picture_px)
        if not s.zone:
            return (_Place(None, rest, general_px, _area(s.score_threshold)),)
        if self._places is None or self._shape != image.shape:
            height, width = image.shape
            left = np.full((height, width), COUNTED, np.uint8) if rest is None else rest.copy()
            places = []
            for zone in s.zone:
                inside = cv2.bitwise_and(inside_polygon(width, height, zone.polygon), left)
                left[inside > 0] = IGNORED
                least_px = s.least_area_in(zone).in_px(picture_px)
                threshold = _area(s.threshold_in(zone))
                places.append(_Place(zone.name, scoring.as_uint8(inside), least_px, threshold))
            places.append(_Place(None, left, general_px, _area(s.score_threshold)))
            self._places, self._shape = tuple(places), image.shape
        return self._places

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


def _difference(reference: PreparedGray, current: PreparedGray) -> GrayImage:
    require_one_size(reference.image, current.image)
    return scoring.absolute_difference(reference.image, current.image)


def _area(threshold: Area | Times) -> Area:
    """Return a threshold as what it is by the preset."""
    assert isinstance(threshold, Area)
    return threshold


def _require_gray(pixels: object) -> None:
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.ndim != 2  # noqa: PLR2004
        or not pixels.size
    ):
        raise TypeError(
            "classic compares gray pictures, numpy arrays of uint8, (height, width), not empty:"
            " decode() makes them for settings with this preset"
        )
