"""``classic``: the published algorithm to the bit, on gray pictures. It learns nothing.

Source of the method: see ``detect.scoring``. What is not computed cannot change the score: see
``detect.differing``.
"""

from copy import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.detect import scoring
from framegate.detect.deciding import Measured, decisive_score, require_one_size
from framegate.detect.differing import Differing, differing
from framegate.detect.masking import COUNTED, IGNORED, counted_pixels, inside_polygon
from framegate.detect.small_picture import SmallPicture
from framegate.model import ChangeScore, GrayImage, Picture, Region


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A part of the picture with a threshold of its own: a zone, or the rest."""

    counted: GrayImage | None
    """255 where a pixel belongs to it, 0 where not; None when all that count do."""

    least_px: float


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What counts in pictures of one shape."""

    shape: tuple[int, ...]
    counted: GrayImage | None
    """255 where a pixel counts, 0 where it is ignored; None when all count."""

    picture_px: int
    """How many count: what percentages refer to."""

    places: tuple[_Place, ...]


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
        self._layout: _Layout | None = None

    def reduce(self, picture: Picture) -> SmallPicture:
        """Return a picture at the working size. A read-only one that has it is not copied.

        Raises:
            TypeError: its pixels are not a two-dimensional array of uint8, or there are none.
        """
        gray = picture.pixels
        _require_gray(gray)
        image = scoring.at_working_size(gray, self.settings.working_height)
        if image is gray and (gray.flags.writeable or not gray.flags.c_contiguous):
            image = gray.copy()  # the caller may use its array again; OpenCV would copy it at each call
        image.flags.writeable = False
        return SmallPicture(image, picture.size)

    def prepare(self, small: SmallPicture) -> SmallPicture:
        """Return the picture itself. It is blurred when it is compared, where that can matter.

        Raises:
            TypeError: it is not gray.
        """
        _require_gray(small.image)
        return small

    def tear(self, reference: SmallPicture, current: SmallPicture) -> None:
        """Return None: the published algorithm knows no torn pictures."""

    def score(self, reference: SmallPicture, current: SmallPicture) -> ChangeScore:
        """Return how much of the picture changed from ``reference`` to ``current``.

        Returns:
            ``score`` and ``threshold`` in percent of the unmasked picture; of several zones, those of the one
            that decides. ``regions`` in pixels of the working size.

        Raises:
            ValueError: the two have different working sizes.
        """
        measured, regions = self._measured(reference, current)
        decisive = decisive_score(measured, self.settings)
        place = [*(zone.name for zone in self.settings.zone), None].index(decisive.zone)
        changed_px = sum(region.area_px for region in regions[place])
        return replace(decisive, regions=regions[place], changed_px=changed_px)

    def measure(self, reference: SmallPicture, current: SmallPicture) -> Measured:
        """Return how much each place changed, in percent of the unmasked picture, 0 to 100.

        Dilation extends over the edge of a mask, so what changed may exceed what is unmasked.

        Raises:
            ValueError: the two have different working sizes.
        """
        return self._measured(reference, current)[0]

    def changed_pixels(self, reference: SmallPicture, current: SmallPicture) -> GrayImage:
        """Return the thresholded, dilated difference that ``score`` measures.

        Returns:
            uint8 (height, width) at the working size, 255 changed, 0 not.

        Raises:
            ValueError: the two have different working sizes.
        """
        require_one_size(reference.image, current.image)
        changed = self._differing(reference, current, self._layout_of(current.image))
        if changed is None:
            return np.zeros(current.image.shape, np.uint8)
        return scoring.dilated(changed.pixels, self.settings.dilate)

    def whole_change(self, previous: SmallPicture, current: SmallPicture, *, is_changed: bool) -> None:
        """Return None: the published algorithm names nothing."""

    def learn(self, previous: SmallPicture, current: SmallPicture) -> None:
        """Do nothing: the published algorithm learns nothing."""

    def branch(self) -> "Classic":
        """Return a detector like this one: there is nothing to learn."""
        return copy(self)

    def go_on_from(self, other: "Classic") -> None:
        """Do nothing: there is nothing to know."""

    def learnt(self) -> None:
        """Return None: there is nothing."""

    def restore(self, data: bytes) -> None:
        """Do nothing: what another preset has learnt has no meaning here."""

    @property
    def size_bytes(self) -> int:
        """Memory of the masks at the working size, in bytes."""
        if self._layout is None:
            return 0
        masks = (self._layout.counted, *(place.counted for place in self._layout.places))
        return sum(mask.nbytes for mask in masks if mask is not None)

    def picture_px(self, prepared: SmallPicture) -> int:
        """Return the number of unmasked pixels at the working size: what percentages refer to."""
        return self._layout_of(prepared.image).picture_px

    def _differing(self, reference: SmallPicture, current: SmallPicture, layout: _Layout) -> Differing | None:
        s = self.settings
        return differing(
            reference.image, current.image, blur=s.blur, threshold=s.pixel_threshold, counted=layout.counted
        )

    def _measured(
        self, reference: SmallPicture, current: SmallPicture
    ) -> tuple[Measured, list[tuple[Region, ...]]]:
        """Return how much each place changed, and the regions of each."""
        require_one_size(reference.image, current.image)
        layout = self._layout_of(current.image)
        changed = self._differing(reference, current, layout)
        regions = [() if changed is None else self._regions_at(place, changed) for place in layout.places]
        scores = tuple(scoring.in_percent(each, layout.picture_px) for each in regions)
        height, width = layout.shape
        return Measured(scores, layout.picture_px, (width, height)), regions

    def _regions_at(self, place: _Place, changed: Differing) -> tuple[Region, ...]:
        """Return what has changed at a place, joined by dilation; nothing outside the box can have."""
        box = changed.box.wider(self.settings.dilate, changed.pixels)
        pixels = box.of(changed.pixels)
        if place.counted is not None:
            pixels = scoring.as_uint8(cv2.bitwise_and(pixels, box.of(place.counted)))
        joined = scoring.dilated(pixels, self.settings.dilate)
        return scoring.regions_of(joined, place.least_px, (box.left, box.top))

    def _layout_of(self, image: GrayImage) -> _Layout:
        if self._layout is None or self._layout.shape != image.shape:
            counted = self._counted(*image.shape)
            picture_px = image.size if counted is None else int(np.count_nonzero(counted))
            places = self._places(image.shape, counted, picture_px)
            self._layout = _Layout(image.shape, counted, picture_px, places)
        return self._layout

    def _places(
        self, shape: tuple[int, int], counted: GrayImage | None, picture_px: int
    ) -> tuple[_Place, ...]:
        """Return the zones, then the rest of the picture. Where zones overlap, the first counts."""
        s, (height, width) = self.settings, shape
        general_px = s.min_contour_area.in_px(picture_px)
        if not s.zone:
            return (_Place(None, general_px),)
        left = np.full(shape, COUNTED, np.uint8) if counted is None else counted.copy()
        places = []
        for zone in s.zone:
            inside = cv2.bitwise_and(inside_polygon(width, height, zone.polygon), left)
            left[inside > 0] = IGNORED
            least_px = s.least_area_in(zone).in_px(picture_px)
            places.append(_Place(scoring.as_uint8(inside), least_px))
        return (*places, _Place(left, general_px))

    def _counted(self, height: int, width: int) -> GrayImage | None:
        s = self.settings
        if not any(s.border_mask) and not s.ignore and self._mask_picture is None:
            return None
        return counted_pixels(
            width,
            height,
            border_mask=s.border_mask,
            polygons=[area.polygon for area in s.ignore],
            mask_picture=self._mask_picture,
        )


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
