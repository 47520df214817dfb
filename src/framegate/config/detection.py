"""The settings of ``[detection]``: what each of the two presets uses, needs and has as its defaults.

A value is judged by the preset of its table: the thresholds of ``adaptive`` are times the usual change, those
of ``classic`` are areas, and what only ``classic`` uses may not be set with ``adaptive``.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from framegate.config.quantities import NOT_GIVEN, Area, Times
from framegate.config.tables import Table
from framegate.config.values import (
    AreaValue,
    Borders,
    DurationValue,
    FilePath,
    ForPreset,
    OddSide,
    Polygon,
    Text,
    ThresholdValue,
    Whole,
)

Preset = Literal["adaptive", "classic"]
DEFAULT_PRESET: Preset = "adaptive"


def _used(value: object, info: ValidationInfo) -> object:
    if info.data.get("preset_name") == "adaptive":
        raise ValueError('is not used by preset = "adaptive", only by "classic": remove the line')
    return value


CLASSIC_ONLY = BeforeValidator(_used)
"""Marks a setting that only ``classic`` uses."""


class IgnoredArea(Table):
    """A part of the picture that does not count."""

    name: Text
    """A name for readers of the file: `clock`, `flag`, `street`."""

    polygon: Polygon
    """Its corners as fractions of the picture, `[x, y]`, from `[0, 0]` top left to `[1, 1]` bottom right."""


class Zone(Table):
    """A part of the picture with a threshold of its own."""

    name: Text
    """The name that the verdict gives when this zone decided: `gate`, `road`."""

    polygon: Polygon
    """Its corners, as those of an ignored area. Where zones overlap, the first counts."""

    score_threshold: ThresholdValue | None = None
    """As `score_threshold` of `[detection]`, for what lies in this zone. Default: as there."""

    min_contour_area: AreaValue | None = None
    """As `min_contour_area` of `[detection]`, for what lies in this zone. Default: as there."""


def _named_once(zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
    name, count = Counter(zone.name for zone in zones).most_common(1)[0] if zones else ("", 0)
    if count > 1:
        raise ValueError(f"{count} zones are named {name!r}: a verdict could not say which of them decided")
    return zones


class DetectionSettings(Table):
    """When a frame differs enough from the last kept one."""

    preset_name: Preset = Field(default=DEFAULT_PRESET, alias="preset")
    """How frames are compared. `adaptive`: texture, brightness and colour of each place, against what is
    usual there. `classic`: exactly the published algorithm, in gray; it needs both areas below."""

    score_threshold: ThresholdValue = Times(2.3)
    """A frame is kept when its score is above this. Raise it when too much is kept. With `adaptive` the score
    is that of the place that changed most, as `"2.3x"`: times what is usual there. With `classic` it is the
    sum of the changed regions, as `"2%"` of the unmasked picture or `"50000px"` at the working size."""

    min_contour_area: AreaValue = Area(0, "%")
    """A changed region smaller than this does not count: `"0.05%"` of the unmasked picture, or `"500px"` at
    the working size. Raise it against insects and rain."""

    border_mask: Borders = (0.0, 0.0, 0.0, 0.0)
    """How much to ignore at the edges of the picture, in percent: `[left, top, right, bottom]`."""

    mask_file: FilePath | None = Field(default=None, examples=["mask.png"])
    """A PNG that masks the picture: black is ignored, anything else counts. It is stretched to the picture's
    size."""

    keep_every: DurationValue | None = Field(default=None, examples=["1h"])
    """Keep a frame, as `heartbeat`, when the last kept one was captured this long before it, as `"1h"`."""

    max_kept_per_hour: Annotated[Whole, Field(ge=1, le=100_000)] | None = Field(default=None, examples=[120])
    """When more frames than this are kept in an hour of capture time, the camera is in a storm: of the frames
    that differ only one a minute is kept, as `storm`; the others are dropped, as `storm_dropped`."""

    working_height: Annotated[Whole, Field(ge=0, le=10000), CLASSIC_ONLY] = 0
    """Frames are scaled down to this many rows of pixels before they are compared; 0 compares the original
    size."""

    blur: Annotated[OddSide, CLASSIC_ONLY] = 5
    """Size of the Gaussian blur in pixels at the working size, an odd number; 0 is no blur. More blur ignores
    more noise."""

    pixel_threshold: Annotated[Whole, Field(ge=0, le=254), CLASSIC_ONLY] = 45
    """A pixel counts as changed when its gray value differs by more than this, of 255."""

    dilate: Annotated[Whole, Field(ge=0, le=50), CLASSIC_ONLY] = 2
    """Rounds of dilation that join the pieces of one object. Each adds a pixel on every side."""

    ignore: tuple[IgnoredArea, ...] = ()
    """Parts of the picture that do not count, such as a burnt-in clock or a street behind the fence."""

    zone: Annotated[tuple[Zone, ...], AfterValidator(_named_once)] = ()
    """Parts of the picture with thresholds of their own, such as a gate or a road."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_preset(cls, data: Any) -> Any:
        """Give each value that depends on the preset together with it; ``classic`` has to be given both."""
        if not isinstance(data, dict) or data.get("preset", DEFAULT_PRESET) not in get_args(Preset):
            return data
        preset = data.get("preset", DEFAULT_PRESET)
        missing = dict.fromkeys(DEPENDING, NOT_GIVEN) if preset == "classic" else {}
        return in_units_of({**missing, **data}, preset)

    @model_serializer(mode="wrap")
    def _what_is_used(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unused = classic_only() if self.preset_name == "adaptive" else frozenset()
        return {key: value for key, value in serialized(self).items() if key not in unused}

    @classmethod
    def preset(cls, name: Preset, **overrides: Any) -> Self:
        """Return settings that start from a preset.

        Args:
            name: ``adaptive`` or ``classic``; the latter needs both areas.
            **overrides: any setting of ``[detection]``; quantities as ``"2.3x"``, ``"0.2%"`` or ``"5000px"``.

        Raises:
            pydantic.ValidationError: with every setting that is wrong.
        """
        return cls.model_validate({"preset": name, **overrides})

    def threshold_in(self, zone: Zone) -> Area | Times:
        """Return the threshold that holds in a zone: its own, or the general one."""
        return self.score_threshold if zone.score_threshold is None else zone.score_threshold

    def least_area_in(self, zone: Zone) -> Area:
        """Return the smallest area that counts in a zone: its own, or the general one."""
        return self.min_contour_area if zone.min_contour_area is None else zone.min_contour_area


DEPENDING = ("score_threshold", "min_contour_area")
"""Settings whose values depend on the preset."""


def in_units_of(table: Mapping[str, Any], preset: str) -> dict[str, Any]:
    """Return a table of settings in which each value that depends on the preset comes together with it."""
    together = _with_preset(table, preset)
    zones = together.get("zone")
    if isinstance(zones, (list, tuple)):
        together["zone"] = [_with_preset(zone, preset) if isinstance(zone, dict) else zone for zone in zones]
    return together


def _with_preset(table: Mapping[str, Any], preset: str) -> dict[str, Any]:
    return {
        key: ForPreset(value, preset) if key in DEPENDING and value is not None else value
        for key, value in table.items()
    }


def classic_only() -> frozenset[str]:
    """Return the settings that only ``classic`` uses."""
    fields = DetectionSettings.model_fields.items()
    return frozenset(name for name, field in fields if CLASSIC_ONLY in field.metadata)


def inherited(general: Mapping[str, Any], camera: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a camera's table takes over from the general one: not what depends on another preset.

    Args:
        general, camera: the tables as they stand in the file.
    """
    preset = general.get("preset", DEFAULT_PRESET)
    if camera.get("preset", preset) == preset:
        return general
    unlike = {*DEPENDING, *classic_only(), "zone"}
    return {key: value for key, value in general.items() if key not in unlike}
