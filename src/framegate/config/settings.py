"""Every setting: its type, bounds, unit, meaning and default.

Validation, errors, ``config.example.toml`` and the README's table are made from this module (see ``load.py``
and ``docs.py``). The docstring of a table or a field is its documentation everywhere. The example of a field
is what ``config.example.toml`` shows if there is no default.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, WrapSerializer, model_validator

from framegate.config.capture_time import MTIME
from framegate.config.quantities import NOT_GIVEN, Area, Size
from framegate.config.values import (
    AreaValue,
    Borders,
    CameraPattern,
    CaptureTimes,
    DurationValue,
    FilePath,
    Listen,
    Number,
    OddSide,
    Patterns,
    Polygon,
    PromFile,
    SizeValue,
    SomeSize,
    Text,
    Version,
    Whole,
)

DEFAULT_CAMERA = "default"
"""The camera of a frame if ``camera_pattern`` is not set, or does not match."""


class RestartOnly:
    """Marks a setting that a running daemon cannot change: it has the folder, or the address, open."""


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

    folder: Annotated[FilePath, RestartOnly()] = Field(examples=["/srv/cameras/lot1/drop"])
    """The folder that the camera uploads to. framegate never writes or renames in it, and deletes in it only
    what `after_kept`, `after_dropped` and `after_rejected` say."""

    include: Patterns = ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.tif", "*.tiff", "*.bmp")
    """Patterns for the names of frames; upper and lower case count as the same. Dot-files, `*.part`, `*.tmp`,
    `*.filepart` and `*~` are never frames. The content of a file decides which kind of picture it is,
    not its name."""

    recursive: Annotated[bool, Strict(), RestartOnly()] = True
    """Also watch the folders inside the folder, including those made later."""

    camera_pattern: CameraPattern | None = Field(default=None, examples=[r"^(?P<camera>c\d+)"])
    """For many cameras in one folder: a regular expression with a group `camera`, searched in the path
    below the folder. Each camera's frames are compared only with its own. Without it all frames belong to
    the camera `default`."""

    capture_time: CaptureTimes = (MTIME,)
    """Where to read the time at which a frame was taken; frames are judged in the order of these times.
    `mtime` is the file's modification time. A strptime pattern with the full date (`%Y-%m-%d_%H_%M_%S`, local
    time), `epoch_s` or `epoch_ms` reads it from the path below the folder. A list is tried in order; when
    none fits, `mtime` is used."""

    settle_s: Annotated[Number, Field(ge=0, le=3600)] = 2.0
    """Seconds without a change after which a file counts as complete. A file whose writer has closed it, or
    moved it in, and whose content ends properly, is judged at once."""

    give_up_s: Annotated[Number, Field(ge=0, le=86400)] = 60.0
    """Seconds without a change after which a file whose content is incomplete is rejected, as `truncated` or
    `empty`. If the upload continues later, the file is judged again."""

    sweep_s: Annotated[Number, Field(ge=0.1, le=86400)] = 30.0
    """Seconds between sweeps (listings of the whole folder) while the kernel reports arrivals. A sweep finds
    the frames that were not reported."""

    poll_s: Annotated[Number, Field(ge=0.1, le=86400)] = 2.0
    """Seconds between sweeps where the kernel reports no arrivals: with `watch = "poll"`, and on a network
    share. A large folder is swept less often, so that sweeps take at most a tenth of the time."""

    watch: Annotated[Literal["auto", "inotify", "poll"], RestartOnly()] = "auto"
    """How arrivals are noticed. `inotify`: the kernel reports them at once. `poll`: only by sweeps, every
    `poll_s`. `auto`: inotify, but poll where the kernel cannot see every writer, as on a network share."""

    max_size: SizeValue = Size(64_000_000)
    """A larger file is rejected as `too_large`, without being read."""

    max_megapixels: Annotated[Number, Field(gt=0, le=1000)] = 100.0
    """A picture with more megapixels is rejected as `too_large`. They are read from its header, before it is
    decoded."""

    after_kept: AfterVerdict = "leave"
    """What to do with a kept frame in the drop folder, once its copy is safe on the disk: `leave` or `delete`
    it."""

    after_dropped: AfterVerdict = "leave"
    """The same for a dropped frame, once the decision is safe on the disk. Each camera's last frame stays."""

    after_rejected: AfterVerdict = "leave"
    """The same for a rejected file. With `delete`, an upload that stalled for `give_up_s` loses the
    part that had arrived; if the uploader then resumes it instead of starting again, it stays incomplete."""

    silent_after: DurationValue | None = Field(default=None, examples=["15m"])
    """Log a warning when a camera has sent nothing for this long, as `"15m"`, and a line when it is back."""


class ResultsSettings(Table):
    """Where kept frames go."""

    folder: Annotated[FilePath, RestartOnly()] = Field(examples=["/srv/cameras/lot1/results"])
    """The folder that kept frames are copied to, byte for byte, under the path they had in the drop
    folder. Nothing in it is ever overwritten, and nothing is deleted except by `max_age` and `max_size`."""

    min_free: SizeValue = Size(500_000_000)
    """When a frame is to be kept and the disk has less free space than this, judging pauses, so that the disk
    never fills up. It resumes when there is enough space again."""

    max_age: DurationValue | None = Field(default=None, examples=["30d"])
    """Delete results of framegate that are older than this, as `"30d"`. The age counts from the later of
    capture and arrival. Each camera's last kept frame stays."""

    max_size: SomeSize | None = Field(default=None, examples=["20GB"])
    """Delete the oldest results of framegate while together they take more than this, as `"20GB"`. Checked
    every 10 s. Each camera's last kept frame stays."""


