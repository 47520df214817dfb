"""``adaptive``: the strongest change, in times the usual. See the package for how it goes."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from framegate.config.detection import DetectionSettings
from framegate.detect.adaptive.difference import Difference, difference
from framegate.detect.adaptive.exact import Codes, Flags, in_octaves
from framegate.detect.adaptive.neighbourhood import STEPS_AN_OCTAVE, corrections
from framegate.detect.adaptive.places import Place, as_times, blocks_of, decisive, regions, strongest_code
from framegate.detect.adaptive.quantities import Quantities, quantities
from framegate.detect.adaptive.strength import Strength, strength
from framegate.detect.adaptive.torn import torn
from framegate.detect.adaptive.usual import Usual
from framegate.detect.adaptive.whole import whole_change
from framegate.detect.adaptive.working import (
    BLOCK,
    SIXTEENTHS,
    WorkingPicture,
    colours_of,
    working_picture,
    working_size,
)
from framegate.detect.deciding import Measured, decisive_score, require_one_size, strongest, thresholds_of
from framegate.detect.masking import counted_pixels, inside_polygon
from framegate.detect.small_picture import SmallPicture
from framegate.detect.tear import Tear
from framegate.model import ChangeScore, GrayImage, Picture, Reason, Region

_Size = tuple[int, int]


COLOUR_ALONE_OCTAVES = 2
"""Four times more than usual colour has to change to count without texture and brightness, which a red car
on asphalt of the same luma does not change. Of 1,100 judged pairs of footage it changed no verdict."""

LEAST_TOUCHED, SHARE_TOUCHED = 4, 0.25
"""Gray levels by which the blocks of a whole change differ, and the share of them that has to."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What of the picture counts, and where, for one working size."""

    key: tuple[tuple[int, ...], _Size]
    """The shape of the picture at the working size, in whole blocks, and (width, height) of the frame."""

    pixels: GrayImage | None
    """uint8 (rows, columns), 0 where ignored; None when all count."""

    picture_px: int
    """How many pixels count."""

    blocks: Flags
    """The blocks that count."""

    places: tuple[Place, ...]
    """The zones, then the rest of the picture."""


