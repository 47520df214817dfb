"""Every setting once: its type, bounds, unit, meaning and default.

From here come the validation, ``config.example.toml``, the README's table and the words of the errors
(see ``config.py`` and ``reference.py``). A field's docstring is its documentation everywhere.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, WrapSerializer, model_validator

from framegate.capture_time import MTIME
from framegate.quantities import NOT_GIVEN, Area, Size
from framegate.setting_values import (
    AreaValue,
    Borders,
    CameraPattern,
    CaptureTimes,
    DurationValue,
    Folder,
    Listen,
    Number,
    OddSide,
    Patterns,
    Point,
    SizeValue,
    SomeSize,
    Text,
    Version,
    Whole,
)

DEFAULT_CAMERA = "default"
"""The camera of every frame when no ``camera_pattern`` is set or the pattern does not match."""


class RestartOnly:
    """Marks a setting that a running daemon cannot change: it holds the folder open, or a lock on it."""


AfterVerdict = Literal["leave", "delete"]


class Table(BaseModel):
    """A table of the config file: frozen, unknown keys forbidden, each field documented below itself."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
    )


class DropSettings(Table):
    """Where frames arrive, and when one is complete."""

    folder: Annotated[Folder, RestartOnly()]
    """The folder that the camera uploads to. framegate never writes or renames in it, and deletes only what
    `after_kept` and its like say."""

    include: Patterns = ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.tif", "*.tiff", "*.bmp")
    """Names that are frames, matched without regard to case. Dot-files, `*.part`, `*.tmp`, `*.filepart`
    and `*~` never are. What a file is, its content decides, not its name."""

    recursive: Annotated[bool, Strict(), RestartOnly()] = True
    """Watch folders inside the folder too, also those made later."""

    camera_pattern: CameraPattern | None = None
    """For many cameras in one folder: a regular expression with a group `camera`, searched in the path
    below the folder. Each camera has its own reference. Without it all frames are camera `default`."""

    capture_time: CaptureTimes = (MTIME,)
    """When a frame was taken, which is the order of judging: `mtime`, or read from the file name by a
    strptime pattern with the full date (`%Y-%m-%d_%H_%M_%S`, local time), `epoch_s` or `epoch_ms`. A list is
    tried in order; a name that none fits falls back to `mtime`."""

    settle_s: Annotated[Number, Field(ge=0, le=3600)] = 2.0
    """Seconds without a change after which a file counts as complete. A file that its writer has closed
    or moved in, and whose content ends properly, is taken at once."""

    give_up_s: Annotated[Number, Field(ge=0, le=86400)] = 60.0
    """Seconds without a change after which a file whose content has no end is rejected, as `truncated` or
    `empty`. When more of it comes later, it is judged again."""

    rescan_s: Annotated[Number, Field(ge=0.1, le=86400)] = 30.0
    """Seconds between sweeps of the whole folder while events announce what comes. A sweep finds what they
    missed."""

    poll_s: Annotated[Number, Field(ge=0.1, le=86400)] = 2.0
    """Seconds between sweeps where no event announces anything: with `watch = "poll"`, and on a network
    share. A large folder is swept less often: at most a tenth of the time."""

    watch: Annotated[Literal["auto", "inotify", "poll"], RestartOnly()] = "auto"
    """How arrivals are noticed. `inotify`: at once, by the kernel. `poll`: by sweeps alone, every `poll_s`.
    `auto`: inotify, and poll where the kernel cannot see the writers, as on a network share."""

    max_size: SizeValue = Size(64_000_000)
    """A larger file is rejected unread, as `too_large`."""

    max_megapixels: Annotated[Number, Field(gt=0, le=1000)] = 100.0
    """A picture with more pixels is rejected from its header, before memory is taken for it."""

    after_kept: AfterVerdict = "leave"
    """What becomes of a frame in the drop folder when its copy is safe on the disk: `leave` it, or
    `delete` it."""

    after_dropped: AfterVerdict = "leave"
    """The same for a frame that was dropped, when the ledger has it."""

    after_rejected: AfterVerdict = "leave"
    """The same for a file that was rejected. An upload that goes on after that has lost its beginning."""

    silent_after: DurationValue | None = None
    """Warn when a camera has sent nothing for so long, as `"15m"`; once, and once more when it is back."""


class ResultsSettings(Table):
    """Where kept frames go."""

    folder: Annotated[Folder, RestartOnly()]
    """The folder that kept frames are copied to, byte for byte, under the path they had in the drop
    folder. Nothing in it is ever overwritten, and nothing deleted but by `max_age` and `max_size`."""

    min_free: SizeValue = Size(500_000_000)
    """Free space below which intake pauses, before the disk is full. It resumes by itself."""

    max_age: DurationValue | None = None
    """Delete results that framegate put there longer ago than this, as `"30d"`; one with a later capture time
    stays until that is as old. Each camera's last kept frame stays."""

    max_size: SomeSize | None = None
    """Delete the oldest results that framegate put there while they are more than this together, as
    `"20GB"`. It is looked at every 10 s. Each camera's last kept frame stays."""


class StateSettings(Table):
    """What framegate remembers."""

    folder: Annotated[Folder | None, RestartOnly()] = None
    """The folder of the ledger. Default: `$STATE_DIRECTORY`, which systemd sets; else a folder of the
    drop folder's own below `$XDG_STATE_HOME/framegate`."""