class StateSettings(Table):
    """Where framegate remembers its decisions."""

    folder: Annotated[FilePath | None, RestartOnly()] = Field(
        default=None, examples=["/var/lib/framegate/lot1"]
    )
    """The folder of the ledger, the record of every decision. Default: `$STATE_DIRECTORY`, which systemd
    sets; otherwise a folder below `$XDG_STATE_HOME/framegate` for this drop folder."""


class IgnoredArea(Table):
    """A part of the picture that does not count."""

    name: Text
    """A name for readers of the file: `clock`, `flag`, `street`."""

    polygon: Polygon
    """Its corners as fractions of the picture, `[x, y]`, from `[0, 0]` top left to `[1, 1]` bottom right."""


CLASSIC: dict[str, Any] = {
    "working_height": 0,
    "pixel_threshold": 45,
    "lighting": "off",
    "noise_gain": 0.0,
    "min_contour_area": NOT_GIVEN,
    "score_threshold": NOT_GIVEN,
}
"""The values of `preset = "classic"`; `adaptive` is the defaults below."""


class DetectionSettings(Table):
    """When a frame differs enough from the last kept one."""

    preset_name: Literal["adaptive", "classic"] = Field(default="adaptive", alias="preset")
    """The set of defaults for this table. `adaptive`: areas relative to the picture, changes of light
    compensated, restless places learnt. `classic`: exactly the published algorithm; it needs both areas
    below."""

    min_contour_area: AreaValue = Area(0.05, "%")
    """A changed region smaller than this does not count. `"0.05%"` of the unmasked picture, or `"500px"`
    at the working size. Raise it against insects and rain."""

    score_threshold: AreaValue = Area(0.2, "%")
    """A frame is kept when its changed regions add up to more than this. Raise it when too much is kept."""

    border_mask: Borders = (0.0, 0.0, 0.0, 0.0)
    """How much to ignore at the edges of the picture, in percent: `[left, top, right, bottom]`."""

    mask_file: FilePath | None = Field(default=None, examples=["mask.png"])
    """A PNG that masks the picture: black is ignored, anything else counts. It is stretched to the picture's
    size."""

    working_height: Annotated[Whole, Field(ge=0, le=10000)] = 360
    """Frames are scaled down to this many rows of pixels before they are compared; 0 compares the original
    size."""

    blur: OddSide = 5
    """Size of the Gaussian blur in pixels at the working size, an odd number; 0 is no blur. More blur ignores
    more noise."""

    pixel_threshold: Annotated[Whole, Field(ge=0, le=254)] = 30
    """A pixel counts as changed when its gray value differs by more than this, of 255."""

    dilate: Annotated[Whole, Field(ge=0, le=50)] = 2
    """Rounds of dilation that join the pieces of one object. Each adds a pixel on every side."""

    lighting: Literal["off", "global"] = "global"
    """`global`: first match the brightness of the whole picture to that of the last kept frame, so that dusk
    and clouds do not count. `off`: compare the pictures unchanged."""

    noise_gain: Annotated[Number, Field(ge=0, le=50)] = 4.0
    """How much less changes count in places that are always restless (leaves, rain, a running clock); 0
    turns this off."""

    keep_every: DurationValue | None = Field(default=None, examples=["1h"])
    """Keep a frame, as `heartbeat`, when the last kept one was captured this long before it, as `"1h"`."""

    max_kept_per_hour: Annotated[Whole, Field(ge=1, le=100_000)] | None = Field(default=None, examples=[120])
    """When more frames than this are kept in an hour of capture time, the camera is in a storm: of the frames
    that differ only one a minute is kept, as `storm`; the others are dropped, as `storm_dropped`."""

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
        """Return settings that start from a preset.

        Args:
            name: ``adaptive`` or ``classic``; the latter needs both areas.
            **overrides: any setting of ``[detection]``; areas as ``"0.2%"`` or ``"5000px"``.

        Raises:
            pydantic.ValidationError: with every setting that is wrong.
        """
        return cls.model_validate({"preset": name, **overrides})


class CameraSettings(Table):
    """Settings of one camera, over the general ones."""

    detection: DetectionSettings = DetectionSettings()
    """Any setting of `[detection]`, for this camera only."""


class MetricsSettings(Table):
    """Metrics for a monitoring system."""

    listen: Annotated[Listen | None, RestartOnly()] = Field(default=None, examples=["127.0.0.1:9188"])
    """Serve Prometheus metrics at this address, as `"127.0.0.1:9188"`, or `":9188"` for every IPv4 address of
    this machine. It needs prometheus-client: in the clone `.venv/bin/pip install '.[metrics]'`, for the
    service `sudo /opt/framegate/bin/pip install '.[metrics]'`."""

    textfile: PromFile | None = Field(
        default=None, examples=["/var/lib/prometheus/node-exporter/framegate_lot1.prom"]
    )
    """Write the same metrics to this file every 15 s, for node_exporter's textfile collector. Its name has to
    end in `.prom`. It needs prometheus-client too."""


class LogSettings(Table):
    """Which lines are logged, and in which format."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important level that is logged."""

    format: Literal["auto", "json", "console"] = "auto"
    """`json`: one object on each line. `console`: for people. `auto`: console on a terminal, otherwise
    json."""


class Settings(Table):
    """A whole config file: an immutable snapshot. Each frame is judged by one snapshot from start to end."""

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