class Adaptive:
    """Scores pictures of one camera by the strongest change: see ``Detector``.

    Args:
        settings: with the preset ``adaptive``.
        mask_picture: uint8 (any height, any width), 0 where the picture is ignored.

    Source of the method: the illumination-invariant texture difference of L. Li and M. K. H. Leung
    ("Integrating intensity and texture differences for robust change detection", IEEE Transactions on Image
    Processing 11, 2002), here with a local gain and offset, each block against a running quantile of its own,
    and a network for the neighbourhood.
    """

    looks_back = True

    def __init__(self, settings: DetectionSettings, mask_picture: GrayImage | None = None) -> None:
        self.settings = settings
        self._mask_picture = mask_picture
        self._usual = Usual()
        self._layout: _Layout | None = None
        self._last: tuple[WorkingPicture, WorkingPicture, Difference] | None = None
        """The last comparison: when the frame before is the reference, ``learn`` needs the same."""

    def reduce(self, picture: Picture) -> SmallPicture:
        """Return a picture at the working size, in Y, Cr, Cb.

        Raises:
            TypeError: its pixels are not uint8 (height, width) or (height, width, 3), or there are none.
        """
        _require_picture(picture.pixels)
        return SmallPicture(colours_of(picture.pixels, picture.size), picture.size)

    def prepare(self, small: SmallPicture) -> WorkingPicture:
        """Return a picture with its local statistics.

        Raises:
            TypeError: it has not three channels, or a side that is not in whole blocks.
        """
        rows, columns, *channels = small.image.shape
        if channels != [3] or rows % BLOCK or columns % BLOCK:
            raise TypeError("adaptive compares pictures of three channels, in whole blocks")
        return working_picture(small.image, small.source_size, self._layout_of(small).pixels)

    def tear(self, reference: WorkingPicture, current: WorkingPicture) -> Tear | None:
        """Return where the current picture is torn, as the reference proves; None if it does not.

        Raises:
            ValueError: the two have different working sizes.
        """
        require_one_size(reference.image, current.image)
        return torn(reference, current)

    def score(self, reference: WorkingPicture, current: WorkingPicture) -> ChangeScore:
        """Return how many times more than usual the strongest place changed.

        Returns:
            ``score`` and ``threshold`` in times the usual; of several zones those of the one that is most
            above its threshold. ``regions`` in pixels of the working size.

        Raises:
            ValueError: the two have different working sizes.
        """
        codes = self.codes(reference, current)
        layout = self._layout_of(current)
        score = decisive_score(_measured(codes, layout), self.settings)
        if score.score <= score.threshold:
            return score
        place = layout.places[[*(zone.name for zone in self.settings.zone), None].index(score.zone)]
        changed = regions(codes, place, score.threshold)
        largest_first = sorted(changed, key=lambda region: (-region.area_px, region.y, region.x))
        return replace(
            score, regions=tuple(largest_first), changed_px=sum(region.area_px for region in changed)
        )

    def measure(self, reference: WorkingPicture, current: WorkingPicture) -> Measured:
        """Return how many times more than usual the strongest change of each place is.

        Raises:
            ValueError: the two have different working sizes.
        """
        return _measured(self.codes(reference, current), self._layout_of(current))

    def decisive(self, reference: WorkingPicture, current: WorkingPicture) -> Region | None:
        """Return the change that decides, in pixels of the working size; None where everything is ignored.

        Raises:
            ValueError: the two have different working sizes.
        """
        codes, layout = self.codes(reference, current), self._layout_of(current)
        measured = _measured(codes, layout)
        thresholds = thresholds_of(self.settings, measured.picture_px)
        place = strongest(measured.scores, thresholds)
        return decisive(codes, layout.places[place], thresholds[place])

    def codes(self, reference: WorkingPicture, current: WorkingPicture) -> Codes:
        """Return how strongly each block changed: 64 steps an octave, 0 is as much as usual.

        Raises:
            ValueError: the two have different working sizes.
        """
        strong, seen = self.seen(reference, current)
        codes: Codes
        by_colour, codes = in_octaves(strong.ratios[1:], STEPS_AN_OCTAVE)
        codes += corrections(seen)
        by_colour -= COLOUR_ALONE_OCTAVES * STEPS_AN_OCTAVE
        np.maximum(codes, by_colour, out=codes)
        return codes

    def seen(self, reference: WorkingPicture, current: WorkingPicture) -> tuple[Strength, Quantities]:
        """Return what the network sees of two pictures, and the strength that it corrects.

        Raises:
            ValueError: the two have different working sizes.
        """
        between = self._difference(reference, current)
        layout = self._layout_of(current)
        counted = None if layout.pixels is None else layout.blocks
        strong = strength(reference, current, between, self._usual, counted)
        return strong, quantities(reference, current, between, strong, self._usual.frames_learnt)

    def learn(self, previous: WorkingPicture, current: WorkingPicture) -> None:
        """Learn from two consecutive frames what is usual; nothing if they have different working sizes."""
        if previous.image.shape == current.image.shape:
            self._usual.learn(self._difference(previous, current).measures)
        self._last = None  # it would hold a picture that nobody else needs

    def whole_change(
        self, previous: WorkingPicture, current: WorkingPicture, *, is_changed: bool
    ) -> Reason | None:
        """Return ``LIGHTING`` or ``MOVED`` if most of the picture changed at once: see ``Detector``."""
        counted = self._layout_of(current).blocks
        touched = counted & (self._difference(previous, current).brightness > LEAST_TOUCHED * SIXTEENTHS)
        if np.count_nonzero(touched) < SHARE_TOUCHED * np.count_nonzero(counted):
            return None  # as nearly always; to look closer takes 0.3 ms
        return whole_change(previous, current, counted, is_changed=is_changed)

    def branch(self) -> "Adaptive":
        """Return a detector that knows what this one has learnt; from now on each learns alone."""
        other = copy(self)
        other._usual = copy(self._usual)  # noqa: SLF001 - one of us; it replaces its arrays, and changes none
        return other

    def go_on_from(self, other: "Adaptive") -> None:
        """Know what another detector has learnt; from now on each learns alone."""
        self._usual = copy(other._usual)  # noqa: SLF001 - as in branch

    def learnt(self) -> bytes | None:
        """Return what was learnt; None when it is nothing."""
        return self._usual.to_bytes()

    def restore(self, data: bytes) -> None:
        """Go on with what ``learnt`` has returned.

        Raises:
            ValueError: it is no such bytes. Nothing is changed.
        """
        self._usual.restore(data)

    @property
    def size_bytes(self) -> int:
        """Memory of what was learnt and of the masks, in bytes."""
        layout = self._layout
        pixels = 0 if layout is None or layout.pixels is None else layout.pixels.nbytes
        return self._usual.size_bytes + pixels

    def _difference(self, a: WorkingPicture, b: WorkingPicture) -> Difference:
        require_one_size(a.image, b.image)
        if self._last is None or self._last[0] is not a or self._last[1] is not b:
            self._last = a, b, difference(a, b)
        return self._last[2]

    def _layout_of(self, picture: SmallPicture | WorkingPicture) -> _Layout:
        key = picture.image.shape, picture.source_size
        if self._layout is None or self._layout.key != key:
            self._layout = _layout(self.settings, self._mask_picture, key)
        return self._layout


def _layout(
    settings: DetectionSettings, mask_picture: GrayImage | None, key: tuple[tuple[int, ...], _Size]
) -> _Layout:
    (padded_rows, padded_columns, *_), source_size = key
    columns, rows = map(min, working_size(source_size), (padded_columns, padded_rows))  # polygons refer to it
    beside = (0, padded_rows - rows), (0, padded_columns - columns)
    counted = np.pad(
        counted_pixels(
            columns,
            rows,
            border_mask=settings.border_mask,
            polygons=[area.polygon for area in settings.ignore],
            mask_picture=mask_picture,
        ),
        beside,
        mode="edge",
    )
    counted.flags.writeable = False
    blocks = blocks_of(counted)
    picture_px = int(np.count_nonzero(counted))
    rest = blocks.copy()
    places = []
    for zone in settings.zone:
        inside = blocks_of(np.pad(inside_polygon(columns, rows, zone.polygon), beside, mode="edge")) & rest
        rest &= ~inside
        least_px = settings.least_area_in(zone).in_px(picture_px)
        places.append(Place(inside, least_px))
    places.append(Place(rest, settings.min_contour_area.in_px(picture_px)))
    return _Layout(key, counted if picture_px < counted.size else None, picture_px, blocks, tuple(places))


def _measured(codes: Codes, layout: _Layout) -> Measured:
    strong = (strongest_code(codes, place) for place in layout.places)
    rows, columns = codes.shape
    scores = tuple(None if code is None else as_times(code) for code in strong)
    return Measured(scores, layout.picture_px, (columns * BLOCK, rows * BLOCK))


def _require_picture(pixels: object) -> None:
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3))  # noqa: PLR2004
        or not pixels.size
    ):
        raise TypeError(
            "adaptive compares pictures in colour, numpy arrays of uint8, (height, width, 3) in BGR, or"
            " (height, width) in gray, not empty"
        )