class IgnoredArea(Table):
    """A part of the picture that does not count."""

    name: Text
    """What it is, for the reader: `clock`, `flag`, `street`."""

    polygon: Annotated[tuple[Point, ...], Field(min_length=3)]
    """Its corners as fractions of the picture, `[x, y]`, from `[0, 0]` top left to `[1, 1]` bottom right."""


CLASSIC: dict[str, Any] = {
    "working_height": 0,
    "pixel_threshold": 45,
    "lighting": "off",
    "noise_gain": 0.0,
    "min_contour_area": NOT_GIVEN,
    "score_threshold": NOT_GIVEN,
}
"""What `preset = "classic"` sets; `adaptive` is the defaults below."""


class DetectionSettings(Table):
    """When a frame differs enough from the last kept one."""

    preset_name: Literal["adaptive", "classic"] = Field(default="adaptive", alias="preset")
    """The set of defaults for this table. `adaptive`: relative areas, lighting matched, restless places
    learnt. `classic`: the published algorithm to the bit; it needs both areas below."""

    min_contour_area: AreaValue = Area(0.05, "%")
    """A changed region smaller than this does not count. `"0.05%"` of the unmasked picture, or `"500px"`
    at the working size. Raise it against insects and rain."""

    score_threshold: AreaValue = Area(0.2, "%")
    """A frame is kept when its changed regions sum to more than this. Raise it when too much is kept."""

    border_mask: Borders = (0.0, 0.0, 0.0, 0.0)
    """Ignore this much at the edges, in percent: `[left, top, right, bottom]`."""

    mask_file: Text | None = None
    """A PNG as a mask: black is ignored, anything else counts. It is stretched over the picture."""

    working_height: Annotated[Whole, Field(ge=0, le=10000)] = 360
    """Frames are compared at this many rows, never enlarged; 0 is the native size."""

    blur: OddSide = 5
    """Side of the Gaussian blur in pixels of the working size, odd; 0 is none. More forgives more noise."""

    pixel_threshold: Annotated[Whole, Field(ge=0, le=254)] = 30
    """A pixel counts as changed when its gray value differs by more than this, of 255."""

    dilate: Annotated[Whole, Field(ge=0, le=50)] = 2
    """Rounds of dilation that join the pieces of one object. Each adds a pixel at every edge."""

    lighting: Literal["off", "global"] = "global"
    """`global`: match the brightness of the whole picture to the reference first, so that dusk and
    clouds do not count. `off`: compare as it is."""

    noise_gain: Annotated[Number, Field(ge=0, le=50)] = 4.0
    """How strongly places that are always restless (leaves, rain, a running clock) are discounted; 0 is
    not at all."""

    keep_every: DurationValue | None = None
    """Keep a frame, as `heartbeat`, when the last kept one was captured so long before it, as `"1h"`."""

    max_kept_per_hour: Annotated[Whole, Field(ge=1, le=100_000)] | None = None
    """Above so many kept frames in an hour of capture time the camera is in a storm: of those that differ
    only one a minute is kept, as `storm`; the others are dropped, as `storm_dropped`."""

    ignore: tuple[IgnoredArea, ...] = ()
    """Parts of the picture that do not count, such as a burnt-in clock or a street behind the fence."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("preset") != "classic":
            return data
        return {**CLASSIC, **data}

    @classmethod
    def preset(cls, name: Literal["adaptive", "classic"], **overrides: Any) -> Self:
        """Make settings from a preset.

        Args:
            name: ``adaptive`` or ``classic``; the latter needs both areas.
            **overrides: any setting of ``[detection]``; areas as ``"0.2%"`` or ``"5000px"``.

        Raises:
            pydantic.ValidationError: naming every setting that is wrong.
        """
        return cls.model_validate({"preset": name, **overrides})


class CameraSettings(Table):
    """Settings of one camera, over the general ones."""

    detection: DetectionSettings = DetectionSettings()
    """Any setting of `[detection]`, for this camera only."""


class MetricsSettings(Table):
    """Numbers for a monitoring system."""

    listen: Annotated[Listen | None, RestartOnly()] = None
    """Serve Prometheus metrics at this address, as `"127.0.0.1:9188"`. It needs `pip install
    'framegate[metrics]'`."""

    textfile: Text | None = None
    """Write the same metrics to this file every 15 s, for node_exporter's textfile collector; its name ends
    in `.prom`."""


class LogSettings(Table):
    """What the log says, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important line to print."""

    format: Literal["auto", "json", "console"] = "auto"
    """`json`: one object a line. `console`: for people. `auto`: console on a terminal, else json."""


class Settings(Table):
    """A whole config file: an immutable snapshot, by which a frame is judged from first to last."""

    version: Version
    """The version of this file's format."""

    drop: DropSettings
    results: ResultsSettings
    state: StateSettings = StateSettings()
    detection: DetectionSettings = DetectionSettings()
    camera: Annotated[
        Mapping[str, CameraSettings],
        AfterValidator(MappingProxyType),
        WrapSerializer(lambda cameras, as_dict: as_dict(dict(cameras))),
    ] = Field(default_factory=lambda: MappingProxyType({}))
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    def detection_of(self, camera: str) -> DetectionSettings:
        """Return the detection settings of a camera: its own, or the general ones."""
        own = self.camera.get(camera)
        return self.detection if own is None else own.detection
