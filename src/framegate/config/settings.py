"""Every setting: its type, bounds, unit, meaning and default.

Validation, errors, ``config.example.toml`` and the README's table are made from this module (see ``load.py``
and ``docs.py``). The docstring of a table or a field is its documentation everywhere. The example of a field
is what ``config.example.toml`` shows if there is no default.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, ValidationInfo, WrapSerializer, model_validator

from framegate.config.capture_time import MTIME
from framegate.config.detection import DetectionSettings
from framegate.config.layout import Layout
from framegate.config.quantities import ArchiveAfter, Duration, Size
from framegate.config.schedule import Schedule, Schedules, local_clock, with_presets
from framegate.config.tables import RestartOnly, Table
from framegate.config.telling.log import LogSettings
from framegate.config.telling.metrics import MetricsSettings
from framegate.config.telling.notify import Notifies
from framegate.config.telling.web import WebSettings
from framegate.config.values import (
    AfterVerdict,
    CameraPattern,
    CaptureTimes,
    DurationValue,
    Exclusions,
    FilePath,
    LayoutValue,
    Number,
    Patterns,
    SizeValue,
    SomeSize,
    Version,
)
from framegate.model import Verdict

DEFAULT_CAMERA = "default"
"""The camera of a frame if ``camera_pattern`` is not set, or does not match."""


@dataclass(frozen=True, slots=True)
class InputRule:
    """When the inputs of one verdict leave the drop folder."""

    name: str
    """Of the setting."""

    age_ns: int
    """How long after the decision; 0: as soon as that is safe on the disk."""

    archives: bool
    """They are moved to the archive; else they are deleted."""


def _required_by_rules(archive: str | None, info: ValidationInfo) -> str | None:
    rules = ("after_kept", "after_dropped", "after_rejected")
    wanting = [name for name in rules if _archives(info.data.get(name, "leave"))]
    if archive is None and wanting:
        value = info.data[wanting[0]]
        raise ValueError(f'is required by {wanting[0]} = "{value}": the folder that inputs are moved to')
    return archive


def _archives(value: str | Duration) -> bool:
    return value == "archive" or isinstance(value, ArchiveAfter)


class DropSettings(Table):
    """Where frames arrive, and when one is complete."""

    folder: Annotated[FilePath, RestartOnly()] = Field(examples=["/srv/cameras/lot1/drop"])
    """The folder that the camera uploads to. framegate never writes in it, and deletes or moves in it
    only what `after_kept`, `after_dropped` and `after_rejected` say."""

    include: Patterns = ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.tif", "*.tiff", "*.bmp", "*.heic", "*.avif")
    """Patterns for the names of frames; upper and lower case count as the same. Dot-files, `*.part`, `*.tmp`,
    `*.filepart` and `*~` are never frames. The content of a file decides which kind of picture it is,
    not its name."""

    exclude: Exclusions = (
        "@eaDir", "@tmp", "@sharebin", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "~snapshot",
        "$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "ehthumbs*.db", "desktop.ini", "~$*",
        "lost+found", "__MACOSX", "Network Trash Folder", "Temporary Items", "~syncthing~*", "*.!sync",
    )  # fmt: skip
    """Patterns for the names of files and folders that are no frames and hold none; upper and lower case
    count as the same. By default what NAS systems, Windows, macOS and sync programs put there. A pattern with
    `/` is for a path below the folder. An excluded folder is not listed. Your list replaces the default;
    what is hidden by a dot stays ignored."""

    recursive: Annotated[bool, Strict(), RestartOnly()] = True
    """Also watch the folders inside the folder, including those made later."""

    camera_pattern: CameraPattern | None = Field(default=None, examples=[r"^(?P<camera>c\d+)"])
    """For many cameras in one folder: a regular expression with a group `camera`, searched in the path
    below the folder. Each camera's frames are compared only with its own. Without it all frames belong to
    the camera `default`."""

    capture_time: CaptureTimes = (MTIME,)
    """Where to read the time at which a frame was taken; frames are judged in the order of these times.
    `mtime` is the file's modification time. A strptime pattern with the full date (`%Y-%m-%d_%H_%M_%S`, local
    time), or `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, reads it from the path below the folder. `exif`
    opens each file and reads what the camera wrote into its first 64 kB (JPEG, PNG, WebP, TIFF; local time
    unless it names its offset from UTC). A list is tried in order; when none fits, `mtime` is used."""

    settle_s: Annotated[Number, Field(ge=0, le=3600)] = 2.0
    """Seconds without a change after which a file counts as complete. A file whose writer has closed it, or
    moved it in, and whose content ends properly, is judged at once."""

    give_up_s: Annotated[Number, Field(ge=0, le=86400)] = 60.0
    """Seconds without a change after which a file whose content is incomplete is rejected, as `truncated` or
    `empty`; a JPEG that lacks only its end marker is judged. If the upload continues later, the file is
    judged again."""

    reorder_s: Annotated[Number, Field(ge=0, le=3600)] = 0.0
    """For uploads that do not come in the order of capture: seconds that each frame waits, from when it is
    first seen, for older ones of its camera. A frame that arrives within this time after the first younger
    one is judged in its order. When polling, add `poll_s`. With 0, frames do not wait."""

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
    it, or move it to the `archive`; or a time, as `"7d"`: delete it that long after it was kept; or `"archive
    after 7d"`."""

    after_dropped: AfterVerdict = "leave"
    """The same for a dropped frame, once the decision is safe on the disk. Each camera's last frame stays.
    With a time, as `"7d"`, the frames of the last days can be replayed with other settings."""

    after_rejected: AfterVerdict = "leave"
    """The same for a rejected file. With `delete`, an upload that stalled for `give_up_s` loses the
    part that had arrived; if the uploader then resumes it instead of starting again, it stays incomplete."""

    archive: Annotated[FilePath | None, RestartOnly(), AfterValidator(_required_by_rules)] = Field(
        default=None, validate_default=True, examples=["/srv/cameras/lot1/archive"]
    )
    """The folder for inputs that are archived, each under its path in the drop folder. framegate does not
    make it: a disk that is not mounted lacks it, and inputs wait. To another disk they are copied, as long as
    it has more free space than `results.min_free`."""

    silent_after: DurationValue | None = Field(default=None, examples=["15m"])
    """Log a warning when a camera has sent nothing for this long, as `"15m"`, and a line when it is back."""

    frozen_after: DurationValue | None = Field(default=None, examples=["1h"])
    """Log a warning when a camera has repeated the very same picture for this long, as `"1h"`, and a line
    when it sends another one."""

    def input_rules(self) -> dict[Verdict, InputRule]:
        """Return when inputs are deleted or archived, by verdict; without the verdicts whose inputs stay."""
        settings = {
            Verdict.KEPT: ("after_kept", self.after_kept),
            Verdict.DROPPED: ("after_dropped", self.after_dropped),
            Verdict.REJECTED: ("after_rejected", self.after_rejected),
        }
        return {
            verdict: InputRule(
                name, int(float(value) * 1e9) if isinstance(value, Duration) else 0, _archives(value)
            )
            for verdict, (name, value) in settings.items()
            if value != "leave"
        }


class ResultsSettings(Table):
    """Where kept frames go."""

    folder: Annotated[FilePath, RestartOnly()] = Field(examples=["/srv/cameras/lot1/results"])
    """The folder that kept frames are copied to, byte for byte, named as `layout` says. Nothing in it is ever
    overwritten, and nothing is deleted except by `max_age` and `max_size`."""

    layout: LayoutValue = Layout.parse("{path}")
    """Folders and name of a result, as `"{camera}/{captured:%Y-%m-%d}/{name}"`. `{camera}` is the camera,
    `{path}` the path in the drop folder, `{folder}` the folders in it, `{name}` the file's name, `{stem}` and
    `{suffix}` its parts before and from the last dot; `{captured:...}` is the capture time in local time as
    strftime writes it, `{captured_utc:...}` in UTC. Where another frame has the name, the capture
    time is added to it."""

    min_free: SizeValue = Size(500_000_000)
    """When a frame is to be kept and the disk has less free space than this, judging pauses, so that the disk
    never fills up. It resumes when there is enough space again."""

    max_age: DurationValue | None = Field(default=None, examples=["30d"])
    """Delete results of framegate that are older than this, as `"30d"`. The age counts from when they
    were kept. Each camera's last kept frame stays."""

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


class CameraSettings(Table):
    """Settings of one camera, over the general ones."""

    detection: DetectionSettings = DetectionSettings()
    """Any setting of `[detection]`, for this camera only; what it does not set is as in `[detection]`. With
    another preset it takes from there only what means the same for both: no thresholds, areas or zones."""


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
    schedule: Schedules = ()
    metrics: MetricsSettings = MetricsSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    notify: Notifies = ()

    @model_validator(mode="before")
    @classmethod
    def _tell_schedules_the_presets(cls, data: Any) -> Any:
        return with_presets(data)

    def detection_of(self, camera: str, schedule: str | None = None) -> DetectionSettings:
        """Return the detection settings of a camera: its own, or the general ones.

        Args:
            camera: its name.
            schedule: the name of the one that counts, as ``schedule_at`` returns it. None: as they are
                outside of all schedules.
        """
        own = self.camera.get(camera)
        detection = self.detection if own is None else own.detection
        if schedule is None:
            return detection
        return next(each for each in self.schedule if each.name == schedule).detection.over(detection)

    def schedule_at(self, camera: str, time_ns: int) -> str | None:
        """Return the name of the schedule that counts for a camera at a time: the first that fits, or None.

        Args:
            camera: its name.
            time_ns: of capture, since the epoch; see ``Pacing.time_ns``.
        """
        if not self.schedule:
            return None
        weekday, second = local_clock(time_ns)
        fitting = (each for each in self.schedules_of(camera) if each.covers(weekday, second))
        return next((each.name for each in fitting), None)

    def schedules_of(self, camera: str) -> tuple[Schedule, ...]:
        """Return the schedules that may count for a camera, in their order."""
        return tuple(each for each in self.schedule if each.is_for(camera))

    def detections(self) -> Iterator[DetectionSettings]:
        """Yield all detection settings by which any camera may be judged at any time."""
        cameras = {name for each in self.schedule for name in each.cameras or ()} | {*self.camera}
        yield self.detection
        yield from (each.detection for each in self.camera.values())
        for schedule in self.schedule:
            if schedule.cameras is None:
                yield schedule.detection.over(self.detection)
            for name in cameras:
                if schedule.is_for(name):
                    yield self.detection_of(name, schedule.name)
